use triflow::prelude::*;

triflow::component! {
    /// The training returns to its last planned checkpoint and goes on with half the learning rate.
    ///
    /// Planned checkpoints are those of `checkpoint.every` steps or epochs, and the state before
    /// the first step. A training that diverges again before two more of them returns to an earlier
    /// one.
    pub struct RestoreAndHalveLr: Recovery = "restore_and_halve_lr" {
        /// Most returns of a run; a further divergence ends it with an error.
        #[range(min = 1, max = 1000)]
        pub restores: usize = 3,
    }
}

impl Spec<dyn Recovery> for RestoreAndHalveLr {
    fn build(&self, (): &()) -> Result<Box<dyn Recovery>> {
        Ok(Box::new(self.clone()))
    }
}

impl Recovery for RestoreAndHalveLr {
    fn factor(&self, before: &[Restore]) -> Result<Option<f64>> {
        Ok((before.len() < self.restores).then_some(0.5))
    }
}
