//! Sampling of any model with any solver, in time or in log-SNR.

mod backward;
mod guided;
pub mod likelihood;
pub mod noise;
mod observed;
mod projected;
mod steered;
mod trajectory;

pub use guided::ClassifierFree;
pub use observed::{Given, Observed};
pub use projected::Projected;
pub use steered::Steered;
pub use trajectory::Trajectory;

use crate::component::{
    Condition, Draws as _, Field, Grid, Guidance, Level, NO_LEVELS, Objective, Observer, Pass,
    Projection, Solver, StepGrid,
};
use crate::data::Normaliser;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::path::{Clock, END_GAP, Path, PathPoint, Reading, rows};
use crate::registry::Component;
use crate::rng::{Purpose, RowDraws, Streams, seed_torch};
use tch::{Device, Tensor};

/// Options of one sampling run.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplingPlan {
    /// Number of steps of a solver with fixed steps.
    pub steps: usize,
    /// Time t in \[0, 1) of the states that sampling begins with, from which `steps` lead to the
    /// data; `None`: they are z_0, at the path's start.
    pub from: Option<f64>,
    /// Spacing of the steps; `None`: equal steps in the path's natural clock.
    pub grid: Option<Component<dyn StepGrid>>,
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
    /// The data at the end of a path, `[batch, …z_shape]`, given those that the state and the
    /// output determine.
    ///
    /// # Errors
    /// Those of a projection.
    fn finished(&self, data: Tensor) -> Result<Tensor> {
        Ok(data)
    }
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

impl<P: Predictor + ?Sized> Predictor for Box<P> {
    fn path(&self) -> &Path {
        (**self).path()
    }

    fn objective(&self) -> &dyn Objective {
        (**self).objective()
    }

    fn output(&self, z: &Tensor, reading: &Reading<'_>) -> Result<Tensor> {
        (**self).output(z, reading)
    }

    fn finished(&self, data: Tensor) -> Result<Tensor> {
        (**self).finished(data)
    }

    fn further_evaluations(&self) -> usize {
        (**self).further_evaluations()
    }

    fn gaussian(&self) -> bool {
        (**self).gaussian()
    }

    fn device(&self) -> Device {
        (**self).device()
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
pub struct PredictorField<P> {
    predictor: P,
    grid: Box<dyn StepGrid>,
    clock: Clock,
    /// Time that the grid begins at; `None`: the path's start.
    from: Option<f64>,
    /// Random numbers for a stochastic solver; `None`: LibTorch's generator.
    draws: Option<RowDraws>,
}

impl<P: std::fmt::Debug> std::fmt::Debug for PredictorField<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PredictorField").field(&self.predictor).field(&self.clock).finish()
    }
}

/// A model under a condition, as a field to integrate.
pub type ModelField<'m> = PredictorField<Conditioned<'m>>;

impl<'m> ModelField<'m> {
    /// The field of `model` under `condition` without guidance, in equal steps of `clock`.
    pub fn new(model: &'m Model, condition: Option<&'m Condition>, clock: Clock) -> Self {
        Self::of(Conditioned { model, condition, guidance: None, mask: None }, clock)
    }
}

impl<P: Predictor> PredictorField<P> {
    /// The field of `predictor` in equal steps of `clock`.
    pub fn of(predictor: P, clock: Clock) -> Self {
        Self { predictor, grid: Box::new(clock), clock, from: None, draws: None }
    }

    /// The field of `predictor` on `grid`.
    ///
    /// # Errors
    /// Those of the grid.
    pub fn on(predictor: P, grid: Box<dyn StepGrid>) -> Result<Self> {
        let clock = grid.clock()?;
        Ok(Self { predictor, grid, clock, from: None, draws: None })
    }

    /// The clock of the field.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// This field with noise for a stochastic solver from the rows' random streams.
    #[must_use]
    pub fn with_streams(self, streams: Streams) -> Self {
        Self { draws: Some(RowDraws::new(streams, Purpose::Path)), ..self }
    }

    /// This field on a grid that begins at time `t`; `None`: at the path's start.
    #[must_use]
    pub fn starting_at(self, t: Option<f64>) -> Self {
        Self { from: t, ..self }
    }

    fn point(&self, z: &Tensor, s: f64) -> Result<PathPoint<'_>> {
        self.predictor.path().at_clock(s, self.clock, z)
    }

    /// Grid of `steps` steps. An end at which the velocity cannot be computed from the output, or
    /// log-SNR is infinite, is replaced by a point at distance [`END_GAP`].
    ///
    /// # Errors
    /// [`Error::Config`]: the grid is in log-SNR, but z_0 is not N(0, I) or depends on the data; or
    /// the time that it begins at is not on the path before its end.
    /// [`Error::Component`]: the schedule, the objective or the grid fails.
    pub fn grid(&self, steps: usize) -> Result<Grid> {
        let path = self.predictor.path();
        if self.clock == Clock::Gamma && !self.predictor.gaussian() {
            let message = "steps in log-SNR need Gaussian noise that is independent of the data";
            return Err(Error::config("sampling.grid", message)
                .help("set `sampling.grid: null`, or a grid in time"));
        }
        let (start, end) = match self.clock {
            Clock::Gamma => path.gamma_range()?,
            Clock::Time => {
                let [start, end] = path.readable_ends(self.predictor.objective())?;
                (if start { 0.0 } else { END_GAP }, if end { 1.0 } else { 1.0 - END_GAP })
            }
        };
        let start = match self.from {
            None => start,
            // A state before the grid's own start counts as one at it.
            Some(t) if (0.0..1.0).contains(&t) => self.clock_at_time(t)?.max(start),
            Some(t) => {
                let message = format!("sampling begins at a time t with 0 <= t < 1, got {t}");
                return Err(Error::config("", message));
            }
        };
        if start >= end {
            let message = "sampling begins where the path already ends";
            return Err(Error::config("", message).help("begin at an earlier time"));
        }
        self.grid.nodes(start, end, steps)?.checked(start, end, steps)
    }

    /// Clock value at time `t`.
    fn clock_at_time(&self, t: f64) -> Result<f64> {
        match self.clock {
            Clock::Time => Ok(t),
            Clock::Gamma => {
                let t = Tensor::from_slice(&[t]).to_device(self.predictor.device());
                Ok(self.predictor.path().at(&t)?.gamma().double_value(&[0]))
            }
        }
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
            // A state later than the start is in its own scale.
            let scale = match self.from {
                None => self.predictor.path().start_scale()?,
                Some(_) => 1.0,
            };
            let start = if scale == 1.0 { z0.shallow_clone() } else { z0 * scale };
            let solution = solver.integrate(self, &start, &grid, &mut counter)?;
            let steps = counter.states.saturating_sub(1);
            let noisy = self.point(z0, grid.end())?.b.double_value(&[0]) > 0.0;
            let denoise = final_denoise.unwrap_or(noisy);
            let (z, outputs) = match denoise {
                true => (self.data(&solution.z, grid.end())?, solution.nfe + 1),
                false => (solution.z, solution.nfe),
            };
            let z = if denoise || !noisy { self.predictor.finished(z)? } else { z };
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

/// Changes of a model's prediction while sampling.
#[derive(Default)]
pub struct Changes<'a> {
    /// A force that is added to the score.
    pub force: Option<&'a dyn Guidance>,
    /// Known entries of the data, after the force.
    pub given: Option<&'a Given>,
    /// A projection of the predicted data, after all others.
    pub projection: Option<&'a dyn Projection>,
    /// Units of the targets, if latents are targets: those that the projection has its data in.
    pub units: Option<&'a Normaliser>,
}

impl Changes<'_> {
    /// The changed prediction of a model.
    fn of<'s>(&'s self, predictor: Conditioned<'s>) -> Box<dyn Predictor + 's> {
        let condition = predictor.condition;
        let mut changed: Box<dyn Predictor + 's> = Box::new(predictor);
        if let Some(force) = self.force {
            changed = Box::new(Steered { predictor: changed, force, condition });
        }
        if let Some(given) = self.given {
            changed = Box::new(Observed { predictor: changed, given });
        }
        if let Some(projection) = self.projection {
            changed = Box::new(Projected { predictor: changed, projection, units: self.units });
        }
        changed
    }
}

/// The changed prediction of a model as a field on the grid of a plan.
fn field_of<'a>(
    predictor: Conditioned<'a>,
    changes: &'a Changes<'_>,
    plan: &SamplingPlan,
) -> Result<PredictorField<Box<dyn Predictor + 'a>>> {
    let grid: Box<dyn StepGrid> = match &plan.grid {
        Some(grid) => grid.build(&()).map_err(|e| e.under("sampling.grid"))?,
        None => Box::new(predictor.path().natural_clock(predictor.objective())?),
    };
    Ok(PredictorField::on(changes.of(predictor), grid)?.starting_at(plan.from))
}

/// Integrates a model from latents `data` `[n, …z_shape]` back to the time that `plan` begins at,
/// as [`PredictorField::invert`] does.
///
/// # Errors
/// Those of [`PredictorField::invert`] and of the `changes`.
pub fn invert(
    predictor: Conditioned<'_>,
    solver: &dyn Solver,
    plan: &SamplingPlan,
    data: &Tensor,
    changes: &Changes<'_>,
) -> Result<Sampled> {
    let _reduced = predictor.model.reduced();
    let _memo = predictor.condition.map(Condition::keep_what_is_made);
    field_of(predictor, changes, plan)?.invert(solver, plan.steps, data)
}

/// Samples a model from `z0` `[n, …z_shape]`, or from states at the time that `plan` begins at,
/// without recording gradients. `observer` gets every state.
///
/// # Errors
/// Those of [`PredictorField::sample`] and of the `changes`.
pub fn sample(
    predictor: Conditioned<'_>,
    solver: &dyn Solver,
    plan: &SamplingPlan,
    z0: &Tensor,
    changes: &Changes<'_>,
    observer: &mut dyn Observer,
) -> Result<Sampled> {
    let (first, streams) = (plan.streams.at(0)?, plan.streams.clone());
    // Some solvers draw from LibTorch's generator and not from the streams.
    let _stream = seed_torch(first.seed, Purpose::Path, first.draw);
    let _reduced = predictor.model.reduced();
    let _memo = predictor.condition.map(Condition::keep_what_is_made);
    field_of(predictor, changes, plan)?.with_streams(streams).sample(
        solver,
        plan.steps,
        plan.final_denoise,
        z0,
        observer,
    )
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
