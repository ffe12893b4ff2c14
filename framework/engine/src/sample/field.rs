//! A prediction as a field that solvers integrate, and the grid of their steps.

use super::{Conditioned, Predictor, Sampled};
use crate::component::{
    Condition, Draws as _, Field, Grid, Level, NO_LEVELS, Observer, Solver, StepGrid,
};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::path::{Clock, END_GAP, PathPoint, Reading, rows};
use crate::rng::{Purpose, RowDraws, Streams};
use tch::Tensor;

/// A predictor as a field to integrate.
pub struct PredictorField<P> {
    pub(super) predictor: P,
    grid: Box<dyn StepGrid>,
    clock: Clock,
    /// Time that the grid begins at; `None`: the path's start.
    from: Option<f64>,
    /// Number of passes over each step.
    pub(super) repeats: usize,
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
        Self { predictor, grid: Box::new(clock), clock, from: None, repeats: 1, draws: None }
    }

    /// The field of `predictor` on `grid`.
    ///
    /// # Errors
    /// Those of the grid.
    pub fn on(predictor: P, grid: Box<dyn StepGrid>) -> Result<Self> {
        let clock = grid.clock()?;
        Ok(Self { predictor, grid, clock, from: None, repeats: 1, draws: None })
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

    /// The point of the path at which the clock shows `s`.
    pub(super) fn point(&self, z: &Tensor, s: f64) -> Result<PathPoint<'_>> {
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

    /// Integrates from `z0` `[n, …z_shape]`, in the path's
    /// [scale](crate::path::Path::start_scale), to the data in `steps` steps, without recording
    /// gradients. `final_denoise` is that of [`SamplingPlan`](super::SamplingPlan); `observer`
    /// gets every state.
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
            let solution = self.integrate(solver, &start, &grid, &mut counter)?;
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
