use crate::component_kind;
use serde::{Deserialize, Serialize};

/// A return of the training to an earlier state, after it had diverged.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Restore {
    /// First step, from 1, at which the loss, the gradient or a parameter was not finite.
    pub diverged: u64,
    /// Number of steps of the state to which the training returned.
    pub step: u64,
    /// Factor on the learning rate of all steps from there on, beside those of other returns.
    pub factor: f64,
}

component_kind! {
    /// The answer to a training that diverges.
    kind "recovery", context<'a> ();

    /// Decides what follows when the loss, the gradient or a parameter is no longer finite.
    ///
    /// It depends on the returns of the training alone, so that a resumed training takes the same
    /// steps.
    pub trait Recovery {
        /// Factor, above 0, on the learning rate with which the training goes on from a planned
        /// checkpoint; `None` to end it with an error. `before` are the returns so far.
        fn factor(&self, before: &[Restore]) -> Result<Option<f64>>;
    }
}

impl std::fmt::Debug for dyn Recovery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("recovery")
    }
}
