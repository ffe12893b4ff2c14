use super::Epoch;

/// A training step that was taken. The trainer is between two steps and can be saved, sampled from
/// and measured.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// Number of steps so far.
    pub step: u64,
    /// Number of steps of the training.
    pub total: u64,
    /// Number of rows of this step.
    pub rows: i64,
    /// The epoch that ended with this step; `None` if none did.
    pub epoch: Option<&'a Epoch>,
}

/// Decision of an observer after an [`Event`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Training continues with the next step.
    Continue,
    /// Training stops. The trainer keeps its state, so that it can be saved or trained further.
    Stop,
}
