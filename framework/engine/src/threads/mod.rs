//! Number of threads that LibTorch uses.

mod patience;

use patience::Patience;
use std::marker::PhantomData;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Number of threads for a forward pass of `multiply_adds`: 1 for a small one, whose threads would
/// only wait for each other, and LibTorch's own number for others.
pub(crate) fn suited(multiply_adds: i64) -> usize {
    const SMALL: i64 = 50_000_000;
    limited(if multiply_adds < SMALL { 1 } else { own_share() })
}

/// The requested number of threads, at most [`max_threads`], because the experiment may come from a
/// larger machine.
pub(crate) fn limited(requested: usize) -> usize {
    requested.clamp(1, max_threads())
}

/// Number of processes that share the machine.
static PROCESSES: AtomicUsize = AtomicUsize::new(1);

/// Divides the cores among `processes` on this machine.
pub(crate) fn share(processes: usize) {
    PROCESSES.store(processes.max(1), Ordering::Relaxed);
}

/// LibTorch's own number of threads or, without OMP_NUM_THREADS, this process's share of them.
fn own_share() -> usize {
    match std::env::var_os("OMP_NUM_THREADS") {
        Some(_) => at_start(),
        None => (at_start() / PROCESSES.load(Ordering::Relaxed)).max(1),
    }
}

/// Largest useful number of threads: 4 for each core.
pub(crate) fn max_threads() -> usize {
    cores().saturating_mul(4)
}

fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    let count = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    *CORES.get_or_init(count)
}

/// LibTorch's number of threads before anything sets it: OMP_NUM_THREADS, else the number of cores.
fn at_start() -> usize {
    static START: OnceLock<usize> = OnceLock::new();
    *START.get_or_init(|| match std::env::var_os("OMP_NUM_THREADS") {
        Some(_) => current(),
        // OpenMP does not know of the limits of a container.
        None => current().min(cores()),
    })
}

fn current() -> usize {
    tch::get_num_threads().max(1) as usize
}

/// Guard that sets the number of LibTorch's threads for the calling thread and restores the former
/// number when dropped, so that a program that trains a small model continues on all of its cores.
/// While it lives, threads wait for each other in a way that suits a busy machine too.
#[derive(Debug)]
#[must_use = "dropping this restores the former number of threads"]
pub struct Threads {
    before: usize,
    _patience: Option<Patience>,
    /// Makes it stay on the thread that made it.
    not_send: PhantomData<*const ()>,
}

impl Threads {
    /// Sets the number of threads, at least 1.
    pub fn set(threads: usize) -> Self {
        at_start();
        let before = current();
        if threads != before {
            tch::set_num_threads(threads.max(1) as i32);
        }
        let patience = (threads > 1).then(|| Patience::new(threads));
        Self { before, _patience: patience, not_send: PhantomData }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if current() != self.before {
            tch::set_num_threads(self.before as i32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_set_for_a_while() {
        let before = current();
        {
            let _three = Threads::set(3);
            assert_eq!(current(), 3);
            // The choice for another model depends on the machine, not on what this one set. Groups
            // of other tests divide the machine.
            let (found, processes) = loop {
                let processes = PROCESSES.load(Ordering::Relaxed);
                let found = suited(1 << 40);
                if processes == PROCESSES.load(Ordering::Relaxed) {
                    break (found, processes);
                }
            };
            let divided = std::env::var_os("OMP_NUM_THREADS").is_none();
            let own = if divided { (before / processes).max(1) } else { before };
            assert_eq!(found, own.min(max_threads()));
            {
                let _one = Threads::set(1);
                assert_eq!(current(), 1);
            }
            assert_eq!(current(), 3);
        }
        assert_eq!(current(), before);
    }

    #[test]
    fn small_models_work_on_one_thread_and_no_model_on_more_than_are_of_use() {
        assert_eq!(suited(1_000_000), 1);
        assert_eq!(limited(2), 2);
        assert_eq!(limited(usize::MAX), max_threads());
    }
}
