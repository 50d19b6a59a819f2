//! Which core runs what: origin and load on the first, the proxy on the others.
//!
//! Owns the affinity of threads. A child inherits that of the thread that starts it, so no program needs to be told.

use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores that this process may use, in order.
///
/// # Errors
/// If the kernel does not say.
pub fn available() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect())
}

/// Keeps the calling thread, and what it starts from now on, on these cores.
///
/// # Errors
/// If one of them may not be used.
pub fn pin(cores: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for core in cores {
        set.set(*core);
    }
    Ok(sched_setaffinity(None, &set)?)
}

/// Runs `start` with the calling thread on `cores`, and goes back to where it was.
///
/// # Errors
/// If one of them may not be used, or `start` fails.
pub fn on<T>(cores: &[usize], start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let before = sched_getaffinity(None)?;
    pin(cores)?;
    let started = start();
    sched_setaffinity(None, &before)?;
    started
}
