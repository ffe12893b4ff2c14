//! Pairs that the data give.

use triflow::prelude::*;

triflow::component! {
    /// Each row's own z_0, which the data give: an array `z0` beside x and y, in the units of the model.
    ///
    /// For pairs that are known: the ends of a trained model's paths (`triflow reflow`), or two data sets
    /// whose rows belong together. Sampling still starts from the source, whatever the condition: the z_0
    /// of the data are expected to have its law under every condition.
    #[reference = "Liu et al. 2023, arXiv 2209.03003"]
    pub struct Given: Coupling, CouplingSpec = "given" {}
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
