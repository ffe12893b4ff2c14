//! How many threads LibTorch works on.

use std::marker::PhantomData;
use std::sync::OnceLock;

/// The threads of an experiment, or of this machine where it names none: one for small models, where more only wait
/// for each other. A run may come from a larger machine: no more than are of any use.
pub(crate) fn choose(asked: Option<usize>, parameters: i64, batch: i64) -> usize {
    // Multiply-adds of a forward pass are about parameters × batch.
    const SMALL: i64 = 50_000_000;
    let own = || if parameters.saturating_mul(batch) < SMALL { 1 } else { at_start() };
    asked.unwrap_or_else(own).clamp(1, most())
}

/// Most threads that are of any use: four a core.
pub(crate) fn most() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    let count = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    CORES.get_or_init(count).saturating_mul(4)
}

/// LibTorch's threads before anything sets them: what OMP_NUM_THREADS says, else the cores.
fn at_start() -> usize {
    static START: OnceLock<usize> = OnceLock::new();
    *START.get_or_init(current)
}

fn current() -> usize {
    tch::get_num_threads().max(1) as usize
}

/// Sets the threads that LibTorch works on for the calling thread until it is dropped, when they are again what they
/// were: a program that trains a small model goes on with all of its cores.
#[derive(Debug)]
#[must_use = "the threads are those of before once this is dropped"]
pub struct Threads {
    before: usize,
    /// Stays on the thread that made it.
    here: PhantomData<*const ()>,
}

impl Threads {
    /// From 1 on.
    pub fn set(threads: usize) -> Self {
        at_start();
        let before = current();
        if threads != before {
            tch::set_num_threads(threads.max(1) as i32);
        }
        Self { before, here: PhantomData }
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
            {
                let _one = Threads::set(1);
                assert_eq!(current(), 1);
                // Another model's choice is that of the machine, whatever this one set.
                assert_eq!(choose(None, 1 << 40, 1), before.min(most()));
            }
            assert_eq!(current(), 3);
        }
        assert_eq!(current(), before);
    }

    #[test]
    fn small_models_work_on_one_thread_and_no_model_on_more_than_are_of_use() {
        assert_eq!(choose(None, 1000, 1000), 1);
        assert_eq!(choose(Some(2), 1000, 1000), 2);
        assert_eq!(choose(Some(usize::MAX), 1, 1), most());
    }
}
