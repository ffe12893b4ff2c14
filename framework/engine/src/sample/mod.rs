//! Sampling of any model with any solver, in time or in log-SNR.

mod guided;
pub mod likelihood;
pub mod noise;
mod steered;
mod trajectory;

pub use guided::ClassifierFree;
pub use steered::Steered;
pub use trajectory::Trajectory;

use crate::component::{
    Condition, Draws as _, Field, Grid, Guidance, Level, NO_LEVELS, Objective, Observer, Pass,
    Solver,
};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::path::{Clock, END_GAP, Path, PathPoint, Reading, StepGrid, rows};
use crate::rng::{Purpose, RowDraws, Streams, seed_torch};
use tch::{Device, Tensor};

/// Options of one sampling run.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplingPlan {
    /// Number of steps of a solver with fixed steps.
    pub steps: usize,
    /// Spacing of the steps.
    pub grid: StepGrid,
    /// True to return the predicted clean latent instead of the last state; `None`: true if that
    /// still holds noise.
    pub final_denoise: Option<bool>,
    /// Random streams of the rows, for a stochastic solver.
    pub streams: Streams,
}

/// Result of sampling.
#[derive(Debug)]
pub struct Sampled {
    /// Latents at the end, `[n, …z_shape]`.
    pub z: Tensor,
    /// Network evaluations a sample (NFE).
    pub nfe: usize,
    /// Number of steps: those of the plan, or those that an adaptive solver chose.
    pub steps: usize,
    /// True if `z` is the predicted clean latent.
    pub denoised: bool,
}

/// A prediction along a path, of a model under a condition or in closed form.
pub trait Predictor {
    /// The path from noise to data.
    fn path(&self) -> &Path;
    /// Meaning of the output.
    fn objective(&self) -> &dyn Objective;
    /// Evaluates the prediction at `z` `[batch, …z_shape]` and the point of a reading, one for all
    /// rows; the output has the shape of `z`.
    ///
    /// # Errors
    /// Those of the model's components.
    fn output(&self, z: &Tensor, reading: &Reading<'_>) -> Result<Tensor>;
    /// Number of network evaluations so far, beyond one for each output.
    fn further_evaluations(&self) -> usize {
        0
    }
    /// True if z_0 is N(0, I) and independent of the data, as in [`Model::gaussian`]; otherwise
    /// log-SNR has no meaning.
    fn gaussian(&self) -> bool {
        true
    }
    /// Device on which the path is evaluated.
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
    /// Classifier-free guidance; `None` for the condition as trained.
    pub guidance: Option<&'m ClassifierFree>,
    /// Mask of targets that are sequences, `[n, T]`, 1 at positions of a sequence and 0 at padding;
    /// `None` without padding.
    pub mask: Option<&'m Tensor>,
}

impl Predictor for Conditioned<'_> {
    fn path(&self) -> &Path {
        self.model.path()
    }

    fn objective(&self) -> &dyn Objective {
        self.model.objective()
    }

    fn output(&self, z: &Tensor, reading: &Reading<'_>) -> Result<Tensor> {
        let pass = Pass::EVAL.masked(self.mask);
        match (self.guidance, self.condition) {
            (Some(guidance), Some(condition)) => {
                guidance.output(self.model, z, reading, condition, pass)
            }
            _ => self.model.output(z, reading, self.condition, pass),
        }
    }

    fn further_evaluations(&self) -> usize {
        self.guidance.map_or(0, ClassifierFree::further_evaluations)
    }

    fn gaussian(&self) -> bool {
        self.model.gaussian()
    }

    fn device(&self) -> Device {
        self.model.vars.device()
    }
}

/// A predictor as a field to integrate.
#[derive(Debug)]
pub struct PredictorField<P> {
    predictor: P,
    grid: StepGrid,
    clock: Clock,
    /// Random numbers for a stochastic solver; `None`: LibTorch's generator.
    draws: Option<RowDraws>,
}

/// A model under a condition, as a field to integrate.
pub type ModelField<'m> = PredictorField<Conditioned<'m>>;

impl<'m> ModelField<'m> {
    /// The field of `model` under `condition` without guidance, on `grid`.
    pub fn new(
        model: &'m Model,
        condition: Option<&'m Condition>,
        grid: impl Into<StepGrid>,
    ) -> Self {
        Self::of(Conditioned { model, condition, guidance: None, mask: None }, grid)
    }
}

impl<P: Predictor> PredictorField<P> {
    /// The field of `predictor` in the clock of `grid`, time or log-SNR.
    pub fn of(predictor: P, grid: impl Into<StepGrid>) -> Self {
        let grid = grid.into();
        Self { predictor, grid, clock: grid.clock(), draws: None }
    }

    /// This field with noise for a stochastic solver from the rows' random streams.
    #[must_use]
    pub fn with_streams(self, streams: Streams) -> Self {
        Self { draws: Some(RowDraws::new(streams, Purpose::Path)), ..self }
    }

    fn point(&self, z: &Tensor, s: f64) -> Result<PathPoint<'_>> {
        self.predictor.path().at_clock(s, self.clock, z)
    }

    /// Grid of `steps` steps. An end at which the velocity cannot be computed from the output, or
    /// log-SNR is infinite, is replaced by a point at distance [`END_GAP`].
    ///
    /// # Errors
    /// [`Error::Config`]: the grid is in log-SNR, but z_0 is not N(0, I) or depends on the data.
    /// [`Error::Component`]: the schedule or the objective fails.
    pub fn grid(&self, steps: usize) -> Result<Grid> {
        let path = self.predictor.path();
        if self.clock == Clock::Gamma && !self.predictor.gaussian() {
            let message = "steps in log-SNR need Gaussian noise that is independent of the data";
            return Err(Error::config("sampling.grid", message).help("set `sampling.grid: time`"));
        }
        let (start, end) = match self.clock {
            Clock::Gamma => path.gamma_range()?,
            Clock::Time => {
                let [start, end] = path.readable_ends(self.predictor.objective())?;
                (if start { 0.0 } else { END_GAP }, if end { 1.0 } else { 1.0 - END_GAP })
            }
        };
        Ok(self.grid.nodes(start, end, steps))
    }

    /// Time t at which the clock shows `s`.
    ///
    /// # Errors
    /// [`Error::Component`]: the schedule fails.
    pub fn time(&self, s: f64) -> Result<f64> {
        match self.clock {
            Clock::Time => Ok(s),
            Clock::Gamma => {
                let s = Tensor::from_slice(&[s]).to_device(self.predictor.device());
                Ok(self.predictor.path().time_of(&s)?.double_value(&[0]))
            }
        }
    }

    /// Integrates from `z0` `[n, …z_shape]`, in the path's [scale](Path::start_scale), to the data
    /// in `steps` steps, without recording gradients. `final_denoise` is that of [`SamplingPlan`];
    /// `observer` gets every state.
    ///
    /// # Errors
    /// Those of [`grid`](Self::grid), the predictor, the solver and `observer`.
    pub fn sample(
        &self,
        solver: &dyn Solver,
        steps: usize,
        final_denoise: Option<bool>,
        z0: &Tensor,
        observer: &mut dyn Observer,
    ) -> Result<Sampled> {
        tch::no_grad(|| {
            let grid = self.grid(steps)?;
            let mut counter = Counter { observer, states: 0 };
            let scale = self.predictor.path().start_scale()?;
            let start = if scale == 1.0 { z0.shallow_clone() } else { z0 * scale };
            let solution = solver.integrate(self, &start, &grid, &mut counter)?;
            let steps = counter.states.saturating_sub(1);
            let denoise = match final_denoise {
                Some(denoise) => denoise,
                None => self.point(z0, grid.end())?.b.double_value(&[0]) > 0.0,
            };
            let (z, outputs) = match denoise {
                true => (self.data(&solution.z, grid.end())?, solution.nfe + 1),
                false => (solution.z, solution.nfe),
            };
            let nfe = outputs + self.predictor.further_evaluations();
            Ok(Sampled { z, nfe, steps, denoised: denoise })
        })
    }
}

impl<P: Predictor> Field for PredictorField<P> {
    fn derivative(&self, z: &Tensor, s: f64) -> Result<Tensor> {
        let point = self.point(z, s)?;
        let reading = Reading::new(self.predictor.objective(), &point)?;
        let output = self.predictor.output(z, &reading)?;
        let (of_z, of_output) = reading.derivative_coefficients(self.clock)?;
        let cast = |c: Tensor| rows(&c.to_kind(z.kind()), z);
        Ok(cast(of_z) * z + cast(of_output) * output)
    }

    fn data(&self, z: &Tensor, s: f64) -> Result<Tensor> {
        let point = self.point(z, s)?;
        let reading = Reading::new(self.predictor.objective(), &point)?;
        let output = self.predictor.output(z, &reading)?;
        Ok(reading.data(z, &output).to_kind(z.kind()))
    }

    fn noise(&self, z: &Tensor) -> Result<Tensor> {
        match &self.draws {
            Some(draws) => draws.normal(&z.size(), (z.kind(), z.device())),
            None => Ok(z.randn_like()),
        }
    }

    fn levels(&self, clock: &[f64]) -> Result<Vec<Level>> {
        if !self.predictor.gaussian() {
            return Err(Error::runtime(NO_LEVELS));
        }
        let s = Tensor::from_slice(clock).to_device(self.predictor.device());
        let point = self.predictor.path().at_clocks(s, self.clock)?;
        let (a_rate, b_rate) = point.rates(self.clock)?;
        let columns = [&point.a, &point.b, &a_rate, &b_rate];
        let columns: Vec<Vec<f64>> =
            columns.into_iter().map(|c| Ok(Vec::try_from(c)?)).collect::<Result<_>>()?;
        let level = |i: usize| Level {
            a: columns[0][i],
            b: columns[1][i],
            a_rate: columns[2][i],
            b_rate: columns[3][i],
        };
        Ok((0..clock.len()).map(level).collect())
    }

    fn clock_at(&self, gamma: &[f64]) -> Result<Vec<f64>> {
        match self.clock {
            Clock::Gamma => Ok(gamma.to_vec()),
            Clock::Time => {
                let gamma = Tensor::from_slice(gamma).to_device(self.predictor.device());
                Ok(Vec::try_from(self.predictor.path().time_of(&gamma)?)?)
            }
        }
    }
}

/// Samples a model from `z0` `[n, …z_shape]`, with an additional `force` if there is one, without
/// recording gradients. `observer` gets every state.
///
/// # Errors
/// Those of [`PredictorField::sample`] and of `force`.
pub fn sample(
    predictor: Conditioned<'_>,
    solver: &dyn Solver,
    plan: &SamplingPlan,
    z0: &Tensor,
    force: Option<&dyn Guidance>,
    observer: &mut dyn Observer,
) -> Result<Sampled> {
    let (first, streams) = (plan.streams.at(0)?, plan.streams.clone());
    // Some solvers draw from LibTorch's generator and not from the streams.
    let _stream = seed_torch(first.seed, Purpose::Path, first.draw);
    let _reduced = predictor.model.reduced();
    let condition = predictor.condition;
    let _memo = condition.map(Condition::keep_what_is_made);
    match force {
        Some(force) => PredictorField::of(Steered { predictor, force, condition }, plan.grid)
            .with_streams(streams)
            .sample(solver, plan.steps, plan.final_denoise, z0, observer),
        None => PredictorField::of(predictor, plan.grid).with_streams(streams).sample(
            solver,
            plan.steps,
            plan.final_denoise,
            z0,
            observer,
        ),
    }
}

/// Counts states and passes them on.
struct Counter<'o> {
    observer: &'o mut dyn Observer,
    states: usize,
}

impl Observer for Counter<'_> {
    fn see(&mut self, s: f64, z: &Tensor) -> Result<()> {
        self.states += 1;
        self.observer.see(s, z)
    }
}
