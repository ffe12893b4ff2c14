use triflow::prelude::*;

triflow::component! {
    /// Independent pairs: z_0 is drawn from the source without regard to z_1.
    pub struct Independent: Coupling = "independent" {}
}

impl Spec<dyn Coupling> for Independent {
    fn build(&self, _: &CouplingContext) -> Result<Box<dyn Coupling>> {
        Ok(Box::new(self.clone()))
    }
}

impl Coupling for Independent {
    fn pair(&self, rows: &Pairing<'_>) -> Result<Vec<usize>> {
        Ok((0..rows.len()).collect())
    }

    fn is_independent(&self) -> Result<bool> {
        Ok(true)
    }

    fn keeps_condition(&self) -> Result<bool> {
        Ok(true)
    }
}
