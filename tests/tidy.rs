//! The rules of the house that no compiler knows: layers, file lengths, what may stand at the top.

#![allow(clippy::expect_used, clippy::panic, reason = "a step that cannot go on fails its test, and says why")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;

/// The layer of each module, of src/ARCHITECTURE.md. An import points down; within a layer it may point sideways,
/// except in the layers of [`NO_SIDEWAYS`].
const LAYERS: [(&str, u8); 20] = [
    ("main", 7),
    ("cli", 7),
    ("app", 6),
    ("proxy", 5),
    ("control", 5),
    ("admin", 5),
    ("live", 4),
    ("accept", 3),
    ("upstream", 3),
    ("fallback", 3),
    ("scaling", 3),
    ("wire", 3),
    ("tls", 3),
    ("telemetry", 3),
    ("snapshot", 2),
    ("routing", 1),
    ("pool", 1),
    ("config", 1),
    ("domain", 0),
    ("lib", u8::MAX),
];

const NO_SIDEWAYS: [u8; 2] = [1, 5];

/// The layers that do no I/O, read no clock, draw no chance and take no lock.
const PURE: u8 = 2;

const IMPURE: &str = r"\btokio\b|\bstd::(fs|env|process|thread|io)\b|\bfastrand\b|\b(Instant|SystemTime)::now\b|\b(Mutex|RwLock|TcpStream|TcpListener|File)\b";

const LONGEST_FILE: usize = 400;

/// What may stand at the top of the repository, dotfiles aside.
const TOP: [&str; 12] = [
    "Cargo.toml",
    "Cargo.lock",
    "src",
    "config",
    "manifests",
    "benches",
    "tests",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "Makefile",
    "Dockerfile",
];

/// One source file.
struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// The top-level module that the file is part of.
    fn module(&self) -> &str {
        let first =
            self.path.strip_prefix(root()).ok().and_then(|path| path.iter().nth(1)).and_then(|part| part.to_str());
        let first = first.expect("a file below src/");
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// How many modules deep the file is below the crate's root.
    fn depth(&self) -> usize {
        self.path.strip_prefix(root()).map_or(0, |path| path.iter().count() - 1)
    }

    /// Its lines of code with their numbers: without comments and texts, and whether they belong to a test module.
    fn code(&self) -> Vec<(usize, String, InTest)> {
        let texts = Regex::new(r#""(?:[^"\\]|\\.)*""#).expect("a valid expression");
        let file_is_test = self.path.file_stem().is_some_and(|stem| stem == "tests" || stem == "simulation");
        let mut in_test = if file_is_test { InTest::Yes } else { InTest::No };
        let mut before = "";
        let mut code = Vec::new();
        for (number, line) in (1..).zip(self.text.lines()) {
            // A test module stands last in its file.
            if before.trim() == "#[cfg(test)]" && line.starts_with("mod ") {
                in_test = InTest::Yes;
            }
            before = line;
            let line = texts.replace_all(line, "");
            code.push((number, line.split("//").next().unwrap_or_default().to_owned(), in_test));
        }
        code
    }

    fn name(&self) -> String {
        self.path.strip_prefix(root()).unwrap_or(&self.path).display().to_string()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum InTest {
    Yes,
    No,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.expect("a readable folder").path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("source is UTF-8");
                found.push(Source { path, text });
            }
        }
    }
    found
}

#[test]
fn the_map_has_every_module_in_its_layer() {
    let map = fs::read_to_string(root().join("src/ARCHITECTURE.md")).expect("the map");
    let row = Regex::new(r"(?m)^\| L(\d) \| ([^|]*) \|").expect("an expression");
    let name = Regex::new("`([a-z_]+)`").expect("an expression");
    let mut drawn: Vec<(String, u8)> = Vec::new();
    for row in row.captures_iter(&map) {
        let layer = row[1].parse().expect("a layer");
        drawn.extend(name.captures_iter(&row[2]).map(|name| (name[1].to_owned(), layer)));
    }
    drawn.sort();
    let mut held: Vec<(String, u8)> =
        LAYERS.iter().filter(|(name, _)| *name != "lib").map(|(name, layer)| ((*name).to_owned(), *layer)).collect();
    held.sort();
    assert_eq!(drawn, held);
}

fn layer(module: &str) -> Option<u8> {
    LAYERS.iter().find(|(name, _)| *name == module).map(|(_, layer)| *layer)
}

/// Fails with every fault at once.
fn none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// The top-level modules that a file names, each with its line.
fn imports(source: &Source) -> Vec<(usize, String)> {
    // The program is a crate beside the library, which it names.
    let own = if source.module() == "main" { "overspill" } else { "crate" };
    let one = Regex::new(&format!(r"\b{own}::([a-z_]+)")).expect("a valid expression");
    let group = Regex::new(&format!(r"\b{own}::\{{")).expect("a valid expression");
    let supers = Regex::new(r"((?:super::)+)([a-z_]+)").expect("a valid expression");
    let mut found = Vec::new();
    for (number, line, in_test) in source.code() {
        found.extend(one.captures_iter(&line).map(|names| (number, names[1].to_owned())));
        if group.is_match(&line) {
            found.push((number, "{".to_owned()));
        }
        // As many `super` as the file is deep reach the crate's root; an inline test module is one deeper.
        let deep = source.depth() + usize::from(in_test == InTest::Yes && !source.name().ends_with("tests.rs"));
        let climbs = supers.captures_iter(&line).filter(|names| names[1].len() / "super::".len() >= deep);
        found.extend(climbs.map(|names| (number, names[2].to_owned())));
    }
    found
}

#[test]
fn imports_point_down() {
    let mut faults = Vec::new();
    for source in rust_files("src") {
        let Some(own) = layer(source.module()) else {
            faults.push(format!("{}: the module `{}` is in no layer", source.name(), source.module()));
            continue;
        };
        for (number, name) in imports(&source) {
            let at = format!("{}:{number}", source.name());
            match layer(&name) {
                _ if name == source.module() => {}
                None if name == "{" => faults.push(format!("{at}: one `use` for each module of the crate")),
                None => faults.push(format!("{at}: the module `{name}` is in no layer")),
                Some(other) if other > own => faults.push(format!("{at}: `{name}` is above `{}`", source.module())),
                Some(other) if other == own && NO_SIDEWAYS.contains(&own) => {
                    faults.push(format!("{at}: `{name}` is beside `{}`", source.module()));
                }
                Some(_) => {}
            }
        }
    }
    none(&faults);
}

#[test]
fn the_lower_layers_are_pure() {
    let impure = Regex::new(IMPURE).expect("a valid expression");
    let mut faults = Vec::new();
    for source in rust_files("src").iter().filter(|source| layer(source.module()).is_some_and(|own| own <= PURE)) {
        for (number, line, in_test) in source.code() {
            if in_test == InTest::No && impure.is_match(&line) {
                faults.push(format!("{}:{number}: {}", source.name(), line.trim()));
            }
        }
    }
    none(&faults);
}

#[test]
fn yaml_is_read_in_config_alone() {
    let yaml = Regex::new(r"\b(serde_yaml|saphyr_parser)\b").expect("a valid expression");
    let mut faults = Vec::new();
    for source in rust_files("src").iter().filter(|source| source.module() != "config") {
        faults.extend(
            source
                .code()
                .into_iter()
                .filter(|(_, line, in_test)| *in_test == InTest::No && yaml.is_match(line))
                .map(|(number, ..)| format!("{}:{number}: YAML is read in src/config", source.name())),
        );
    }
    none(&faults);
}

#[test]
fn files_are_short_and_say_what_they_own() {
    let mut faults = Vec::new();
    for source in ["src", "tests", "benches"].into_iter().flat_map(rust_files) {
        let lines = source.text.lines().count();
        if lines > LONGEST_FILE {
            faults.push(format!("{}: {lines} lines, of at most {LONGEST_FILE}", source.name()));
        }
        let file = source.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if file == "mod.rs" {
            faults.push(format!("{}: a module is `foo.rs` beside `foo/`", source.name()));
        }
        let documented = source.text.starts_with("//!") || source.text.starts_with("#![doc");
        if !documented && file != "tests.rs" {
            faults.push(format!("{}: a file opens with `//!` and what it owns", source.name()));
        }
    }
    none(&faults);
}

#[test]
fn every_reason_stands_in_the_readme() {
    let Ok(readme) = fs::read_to_string(root().join("README.md")) else { return };
    let faults: Vec<_> = overspill::domain::Reason::ALL
        .iter()
        .map(|reason| (reason, format!("`{}`", reason.code())))
        .filter(|(reason, code)| {
            let row = readme.lines().find(|line| line.starts_with(&format!("| {code} |")));
            let cells: Vec<&str> = row.unwrap_or_default().split('|').map(str::trim).collect();
            let [_, _, status, flag, meaning, cure, _] = cells[..] else { return true };
            !status.contains(&reason.status().to_string())
                || flag != reason.flag()
                || meaning.is_empty()
                || !cure.ends_with('.')
        })
        .map(|(reason, code)| {
            let (status, flag) = (reason.status(), reason.flag());
            format!("README.md: no row has {code} with its status {status}, flag {flag}, a meaning and what to do")
        })
        .collect();
    none(&faults);
}

/// Holds the lines between `<!-- NAME -->` and the comment after it against `table`; `UPDATE_README=1` writes them anew.
fn readme_has(name: &str, table: &str) {
    let path = root().join("README.md");
    let Ok(readme) = fs::read_to_string(&path) else { return };
    let begin = format!("<!-- {name} -->\n");
    let (before, rest) = readme.split_once(&begin).expect("the README marks the table's beginning");
    let (written, after) = rest.split_once("<!-- end -->").expect("the README marks the table's end");
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(&path, format!("{before}{begin}{table}<!-- end -->{after}")).expect("a writable README");
    } else {
        assert_eq!(written, table, "README.md is out of date: run the tests with UPDATE_README=1");
    }
}

#[test]
fn the_readme_lists_what_is_found_and_what_is_not_executed() {
    let rows = overspill::config::not_executed();
    let mut table = "| kind | field | of it | finding |\n|---|---|---|---|\n".to_owned();
    table.extend(rows.iter().map(|row| {
        let field = if row.path.is_empty() { String::new() } else { format!("`{}`", row.path) };
        format!("| {} | {field} | {} | {} |\n", row.kind, row.values, row.severity.as_str())
    }));
    readme_has("not executed", &table);
    let mut table = "| code | says |\n|---|---|\n".to_owned();
    table.extend(overspill::config::CODES.iter().map(|code| format!("| `{}` | {} |\n", code.code, code.meaning)));
    readme_has("findings", &table);
}

#[test]
fn every_row_of_what_is_not_executed_is_reported_somewhere() {
    let row = Regex::new(r"(?m)^    ([A-Z_]+) = (Inert|Diverting),").expect("a valid expression");
    let (table, others): (Vec<_>, Vec<_>) =
        rust_files("src").into_iter().partition(|source| source.name().ends_with("config/unexecuted.rs"));
    let rows = row.captures_iter(&table[0].text).map(|row| row[1].to_owned()).collect::<Vec<_>>();
    assert!(!rows.is_empty(), "the rows are in the table");
    let is_reported = |row: &String| others.iter().any(|source| source.text.contains(&format!("&{row}")));
    let faults: Vec<_> =
        rows.iter().filter(|row| !is_reported(row)).map(|row| format!("{row}: no finding names it")).collect();
    none(&faults);
}

#[test]
fn the_top_holds_nothing_else() {
    let output = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output().expect("git starts");
    assert!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).expect("file names are UTF-8");
    let mut entries: Vec<&str> = listed.split('\0').filter_map(|path| path.split('/').next()).collect();
    entries.dedup();
    let faults: Vec<_> = entries
        .into_iter()
        .filter(|entry| !entry.is_empty() && !entry.starts_with('.') && !TOP.contains(entry))
        .map(|entry| format!("{entry}: not one of {TOP:?}"))
        .collect();
    none(&faults);
}
