//! The harness of solvers: one loop from noise to data for every method that works in steps.

use super::control::{StepChooser, StepControl};
use super::solver::{Field, Level, Node, Observer, Solution, Solver};
use crate::error::{Error, Result};
use crate::point::Grid;
use std::cell::{Cell, OnceCell};
use tch::Tensor;

/// A method that goes from noise to data step by step. It implements one step; every stepper is a
/// [`Solver`], which drives it over the grid, counts its evaluations and reports its states to the
/// observer.
///
/// ```
/// # extern crate triflow_core as triflow;
/// use triflow::prelude::*;
///
/// /// Euler's method: a step along the slope at its start.
/// struct Euler;
///
/// impl Stepper for Euler {
///     type Node = ();
///     type Memory = ();
///
///     fn step(&self, step: &Step<'_, Self>) -> Result<Stepped> {
///         Ok(Stepped::to(step.z + step.slope()? * step.h))
///     }
///
///     fn order(&self) -> usize {
///         1
///     }
/// }
///
/// let solver: Box<dyn Solver> = Box::new(Euler);
/// # let _ = solver;
/// ```
pub trait Stepper: Sized {
    /// Knowledge of the path at both ends of a step: `()` for a method that integrates the
    /// derivative of any field, or [`Level`] for one that needs a Gaussian path.
    type Node: Node;

    /// Memory of a multistep method, such as earlier slopes or predictions; otherwise `()`.
    type Memory;

    /// Computes the state at the end of a step.
    ///
    /// # Errors
    /// Errors of the field, and of a method that cannot make this step.
    fn step(&self, step: &Step<'_, Self>) -> Result<Stepped<Self::Memory>>;

    /// Order of convergence on smooth fields; for stochastic methods, of the moments of the
    /// marginals.
    fn order(&self) -> usize;

    /// True if it draws fresh [noise](Step::noise).
    fn stochastic(&self) -> bool {
        false
    }

    /// Step control for a method that [estimates its errors](Stepped::with_error). `None`: the
    /// steps are those of the grid.
    fn control(&self) -> Option<&StepControl> {
        None
    }
}

/// One step of a [`Stepper`]: its ends, and the field.
pub struct Step<'a, S: Stepper> {
    /// State at the start, `[batch, …z_shape]`.
    pub z: &'a Tensor,
    /// Clock at the start.
    pub s: f64,
    /// Clock at the end.
    pub next: f64,
    /// The path at the start.
    pub from: S::Node,
    /// The path at the end.
    pub to: S::Node,
    /// The path at the start of the first step.
    pub first: S::Node,
    /// Memory of the step before; `None` in the first step.
    pub before: Option<&'a S::Memory>,
    /// Length of the step in the clock; `next` − `s` is this length, rounded.
    pub h: f64,
    /// Number of steps of the grid.
    pub steps: usize,
    /// True for the last step, which ends at the end of the grid.
    pub last: bool,
    field: &'a CountedField<'a>,
    /// The derivative at the start, evaluated once for all tries of a step from there.
    slope: &'a OnceCell<Tensor>,
}

/// A field with a counter of its evaluations.
struct CountedField<'a> {
    inner: &'a dyn Field,
    evaluations: Cell<usize>,
    stochastic: bool,
}

impl CountedField<'_> {
    fn count(&self) {
        self.evaluations.set(self.evaluations.get() + 1);
    }
}

impl<S: Stepper> std::fmt::Debug for Step<'_, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "step from {} to {}", self.s, self.next)
    }
}

impl<S: Stepper> Step<'_, S> {
    /// dz/ds at the start, `[batch, …z_shape]`; evaluated at most once a step.
    ///
    /// # Errors
    /// Errors of the field.
    pub fn slope(&self) -> Result<Tensor> {
        if let Some(slope) = self.slope.get() {
            return Ok(slope.shallow_clone());
        }
        let slope = self.derivative(self.z, self.s)?;
        Ok(self.slope.get_or_init(|| slope).shallow_clone())
    }

    /// dz/ds at any state `z` (`[batch, …z_shape]`) and clock `s`.
    ///
    /// # Errors
    /// Errors of the field.
    pub fn derivative(&self, z: &Tensor, s: f64) -> Result<Tensor> {
        self.field.count();
        self.field.inner.derivative(z, s)
    }

    /// Predicted clean latents at any state `z` and clock `s`, `[batch, …z_shape]`.
    ///
    /// # Errors
    /// Errors of the field.
    pub fn data(&self, z: &Tensor, s: f64) -> Result<Tensor> {
        self.field.count();
        self.field.inner.data(z, s)
    }

    /// Fresh N(0, I) noise in the shape of the state; each row has its own stream.
    ///
    /// # Errors
    /// [`Error::Runtime`] unless the method is [stochastic](Stepper::stochastic), and errors of the
    /// field.
    pub fn noise(&self) -> Result<Tensor> {
        match self.field.stochastic {
            true => self.field.inner.noise(self.z),
            false => Err(Error::runtime("draws noise, but says that it is not stochastic")),
        }
    }
}

impl<S: Stepper<Node = Level>> Step<'_, S> {
    /// Predicted clean latents at the start, `[batch, …z_shape]`.
    ///
    /// # Errors
    /// Errors of the field.
    pub fn predicted(&self) -> Result<Tensor> {
        self.data(self.z, self.s)
    }

    /// e^(−H), where H is the step in half log-SNR ln(a/b): 0 where the end has no noise or the
    /// start no data.
    pub fn decay(&self) -> f64 {
        (self.to.b / self.from.b) * (self.from.a / self.to.a)
    }

    /// H, the step in half log-SNR ln(a/b); may be infinite.
    pub fn half_log_snr(&self) -> f64 {
        -self.decay().ln()
    }

    /// State at the end if the predicted `data` are held constant, as in [`Level::held`].
    pub fn held(&self, data: &Tensor) -> Tensor {
        self.from.held(self.to, self.z, data)
    }

    /// State at the end if the predicted `data` are held constant, as in [`held`](Self::held), with
    /// a share η in [0, 1] of the noise that the step removes replaced by fresh noise (Song et al.
    /// 2021, arXiv 2010.02502, eq. 12 and 16).
    ///
    /// # Errors
    /// Errors of [`noise`](Self::noise), for η above 0.
    pub fn renoised(&self, data: &Tensor, eta: f64) -> Result<Tensor> {
        if eta == 0.0 {
            return Ok(self.held(data));
        }
        let fresh = eta * self.to.b * (1.0 - self.decay().powi(2)).max(0.0).sqrt();
        let kept = (self.to.b.powi(2) - fresh.powi(2)).max(0.0).sqrt();
        let noise = self.from.noise(self.z, data);
        Ok(data * self.to.a + noise * kept + self.noise()? * fresh)
    }

    /// Clock and level at which the path has the log-SNR `gamma`.
    ///
    /// # Errors
    /// Errors of the field, and [`Error::Runtime`] if it returns no clock or level.
    pub fn at_gamma(&self, gamma: f64) -> Result<(f64, Level)> {
        let missing = || Error::runtime("the field returns no clock value for a log-SNR");
        let s = *self.field.inner.clock_at(&[gamma])?.first().ok_or_else(missing)?;
        let level = *self.field.inner.levels(&[s])?.first().ok_or_else(missing)?;
        Ok((s, level))
    }
}

/// Result of a step: its state, memory and error estimate.
#[derive(Debug)]
pub struct Stepped<M = ()> {
    z: Tensor,
    memory: M,
    error: Option<Tensor>,
}

impl Stepped {
    /// The state `z` at the end of the step.
    pub fn to(z: Tensor) -> Self {
        Self { z, memory: (), error: None }
    }

    /// Adds the memory for the next step.
    pub fn remember<M>(self, memory: M) -> Stepped<M> {
        Stepped { z: self.z, memory, error: self.error }
    }
}

impl<M> Stepped<M> {
    /// Adds an estimate of the error that the step has made in each entry of the state, `[batch,
    /// …z_shape]`. A method with [step control](Stepper::control) needs one at every step.
    #[must_use]
    pub fn with_error(self, error: Tensor) -> Self {
        Self { error: Some(error), ..self }
    }
}

impl<S: Stepper> Solver for S {
    /// Integrates over the grid or by the stepper's control; a final state that is not finite is an
    /// error.
    fn integrate(
        &self,
        field: &dyn Field,
        z0: &Tensor,
        grid: &Grid,
        observer: &mut dyn Observer,
    ) -> Result<Solution> {
        let counted = CountedField {
            inner: field,
            evaluations: Cell::new(0),
            stochastic: Stepper::stochastic(self),
        };
        let mut chooser =
            StepChooser::<S::Node>::new(field, grid, self.control(), Stepper::order(self))?;
        let steps = grid.nodes.len().saturating_sub(1);
        let (mut z, mut slope, mut memory) = (z0.shallow_clone(), OnceCell::new(), None);
        observer.see(grid.start(), &z)?;
        while let Some((interval, first)) = chooser.next(field)?.zip(chooser.first()) {
            let step = Step {
                z: &z,
                s: interval.s,
                next: interval.next,
                from: interval.from,
                to: interval.to,
                first,
                before: memory.as_ref(),
                h: interval.h,
                last: interval.last,
                steps,
                field: &counted,
                slope: &slope,
            };
            let end = self.step(&step)?;
            if chooser.accept(&interval, [&z, &end.z], end.error.as_ref())? {
                (z, slope, memory) = (end.z, OnceCell::new(), Some(end.memory));
                observer.see(interval.next, &z)?;
            }
        }
        if z.isfinite().all().int64_value(&[]) == 0 {
            return Err(Error::runtime("the state at the end of the grid is not finite"));
        }
        Ok(Solution { z, nfe: counted.evaluations.get(), rejected: chooser.rejected() })
    }

    fn order(&self) -> Result<usize> {
        Ok(Stepper::order(self))
    }

    fn stochastic(&self) -> Result<bool> {
        Ok(Stepper::stochastic(self))
    }

    fn adaptive(&self) -> Result<bool> {
        Ok(self.control().is_some())
    }

    fn needs_levels(&self) -> Result<bool> {
        Ok(S::Node::LEVELS)
    }
}

#[cfg(test)]
mod tests {
    use super::super::control::{ErrorNorm, StepFactor};
    use super::*;

    /// dz/ds = 1 on the path z = s·data + (1 − s)·noise.
    struct Ones;

    impl Field for Ones {
        fn derivative(&self, z: &Tensor, _: f64) -> Result<Tensor> {
            Ok(z.ones_like())
        }

        fn data(&self, z: &Tensor, _: f64) -> Result<Tensor> {
            Ok(z.ones_like())
        }

        fn levels(&self, clock: &[f64]) -> Result<Vec<Level>> {
            let at = |s: &f64| Level { a: *s, b: 1.0 - s, a_rate: 1.0, b_rate: -1.0 };
            Ok(clock.iter().filter(|s| s.is_sign_positive()).map(at).collect())
        }
    }

    /// Counts its steps in its memory, and records both ends of each.
    #[derive(Default)]
    struct Counting {
        errors: Vec<f64>,
        noisy: bool,
        control: Option<StepControl>,
        tried: std::cell::RefCell<Vec<(usize, f64, f64)>>,
    }

    impl Stepper for Counting {
        type Node = Level;
        type Memory = usize;

        fn step(&self, step: &Step<'_, Self>) -> Result<Stepped<usize>> {
            let before = step.before.copied().unwrap_or(0);
            let tried = self.tried.borrow().len();
            self.tried.borrow_mut().push((before, step.from.a, step.to.a));
            assert_eq!(step.first.a, 0.0);
            let mut z = step.z + (step.slope()? + step.slope()?) * (step.h / 2.0);
            if self.noisy {
                z += step.noise()?;
            }
            let end = Stepped::to(z).remember(before + 1);
            Ok(match self.errors.get(tried) {
                Some(error) => end.with_error(step.z.full_like(*error)),
                None => end,
            })
        }

        fn order(&self) -> usize {
            1
        }

        fn control(&self) -> Option<&StepControl> {
            self.control.as_ref()
        }
    }

    fn control() -> Option<StepControl> {
        Some(StepControl {
            rtol: 1e-12,
            atol: 1.0,
            first_step: 0.5,
            max_steps: 10,
            error: ErrorNorm::Batch,
            factor: StepFactor::default(),
        })
    }

    fn solve(stepper: &Counting, grid: &Grid) -> Result<Solution> {
        stepper.integrate(&Ones, &Tensor::zeros([2, 1], tch::kind::DOUBLE_CPU), grid, &mut ())
    }

    #[test]
    fn a_step_hands_over_to_the_next_and_the_slope_at_its_start_costs_once() {
        let stepper = Counting::default();
        let solution = solve(&stepper, &Grid::uniform(0.0, 1.0, 4)).unwrap();
        let ends = [(0, 0.0, 0.25), (1, 0.25, 0.5), (2, 0.5, 0.75), (3, 0.75, 1.0)];
        assert_eq!(*stepper.tried.borrow(), ends);
        assert_eq!((solution.nfe, solution.rejected), (4, 0));
        assert_eq!(solution.z.double_value(&[0, 0]), 1.0);
    }

    /// The first step is tried three times from one slope.
    #[test]
    fn what_a_rejected_step_hands_over_is_dropped_and_its_slope_is_kept() {
        let errors = vec![1e9, 1e9, 0.0, 0.0, 0.0, 0.0];
        let stepper = Counting { errors, control: control(), ..Counting::default() };
        let solution = solve(&stepper, &Grid::uniform(0.0, 1.0, 1)).unwrap();
        let before: Vec<usize> =
            stepper.tried.borrow().iter().map(|(before, ..)| *before).collect();
        assert_eq!(before, [0, 0, 0, 1, 2, 3]);
        assert_eq!((solution.nfe, solution.rejected), (4, 2));
        assert!((solution.z.double_value(&[0, 0]) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_stepper_is_held_to_what_it_says_of_itself() {
        let grid = Grid::uniform(0.0, 1.0, 2);
        let message = |stepper| solve(&stepper, &grid).unwrap_err().to_string();
        let noisy = message(Counting { noisy: true, ..Counting::default() });
        assert!(noisy.contains("says that it is not stochastic"), "{noisy}");
        let blind = message(Counting { control: control(), ..Counting::default() });
        assert!(blind.contains("estimates no error"), "{blind}");
    }

    #[test]
    fn a_field_that_gives_too_few_levels_is_refused() {
        let grid = Grid::uniform(-1.0, 1.0, 2);
        let message = solve(&Counting::default(), &grid).unwrap_err().to_string();
        assert_eq!(message, "the field gives 2 levels for 3 clock values");
    }
}
