//! `deploy.sh`, with a kubectl that notes what it is asked and lets the real one do what needs no cluster.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use super::files::root;
use super::tools::{all, tool};

/// What the script said, and what it asked of kubectl, a line each. `None` where there is no kubectl.
fn deploy(arguments: &[&str], fails_at: &str) -> Option<(Output, Vec<String>)> {
    let kubectl = tool("kubectl")?;
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let (fake, noted) = (folder.path().join("kubectl"), folder.path().join("noted"));
    let script = format!(
        "#!/bin/sh\necho \"$*\" >> '{}'\ncase \"$*\" in '{fails_at}'*) echo 'no such thing' >&2; exit 1;; esac\n\
         if [ \"$1\" = kustomize ]; then exec '{}' \"$@\"; fi\n\
         case \"$*\" in *requestheader-client-ca-file}}) echo authority;; esac\n",
        noted.display(),
        kubectl.display()
    );
    fs::write(&fake, script).expect("a temporary folder is writable");
    fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).expect("it may be run");
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").expect("a path"));
    let mut command = Command::new(root().join("manifests/deploy.sh"));
    let output = command.args(arguments).env("PATH", path).current_dir(root()).output().expect("bash starts");
    let noted = fs::read_to_string(noted).unwrap_or_default();
    let asked = noted
        .lines()
        .map(|line| line.replace(&format!("{}/", root().display()), ""))
        .filter(|line| !line.starts_with("kustomize "));
    Some((output, asked.collect()))
}

#[test]
fn what_it_asks_of_kubectl_is_what_its_commands_are_called() {
    let rollouts = ["embeddings-cpu", "embeddings-gpu", "overspill"]
        .map(|name| format!("--namespace inference rollout status deployment/{name} --timeout 5m"));
    let mut deployed = vec!["apply --server-side --kustomize manifests/overlays/gateway".to_owned()];
    deployed.extend(rollouts.clone());
    let exec = "--namespace inference exec deployment/overspill --container overspill -- /overspill";
    let mut verified = rollouts.to_vec();
    verified.extend(
        ["embeddings-cpu", "embeddings-gpu"]
            .map(|name| format!("--namespace inference get horizontalpodautoscaler/{name}")),
    );
    verified.push(format!("{exec} check /etc/overspill"));
    verified.push(format!(
        "{exec} call POST http://embeddings.inference.svc.cluster.local/api/v1/embed --timeout 60s --data {{\"text\": \"verify\"}}"
    ));
    let table: [(&[&str], Vec<String>); 4] = [
        (&["deploy"], deployed),
        (&["verify", "gateway"], verified),
        (&["dashboard"], vec!["--namespace monitoring port-forward svc/grafana 3000:80".to_owned()]),
        (&["cleanup", "gateway"], vec!["delete --ignore-not-found --kustomize manifests/overlays/gateway".to_owned()]),
    ];
    for (arguments, expected) in table {
        let Some((output, asked)) = deploy(arguments, "nothing fails") else { return };
        assert!(output.status.success(), "{arguments:?}: {}", all(&output));
        assert_eq!(asked, expected, "{arguments:?}");
    }
}

#[test]
fn definitions_are_there_before_what_is_of_their_kinds() {
    let Some((output, asked)) = deploy(&["deploy", "production"], "nothing fails") else { return };
    assert!(output.status.success(), "{}", all(&output));
    let first = [
        "apply --server-side --kustomize manifests/crds",
        "wait --for condition=Established --timeout 5m --filename manifests/crds/definitions.yaml",
        "apply --server-side --kustomize manifests/overlays/production",
    ];
    assert_eq!(asked[..3], first);
}

#[test]
fn the_front_proxys_authority_is_copied_to_where_it_is_mounted() {
    let copied = [
        "--namespace inference create configmap overspill-front-proxy --dry-run=client --output yaml \
         --from-literal requestheader-client-ca-file=authority",
        "--namespace kube-system get configmap extension-apiserver-authentication --output \
         jsonpath={.data.requestheader-client-ca-file}",
        "apply --server-side --filename -",
    ];
    for arguments in [&["front-proxy", "inference"], &["deploy", "metrics-api"]] {
        let Some((output, asked)) = deploy(arguments, "nothing fails") else { return };
        assert!(output.status.success(), "{}", all(&output));
        for line in copied {
            assert!(asked.iter().any(|asked| asked == line), "{arguments:?}: {line} is none of {asked:#?}");
        }
    }
    let Some((output, asked)) = deploy(&["front-proxy", "inference"], "--namespace kube-system") else { return };
    assert_eq!((output.status.code(), asked.len()), (Some(1), 1), "{}", all(&output));
}

#[test]
fn what_keda_scales_is_looked_at() {
    let Some((output, asked)) = deploy(&["verify", "keda"], "nothing fails") else { return };
    assert!(output.status.success(), "{}", all(&output));
    for name in ["embeddings-cpu", "embeddings-gpu"] {
        let line = format!("--namespace inference get scaledobject/{name}");
        assert!(asked.contains(&line), "{line} is none of {asked:#?}");
    }
}

#[test]
fn a_step_that_fails_ends_it() {
    let Some((output, asked)) = deploy(&["deploy"], "apply") else { return };
    assert_eq!((output.status.code(), asked.len()), (Some(1), 1), "{}", all(&output));
}

#[test]
fn wrong_usage_is_told() {
    for (arguments, code, said) in [
        (&[][..], 2, "deploy.sh deploy"),
        (&["destroy"], 2, "deploy.sh cleanup"),
        (&["dashboard", "gateway"], 2, "deploy.sh dashboard"),
        (&["deploy", "nowhere"], 1, "there is no overlay nowhere; there are: canary gateway keda"),
    ] {
        let Some((output, asked)) = deploy(arguments, "nothing fails") else { return };
        assert_eq!((output.status.code(), asked.is_empty()), (Some(code), true), "{}", all(&output));
        assert!(all(&output).contains(said), "{}", all(&output));
    }
}

#[test]
fn shellcheck_finds_nothing() {
    let Some(shellcheck) = tool("shellcheck") else { return };
    let scripts = ["manifests/deploy.sh", "tests/tools.sh"];
    let output = Command::new(shellcheck).args(scripts).current_dir(root()).output().expect("shellcheck starts");
    assert!(output.status.success(), "{}", all(&output));
}
