use super::{Epoch, LossTerm};
use crate::component_kind;

component_kind! {
    /// The rule by which training ends before its planned number of steps.
    kind "stopping", context<'a> ();

    /// Decides after each epoch if training ends.
    ///
    /// It depends on the losses of the epochs alone, so that a resumed training ends at the same
    /// step.
    pub trait Stopping {
        /// Reason to end training after the last of `epochs`, which are all so far in their order,
        /// such as "no better `total` on the validation rows for 10 epochs"; `None` to continue.
        fn stop(&self, epochs: &[Epoch]) -> Result<Option<String>>;
    }
    provided {
        /// Loss term on the validation rows that the rule needs; `None` if it needs none. Training
        /// without such rows, or a model without that term, is refused then.
        fn validates(&self) -> Result<Option<LossTerm>> {
            Ok(None)
        }
    }
}

impl std::fmt::Debug for dyn Stopping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("stopping rule")
    }
}
