//! Sampling: any model along any solver, in time or in log-SNR.

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
use crate::path::{Clock, END_GAP, Path, PathKind, PathPoint, Reading, StepGrid, rows};
use crate::rng::{Purpose, RowDraws, Streams, seed_torch};
use tch::{Device, Tensor};

/// How samples are drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplingPlan {
    /// Steps of a fixed-step solver.
    pub steps: usize,
    /// Where the steps are.
    pub grid: StepGrid,
    /// Return the predicted clean latent rather than the last state; `None`: where that still holds noise.
    pub final_denoise: Option<bool>,
    /// From which a stochastic solver draws, for each row.
    pub streams: Streams,
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
    /// Evaluations of the network so far beyond one an output.
    fn further_evaluations(&self) -> usize {
        0
    }
    /// Whether z_0 is N(0, I) and independent of the data, as [`Model::gaussian`] says; log-SNR means nothing
    /// else.
    fn gaussian(&self) -> bool {
        true
    }
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
    /// How much more the condition counts; none: as trained.
    pub guidance: Option<&'m ClassifierFree>,
    /// Which positions of the targets are there, `[n, T]`; none: all, or they are no sequences.
    pub mask: Option<&'m Tensor>,
}

impl Predictor for Conditioned<'_> {
    fn path(&self) -> &Path {
        self.model.path()
    }

    fn objective(&self) -> &dyn Objective {
        self.model.objective()
    }

    fn output(&self, z: &Tensor, point: &PathPoint) -> Result<Tensor> {
        let pass = Pass::EVAL.masked(self.mask);
        match (self.guidance, self.condition) {
            (Some(guidance), Some(condition)) => {
                guidance.output(self.model, z, point, condition, pass)
            }
            _ => self.model.output(z, point, self.condition, pass),
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
    /// What a stochastic solver draws from; none: LibTorch's generator.
    draws: Option<RowDraws>,
}

/// A model under a condition, as a field to integrate.
pub type ModelField<'m> = PredictorField<Conditioned<'m>>;

impl<'m> ModelField<'m> {
    /// The field of `model` under `condition`, on `grid`, as trained.
    pub fn new(
        model: &'m Model,
        condition: Option<&'m Condition>,
        grid: impl Into<StepGrid>,
    ) -> Self {
        Self::of(Conditioned { model, condition, guidance: None, mask: None }, grid)
    }
}

impl<P: Predictor> PredictorField<P> {
    /// The field of `predictor`, in the clock of `grid`.
    pub fn of(predictor: P, grid: impl Into<StepGrid>) -> Self {
        let grid = grid.into();
        Self { predictor, grid, clock: grid.clock(), draws: None }
    }

    /// The same with noise for a stochastic solver from these streams.
    #[must_use]
    pub fn with_streams(self, streams: Streams) -> Self {
        Self { draws: Some(RowDraws::new(streams, Purpose::Path)), ..self }
    }

    fn point(&self, z: &Tensor, s: f64) -> Result<PathPoint> {
        self.predictor.path().at_clock(s, self.clock, z)
    }

    /// The grid of `steps` steps. Ends where the objective's reading is singular, or log-SNR
    /// infinite, are approached to within [`END_GAP`].
    pub fn grid(&self, steps: usize) -> Result<Grid> {
        let path = self.predictor.path();
        if self.clock == Clock::Gamma && !self.predictor.gaussian() {
            let message = "steps in log-SNR need Gaussian noise that is independent of the data";
            return Err(Error::config("sampling.grid", message).help("set `sampling.grid: time`"));
        }
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
        Ok(self.grid.nodes(start, end, steps))
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

    /// Carries `z0` (`[n, …z_shape]`) to the data over `steps` steps, as [`SamplingPlan`] says. No gradient
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
            let (z, own) = match denoise {
                true => (self.data(&solution.z, grid.end())?, solution.nfe + 1),
                false => (solution.z, solution.nfe),
            };
            let nfe = own + self.predictor.further_evaluations();
            Ok(Sampled { z, nfe, steps, denoised: denoise })
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
        let (a_rate, b_rate) = point.rates(self.clock);
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

/// Carries `z0` (`[n, …z_shape]`) along a model to the data, under a further `force` if there is one. No
/// gradient is recorded.
pub fn sample(
    predictor: Conditioned<'_>,
    solver: &dyn Solver,
    plan: &SamplingPlan,
    z0: &Tensor,
    force: Option<&dyn Guidance>,
    seen: &mut dyn Observer,
) -> Result<Sampled> {
    let (first, streams) = (plan.streams.at(0)?, plan.streams.clone());
    // For a solver that draws from LibTorch's generator all the same.
    let _stream = seed_torch(first.seed, Purpose::Path, first.draw);
    let _reduced = predictor.model.reduced();
    let condition = predictor.condition;
    let _kept = condition.map(Condition::keep_what_is_made);
    match force {
        Some(force) => PredictorField::of(Steered { predictor, force, condition }, plan.grid)
            .with_streams(streams)
            .sample(solver, plan.steps, plan.final_denoise, z0, seen),
        None => PredictorField::of(predictor, plan.grid).with_streams(streams).sample(
            solver,
            plan.steps,
            plan.final_denoise,
            z0,
            seen,
        ),
    }
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
