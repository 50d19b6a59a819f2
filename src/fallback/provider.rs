//! Sessions on the execution provider that the settings ask for, and on the CPU where it cannot be had.

use std::fs;
use std::path::{Path, PathBuf};

use ort::environment::Environment;
use ort::ep::{self, ExecutionProviderDispatch};
use ort::session::Session;
use ort::session::builder::SessionBuilder;

use super::card::Provider;
use super::engine::EngineError;
use super::library;
use super::versions::Version;
use crate::config::{ExecutionProvider, LocalModel};

/// Opens a session on the first of `wanted` that works, else on the CPU.
pub(super) fn open(
    environment: &Environment,
    path: &Path,
    wanted: &[ExecutionProvider],
) -> Result<(Session, Provider), EngineError> {
    let mut refused = Vec::new();
    for &provider in wanted {
        let Some(dispatch) = dispatch(provider) else { break };
        match on(environment, path, dispatch) {
            Ok(session) => return Ok((session, Provider { in_use: name(provider), refused })),
            Err(EngineError(why)) => refused.push(format!("{}: {why}", name(provider))),
        }
    }
    let mut builder = builder(environment)?;
    Ok((builder.commit_from_file(path)?, Provider { refused, ..Provider::default() }))
}

/// Why each execution provider that `settings` ask for cannot be had, as far as ONNX Runtime's library and the files beside it
/// show it: nothing is loaded. Nothing is said of a library that is not here.
pub fn missing_providers(settings: &LocalModel) -> Vec<String> {
    let versions = [Version::stable(settings).ok(), Version::canary(settings).and_then(|(version, _)| version.ok())];
    let library = |Version { settings, .. }| settings.library.or_else(|| library::find(&settings.folder).ok());
    let mut libraries: Vec<PathBuf> = versions.into_iter().flatten().filter_map(library).collect();
    libraries.retain(|path| path.is_file());
    libraries.dedup();
    let missing = |library: &PathBuf| {
        let real = library.canonicalize().ok()?;
        let each = settings.execution_providers.iter().filter_map(|&provider| {
            lack(provider, &real).map(|lack| format!("`{}` cannot be used: {lack}.", name(provider)))
        });
        Some(each.collect::<Vec<_>>())
    };
    libraries.iter().filter_map(missing).flatten().collect()
}

/// What `library` lacks for `provider`.
fn lack(provider: ExecutionProvider, library: &Path) -> Option<String> {
    match part(provider)? {
        Part::Beside(file) => {
            let file = library.with_file_name(file);
            (!file.exists()).then(|| format!("ONNX Runtime looks for {}, which is missing", file.display()))
        }
        Part::Within(sign) => {
            let content = fs::read(library).ok()?;
            let is_there = regex::bytes::Regex::new(sign).is_ok_and(|sign| sign.is_match(&content));
            (!is_there).then(|| format!("{} was built without it", library.display()))
        }
    }
}

/// What a provider is a part of.
enum Part {
    /// The library of this name, which ONNX Runtime loads from beside its own.
    Beside(&'static str),
    /// ONNX Runtime's own library, where it was built with it: its errors then name functions that begin so.
    Within(&'static str),
}

/// `None` for the CPU, which is always there.
const fn part(provider: ExecutionProvider) -> Option<Part> {
    match provider {
        ExecutionProvider::Cuda => Some(Part::Beside("libonnxruntime_providers_cuda.so")),
        ExecutionProvider::TensorRt => Some(Part::Beside("libonnxruntime_providers_tensorrt.so")),
        ExecutionProvider::MiGraphX => Some(Part::Beside("libonnxruntime_providers_migraphx.so")),
        ExecutionProvider::OpenVino => Some(Part::Beside("libonnxruntime_providers_openvino.so")),
        ExecutionProvider::Xnnpack => Some(Part::Within("xnn_")),
        ExecutionProvider::Cpu => None,
    }
}

/// A builder of sessions that compute on the calling thread alone. Spinning is off: it burns a core after each run.
fn builder(environment: &Environment) -> Result<SessionBuilder, EngineError> {
    let failed = |why: ort::Error<SessionBuilder>| EngineError(why.to_string());
    let builder = Session::builder(environment)?.with_intra_threads(1).map_err(failed)?;
    let builder = builder.with_inter_threads(1).map_err(failed)?;
    builder.with_intra_op_spinning(false).map_err(failed)
}

fn on(environment: &Environment, path: &Path, provider: ExecutionProviderDispatch) -> Result<Session, EngineError> {
    let failed = |why: ort::Error<SessionBuilder>| EngineError(why.to_string());
    let builder = builder(environment)?.with_execution_providers([provider.error_on_failure()]).map_err(failed)?;
    let mut builder = builder;
    Ok(builder.commit_from_file(path)?)
}

/// `None` for the CPU, which every session falls back to by itself.
fn dispatch(provider: ExecutionProvider) -> Option<ExecutionProviderDispatch> {
    Some(match provider {
        ExecutionProvider::Cuda => ep::CUDA::default().build(),
        ExecutionProvider::TensorRt => ep::TensorRT::default().build(),
        ExecutionProvider::MiGraphX => ep::MIGraphX::default().build(),
        ExecutionProvider::OpenVino => ep::OpenVINO::default().build(),
        ExecutionProvider::Xnnpack => ep::XNNPACK::default().build(),
        ExecutionProvider::Cpu => return None,
    })
}

const fn name(provider: ExecutionProvider) -> &'static str {
    match provider {
        ExecutionProvider::Cuda => "CUDA",
        ExecutionProvider::TensorRt => "TensorRT",
        ExecutionProvider::MiGraphX => "MIGraphX",
        ExecutionProvider::OpenVino => "OpenVINO",
        ExecutionProvider::Xnnpack => "XNNPACK",
        ExecutionProvider::Cpu => "CPU",
    }
}
