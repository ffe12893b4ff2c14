//! The way back: from data along the probability-flow ODE to the state that leads to them.

use super::{Predictor, PredictorField, Sampled};
use crate::component::{Field, Grid, Solver, follows_derivative, solvers_where};
use crate::error::{Error, Result};
use crate::path::rows;
use tch::Tensor;

impl<P: Predictor> PredictorField<P> {
    /// The grid of [`grid`](Self::grid) from the data to the noise, in the negative of the clock,
    /// because solvers go forward.
    pub(super) fn backward(&self, steps: usize) -> Result<Grid> {
        Ok(Grid { nodes: self.grid(steps)?.nodes.iter().rev().map(|s| -s).collect() })
    }

    /// Integrates from `data` `[n, …z_shape]` back to the start of the [grid](Self::grid) of
    /// `steps` steps, without recording gradients: `z` of the result are the states from which an
    /// exact solver reaches a·data, the state of the data without the noise that may be left at the
    /// end.
    ///
    /// # Errors
    /// [`Error::Config`]: the solver draws noise, or needs more than the derivative. Those of
    /// [`grid`](Self::grid), the predictor and the solver.
    pub fn invert(&self, solver: &dyn Solver, steps: usize, data: &Tensor) -> Result<Sampled> {
        if !follows_derivative(solver)? {
            let message = "this solver goes from noise to data only";
            let others = solvers_where(follows_derivative);
            return Err(Error::config("sampling.solver", message)
                .help(format!("use one that follows the derivative of the ODE: {others}")));
        }
        tch::no_grad(|| {
            let grid = self.backward(steps)?;
            let a = self.point(data, -grid.start())?.a.to_kind(data.kind());
            let end = rows(&a, data) * data;
            let solution = solver.integrate(&Backward(self), &end, &grid, &mut ())?;
            let nfe = solution.nfe + self.predictor.further_evaluations();
            Ok(Sampled { z: solution.z, nfe, steps: grid.nodes.len() - 1, denoised: false })
        })
    }
}

/// A field in the negative of its clock.
struct Backward<'f, P>(&'f PredictorField<P>);

impl<P: Predictor> Field for Backward<'_, P> {
    fn derivative(&self, z: &Tensor, s: f64) -> Result<Tensor> {
        Ok(self.0.derivative(z, -s)?.neg())
    }

    fn data(&self, z: &Tensor, s: f64) -> Result<Tensor> {
        self.0.data(z, -s)
    }
}
