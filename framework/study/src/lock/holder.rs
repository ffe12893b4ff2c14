//! The process that holds a lock, and signs that it lives.

use crate::group::host;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Seconds without a renewal after which the lock of a process on another machine counts as stale.
pub const STALE_SECONDS: u64 = 300;

/// A process that holds a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Name of its machine.
    pub host: String,
    /// Process id there.
    pub pid: u32,
    /// Start of the process, in clock ticks since the system booted.
    pub(super) started: Option<u64>,
    /// Id of that boot of the system.
    pub(super) boot: Option<String>,
    /// Namespace in which the process id counts; missing in files of earlier versions.
    #[serde(default)]
    pub(super) pids: Option<String>,
    /// Local time at which it took the lock.
    pub since: String,
    /// Number of the lock in the process; missing in files of earlier versions.
    #[serde(default)]
    pub(super) number: u64,
}

/// Evidence of the file system's lock about the holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// A process has locked the file.
    Locked,
    /// No process of this machine has.
    Free,
    /// The file system has no locks.
    Unknown,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} on {} since {}", self.pid, self.host, self.since)
    }
}

impl Holder {
    /// This process, for a new lock.
    pub(super) fn this() -> Self {
        static LOCKS: AtomicU64 = AtomicU64::new(1);
        let pid = std::process::id();
        Self {
            host: host(),
            pid,
            started: started(pid),
            boot: boot(),
            pids: pids(),
            since: chrono::Local::now().format("%Y-%m-%d %H:%M:%S").to_string(),
            number: LOCKS.fetch_add(1, Ordering::SeqCst),
        }
    }

    /// `true` if the process may still be at work. `age`: time since it renewed the lock.
    pub(super) fn lives(&self, sign: Sign, age: &dyn Fn() -> Duration) -> bool {
        if self.boot.is_some() && self.boot == boot() {
            match sign {
                Sign::Locked => return true,
                Sign::Free => return false,
                Sign::Unknown if self.pids.is_none() || self.pids == pids() => {
                    return self.started.is_some() && started(self.pid) == self.started;
                }
                // It is in another container, where its id cannot be looked up.
                Sign::Unknown => {}
            }
        }
        // Locks of the file system may hold on one machine alone, so that they say nothing of the
        // process of another.
        let age = age();
        // No process survives a reboot of this host.
        let rebooted = self.host == host() && uptime().is_some_and(|uptime| age > uptime);
        !rebooted && age < Duration::from_secs(STALE_SECONDS)
    }
}

fn boot() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned())
}

fn pids() -> Option<String> {
    Some(std::fs::read_link("/proc/self/ns/pid").ok()?.to_string_lossy().into_owned())
}

fn started(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The 22nd field. The second is the name, in brackets, and may contain any characters.
    text.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

fn uptime() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    Duration::try_from_secs_f64(text.split_whitespace().next()?.parse().ok()?).ok()
}
