//! Sampling: any model along any solver, in time or in log-SNR.

pub mod likelihood;
pub mod noise;

use crate::component::{Condition, Field, Grid, Objective, Observer, Pass, Solver};
use crate::error::Result;
use crate::model::Model;
use crate::path::{Clock, END_GAP, Path, PathKind, PathPoint, Reading, rows};
use tch::{Device, Tensor};

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
    /// Steps taken: those of the plan, or those that an adaptive solver chose.
    pub steps: usize,
    /// Whether `z` is the predicted clean latent.
    pub denoised: bool,
}

/// What is asked along a path: a model under a condition, or a closed form.
pub trait Predictor {
    /// The path from noise to data.
    fn path(&self) -> &Path;
    /// What the output means.
    fn objective(&self) -> &dyn Objective;
    /// The output at `z` (`[batch, …z_shape]`) and one point of the path, same shape as `z`.
    fn output(&self, z: &Tensor, point: &PathPoint) -> Result<Tensor>;
    /// Where the path is evaluated.
    fn device(&self) -> Device {
        Device::Cpu
    }
}

/// A model under a condition.
#[derive(Clone, Copy, Debug)]
pub struct Conditioned<'m> {
    /// The model.
    pub model: &'m Model,
    /// The condition, if the model has one.
    pub condition: Option<&'m Condition>,
}

impl Predictor for Conditioned<'_> {
    fn path(&self) -> &Path {
        self.model.path()
    }

    fn objective(&self) -> &dyn Objective {
        self.model.objective()
    }

    fn output(&self, z: &Tensor, point: &PathPoint) -> Result<Tensor> {
        self.model.output(z, point, self.condition, Pass::EVAL)
    }

    fn device(&self) -> Device {
        self.model.vars.device()
    }
}

/// A predictor as a field to integrate.
#[derive(Debug)]
pub struct PredictorField<P> {
    predictor: P,
    clock: Clock,
}

/// A model under a condition, as a field to integrate.
pub type ModelField<'m> = PredictorField<Conditioned<'m>>;

impl<'m> ModelField<'m> {
    /// The field of `model` under `condition`, in `clock`.
    pub fn new(model: &'m Model, condition: Option<&'m Condition>, clock: Clock) -> Self {
        Self::of(Conditioned { model, condition }, clock)
    }
}

impl<P: Predictor> PredictorField<P> {
    /// The field of `predictor` in `clock`.
    pub fn of(predictor: P, clock: Clock) -> Self {
        Self { predictor, clock }
    }

    fn point(&self, z: &Tensor, s: f64) -> Result<PathPoint> {
        self.predictor.path().at_clock(s, self.clock, z)
    }

    /// The grid of `steps` equal steps. Ends where the objective's reading is singular, or log-SNR
    /// infinite, are approached to within [`END_GAP`].
    pub fn grid(&self, steps: usize) -> Result<Grid> {
        let path = self.predictor.path();
        let (start, end) = match self.clock {
            Clock::Gamma => path.gamma_range()?,
            Clock::Time if path.kind == PathKind::VariancePreserving => (0.0, 1.0),
            Clock::Time => {
                let ends = Tensor::from_slice(&[0.0, 1.0]);
                let point = PathPoint::rectified(&ends);
                let reading = Reading::new(self.predictor.objective(), &point)?;
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
                let s = Tensor::from_slice(&[s]).to_device(self.predictor.device());
                Ok(self.predictor.path().time_of(&s)?.double_value(&[0]))
            }
        }
    }

    /// Carries `z0` (`[n, …z_shape]`) to the data over `steps` equal steps, as [`Plan`] says. No gradient
    /// is recorded.
    pub fn sample(
        &self,
        solver: &dyn Solver,
        steps: usize,
        final_denoise: Option<bool>,
        z0: &Tensor,
        seen: &mut dyn Observer,
    ) -> Result<Sampled> {
        tch::no_grad(|| {
            let grid = self.grid(steps)?;
            let mut counted = Counted { seen, states: 0 };
            let solution = solver.integrate(self, z0, &grid, &mut counted)?;
            let steps = counted.states.saturating_sub(1);
            let denoise = match final_denoise {
                Some(denoise) => denoise,
                None => self.point(z0, grid.end())?.b.double_value(&[0]) > 0.0,
            };
            if !denoise {
                return Ok(Sampled { z: solution.z, nfe: solution.nfe, steps, denoised: false });
            }
            let z = self.data(&solution.z, grid.end())?;
            Ok(Sampled { z, nfe: solution.nfe + 1, steps, denoised: true })
        })
    }
}

impl<P: Predictor> Field for PredictorField<P> {
    fn derivative(&self, z: &Tensor, s: f64) -> Result<Tensor> {
        let point = self.point(z, s)?;
        let output = self.predictor.output(z, &point)?;
        let reading = Reading::new(self.predictor.objective(), &point)?;
        let (of_z, of_output) = reading.derivative_coefficients(self.clock);
        let cast = |c: Tensor| rows(&c.to_kind(z.kind()), z);
        Ok(cast(of_z) * z + cast(of_output) * output)
    }

    fn data(&self, z: &Tensor, s: f64) -> Result<Tensor> {
        let point = self.point(z, s)?;
        let output = self.predictor.output(z, &point)?;
        let reading = Reading::new(self.predictor.objective(), &point)?;
        Ok(reading.data(z, &output).to_kind(z.kind()))
    }
}

/// Carries `z0` (`[n, …z_shape]`) along a model to the data. No gradient is recorded.
pub fn sample(
    model: &Model,
    solver: &dyn Solver,
    plan: Plan,
    z0: &Tensor,
    condition: Option<&Condition>,
    seen: &mut dyn Observer,
) -> Result<Sampled> {
    ModelField::new(model, condition, plan.clock).sample(
        solver,
        plan.steps,
        plan.final_denoise,
        z0,
        seen,
    )
}

/// Counts the states that pass by.
struct Counted<'o> {
    seen: &'o mut dyn Observer,
    states: usize,
}

impl Observer for Counted<'_> {
    fn see(&mut self, s: f64, z: &Tensor) -> Result<()> {
        self.states += 1;
        self.seen.see(s, z)
    }
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
    fn see(&mut self, s: f64, z: &Tensor) -> Result<()> {
        self.clock.push(s);
        self.states.push(z.shallow_clone());
        Ok(())
    }
}
