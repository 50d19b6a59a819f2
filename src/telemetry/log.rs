//! The program's own log: JSON lines on standard error.

use std::fmt;

use jiff::Timestamp;
use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

/// Why the log cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is none.
    #[error(
        "the log filter `{filter}` cannot be read: {cause}; write a level (error, warn, info, debug, trace) or \
         directives such as `info,overspill::proxy=debug`"
    )]
    Filter {
        /// The filter as given.
        filter: String,
        /// What is wrong with it.
        cause: tracing_subscriber::filter::ParseError,
    },
    /// A log is set up in this process already.
    #[error("the log is set up already; a process has one")]
    AlreadySet,
}

/// Sets up the log for the process: JSON lines on standard error, each with `timestamp` (UTC, nanoseconds), `level`,
/// `target`, `message` and the event's fields. `filter` is in `tracing`'s directive syntax.
///
/// # Errors
/// [`LogError::Filter`] for a filter that cannot be read, [`LogError::AlreadySet`] where a log is set up already.
pub fn init(filter: &str) -> Result<(), LogError> {
    let log = json_lines(read_filter(filter)?, std::io::stderr);
    tracing::subscriber::set_global_default(log).map_err(|_| LogError::AlreadySet)
}

fn json_lines<W>(filter: EnvFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_timer(UtcNanoseconds)
        .with_writer(writer)
        .with_env_filter(filter)
        .finish()
}

fn read_filter(filter: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::builder().parse(filter).map_err(|cause| LogError::Filter { filter: filter.to_owned(), cause })
}

struct UtcNanoseconds;

impl FormatTime for UtcNanoseconds {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        write!(w, "{:.9}", Timestamp::now())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn a_filter_that_is_none_is_named_with_its_cure() {
        for filter in ["info", "info,overspill::proxy=debug", "off"] {
            assert!(read_filter(filter).is_ok(), "{filter}");
        }
        let error = read_filter("overspill=loudly").expect_err("no level").to_string();
        assert!(error.contains("`overspill=loudly`") && error.contains("write a level"), "{error}");
    }

    #[test]
    fn a_process_has_one_log() {
        let first = init("off");
        assert!(matches!(first, Ok(()) | Err(LogError::AlreadySet)), "{first:?}");
        assert!(matches!(init("off"), Err(LogError::AlreadySet)));
    }

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("no panic").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_flat_json_with_nanoseconds() {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let filter = read_filter("info").expect("a filter");
        let log = json_lines(filter, move || writer.clone());
        tracing::subscriber::with_default(log, || {
            tracing::info!(generation = 3, "published");
            tracing::debug!("left out");
        });
        let bytes = buffer.0.lock().expect("no panic").clone();
        let line: serde_json::Value = serde_json::from_slice(&bytes).expect("one JSON object");
        assert_eq!((&line["message"], &line["generation"]), (&"published".into(), &3.into()));
        let timestamp = line["timestamp"].as_str().expect("a text");
        assert_eq!((timestamp.len(), timestamp.ends_with('Z')), ("2026-01-01T00:00:00.123456789Z".len(), true));
    }
}
