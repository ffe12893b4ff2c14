//! Steps that are repeated with new noise.

use super::{Predictor, PredictorField};
use crate::component::{Field, Grid, Level, Observer, Solution, Solver};
use crate::error::Result;
use tch::Tensor;

impl<P: Predictor> PredictorField<P> {
    /// This field with `repeats` passes over each step: before another pass, noise takes the state
    /// back to the beginning of the step (Lugmayr et al. 2022, arXiv 2201.09865, with steps of the
    /// solver in place of draws). The states of an exact predictor keep their distribution; those
    /// of an approximate one, such as [`Observed`](super::Observed), approach the distribution that
    /// its predictions agree on. A solver that remembers former steps begins anew at each.
    #[must_use]
    pub fn repeating(mut self, repeats: usize) -> Self {
        self.repeats = repeats.max(1);
        self
    }

    /// Integrates from `z` at the start of a grid to its end; `observer` gets the states of the
    /// last passes.
    pub(super) fn integrate(
        &self,
        solver: &dyn Solver,
        z: &Tensor,
        grid: &Grid,
        observer: &mut dyn Observer,
    ) -> Result<Solution> {
        if self.repeats <= 1 {
            return solver.integrate(self, z, grid, observer);
        }
        let levels = self.levels(&grid.nodes)?;
        let mut reached = Solution { z: z.shallow_clone(), nfe: 0, rejected: 0 };
        observer.see(grid.start(), z)?;
        for (ends, nodes) in levels.windows(2).zip(grid.nodes.windows(2)) {
            let step = Grid { nodes: nodes.to_vec() };
            for pass in 0..self.repeats {
                if pass > 0 {
                    reached.z = self.noised(&reached.z, ends[1], ends[0])?;
                }
                let next = solver.integrate(self, &reached.z, &step, &mut ())?;
                reached = Solution {
                    z: next.z,
                    nfe: reached.nfe + next.nfe,
                    rejected: reached.rejected + next.rejected,
                };
            }
            observer.see(step.end(), &reached.z)?;
        }
        Ok(reached)
    }

    /// A draw of the state at the level `to` for a state `z` at the less noisy level `from`.
    fn noised(&self, z: &Tensor, from: Level, to: Level) -> Result<Tensor> {
        let ratio = to.a / from.a;
        let variance = to.b.powi(2) - (ratio * from.b).powi(2);
        Ok(z * ratio + self.noise(z)? * variance.max(0.0).sqrt())
    }
}
