//! Sampling: any model along any solver, in time or in log-SNR.

use crate::component::{Condition, Field, Grid, Observer, Pass, Solver};
use crate::error::Result;
use crate::model::Model;
use crate::path::{Clock, END_GAP, PathKind, PathPoint, Reading, rows};
use tch::Tensor;

/// How samples are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// Steps of a fixed-step solver.
    pub steps: usize,
    /// The clock whose steps are equal.
    pub clock: Clock,
    /// Return the predicted clean latent rather than the last state; `None`: where that still holds noise.
    pub final_denoise: Option<bool>,
}

/// What sampling gave.
#[derive(Debug)]
pub struct Sampled {
    /// Latents at the end, `[n, …z_shape]`.
    pub z: Tensor,
    /// Network evaluations a sample.
    pub nfe: usize,
    /// Whether `z` is the predicted clean latent.
    pub denoised: bool,
}

/// A model with a condition, as a field to integrate.
#[derive(Debug)]
pub struct ModelField<'m> {
    model: &'m Model,
    condition: Option<&'m Condition>,
    clock: Clock,
}

impl<'m> ModelField<'m> {
    /// The field of `model` under `condition`, in `clock`.
    pub fn new(model: &'m Model, condition: Option<&'m Condition>, clock: Clock) -> Self {
        Self { model, condition, clock }
    }

    fn point(&self, z: &Tensor, s: f64) -> Result<PathPoint> {
        let point = self.model.path().at_clock(s, self.clock, z)?;
        Ok(point)
    }

    /// The grid of `steps` equal steps. Ends where the objective's reading is singular, or log-SNR
    /// infinite, are approached to within [`END_GAP`].
    pub fn grid(&self, steps: usize) -> Result<Grid> {
        let (start, end) = match self.clock {
            Clock::Gamma => self.model.path().gamma_range()?,
            Clock::Time if self.model.path().kind == PathKind::VariancePreserving => (0.0, 1.0),
            Clock::Time => {
                let ends = Tensor::from_slice(&[0.0, 1.0]);
                let point = PathPoint::rectified(&ends);
                let reading = Reading::new(self.model.objective(), &point)?;
                let d = reading.determinant();
                (
                    if d.double_value(&[0]) == 0.0 { END_GAP } else { 0.0 },
                    if d.double_value(&[1]) == 0.0 { 1.0 - END_GAP } else { 1.0 },
                )
            }
        };
        Ok(Grid::uniform(start, end, steps))
    }

    /// Time t of the clock's `s`.
    pub fn time(&self, s: f64) -> Result<f64> {
        match self.clock {
            Clock::Time => Ok(s),
            Clock::Gamma => {
                let device = self.model.vars.device();
                Ok(self
                    .model
                    .path()
                    .time_of(&Tensor::from_slice(&[s]).to_device(device))?
                    .double_value(&[0]))
            }
        }
    }
}

impl Field for ModelField<'_> {
    fn derivative(&self, z: &Tensor, s: f64) -> Result<Tensor> {
        let point = self.point(z, s)?;
        let output = self.model.output(z, &point, self.condition, Pass::EVAL)?;
        let reading = Reading::new(self.model.objective(), &point)?;
        let (of_z, of_output) = reading.derivative_coefficients(self.clock);
        let cast = |c: Tensor| rows(&c.to_kind(z.kind()), z);
        Ok(cast(of_z) * z + cast(of_output) * output)
    }

    fn data(&self, z: &Tensor, s: f64) -> Result<Tensor> {
        let point = self.point(z, s)?;
        let output = self.model.output(z, &point, self.condition, Pass::EVAL)?;
        Ok(Reading::new(self.model.objective(), &point)?.data(z, &output).to_kind(z.kind()))
    }
}

/// Carries `z0` (`[n, …z_shape]`) to the data. No gradient is recorded.
pub fn sample(
    model: &Model,
    solver: &dyn Solver,
    plan: Plan,
    z0: &Tensor,
    condition: Option<&Condition>,
    seen: &mut dyn Observer,
) -> Result<Sampled> {
    tch::no_grad(|| {
        let field = ModelField::new(model, condition, plan.clock);
        let grid = field.grid(plan.steps)?;
        let solution = solver.integrate(&field, z0, &grid, seen)?;
        let denoise = match plan.final_denoise {
            Some(denoise) => denoise,
            None => field.point(z0, grid.end())?.b.double_value(&[0]) > 0.0,
        };
        if !denoise {
            return Ok(Sampled { z: solution.z, nfe: solution.nfe, denoised: false });
        }
        let z = field.data(&solution.z, grid.end())?;
        Ok(Sampled { z, nfe: solution.nfe + 1, denoised: true })
    })
}

/// Keeps every state with its time.
#[derive(Debug, Default)]
pub struct Trajectory {
    /// Clock values.
    pub clock: Vec<f64>,
    /// States, `[n, …z_shape]` each.
    pub states: Vec<Tensor>,
}

impl Observer for Trajectory {
    fn see(&mut self, s: f64, z: &Tensor) {
        self.clock.push(s);
        self.states.push(z.shallow_clone());
    }
}
