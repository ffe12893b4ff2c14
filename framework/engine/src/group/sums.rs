//! Sums over a group that go on while this process computes.

use super::Group;
use super::c10d::Sum;
use crate::error::Result;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tch::Tensor;

/// Sums over a group that go on in the background. Every process must begin the same sums in the
/// same order. Sums that are not finished, because of an error, go on until they end or another
/// process is lost; their tensors must not be used again.
#[derive(Debug)]
pub struct Sums<'g> {
    group: &'g Group,
    under_way: Vec<Sum>,
}

impl<'g> Sums<'g> {
    pub(super) fn new(group: &'g Group) -> Self {
        Self { group, under_way: Vec::new() }
    }

    /// Begins to replace a contiguous tensor by its sum, which has the same bits in every process.
    /// Neither it nor a tensor of the same memory may be used before [`finish`](Self::finish).
    ///
    /// # Errors
    /// [`Error::Runtime`](crate::error::Error::Runtime): another process is lost.
    pub fn begin(&mut self, tensor: &mut Tensor) -> Result<()> {
        timed(self.group, || {
            let under_way = &mut self.under_way;
            self.group.with(|joined| {
                under_way.push(joined.c10d.begin_sum(tensor)?);
                Ok(())
            })
        })
    }

    /// Waits for all sums.
    ///
    /// # Errors
    /// [`Error::Runtime`](crate::error::Error::Runtime): another process is lost.
    pub fn finish(self) -> Result<()> {
        let Self { group, under_way } = self;
        timed(group, || group.with(|_| under_way.iter().try_for_each(Sum::wait)))
    }
}

/// Does `work`, which holds this process up.
fn timed<T>(group: &Group, work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let result = work();
    if let Some(joined) = &group.0 {
        let nanoseconds = began.elapsed().as_nanos() as u64;
        joined.in_sums.fetch_add(nanoseconds, Ordering::Relaxed);
    }
    result
}
