//! The access log: one JSON line for each request.
//!
//! Lines are written by a thread of their own behind a bounded channel. A line that finds no place is dropped and counted:
//! whoever reads the log can be slow or gone, and no request waits for that.

mod line;

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TryRecvError};
use std::thread;
use std::time::{Duration, SystemTime};

use prometheus::IntCounter;

use super::{Metrics, Record};
use crate::snapshot::Snapshot;

/// Lines that wait to be written: at 500 bytes each about 4 MiB, some tenths of a second at full load.
const QUEUE: usize = 8192;
/// The bytes that one write to the operating system gathers.
const CHUNK: usize = 64 * 1024;
/// A line's usual length, so that its buffer grows once.
const LINE: usize = 768;

/// Where requests are logged to; clones write to the same log.
#[derive(Clone, Debug)]
pub struct AccessLog {
    lines: SyncSender<Vec<u8>>,
    dropped: IntCounter,
}

/// The thread that writes the log, for whoever must see it finished.
#[derive(Debug)]
pub struct AccessLogWriter {
    lines: SyncSender<Vec<u8>>,
    closing: Arc<AtomicBool>,
    finished: Receiver<()>,
}

impl AccessLog {
    /// Starts the thread that writes lines to `output`. What is dropped counts in `metrics`.
    ///
    /// # Errors
    /// That of the operating system where it starts no more threads.
    pub fn start(output: impl Write + Send + 'static, metrics: &Metrics) -> io::Result<(Self, AccessLogWriter)> {
        let (lines, queue) = mpsc::sync_channel(QUEUE);
        let (at_end, finished) = mpsc::sync_channel(1);
        let closing = Arc::new(AtomicBool::new(false));
        let dropped = metrics.access_log_dropped();
        let writer = Writer { queue, output, closing: Arc::clone(&closing), dropped: dropped.clone() };
        thread::Builder::new().name("access-log".to_owned()).spawn(move || {
            writer.run();
            // The one who waits may have given up.
            at_end.try_send(()).ok();
        })?;
        Ok((Self { lines: lines.clone(), dropped }, AccessLogWriter { lines, closing, finished }))
    }

    pub(super) fn write(&self, snapshot: &Snapshot, record: &Record) {
        let mut line = Vec::with_capacity(LINE);
        let now = SystemTime::now();
        let started = now.checked_sub(record.duration).unwrap_or(now);
        if line::write(&mut line, snapshot, record, started).is_err() || self.lines.try_send(line).is_err() {
            self.dropped.inc();
        }
    }
}

impl AccessLogWriter {
    /// Ends the log: what waits is written and flushed, later lines are dropped. False where that took longer than
    /// `limit`, as it does while the other end of a pipe stands still.
    pub fn finish(self, limit: Duration) -> bool {
        self.closing.store(true, Ordering::Release);
        // An empty line wakes a writer that waits for one. A full queue takes none, and has no writer that waits.
        self.lines.try_send(Vec::new()).ok();
        self.finished.recv_timeout(limit).is_ok()
    }
}

/// The writing end.
struct Writer<W> {
    queue: Receiver<Vec<u8>>,
    output: W,
    closing: Arc<AtomicBool>,
    dropped: IntCounter,
}

impl<W: Write> Writer<W> {
    /// Gathers lines while there are any and writes them out whenever there are none.
    fn run(mut self) {
        let mut chunk = Vec::with_capacity(CHUNK);
        let mut lines = 0;
        loop {
            // Looked at before the queue: only one that is empty after the end was called holds nothing that counts.
            let closing = self.closing.load(Ordering::Acquire);
            match self.queue.try_recv() {
                Ok(line) => {
                    lines += u64::from(!line.is_empty());
                    chunk.extend_from_slice(&line);
                    if chunk.len() >= CHUNK {
                        self.write(&mut chunk, &mut lines);
                    }
                }
                Err(nothing) => {
                    self.write(&mut chunk, &mut lines);
                    if nothing == TryRecvError::Disconnected || closing {
                        return;
                    }
                    let Ok(line) = self.queue.recv() else { return };
                    lines += u64::from(!line.is_empty());
                    chunk.extend_from_slice(&line);
                }
            }
        }
    }

    fn write(&mut self, chunk: &mut Vec<u8>, lines: &mut u64) {
        if self.output.write_all(chunk).and_then(|()| self.output.flush()).is_err() {
            self.dropped.inc_by(*lines);
        }
        chunk.clear();
        *lines = 0;
    }
}

#[cfg(test)]
mod tests;
