use crate::component_kind;

component_kind! {
    /// The learning rate over training, as a factor on the optimizer's own.
    kind "lr_schedule", context<'a> ();

    /// Factor on the optimizer's learning rate.
    ///
    /// It depends on its arguments alone, so that a resumed training takes the same steps.
    pub trait LrSchedule {
        /// Factor at `step`, which counts from 0, of `total` planned steps: finite and at least 0.
        ///
        /// It is defined for every `step`, also beyond the last, and for trainings of 0 steps.
        fn factor(&self, step: u64, total: u64) -> Result<f64>;
    }
}

impl std::fmt::Debug for dyn LrSchedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("learning-rate schedule")
    }
}
