//! Components for the tests of training, beside those in `starters`.

use crate::prelude::*;
use tch::{Device, Kind};

crate::component! {
    /// The standard normal distribution N(0, I).
    pub struct Normal: Source = "normal_here" {}
}

impl Spec<dyn Source> for Normal {
    fn build(&self, _: &SourceContext) -> Result<Box<dyn Source>> {
        Ok(Box::new(self.clone()))
    }
}

impl Source for Normal {
    fn draw(&self, draws: &dyn Draws, shape: &[i64], options: (Kind, Device)) -> Result<Tensor> {
        draws.normal(shape, options)
    }

    fn is_standard_normal(&self) -> Result<bool> {
        Ok(true)
    }
}

crate::component! {
    /// z_0 independent of the data.
    pub struct Apart: Coupling = "apart_here" {}
}

impl Spec<dyn Coupling> for Apart {
    fn build(&self, _: &CouplingContext) -> Result<Box<dyn Coupling>> {
        Ok(Box::new(self.clone()))
    }
}

impl Coupling for Apart {
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

crate::component! {
    /// Momentum that replaces its moment by a new tensor in each step.
    pub struct Replaces: Optimizer = "replaces_here" {}
}

impl Spec<dyn Optimizer> for Replaces {
    fn build(&self, (): &()) -> Result<Box<dyn Optimizer>> {
        Ok(Box::new(self.clone()))
    }
}

impl Optimizer for Replaces {
    fn learning_rate(&self) -> Result<f64> {
        Ok(0.01)
    }

    fn moments(&self) -> Result<Vec<(&'static str, f64)>> {
        Ok(vec![("mean", 0.0)])
    }

    fn step(
        &self,
        parameters: &mut Tensor,
        gradient: &Tensor,
        state: &mut OptimizerState,
        learning_rate: &Tensor,
    ) -> Result<()> {
        state.moments[0] = &state.moments[0] * 0.9 + gradient;
        *parameters -= &state.moments[0] * learning_rate;
        Ok(())
    }
}
