//! Solvers: from noise to data along a field.

use crate::component_kind;
use crate::error::{Error, Result};
use crate::point::Grid;
use crate::registry::guard_engine;
use std::cell::RefCell;
use tch::Tensor;

/// Why a field has no levels.
pub const NO_LEVELS: &str =
    "noise and data are not Gaussian and independent here: only the derivative can be integrated";

/// What a solver integrates. The clock is the grid's: t or γ.
pub trait Field {
    /// dz/ds at state `z` (`[batch, …z_shape]`) and clock `s`.
    fn derivative(&self, z: &Tensor, s: f64) -> Result<Tensor>;

    /// The predicted clean latent at (`z`, `s`). With the [levels](Self::levels) it says everything else.
    fn data(&self, z: &Tensor, s: f64) -> Result<Tensor>;

    /// The path at clock values: all at once, since each call may wait for the device.
    ///
    /// # Errors
    /// Where noise and data are not Gaussian and independent: there only the derivative has a meaning.
    fn levels(&self, clock: &[f64]) -> Result<Vec<Level>> {
        let _ = clock;
        Err(Error::runtime(NO_LEVELS))
    }

    /// The clock values at which the path has the log-SNR values `gamma`.
    ///
    /// # Errors
    /// As [`levels`](Self::levels).
    fn clock_at(&self, gamma: &[f64]) -> Result<Vec<f64>> {
        let _ = gamma;
        Err(Error::runtime(NO_LEVELS))
    }

    /// Fresh N(0, I) noise like `z`, for a solver that is stochastic: each row from its own stream, so that a
    /// sample does not depend on the others.
    fn noise(&self, z: &Tensor) -> Result<Tensor> {
        Ok(z.randn_like())
    }
}

/// The path z = a·data + b·noise at one clock value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// Coefficient of the data.
    pub a: f64,
    /// Coefficient of the noise.
    pub b: f64,
    /// da/ds.
    pub a_rate: f64,
    /// db/ds.
    pub b_rate: f64,
}

impl Level {
    /// Log-SNR γ = 2 ln(a/b).
    pub fn gamma(&self) -> f64 {
        2.0 * (self.a / self.b).ln()
    }

    /// b/a, the noise level where the data are not scaled.
    pub fn sigma(&self) -> f64 {
        self.b / self.a
    }

    /// The predicted noise (z − a·data)/b; b must not be 0.
    pub fn noise(&self, z: &Tensor, data: &Tensor) -> Tensor {
        (z - data * self.a) / self.b
    }

    /// The state at the level `to` for a state `z` here and data that stay the same:
    /// (b_t/b_s)·z + (a_t − a_s·b_t/b_s)·data. No logarithm, so that it holds at a = 0 and at b = 0 too.
    pub fn held(&self, to: Self, z: &Tensor, data: &Tensor) -> Tensor {
        let ratio = to.b / self.b;
        z * ratio + data * (to.a - self.a * ratio)
    }

    /// b²·dγ/ds, the squared diffusion coefficient of the reverse SDE at η = 1 (Song et al. 2021).
    pub fn diffusion(&self) -> f64 {
        2.0 * self.b * (self.b * self.a_rate / self.a - self.b_rate)
    }
}

/// What a [`Stepper`](super::Stepper) knows of the path at a node of the grid: nothing, or its [`Level`].
pub trait Node: Copy {
    /// Whether it has to be asked of the field, which must then have levels.
    const LEVELS: bool;

    /// The nodes at clock values.
    ///
    /// # Errors
    /// As [`Field::levels`].
    fn at(field: &dyn Field, clock: &[f64]) -> Result<Vec<Self>>;
}

impl Node for () {
    const LEVELS: bool = false;

    fn at(_: &dyn Field, clock: &[f64]) -> Result<Vec<Self>> {
        Ok(vec![(); clock.len()])
    }
}

impl Node for Level {
    const LEVELS: bool = true;

    fn at(field: &dyn Field, clock: &[f64]) -> Result<Vec<Self>> {
        field.levels(clock)
    }
}

/// Sees every accepted state, the first included.
pub trait Observer {
    /// State `z` at clock `s`.
    fn see(&mut self, s: f64, z: &Tensor) -> Result<()>;
}

impl Observer for () {
    fn see(&mut self, _: f64, _: &Tensor) -> Result<()> {
        Ok(())
    }
}

/// Where a solver ended.
#[derive(Debug)]
pub struct Solution {
    /// The final state, `[batch, …z_shape]`.
    pub z: Tensor,
    /// Evaluations of the field.
    pub nfe: usize,
    /// Steps that an adaptive solver tried and rejected.
    pub rejected: usize,
}

component_kind! {
    /// How samples are carried from noise to data.
    kind "solver", spec SolverSpec, context<'a> (), received guard_callbacks;

    /// Integrates dz/ds = field over the grid.
    pub trait Solver {
        /// From `z0` at the grid's start to its end. Adaptive solvers choose their own nodes between.
        fn integrate(&self, field: &dyn Field, z0: &Tensor, grid: &Grid, seen: &mut dyn Observer) -> Result<Solution>;
        /// Order of convergence on smooth fields; of the marginals' moments, for a stochastic solver.
        fn order(&self) -> Result<usize>;
    }
    provided {
        /// Whether it draws noise along the way, which it takes from [`Field::noise`]. It then carries the
        /// marginals, not the single states.
        fn stochastic(&self) -> Result<bool> {
            Ok(false)
        }
        /// Whether it chooses its steps itself: of a grid, only the clock and the ends count.
        fn adaptive(&self) -> Result<bool> {
            Ok(false)
        }
        /// Whether it needs the [levels](Field::levels) of a Gaussian path, not the derivative alone.
        fn needs_levels(&self) -> Result<bool> {
            Ok(false)
        }
    }
}

/// Guards what a solver calls back: a panic of the caller's must not unwind through a plugin's frames,
/// and an error of the caller's comes out as it was, not as one of the solver.
fn guard_callbacks(solver: Box<dyn Solver>) -> Box<dyn Solver> {
    Box::new(CalledBack(solver))
}

struct CalledBack(Box<dyn Solver>);

impl Solver for CalledBack {
    fn integrate(
        &self,
        field: &dyn Field,
        z0: &Tensor,
        grid: &Grid,
        seen: &mut dyn Observer,
    ) -> Result<Solution> {
        let failed = RefCell::new(None);
        let solution = self.0.integrate(
            &GuardedField { field, shape: z0.size(), failed: &failed },
            z0,
            grid,
            &mut GuardedObserver { seen, failed: &failed },
        );
        solution.map_err(|e| failed.into_inner().unwrap_or(e))
    }

    fn order(&self) -> Result<usize> {
        self.0.order()
    }

    fn stochastic(&self) -> Result<bool> {
        self.0.stochastic()
    }

    fn adaptive(&self) -> Result<bool> {
        self.0.adaptive()
    }

    fn needs_levels(&self) -> Result<bool> {
        self.0.needs_levels()
    }
}

/// Runs a callback; its error is kept in `failed`, and the solver is told what it says.
fn called_back<T>(failed: &RefCell<Option<Error>>, f: impl FnOnce() -> Result<T>) -> Result<T> {
    guard_engine(f).map_err(|e| {
        let text = e.to_string();
        failed.replace(Some(e));
        Error::runtime(text)
    })
}

struct GuardedField<'a> {
    field: &'a dyn Field,
    /// Of a state.
    shape: Vec<i64>,
    failed: &'a RefCell<Option<Error>>,
}

impl GuardedField<'_> {
    /// What the solver itself does wrong is its own error.
    fn check(&self, z: &Tensor) -> Result<()> {
        let (asked, right) = (z.size(), &self.shape);
        if asked == *right {
            return Ok(());
        }
        Err(Error::runtime(format!(
            "asks for the field at a state of shape {asked:?}, expected {right:?}"
        )))
    }
}

impl Field for GuardedField<'_> {
    fn derivative(&self, z: &Tensor, s: f64) -> Result<Tensor> {
        self.check(z)?;
        called_back(self.failed, || self.field.derivative(z, s))
    }

    fn data(&self, z: &Tensor, s: f64) -> Result<Tensor> {
        self.check(z)?;
        called_back(self.failed, || self.field.data(z, s))
    }

    fn levels(&self, clock: &[f64]) -> Result<Vec<Level>> {
        called_back(self.failed, || self.field.levels(clock))
    }

    fn clock_at(&self, gamma: &[f64]) -> Result<Vec<f64>> {
        called_back(self.failed, || self.field.clock_at(gamma))
    }

    fn noise(&self, z: &Tensor) -> Result<Tensor> {
        self.check(z)?;
        called_back(self.failed, || self.field.noise(z))
    }
}

struct GuardedObserver<'a> {
    seen: &'a mut dyn Observer,
    failed: &'a RefCell<Option<Error>>,
}

impl Observer for GuardedObserver<'_> {
    fn see(&mut self, s: f64, z: &Tensor) -> Result<()> {
        called_back(self.failed, || self.seen.see(s, z))
    }
}
