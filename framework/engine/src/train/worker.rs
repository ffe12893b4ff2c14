//! A thread that works ahead of the training: it reads rows of a file, or pairs rows. Its jobs are
//! chosen on the training thread, so its speed does not change the result.

use crate::error::{Error, Result};
use crate::registry::guard_engine;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// A thread that does jobs of type `J` one after the other, with results of type `R`. Dropping it
/// waits for the job in progress and ends the thread.
pub(super) struct Worker<J, R> {
    name: &'static str,
    /// `None` when the thread is to end.
    channels: Option<(Sender<J>, Receiver<Result<R>>)>,
    thread: Option<JoinHandle<()>>,
}

impl<J, R> std::fmt::Debug for Worker<J, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<J: Send + 'static, R: Send + 'static> Worker<J, R> {
    /// Starts a thread on which `build` makes the function that does the jobs, which need not be
    /// `Send`. If `build` fails, the first result is its error, and every other one has its text.
    ///
    /// # Errors
    /// [`Error::Runtime`]: no thread can be started.
    pub fn start<W: FnMut(J) -> Result<R>>(
        name: &'static str,
        build: impl FnOnce() -> Result<W> + Send + 'static,
    ) -> Result<Self> {
        let (jobs, waiting) = channel::<J>();
        let (send, results) = channel();
        let work = move || {
            let mut built = guard_engine(build);
            for job in waiting {
                let result = match &mut built {
                    Ok(work) => guard_engine(|| work(job)),
                    Err(e) => {
                        let text = Error::runtime(e.to_string());
                        Err(std::mem::replace(e, text))
                    }
                };
                if send.send(result).is_err() {
                    break;
                }
            }
        };
        let thread = std::thread::Builder::new().name(name.into()).spawn(work);
        let thread = thread.map_err(|e| Error::runtime(format!("no thread for a {name}: {e}")))?;
        Ok(Self { name, channels: Some((jobs, results)), thread: Some(thread) })
    }

    /// Submits a job.
    ///
    /// # Errors
    /// [`Error::Runtime`]: the thread has ended.
    pub fn submit(&self, job: J) -> Result<()> {
        let sent = self.channels.as_ref().map(|(jobs, _)| jobs.send(job));
        sent.and_then(Result::ok).ok_or_else(|| self.ended())
    }

    /// Takes the result of the oldest job whose result was not taken yet, and waits for it.
    ///
    /// # Errors
    /// That of the job, or [`Error::Runtime`]: the thread has ended.
    pub fn receive(&self) -> Result<R> {
        let result = self.channels.as_ref().map(|(_, results)| results.recv());
        result.and_then(Result::ok).unwrap_or_else(|| Err(self.ended()))
    }

    fn ended(&self) -> Error {
        Error::runtime(format!("the {} thread has ended", self.name))
    }
}

impl<J, R> Drop for Worker<J, R> {
    fn drop(&mut self) {
        // Without a receiver, the thread skips the jobs that are left.
        self.channels = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn answers_come_in_the_order_of_the_questions_errors_and_panics_among_them() {
        let work = |n: i32| match n {
            2 => Err(Error::runtime("two")),
            3 => panic!("three"),
            n => Ok(10 * n),
        };
        let worker = Worker::start("reader", move || Ok(work)).unwrap();
        (1..5).for_each(|n| worker.submit(n).unwrap());
        assert_eq!(worker.receive().unwrap(), 10);
        assert_eq!(worker.receive().unwrap_err().to_string(), "two");
        assert!(worker.receive().unwrap_err().to_string().contains("three"));
        assert_eq!(worker.receive().unwrap(), 40);
    }

    #[test]
    fn what_cannot_be_built_is_the_error_of_every_answer() {
        let build = || Err::<fn(i32) -> Result<i32>, _>(Error::config("ratio", "not built"));
        let worker = Worker::start("coupling", build).unwrap();
        // A wrong key stays one, for its place in the file and the exit code.
        for code in [2, 1] {
            worker.submit(0).unwrap();
            let error = worker.receive().unwrap_err();
            assert_eq!(
                (error.to_string().as_str(), error.exit_code()),
                ("not built\n  at ratio", code)
            );
        }
    }

    #[test]
    fn a_worker_that_is_dropped_has_ended() {
        let held = Arc::new(());
        let kept = held.clone();
        let (begun, begin) = channel();
        let work = move |n: i32| {
            let _ = begun.send(());
            Ok(Arc::strong_count(&kept) as i32 + n)
        };
        let worker = Worker::start("reader", move || Ok(work)).unwrap();
        (0..5).for_each(|n| worker.submit(n).unwrap());
        begin.recv().unwrap();
        drop(worker);
        // The thread dropped everything that it worked with.
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
