//! Sessions on the execution provider that the settings ask for, and on the CPU where it cannot be had.

use std::path::Path;

use ort::environment::Environment;
use ort::ep::{self, ExecutionProviderDispatch};
use ort::session::Session;
use ort::session::builder::SessionBuilder;

use super::card::Provider;
use super::engine::EngineError;
use super::library;
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

/// Why each execution provider that `settings` ask for cannot be had, as far as the files beside ONNX Runtime's library show
/// it: nothing is loaded. Nothing is said of a library that is not here.
pub fn missing_providers(settings: &LocalModel) -> Vec<String> {
    let library = settings.library.clone().or_else(|| library::find(&settings.folder).ok());
    let Some(folder) = library.filter(|path| path.is_file()).and_then(|path| path.canonicalize().ok()) else {
        return Vec::new();
    };
    let missing = settings.execution_providers.iter().filter_map(|&provider| {
        let file = folder.with_file_name(shared_library(provider)?);
        let said = || {
            format!("`{}` cannot be used: ONNX Runtime looks for {}, which is missing.", name(provider), file.display())
        };
        (!file.exists()).then(said)
    });
    missing.collect()
}

/// The library that ONNX Runtime loads for a provider from beside its own; `None` where it is a part of that.
const fn shared_library(provider: ExecutionProvider) -> Option<&'static str> {
    match provider {
        ExecutionProvider::Cuda => Some("libonnxruntime_providers_cuda.so"),
        ExecutionProvider::TensorRt => Some("libonnxruntime_providers_tensorrt.so"),
        ExecutionProvider::MiGraphX => Some("libonnxruntime_providers_migraphx.so"),
        ExecutionProvider::OpenVino => Some("libonnxruntime_providers_openvino.so"),
        ExecutionProvider::Xnnpack | ExecutionProvider::Cpu => None,
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
