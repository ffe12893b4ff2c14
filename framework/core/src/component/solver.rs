//! Solvers and the field that they integrate from noise to data.

use crate::component_kind;
use crate::error::{Error, Result};
use crate::point::Grid;
use crate::registry::{Component, guard_engine, registry};
use std::cell::RefCell;
use tch::Tensor;

/// Error of a field without levels.
pub const NO_LEVELS: &str =
    "noise and data are not Gaussian and independent here: only the derivative can be integrated";

/// The field that a solver integrates, dz/ds. Its clock s is the grid's: t or γ.
pub trait Field {
    /// dz/ds at state `z` (`[batch, …z_shape]`) and clock `s`, in the shape of `z`.
    ///
    /// # Errors
    /// Errors of the network and of guidance.
    fn derivative(&self, z: &Tensor, s: f64) -> Result<Tensor>;

    /// Predicted clean latents at (`z`, `s`), `[batch, …z_shape]`. Together with the
    /// [levels](Self::levels) they determine noise and velocity.
    ///
    /// # Errors
    /// Errors of the network and of guidance.
    fn data(&self, z: &Tensor, s: f64) -> Result<Tensor>;

    /// The path at clock values, all in one call, because each call may wait for the device.
    ///
    /// # Errors
    /// [`Error::Runtime`] where noise and data are not Gaussian and independent: only the
    /// derivative is defined there.
    fn levels(&self, clock: &[f64]) -> Result<Vec<Level>> {
        let _ = clock;
        Err(Error::runtime(NO_LEVELS))
    }

    /// Clock values at which the path has the log-SNR values `gamma`.
    ///
    /// # Errors
    /// [`Error::Runtime`] where noise and data are not Gaussian and independent.
    fn clock_at(&self, gamma: &[f64]) -> Result<Vec<f64>> {
        let _ = gamma;
        Err(Error::runtime(NO_LEVELS))
    }

    /// Fresh N(0, I) noise in the shape of `z`, for stochastic solvers. Each row has its own
    /// stream, so that a sample does not depend on the others.
    ///
    /// # Errors
    /// Errors of the random streams.
    fn noise(&self, z: &Tensor) -> Result<Tensor> {
        Ok(z.randn_like())
    }
}

/// The path z = a·data + b·noise at one clock value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// Coefficient a of the data.
    pub a: f64,
    /// Coefficient b of the noise.
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

    /// Noise level σ = b/a where the data are not scaled.
    pub fn sigma(&self) -> f64 {
        self.b / self.a
    }

    /// Predicted noise (z − a·data)/b, `[batch, …z_shape]`; b must not be 0.
    pub fn noise(&self, z: &Tensor, data: &Tensor) -> Tensor {
        (z - data * self.a) / self.b
    }

    /// State at the level `to` for a state `z` here, if the predicted `data` are held constant:
    /// (b_t/b_s)·z + (a_t − a_s·b_t/b_s)·data. Without logarithms, so that it is finite at a = 0
    /// and b_t = 0.
    pub fn held(&self, to: Self, z: &Tensor, data: &Tensor) -> Tensor {
        let ratio = to.b / self.b;
        z * ratio + data * (to.a - self.a * ratio)
    }

    /// Squared diffusion coefficient b²·dγ/ds of the reverse SDE at η = 1 (Song et al. 2021).
    pub fn diffusion(&self) -> f64 {
        2.0 * self.b * (self.b * self.a_rate / self.a - self.b_rate)
    }
}

/// Knowledge that a [`Stepper`](super::Stepper) needs of the path at a node of the grid: none
/// (`()`) or its [`Level`].
pub trait Node: Copy {
    /// True if the field must have levels.
    const LEVELS: bool;

    /// Nodes at clock values.
    ///
    /// # Errors
    /// Errors of [`Field::levels`].
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

/// Observer of every accepted state, including the first.
pub trait Observer {
    /// Called with the state `z` (`[batch, …z_shape]`) at clock `s`.
    ///
    /// # Errors
    /// Errors of the observer, which end the integration.
    fn see(&mut self, s: f64, z: &Tensor) -> Result<()>;
}

impl Observer for () {
    fn see(&mut self, _: f64, _: &Tensor) -> Result<()> {
        Ok(())
    }
}

/// Final state of an integration, and its cost.
#[derive(Debug)]
pub struct Solution {
    /// The final state, `[batch, …z_shape]`.
    pub z: Tensor,
    /// Number of evaluations of the field (NFE).
    pub nfe: usize,
    /// Number of steps that an adaptive solver tried and rejected.
    pub rejected: usize,
}

/// True if a solver follows the derivative alone, so that it also goes from data to noise.
///
/// # Errors
/// Errors of the solver.
pub fn follows_derivative(solver: &dyn Solver) -> Result<bool> {
    Ok(!solver.needs_levels()? && !solver.stochastic()?)
}

/// Names of the registered solvers that, with their default values, `fits` is true for, as a list
/// for messages.
pub fn solvers_where(fits: impl Fn(&dyn Solver) -> Result<bool>) -> String {
    let fits =
        |name: &str| -> Result<bool> { fits(&*Component::<dyn Solver>::named(name)?.build(&())?) };
    let all = registry().list(Some("solver")).into_iter().map(|entry| entry.info.name);
    all.filter(|name| fits(name).unwrap_or(false)).collect::<Vec<_>>().join(", ")
}

component_kind! {
    /// The integrator that takes samples from noise to data.
    kind "solver", context<'a> (), received guard_callbacks;

    /// Integrates dz/ds = field over a grid.
    pub trait Solver {
        /// Integrates from `z0` (`[batch, …z_shape]`) at the start of the grid to its end. Adaptive
        /// solvers choose their own nodes between them.
        fn integrate(&self, field: &dyn Field, z0: &Tensor, grid: &Grid, observer: &mut dyn Observer) -> Result<Solution>;
        /// Order of convergence on smooth fields; for stochastic solvers, of the moments of the
        /// marginals.
        fn order(&self) -> Result<usize>;
    }
    provided {
        /// True if it draws noise along the path, from [`Field::noise`]. It then reproduces the
        /// marginals, not single trajectories.
        fn stochastic(&self) -> Result<bool> {
            Ok(false)
        }
        /// True if it chooses its own steps: of a grid it uses only the clock and the ends.
        fn adaptive(&self) -> Result<bool> {
            Ok(false)
        }
        /// True if it needs the [levels](Field::levels) of a Gaussian path besides the derivative.
        fn needs_levels(&self) -> Result<bool> {
            Ok(false)
        }
    }
}

/// Guards the callbacks of a solver: a panic in a callback must not unwind through a plugin's
/// frames, and an error in one is returned as it was, not as one of the solver.
fn guard_callbacks(solver: Box<dyn Solver>) -> Box<dyn Solver> {
    Box::new(GuardedSolver(solver))
}

struct GuardedSolver(Box<dyn Solver>);

impl Solver for GuardedSolver {
    fn integrate(
        &self,
        field: &dyn Field,
        z0: &Tensor,
        grid: &Grid,
        observer: &mut dyn Observer,
    ) -> Result<Solution> {
        let failed = RefCell::new(None);
        let solution = self.0.integrate(
            &GuardedField { field, shape: z0.size(), failed: &failed },
            z0,
            grid,
            &mut GuardedObserver { observer, failed: &failed },
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

/// Runs a callback. Its error is kept in `failed`, and the solver gets an error with the same text.
fn guard_callback<T>(failed: &RefCell<Option<Error>>, f: impl FnOnce() -> Result<T>) -> Result<T> {
    guard_engine(f).map_err(|e| {
        let text = e.to_string();
        failed.replace(Some(e));
        Error::runtime(text)
    })
}

struct GuardedField<'a> {
    field: &'a dyn Field,
    /// Shape of a state.
    shape: Vec<i64>,
    failed: &'a RefCell<Option<Error>>,
}

impl GuardedField<'_> {
    /// Checks the shape of the solver's state, so that a wrong one is reported as an error of the
    /// solver.
    fn check(&self, z: &Tensor) -> Result<()> {
        let shape = z.size();
        if shape == self.shape {
            return Ok(());
        }
        Err(Error::runtime(format!(
            "asks for the field at a state of shape {shape:?}, expected {:?}",
            self.shape
        )))
    }
}

impl Field for GuardedField<'_> {
    fn derivative(&self, z: &Tensor, s: f64) -> Result<Tensor> {
        self.check(z)?;
        guard_callback(self.failed, || self.field.derivative(z, s))
    }

    fn data(&self, z: &Tensor, s: f64) -> Result<Tensor> {
        self.check(z)?;
        guard_callback(self.failed, || self.field.data(z, s))
    }

    fn levels(&self, clock: &[f64]) -> Result<Vec<Level>> {
        guard_callback(self.failed, || self.field.levels(clock))
    }

    fn clock_at(&self, gamma: &[f64]) -> Result<Vec<f64>> {
        guard_callback(self.failed, || self.field.clock_at(gamma))
    }

    fn noise(&self, z: &Tensor) -> Result<Tensor> {
        self.check(z)?;
        guard_callback(self.failed, || self.field.noise(z))
    }
}

struct GuardedObserver<'a> {
    observer: &'a mut dyn Observer,
    failed: &'a RefCell<Option<Error>>,
}

impl Observer for GuardedObserver<'_> {
    fn see(&mut self, s: f64, z: &Tensor) -> Result<()> {
        guard_callback(self.failed, || self.observer.see(s, z))
    }
}
