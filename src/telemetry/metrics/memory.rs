//! How much memory the process may have, as the kernel tells it.

use std::fs;

/// The limit of the process's control group (version 2, then 1), in bytes; where there is none, what the machine has. `None`
/// where the kernel does not say.
pub(super) fn limit() -> Option<u64> {
    let files = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let machine = machine(&fs::read_to_string("/proc/meminfo").ok()?)?;
    let limits = files.iter().filter_map(|file| control_group(&fs::read_to_string(file).ok()?));
    Some(limits.fold(machine, u64::min))
}

/// `memory.max` is a number or `max`; version 1 has a number beyond any machine for no limit.
fn control_group(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// `MemTotal` of proc_meminfo(5), which is in KiB.
fn machine(meminfo: &str) -> Option<u64> {
    let rest = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_is_read() {
        assert_eq!(control_group("471859200\n"), Some(471_859_200));
        assert_eq!(control_group("max\n"), None);
        assert_eq!(machine("MemTotal:       16384 kB\nMemFree: 1 kB\n"), Some(16 << 20));
        assert_eq!(machine("MemFree: 1 kB\n"), None);
        assert!(limit().is_some_and(|bytes| bytes > 0), "this machine has memory");
    }
}
