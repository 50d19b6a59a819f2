//! `overspill check`: judge documents as the running router would, or each by itself as Kubernetes would.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use clap::Args;
use serde_json::json;

use super::{Failure, Output};
use crate::config::{self, Checked, LocalModel, LocalSpaces, Overrides, Problem, Severity, SourceFile};
use crate::control::Folder;
use crate::fallback::{KnownIdentity, Version, missing_providers};
use crate::tls;

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Folders or files of YAML documents, judged together.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Judge each document by itself, as the API server and Istio's webhook do, whatever the router executes.
    #[arg(long)]
    standalone: bool,
    /// How findings are printed.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

pub(super) fn run(args: &CheckArgs, out: &mut impl Write) -> Result<ExitCode, Failure> {
    let mut files: Vec<SourceFile> = Vec::new();
    let mut problems = Vec::new();
    for path in &args.paths {
        match Folder::new(path).read() {
            Ok(read) => files.extend(read),
            Err(error) => problems.push(error.problem()),
        }
    }
    // Files that cannot be read are told of first; whether there is nothing to judge is not news then.
    if problems.is_empty() || !files.is_empty() {
        problems.extend(if args.standalone { config::admit(&files) } else { judge(&files) });
    }
    print(&problems, args.output, out)?;
    let failed = count(&problems, Severity::Error) > 0;
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What is wrong with the files together, and with the certificates that they name. Those that are missing here may be where
/// the router runs; they are no more than a warning there too.
fn judge(files: &[SourceFile]) -> Vec<Problem> {
    let loaded = config::load(files, &Overrides::default());
    let certificates = loaded.checked.iter().flat_map(|checked| tls::problems(checked, SystemTime::now()));
    let spaces = loaded.checked.iter().flat_map(refused_spaces);
    let models = loaded.checked.iter().filter_map(|checked| checked.local_model.as_ref());
    let providers =
        models.flat_map(missing_providers).map(|why| config::unusable_provider(loaded.providers_place.clone(), why));
    let missing = loaded.checked.iter().filter_map(|checked| checked.local_model.as_ref()).flat_map(missing_versions);
    loaded.problems.into_iter().chain(certificates).chain(spaces).chain(providers).chain(missing).collect()
}

/// The versions of the local model that are asked for and have no folder, where the model's own can be read here.
fn missing_versions(settings: &LocalModel) -> Vec<Problem> {
    if !settings.folder.is_dir() {
        return Vec::new();
    }
    let rollout = &settings.rollout;
    let names = rollout.stable.iter().chain(rollout.canary.iter().map(|canary| &canary.version));
    let missing = names.map(|name| (name, settings.folder.join(name))).filter(|(_, folder)| !folder.is_dir());
    let said = |(name, folder): (&String, PathBuf)| {
        config::missing_version(format!("The local model's version `{name}` has no folder {}.", folder.display()))
    };
    missing.map(said).collect()
}

/// The rules that do not accept a version of the local model, where its folder can be read here.
fn refused_spaces(checked: &Checked) -> Vec<Problem> {
    let Some(settings) = &checked.local_model else { return Vec::new() };
    let canary = Version::canary(settings).map(|(version, _)| version);
    let versions = [Some(Version::stable(settings)), canary].into_iter().flatten();
    let known =
        versions.filter_map(|version| version.ok().and_then(|version| Some((version.identity().ok()?, version.name))));
    let versions: Vec<(KnownIdentity, String)> = known.collect();
    let beside: Vec<KnownIdentity> = settings.models.iter().map(KnownIdentity::beside).collect();
    let spaces = LocalSpaces {
        versions: versions.iter().map(|(identity, version)| (version.as_str(), identity.space())).collect(),
        beside: beside.iter().map(KnownIdentity::space).collect(),
    };
    config::refused_spaces(checked, &spaces)
}

fn count(problems: &[Problem], severity: Severity) -> usize {
    problems.iter().filter(|problem| problem.severity == severity).count()
}

fn print(problems: &[Problem], output: Output, out: &mut impl Write) -> std::io::Result<()> {
    let (errors, warnings) = (count(problems, Severity::Error), count(problems, Severity::Warning));
    match output {
        Output::Text => {
            problems.iter().try_for_each(|problem| writeln!(out, "{problem}"))?;
            writeln!(out, "{errors} errors, {warnings} warnings")
        }
        Output::Json => {
            let report = json!({ "findings": problems, "errors": errors, "warnings": warnings });
            writeln!(out, "{report:#}")
        }
    }
}
