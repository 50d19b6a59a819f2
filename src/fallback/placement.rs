//! Where the threads of the local models run, and how they stand to the others.

use std::thread;

/// How nice the inference threads are to the others: at this value a traffic thread on the same core gets some ten times their
/// share (the kernel's weights are 1024 to 110).
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Forwarding comes first where cores are short. On Linux the nice value belongs to the calling thread (setpriority(2), under BUGS).
pub fn lower_priority() {
    // Refused by some sandboxes, and of no consequence but the lost preference.
    #[cfg(target_os = "linux")]
    let _refused = rustix::process::setpriority_process(None, NICE);
}

/// Keeps the calling thread on `cores`, where there are any. The kernel refuses where none of them may be used.
pub(super) fn keep_to(cores: &[u32]) {
    #[cfg(target_os = "linux")]
    if !cores.is_empty() {
        let mut set = rustix::thread::CpuSet::new();
        for core in cores.iter().filter_map(|core| usize::try_from(*core).ok()) {
            set.set(core);
        }
        if let Err(error) = rustix::thread::sched_setaffinity(None, &set) {
            tracing::warn!(%error, ?cores, "the local model cannot be kept to `cores`, and uses any");
        }
    }
}

/// Does `work` on `cores`, where there are any, while the caller waits: a model that is loaded takes no core that it will not
/// have. What it starts stays there too.
pub(super) fn on_cores<T: Send>(cores: &[u32], work: impl FnOnce() -> T + Send) -> T {
    if cores.is_empty() {
        return work();
    }
    let kept = || {
        keep_to(cores);
        work()
    };
    thread::scope(|scope| match scope.spawn(kept).join() {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}
