//! Programs that the tests ask, which need not be there except in CI.

use std::path::PathBuf;
use std::process::{Command, Output};

use super::files::root;

/// A program of the tests' own environment (`make test-tools`), else of the system's; a test without it is skipped.
pub(super) fn tool(name: &str) -> Option<PathBuf> {
    let own = root().join(".venv/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::iter::once(own).chain(std::env::split_paths(&path)).map(|folder| folder.join(name));
    let found = found.into_iter().find(|program| program.is_file());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{name} is missing, and CI must run this test: see tests/tools.sh");
        #[allow(clippy::print_stderr, reason = "a test that does not run says so")]
        {
            eprintln!("skipped: needs {name}");
        }
    }
    found
}

/// What the program prints, which must have succeeded without a word on standard error.
#[track_caller]
pub(super) fn silent(command: &mut Command) -> String {
    let output = command.output().expect("the program starts");
    assert!(output.status.success() && output.stderr.is_empty(), "{command:?}\n{}", all(&output));
    String::from_utf8(output.stdout).expect("what is printed is UTF-8")
}

/// Everything that was printed.
pub(super) fn all(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The program under test, without variables of whoever runs the tests.
pub(super) fn overspill() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_overspill"));
    command.current_dir(root());
    for name in ["CONFIG", "LISTEN", "ADMIN", "LOG", "MODEL", "MODEL_LIBRARY"] {
        command.env_remove(format!("OVERSPILL_{name}"));
    }
    command
}
