//! A thread that works ahead of the training: it reads rows of a file, or pairs rows. What it is to do is decided on
//! the training thread, so its pace changes nothing.

use crate::error::{Error, Result};
use crate::registry::guard_engine;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// Answers questions one after the other. Dropped, it finishes the one that it is at, and its thread has ended then.
pub(super) struct Worker<Q, A> {
    name: &'static str,
    /// None once it is to end.
    ends: Option<(Sender<Q>, Receiver<Result<A>>)>,
    thread: Option<JoinHandle<()>>,
}

impl<Q, A> std::fmt::Debug for Worker<Q, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<Q: Send + 'static, A: Send + 'static> Worker<Q, A> {
    /// Starts a thread on which `build` makes what answers, from what need not cross threads. Where it fails, every
    /// answer is its error.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start<W: FnMut(Q) -> Result<A>>(
        name: &'static str,
        build: impl FnOnce() -> Result<W> + Send + 'static,
    ) -> Result<Self> {
        let (ask, asked) = channel::<Q>();
        let (give, answers) = channel();
        let work = move || {
            let mut built = guard_engine(build);
            for question in asked {
                let answer = match &mut built {
                    Ok(work) => guard_engine(|| work(question)),
                    Err(e) => Err(Error::runtime(e.to_string())),
                };
                if give.send(answer).is_err() {
                    break;
                }
            }
        };
        let thread = std::thread::Builder::new().name(name.into()).spawn(work);
        let thread = thread.map_err(|e| Error::runtime(format!("no thread for a {name}: {e}")))?;
        Ok(Self { name, ends: Some((ask, answers)), thread: Some(thread) })
    }

    /// Asks for one thing more.
    ///
    /// # Errors
    /// The thread has ended.
    pub fn ask(&self, question: Q) -> Result<()> {
        let asked = self.ends.as_ref().map(|(ask, _)| ask.send(question));
        asked.and_then(Result::ok).ok_or_else(|| self.ended())
    }

    /// The oldest answer that was not taken yet; waits for it.
    ///
    /// # Errors
    /// That of the work; the thread has ended.
    pub fn answer(&self) -> Result<A> {
        let answer = self.ends.as_ref().map(|(_, answers)| answers.recv());
        answer.and_then(Result::ok).unwrap_or_else(|| Err(self.ended()))
    }

    fn ended(&self) -> Error {
        Error::runtime(format!("the thread of a {} has ended", self.name))
    }
}

impl<Q, A> Drop for Worker<Q, A> {
    fn drop(&mut self) {
        // With nobody to answer, it leaves out what else was asked.
        self.ends = None;
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
        (1..5).for_each(|n| worker.ask(n).unwrap());
        assert_eq!(worker.answer().unwrap(), 10);
        assert_eq!(worker.answer().unwrap_err().to_string(), "two");
        assert!(worker.answer().unwrap_err().to_string().contains("three"));
        assert_eq!(worker.answer().unwrap(), 40);
    }

    #[test]
    fn what_cannot_be_built_is_the_error_of_every_answer() {
        let build = || Err::<fn(i32) -> Result<i32>, _>(Error::runtime("not built"));
        let worker = Worker::start("reader", build).unwrap();
        for n in 0..2 {
            worker.ask(n).unwrap();
            assert_eq!(worker.answer().unwrap_err().to_string(), "not built");
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
        (0..5).for_each(|n| worker.ask(n).unwrap());
        begin.recv().unwrap();
        drop(worker);
        // What the thread worked with has gone with it.
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
