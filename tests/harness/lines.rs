//! The lines of a child's stream, kept as they come, to wait on.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::DEADLINE;

#[derive(Default)]
struct Kept {
    lines: Vec<String>,
    ended: bool,
}

#[derive(Default)]
struct Shared {
    kept: Mutex<Kept>,
    changed: Condvar,
}

/// A stream that is read to its end on a thread of its own, so that the child never blocks on a full pipe.
pub struct Lines {
    shared: Arc<Shared>,
    reader: Option<JoinHandle<()>>,
}

impl Lines {
    pub fn of(stream: impl Read + Send + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let writer = Arc::clone(&shared);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                writer.kept().lines.push(line);
                writer.changed.notify_all();
            }
            writer.kept().ended = true;
            writer.changed.notify_all();
        });
        Self { shared, reader: Some(reader) }
    }

    /// How many lines there are so far: the place to look from for what comes later.
    pub fn count(&self) -> usize {
        self.shared.kept().lines.len()
    }

    /// Every line so far.
    pub fn all(&self) -> Vec<String> {
        self.shared.kept().lines.clone()
    }

    /// The first line from `start` on that `pick` picks; `None` where the stream ends without one.
    #[track_caller]
    pub fn find<T>(&self, start: usize, mut pick: impl FnMut(&str) -> Option<T>) -> Option<T> {
        let give_up = Instant::now() + DEADLINE;
        let mut next = start;
        let mut kept = self.shared.kept();
        loop {
            while let Some(line) = kept.lines.get(next) {
                next += 1;
                if let Some(found) = pick(line) {
                    return Some(found);
                }
            }
            if kept.ended {
                return None;
            }
            let left = give_up.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no such line within {DEADLINE:?}");
            kept = self.shared.changed.wait_timeout(kept, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Returns at the next line, at the stream's end, or after `at_most`: what paces a look at other state.
    pub fn wait_for_more(&self, seen: usize, at_most: Duration) {
        let kept = self.shared.kept();
        if kept.lines.len() == seen && !kept.ended {
            drop(self.shared.changed.wait_timeout(kept, at_most));
        }
    }

    /// Every line, once the stream has ended.
    pub fn read_out(&mut self) -> Vec<String> {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader only stores lines");
        }
        self.all()
    }
}

impl Shared {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
