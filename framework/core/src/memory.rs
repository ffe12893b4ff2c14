//! Free memory, checked before a large part of it is taken: a system that has too little ends the
//! process instead of refusing an allocation.

use crate::error::{Error, Result};
use std::path::Path;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes left to the rest of the process and of the system.
const RESERVE: u64 = 64 << 20;

/// Bytes of the reserve that are granted before the system is asked what is free: its answer takes
/// longer than reading a small file.
const UNASKED: u64 = RESERVE / 2;

/// Checks that `bytes` of memory are free. `what` names the user of the memory, such as "array
/// `x`".
///
/// # Errors
/// [`Error::Runtime`] with both numbers where fewer are free.
pub fn check(what: &str, bytes: u64) -> Result<()> {
    shortage(bytes).map_or(Ok(()), |why| Err(Error::runtime(format!("{what} {why}"))))
}

/// Checks that memory for `count` items of `size` bytes is free; the product may overflow.
///
/// # Errors
/// [`Error::Runtime`] with both numbers where it is not.
pub fn check_count(what: &str, count: u64, size: u64) -> Result<()> {
    match count.checked_mul(size) {
        Some(bytes) => check(what, bytes),
        None => {
            let message = format!(
                "{what} needs {count} times {size} bytes of memory, more than any machine has"
            );
            Err(Error::runtime(message))
        }
    }
}

/// Checks that `bytes` of memory are free for a data file.
///
/// # Errors
/// [`Error::Data`] with the file and both numbers where they are not.
pub fn check_file(path: &Path, what: &str, bytes: u64) -> Result<()> {
    shortage(bytes).map_or(Ok(()), |why| Err(Error::data(path, format!("{what}{why}"))))
}

/// Bytes of memory that this process can still take: the minimum of what the system and the control
/// groups leave; `u64::MAX` where neither is known.
pub fn free() -> u64 {
    [system(), group()].into_iter().flatten().min().map_or(u64::MAX, |n| n.saturating_sub(RESERVE))
}

/// Reason why `bytes` of memory cannot be had, as "needs … bytes of memory (…), and … (…) are
/// free"; `None` where they are free.
pub fn shortage(bytes: u64) -> Option<String> {
    static GRANTED: Granted = Granted(AtomicU64::new(0));
    if GRANTED.without_asking(bytes) { None } else { shortage_of(bytes, free()) }
}

/// Bytes that were granted since the system was asked.
struct Granted(AtomicU64);

impl Granted {
    /// Grants `bytes` of the reserve, or returns `false` and begins anew where the system has to be
    /// asked.
    fn without_asking(&self, bytes: u64) -> bool {
        let own = bytes.min(UNASKED);
        let grants = self.0.fetch_add(own, Ordering::Relaxed) + own < UNASKED;
        if !grants {
            self.0.store(0, Ordering::Relaxed);
        }
        grants
    }
}

/// Makes the process keep memory that it frees. Training asks for the same sizes in every step, and
/// pages that were returned to the system come back zeroed one by one, which costs more than small
/// products. For programs that do nothing but train or sample: memory is not returned before they
/// end.
pub fn keep_freed() {
    crate::kernels::keep_memory();
}

fn shortage_of(bytes: u64, free: u64) -> Option<String> {
    (bytes > free).then(|| {
        format!(
            "needs {bytes} bytes of memory ({}), and {free} ({}) are free",
            readable(bytes),
            readable(free)
        )
    })
}

/// Size in the largest fitting unit, such as "1.5 GiB".
fn readable(bytes: u64) -> String {
    let unit = |power: i32| bytes as f64 / 1024f64.powi(power);
    match bytes {
        0..0x10_0000 => format!("{:.1} KiB", unit(1)),
        0x10_0000..0x4000_0000 => format!("{:.1} MiB", unit(2)),
        _ => format!("{:.1} GiB", unit(3)),
    }
}

fn system() -> Option<u64> {
    available(&std::fs::read_to_string("/proc/meminfo").ok()?)
}

/// `MemAvailable` of `/proc/meminfo`, in bytes.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Memory that the control groups of this process leave, in bytes: the minimum over the group and
/// its parents.
fn group() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let number = |path: &Path| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let left = |root: &str, group: &str, names: [&str; 2], cache: &str| -> Option<u64> {
        let group = Path::new(root).join(group.trim_start_matches('/'));
        let left_in = |folder: &Path| {
            let (most, used) = (number(&folder.join(names[0]))?, number(&folder.join(names[1]))?);
            let stat = std::fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
            let cached = stat.lines().find_map(|l| l.strip_prefix(cache)?.trim().parse().ok());
            // Cached files are dropped when memory is needed.
            Some(most.saturating_sub(used.saturating_sub(cached.unwrap_or(0))))
        };
        // In a container the root is the group, whatever its path outside.
        group.ancestors().take_while(|folder| folder.starts_with(root)).filter_map(left_in).min()
    };
    let lines = groups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, group) = (parts.next()?, parts.next()?);
        match controllers.split(',').any(|name| name == "memory") {
            true => {
                let names = ["memory.limit_in_bytes", "memory.usage_in_bytes"];
                left("/sys/fs/cgroup/memory", group, names, "total_inactive_file ")
            }
            false if controllers.is_empty() => {
                left("/sys/fs/cgroup", group, ["memory.max", "memory.current"], "inactive_file ")
            }
            false => None,
        }
    });
    lines.min()
}

/// Makes LibTorch fail with an error where a CPU allocation does not fit into free memory.
pub fn guard() {
    extern "C" fn free_bytes() -> u64 {
        free()
    }
    static ONCE: Once = Once::new();
    ONCE.call_once(|| crate::kernels::guard_memory(free_bytes));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::guard_engine;
    use tch::{Device, Kind, Tensor};

    #[test]
    fn what_cannot_be_had_is_refused_with_both_numbers() {
        assert!(check("a list", 1000).is_ok());
        let message = check_count("array `x`", u64::MAX, 8).unwrap_err().to_string();
        let expected = "array `x` needs 18446744073709551615 times 8 bytes of memory, more than any \
                        machine has";
        assert_eq!(message, expected);
        assert_eq!(
            shortage_of(3 << 29, 1000).unwrap(),
            "needs 1610612736 bytes of memory (1.5 GiB), and 1000 (1.0 KiB) are free"
        );
        assert_eq!(shortage_of(1000, 1000), None);
    }

    #[test]
    fn the_system_is_asked_for_much_and_for_many_a_little() {
        let granted = Granted(AtomicU64::new(0));
        assert!(!granted.without_asking(u64::MAX) && !granted.without_asking(UNASKED));
        for _ in 0..2 {
            assert!((0..31).all(|_| granted.without_asking(1 << 20)));
            assert!(!granted.without_asking(1 << 20));
        }
    }

    #[test]
    fn the_system_says_what_is_free() {
        let text = "MemTotal:       24683520 kB\nMemFree: 1 kB\nMemAvailable:   21105664 kB\n";
        assert_eq!(available(text), Some(21_105_664 * 1024));
        assert_eq!(available("MemFree: 1 kB"), None);
        if cfg!(target_os = "linux") {
            assert!((1..1 << 50).contains(&free()));
        }
    }

    #[test]
    fn a_tensor_that_cannot_be_had_is_an_error_of_whatever_asks_for_it() {
        guard();
        let too_many = (free() / 4 + (1 << 30)) as i64;
        for make in [
            &(|n| Tensor::zeros([n], (Kind::Float, Device::Cpu))) as &dyn Fn(i64) -> Tensor,
            &|n| Tensor::zeros([1], (Kind::Float, Device::Cpu)).expand([n], false).contiguous(),
        ] {
            let message = guard_engine(|| Ok(make(too_many))).unwrap_err().to_string();
            let start = format!("needs {} bytes of memory at once, and ", 4 * too_many);
            assert!(message.starts_with(&start) && message.ends_with(" are free"), "{message}");
            assert_eq!(guard_engine(|| Ok(make(1000).size())).unwrap(), [1000]);
        }
    }
}
