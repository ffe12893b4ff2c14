//! The wait of LibTorch's threads for each other, spinning or asleep as the machine has cores to
//! spare.
//!
//! On a machine of their own, threads that spin until the slowest of them is done are fastest.
//! Where another process takes a core, a thread waits for it while the others spin on theirs, and
//! training becomes many times slower than on one thread. So a watch reads how long the threads of
//! this process were ready to run without a core, and lets waiting threads sleep while that is
//! much.

#![expect(unsafe_code, reason = "calls `crowd.cpp`")]

use std::ffi::c_int;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

unsafe extern "C" {
    fn triflow_crowd(threads: c_int);
}

/// The watch of this process, and how many guards need it.
static WATCH: Mutex<(usize, Option<Background>)> = Mutex::new((0, None));

/// Guard under which the machine is watched.
#[derive(Debug)]
pub(super) struct Patience(());

impl Patience {
    /// Watches on behalf of a team of `threads`.
    pub fn new(threads: usize) -> Self {
        let mut watch = WATCH.lock().unwrap_or_else(PoisonError::into_inner);
        watch.0 += 1;
        let start = || Background::start("watch", move |stopped| watch_machine(threads, stopped));
        watch.1 = watch.1.take().or_else(start);
        Self(())
    }
}

impl Drop for Patience {
    fn drop(&mut self) {
        let mut watch = WATCH.lock().unwrap_or_else(PoisonError::into_inner);
        watch.0 -= 1;
        if watch.0 == 0 {
            watch.1 = None;
        }
    }
}

/// A thread that is told to stop, and waited for, when this is dropped.
#[derive(Debug)]
struct Background(Option<(Sender<()>, JoinHandle<()>)>);

impl Background {
    /// Starts `work`, which ends once the channel that it is given is closed; `None` without a
    /// thread.
    fn start(name: &str, work: impl FnOnce(&Receiver<()>) + Send + 'static) -> Option<Self> {
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new().name(name.to_owned());
        Some(Self(Some((stop, thread.spawn(move || work(&stopped)).ok()?))))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.0.take() {
            drop(stop);
            // A panic there concerns nobody here.
            let _ = thread.join();
        }
    }
}

/// Lets waiting threads sleep while the machine is busy, until `stopped` is closed.
fn watch_machine(threads: usize, stopped: &Receiver<()>) {
    const PERIOD: Duration = Duration::from_millis(200);
    let (mut began, mut before) = (Instant::now(), without_core());
    let mut crowd = None;
    while stopped.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
        let now = without_core();
        // Threads that ended meanwhile took their time with them.
        let waited = now.saturating_sub(before).as_secs_f64();
        let share = waited / (began.elapsed().as_secs_f64() * threads as f64);
        (began, before) = (Instant::now(), now);
        if !is_busy(share, crowd.is_some()) {
            crowd = None;
        } else if crowd.is_none() {
            crowd = Background::start("crowd", move |stopped| {
                // SAFETY: takes a number; the team belongs to this thread and ends with it.
                unsafe { triflow_crowd(threads as c_int) };
                let _ = stopped.recv();
            });
        }
    }
}

/// Decides by the `share` of the time that a thread was without a core; less of it keeps a machine
/// busy than makes it so.
fn is_busy(share: f64, before: bool) -> bool {
    share > if before { 0.02 } else { 0.1 }
}

/// Time that the threads of this process have been ready to run without a core, in all; 0 where the
/// system does not tell.
fn without_core() -> Duration {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return Duration::ZERO };
    let of_task = |task: std::io::Result<std::fs::DirEntry>| -> Option<u64> {
        let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').nth(1)?.parse().ok()
    };
    Duration::from_nanos(tasks.filter_map(of_task).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn a_busy_machine_stays_busy_until_hardly_a_thread_waits_for_a_core() {
        assert!(!is_busy(0.0, false) && !is_busy(0.05, false) && is_busy(0.3, false));
        assert!(is_busy(0.05, true) && !is_busy(0.01, true));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn threads_beyond_the_cores_wait_for_one() {
        let done = Arc::new(AtomicBool::new(false));
        let before = without_core();
        let cores = std::thread::available_parallelism().unwrap().get();
        let busy: Vec<_> = (0..2 * cores)
            .map(|_| {
                let done = done.clone();
                std::thread::spawn(move || {
                    while !done.load(Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(300));
        let waited = without_core().saturating_sub(before);
        done.store(true, Ordering::Relaxed);
        busy.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(waited > Duration::from_millis(50), "{waited:?}");
    }

    #[test]
    fn the_watch_lasts_as_long_as_one_of_its_guards() {
        // Other tests may hold guards of their own meanwhile.
        let lives_while_needed = || {
            let watch = WATCH.lock().unwrap();
            assert_eq!(watch.1.is_some(), watch.0 > 0);
            watch.0 > 0
        };
        let one = Patience::new(2);
        let two = Patience::new(2);
        drop(one);
        assert!(lives_while_needed());
        drop(two);
        lives_while_needed();
    }
}
