use super::Epoch;

/// A step of training that was taken. The trainer is between two steps: it may be saved, sampled from and
/// measured.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// Steps so far.
    pub step: u64,
    /// Steps in all.
    pub total: u64,
    /// Rows of this step.
    pub rows: i64,
    /// The epoch that ended with this step.
    pub epoch: Option<&'a Epoch>,
}

/// How training goes on after an [`Event`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// With the next step.
    Continue,
    /// It stops. The trainer keeps its state: it can be saved, and trained further.
    Stop,
}
