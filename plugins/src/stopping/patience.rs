use triflow::prelude::*;

triflow::component! {
    /// End of training once a loss term on the validation rows has not improved for some epochs.
    ///
    /// The weights are then those of the last epoch. With `checkpoint.keep_best` those of the best
    /// one are kept too, for `--best`.
    #[reference = "Prechelt 1998, doi 10.1007/3-540-49430-8_3"]
    pub struct Patience: Stopping = "patience" {
        /// Loss term that has to improve, such as `total` or `flow`.
        pub term: LossTerm = LossTerm::Total,
        /// Number of epochs without improvement after which training ends.
        #[range(min = 1)]
        pub epochs: u64 = 10,
        /// Least decrease below the best value so far that counts as an improvement.
        #[range(min = 0)]
        pub min_improvement: f64 = 0.0,
    }
}

impl Spec<dyn Stopping> for Patience {
    fn build(&self, (): &()) -> Result<Box<dyn Stopping>> {
        Ok(Box::new(self.clone()))
    }
}

impl Stopping for Patience {
    fn stop(&self, epochs: &[Epoch]) -> Result<Option<String>> {
        let mut best: Option<f64> = None;
        let mut waited: u64 = 0;
        for epoch in epochs {
            let value = epoch.val_term(self.term);
            let improved =
                |value: &f64| best.is_none_or(|best| *value < best - self.min_improvement);
            match value.filter(improved) {
                Some(value) => (best, waited) = (Some(value), 0),
                // Before the first value there is nothing to improve on.
                None => waited += u64::from(best.is_some()),
            }
        }
        let (term, n) = (self.term.name(), self.epochs);
        let plural = if n == 1 { "" } else { "s" };
        let reason = || format!("no better `{term}` on the validation rows for {n} epoch{plural}");
        Ok((waited >= n).then(reason))
    }

    fn validates(&self) -> Result<Option<LossTerm>> {
        Ok(Some(self.term))
    }
}
