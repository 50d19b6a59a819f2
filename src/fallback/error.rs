//! What can go wrong with the local model, as it starts and as it answers.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::MAX_TOKENS;
use crate::domain::Reason;

/// Why the local tier is off. Each text says which file is meant and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The folder is missing.
    #[error("the local model's folder {} does not exist: fill it with `python3 src/fallback/assets/obtain.py {}`, or name another folder", .0.display(), .0.display())]
    Folder(PathBuf),
    /// A file is missing or cannot be read.
    #[error("{} cannot be read ({why}): obtain the local model anew with `python3 src/fallback/assets/obtain.py`, or correct the settings", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// The manifest is no manifest.
    #[error("{} is no manifest of a local model ({why}): delete it and obtain the local model anew", .path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file beside the model gives texts a length that no model takes.
    #[error("{} says that a text has at most {found} tokens (`max_seq_length`), and {} to {} can be: correct it", .path.display(), MAX_TOKENS.start(), MAX_TOKENS.end())]
    MaxTokens {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: String,
    },
    /// The settings name a file that the manifest does not know.
    #[error("{} does not list the model file `{file}`: set `file` to one of {listed}", .manifest.display())]
    NotListed {
        /// The manifest.
        manifest: PathBuf,
        /// The file that the settings name.
        file: String,
        /// The files that the manifest lists.
        listed: String,
    },
    /// A file's content is not what the manifest says.
    #[error("{} is corrupt: its SHA-256 is {found} and the manifest says {expected}: delete it and obtain the local model anew", .path.display())]
    Hash {
        /// The file.
        path: PathBuf,
        /// The manifest's SHA-256, in hexadecimal digits.
        expected: String,
        /// The file's.
        found: String,
    },
    /// The tokenizer's file cannot be used.
    #[error("{} is no tokenizer that can be used ({why}): delete it and obtain the local model anew", .path.display())]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The folder has no ONNX Runtime library, and the settings name none.
    #[error("{} holds no libonnxruntime.so: obtain the local model anew, or set `library` to ONNX Runtime 1.24 to 1.28", .0.display())]
    NoLibrary(PathBuf),
    /// The library cannot be loaded, is another one or is too old.
    #[error("{} is not a usable ONNX Runtime library ({why}): use the one that obtain.py puts in the model's folder (1.28.0), or any from 1.24 on", .path.display())]
    Library {
        /// The library.
        path: PathBuf,
        /// What the loader said.
        why: String,
    },
    /// A process loads one ONNX Runtime, once.
    #[error("{} was loaded before, and a process loads one ONNX Runtime: restart to use {}", .loaded.display(), .path.display())]
    OtherLibrary {
        /// The library that was asked for now.
        path: PathBuf,
        /// The one in use.
        loaded: PathBuf,
    },
    /// ONNX Runtime cannot load or run the model.
    #[error("{} is no model that can be run ({why}): delete it and obtain the local model anew", .path.display())]
    Model {
        /// The ONNX file.
        path: PathBuf,
        /// What ONNX Runtime said.
        why: String,
    },
    /// The model's vector of the manifest's golden text is another than it should be.
    #[error("{} computes wrong vectors (cosine {found:.4} to the golden vector, at least {least} is asked for): obtain the local model anew; if that does not help, this machine or library computes wrongly", .path.display())]
    Golden {
        /// The ONNX file.
        path: PathBuf,
        /// The cosine found.
        found: f32,
        /// The least cosine that the manifest accepts.
        least: f32,
    },
    /// The system gives no more threads.
    #[error(
        "no thread could be started for the local model ({0}): raise the limit on threads or lower the local model's `threads`"
    )]
    Thread(std::io::Error),
}

/// Why a request got no embeddings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmbedError {
    /// The queue has no room for this request now.
    #[error("the local model's queue is full")]
    QueueFull,
    /// By what was measured and what waits, the answer would come after the deadline.
    #[error("the local model could not answer before the deadline: it would take {:.1} s", .needed.as_secs_f64())]
    TooLate {
        /// How long it would take.
        needed: Duration,
    },
    /// A text has more tokens than the model takes, and its request does not want it cut.
    #[error(
        "`inputs` must have at most {most} tokens, and a text has {found}: shorten it, or ask for it to be cut (`truncate`)"
    )]
    TooLong {
        /// The text's tokens.
        found: usize,
        /// The most that the model takes.
        most: usize,
    },
    /// The deadline passed before the computation began.
    #[error("the deadline passed before the local model came to this request")]
    Expired,
    /// The model could not compute these tensors; it goes on with the next request.
    #[error("the model cannot compute these tensors: {0}")]
    Refused(String),
    /// The model failed; it goes on with the next request.
    #[error("the local model failed: {0}")]
    Failed(String),
    /// The local tier was stopped.
    #[error("the local model was stopped")]
    Stopped,
}

impl EmbedError {
    /// How long an answer would have taken, where it would have been too long.
    pub const fn needed(&self) -> Option<Duration> {
        match self {
            Self::TooLate { needed } => Some(*needed),
            _ => None,
        }
    }

    /// Whether the request is at fault, so that it would be refused at any other time.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::TooLong { .. } | Self::Refused(_))
    }

    /// The reason by which this is counted, logged and answered.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::QueueFull => Reason::LocalQueueFull,
            Self::TooLong { .. } => Reason::BodyTooLarge,
            Self::TooLate { .. } => Reason::LocalTooLate,
            Self::Expired => Reason::RequestTimeout,
            Self::Refused(_) => Reason::MalformedRequest,
            Self::Failed(_) => Reason::LocalFailed,
            Self::Stopped => Reason::LocalOff,
        }
    }
}
