use triflow::prelude::*;

triflow::component! {
    /// Pairs given by the data: each row's own z_0, the array `z0` beside x and y.
    ///
    /// z_0 is in the units of the model. Use it for known pairs: the ends of a trained model's
    /// paths (`triflow reflow`), or two data sets whose rows belong together. Sampling starts from
    /// the source under any condition, so under each condition z_0 should have the distribution of
    /// the source.
    #[reference = "Liu et al. 2023, arXiv 2209.03003"]
    pub struct Given: Coupling = "given" {}
}

impl Spec<dyn Coupling> for Given {
    fn build(&self, _: &CouplingContext) -> Result<Box<dyn Coupling>> {
        Ok(Box::new(self.clone()))
    }
}

impl Coupling for Given {
    fn pair(&self, rows: &Pairing<'_>) -> Result<Vec<usize>> {
        Ok((0..rows.len()).collect())
    }

    fn z0_from_data(&self) -> Result<bool> {
        Ok(true)
    }

    fn keeps_condition(&self) -> Result<bool> {
        Ok(true)
    }
}
