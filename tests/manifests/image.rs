//! The `Dockerfile`, as far as it can be judged without building it: what the image holds and as whom it runs, that what is
//! copied is there, that scripts are scripts, and that the one that gathers licences finds them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::files::{root, text, yaml};
use super::tools::all;

/// An instruction: its name, and what follows it, with continued lines joined.
type Instruction = (String, String);

/// The stages, each begun by its FROM.
fn stages() -> Vec<Vec<Instruction>> {
    let text = text("Dockerfile");
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#') && !line.trim().is_empty());
    let joined = lines.fold(String::new(), |joined, line| match line.trim_end().strip_suffix('\\') {
        Some(continued) => joined + continued,
        None => joined + line + "\n",
    });
    let mut stages: Vec<Vec<Instruction>> = Vec::new();
    for line in joined.lines() {
        let (name, rest) = line.split_once(' ').expect("an instruction has arguments");
        let instruction = (name.to_owned(), rest.split_whitespace().collect::<Vec<_>>().join(" "));
        match (name, stages.last_mut()) {
            ("FROM", _) => stages.push(vec![instruction]),
            (_, Some(stage)) => stage.push(instruction),
            (_, None) => panic!("{line} stands before the first stage"),
        }
    }
    stages
}

fn all_of<'s>(stage: &'s [Instruction], name: &str) -> Vec<&'s str> {
    stage.iter().filter(|(known, _)| known == name).map(|(_, rest)| rest.as_str()).collect()
}

/// What a stage calls itself.
fn name(stage: &[Instruction]) -> Option<&str> {
    stage[0].1.split_once(" AS ").map(|(_, name)| name)
}

/// The stage that is copied from, the sources and the destination of a COPY.
fn copy(rest: &str) -> (Option<&str>, Vec<&str>, &str) {
    let (options, mut paths): (Vec<&str>, Vec<&str>) = rest.split(' ').partition(|word| word.starts_with("--"));
    let destination = paths.pop().expect("a destination");
    (options.iter().find_map(|option| option.strip_prefix("--from=")), paths, destination)
}

#[test]
fn the_image_holds_the_program_the_library_and_licences_and_runs_as_nobody() {
    let stages = stages();
    let last = stages.last().expect("a stage");
    assert!(last[0].1.contains("distroless") && last[0].1.ends_with(":nonroot"), "{}", last[0].1);
    assert!(all_of(last, "RUN").is_empty() && all_of(last, "SHELL").is_empty(), "there is no shell to run anything in");
    let [user] = *all_of(last, "USER") else { panic!("one user") };
    let numbers: Vec<u32> =
        user.split(':').map(|number| number.parse().expect("a number, so that Kubernetes can tell")).collect();
    assert!(numbers.len() == 2 && numbers.iter().all(|number| *number > 0), "{user}");
    let copied: BTreeSet<&str> = all_of(last, "COPY").into_iter().map(|rest| copy(rest).2).collect();
    let library = "/usr/lib/overspill/libonnxruntime.so.1.28.0";
    assert_eq!(copied, ["/overspill", "/licences", library, "/licences/onnxruntime/"].into());
    assert!(all_of(last, "ENV").concat().contains(&format!("OVERSPILL_MODEL_LIBRARY={library}")));
    assert_eq!((all_of(last, "ENTRYPOINT"), all_of(last, "CMD")), (vec![r#"["/overspill"]"#], vec![r#"["run"]"#]));
    for label in ["title", "description", "licenses"] {
        assert!(all_of(last, "LABEL").concat().contains(&format!("org.opencontainers.image.{label}=")), "{label}");
    }
    let deployment = yaml("deployment", &text("manifests/base/router/deployment.yaml")).remove(0);
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let exposed: Vec<&str> = all_of(last, "EXPOSE").iter().flat_map(|ports| ports.split(' ')).collect();
    for port in container["ports"].as_array().expect("ports") {
        assert!(exposed.contains(&port["containerPort"].to_string().as_str()), "{port} is not among {exposed:?}");
    }
    let pod = &deployment["spec"]["template"]["spec"]["securityContext"];
    assert_eq!(format!("{}:{}", pod["runAsUser"], pod["runAsGroup"]), user);
}

#[test]
fn what_is_copied_is_there() {
    let stages = stages();
    let ignored = text(".dockerignore");
    let ignored: Vec<&str> =
        ignored.lines().map(|line| line.trim_start_matches("**/").trim_start_matches('/')).collect();
    for (at, stage) in stages.iter().enumerate() {
        let before: Vec<&str> = stages[..at].iter().filter_map(|stage| name(stage)).collect();
        for rest in all_of(stage, "COPY") {
            let (from, sources, _) = copy(rest);
            if let Some(from) = from {
                assert!(before.contains(&from), "{rest}: no earlier stage is called so: {before:?}");
                continue;
            }
            for source in sources {
                assert!(root().join(source).exists(), "{rest}: {source} is missing");
                let parts: Vec<&str> = source.split('/').collect();
                assert!(!ignored.iter().any(|pattern| parts.contains(pattern)), "{rest}: {source} is ignored");
            }
        }
    }
}

#[test]
fn nothing_names_an_architecture() {
    for (instruction, rest) in stages().iter().flatten() {
        for architecture in ["amd64", "arm64", "x86_64", "aarch64"] {
            assert!(!rest.contains(architecture), "{instruction} {rest}: TARGETARCH says which");
        }
    }
    let library = stages().into_iter().find(|stage| name(stage) == Some("library")).expect("the stage of the library");
    assert!(library[0].1.contains("--platform=$BUILDPLATFORM"), "it downloads alone, and need not be emulated");
    assert_eq!(all_of(&library, "ARG"), ["TARGETARCH"]);
}

#[test]
fn every_script_is_one() {
    for script in stages().iter().flat_map(|stage| all_of(stage, "RUN")) {
        let output = Command::new("sh").args(["-n", "-c", script]).output().expect("sh starts");
        assert!(output.status.success(), "{script}: {}", all(&output));
    }
}

/// The script that gathers licences, as the image's build runs it but for where they are put.
#[test]
fn the_licence_of_every_crate_is_gathered() {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().expect("rustc starts");
    let sysroot = String::from_utf8(sysroot.stdout).expect("a path");
    if !Path::new(sysroot.trim()).join("share/doc/rust/COPYRIGHT-library.html").is_file() {
        assert!(std::env::var_os("CI").is_none(), "CI has rustup's toolchain");
        #[allow(clippy::print_stderr, reason = "a test that does not run says so")]
        {
            eprintln!("skipped: needs a toolchain of rustup");
        }
        return;
    }
    let stages = stages();
    let script = all_of(&stages[0], "RUN").into_iter().find(|script| script.contains("/licences")).expect("the script");
    let folder = TempDir::new().expect("a temporary folder");
    let licences = folder.path().join("licences");
    let script = script.replace("/licences", &licences.display().to_string());
    let home = std::env::var("HOME").unwrap_or_default();
    let cargo = std::env::var("CARGO_HOME").unwrap_or_else(|_| format!("{home}/.cargo"));
    let mut command = Command::new("sh");
    let output =
        command.args(["-euc", &script]).env("CARGO_HOME", cargo).current_dir(root()).output().expect("sh starts");
    assert!(output.status.success(), "{}", all(&output));
    let crates = fs::read_to_string(licences.join("crates.txt")).expect("a list of crates");
    assert!(crates.lines().count() > 100, "{crates}");
    let mut without = Vec::new();
    for line in crates.lines() {
        let (package, licence) = line.split_once(": ").unwrap_or_else(|| panic!("{line} names no licence"));
        assert!(!licence.trim().is_empty(), "{line} names no licence");
        let mut words = package.split(' ');
        let (name, version) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let file = licences.join(format!("{name}-{}", version.trim_start_matches('v')));
        if !file.is_dir() {
            without.push(name.to_owned());
        }
    }
    assert!(without.len() < 8, "few packages come without a file of their licence: {without:?}");
    for file in ["LICENSE", "rust.html"] {
        assert!(licences.join(file).is_file(), "{file}");
    }
}
