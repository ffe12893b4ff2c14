//! The path from noise to data, its points, and the context in which it is built.

use super::NoiseSchedule;
use super::bisection::time_of;
use crate::component_kind;
use crate::derivative::gradient;
use crate::error::{Error, Result};
use crate::point::{Clock, END_GAP};
use std::cell::{OnceCell, RefCell};
use tch::{Device, Tensor};

/// Context in which a path is built.
pub struct PathContext {
    schedule: RefCell<Option<Box<dyn NoiseSchedule>>>,
}

impl std::fmt::Debug for PathContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PathContext")
    }
}

impl PathContext {
    /// The context with the experiment's noise schedule.
    pub fn new(schedule: Option<Box<dyn NoiseSchedule>>) -> Self {
        Self { schedule: RefCell::new(schedule) }
    }

    /// Takes the experiment's noise schedule, for a path that follows one. The schedule of a path
    /// that does not take it is unused.
    ///
    /// # Errors
    /// [`Error::Runtime`] where there is none, or it was taken before.
    pub fn take_schedule(&self) -> Result<Box<dyn NoiseSchedule>> {
        let missing = || Error::runtime("needs a noise schedule, and none is given here");
        self.schedule.take().ok_or_else(missing)
    }

    /// True if the schedule was taken, or none was given.
    pub fn is_taken(&self) -> bool {
        self.schedule.borrow().is_none()
    }
}

/// Coefficients of z = a·data + b·noise at some times.
#[derive(Debug)]
pub struct Coefficients {
    /// Coefficient a of the data, at least 0, in the shape of the times.
    pub a: Tensor,
    /// Coefficient b of the noise, at least 0, in the shape of the times.
    pub b: Tensor,
    /// Log-SNR 2 ln(a/b), where the path knows it without the logarithms; otherwise `None`.
    pub gamma: Option<Tensor>,
}

impl Coefficients {
    /// The coefficients `a` and `b`.
    pub fn new(a: Tensor, b: Tensor) -> Self {
        Self { a, b, gamma: None }
    }

    /// The coefficients of unit variance a² + b² = 1 at the log-SNR `gamma`: a² = σ(γ), b² = σ(−γ).
    pub fn unit_variance(gamma: Tensor) -> Self {
        let a = (gamma.log_sigmoid() * 0.5).exp();
        let b = (gamma.neg().log_sigmoid() * 0.5).exp();
        Self { a, b, gamma: Some(gamma) }
    }
}

component_kind! {
    /// The coefficients of data and noise over time.
    kind "path", context<'a> PathContext;

    /// Path z_t = a(t)·data + b(t)·noise from noise (t = 0) to data (t = 1), whose log-SNR γ = 2
    /// ln(a/b) rises.
    ///
    /// Only `coefficients` is required; closed forms of the others are faster and more exact. A
    /// path that follows the experiment's noise schedule takes it from the [`PathContext`].
    pub trait GaussianPath {
        /// Coefficients at times `t` (`[batch]` in \[0, 1\]), each in the shape and precision of
        /// `t`; both are finite, and 0 at most at an end.
        fn coefficients(&self, t: &Tensor) -> Result<Coefficients>;
    }
    provided {
        /// Coefficients at log-SNRs `gamma`, whose times are `t`, in the shape of `t`.
        fn coefficients_at_gamma(&self, gamma: &Tensor, t: &Tensor) -> Result<Coefficients> {
            let _ = gamma;
            self.coefficients(t)
        }
        /// Derivatives (da/ds, db/ds) with respect to the clock s, in the shape of the point's
        /// times; by automatic differentiation unless overridden.
        fn rates(&self, point: &PathPoint<'_>, clock: Clock) -> Result<(Tensor, Tensor)> {
            if clock == Clock::Gamma {
                let (a, b) = point.rates(Clock::Time)?;
                let gamma_prime = point.gamma_prime()?;
                return Ok((a / &gamma_prime, b / gamma_prime));
            }
            let leaf = point.t.detach().set_requires_grad(true);
            // In training the graph is kept, so that parameters of the path get gradients.
            let recording = (&leaf * 1.0).requires_grad();
            let (a, b) = tch::with_grad(|| {
                let at = self.coefficients(&leaf)?;
                Ok::<_, Error>((gradient(&at.a, &leaf, recording)?, gradient(&at.b, &leaf, recording)?))
            })?;
            Ok(if recording { (a, b) } else { (a.detach(), b.detach()) })
        }
        /// dγ/dt, in the shape of the point's times: 2(a'/a − b'/b) unless overridden.
        fn gamma_prime(&self, point: &PathPoint<'_>) -> Result<Tensor> {
            let (a, b) = point.rates(Clock::Time)?;
            Ok((a / &point.a - b / &point.b) * 2.0)
        }
        /// Times at which the log-SNR is `gamma` (`[batch]`, inside its range), without gradient;
        /// by bisection unless overridden.
        fn time_of(&self, gamma: &Tensor) -> Result<Tensor> {
            time_of(gamma, |t| Ok(log_snr(&self.coefficients(t)?)))
        }
        /// True if the log-SNR is finite at both ends.
        fn bounded(&self) -> Result<bool> {
            let ends = self.coefficients(&Tensor::from_slice(&[0.0, 1.0]))?;
            Ok(log_snr(&ends).isfinite().all().int64_value(&[]) == 1)
        }
        /// Log-SNR at both ends, (γ(0), γ(1)); where one is infinite, at the distance
        /// [`END_GAP`](crate::point::END_GAP) from both ends. Parameters of the path are on
        /// `device`.
        fn gamma_range(&self, device: Device) -> Result<(f64, f64)> {
            for ends in [[0.0, 1.0], [END_GAP, 1.0 - END_GAP]] {
                let ends = Tensor::from_slice(&ends).to_device(device);
                let gamma = log_snr(&self.coefficients(&ends)?);
                let gamma = (gamma.double_value(&[0]), gamma.double_value(&[1]));
                if gamma.0.is_finite() && gamma.1.is_finite() {
                    return Ok(gamma);
                }
            }
            Err(Error::runtime("log-SNR is infinite inside the path"))
        }
        /// Standard deviation of z at t = 0, where sampling starts from it times z_0: 1 unless
        /// overridden. Parameters of the path are on `device`.
        fn start_scale(&self, device: Device) -> Result<f64> {
            let _ = device;
            Ok(1.0)
        }
        /// Factor of z in the input of the network, in the shape of the point's times, for a path
        /// on which the size of z varies; `None`: 1.
        fn input_scale(&self, point: &PathPoint<'_>) -> Result<Option<Tensor>> {
            let _ = point;
            Ok(None)
        }
    }
}

/// Log-SNR of coefficients.
fn log_snr(at: &Coefficients) -> Tensor {
    match &at.gamma {
        Some(gamma) => gamma.shallow_clone(),
        None => (at.a.log() - at.b.log()) * 2.0,
    }
}

/// A path at given times; every tensor has shape `[batch]`. What needs more than the coefficients
/// is computed at its first use.
pub struct PathPoint<'p> {
    /// Time t in \[0, 1\].
    pub t: Tensor,
    /// Coefficient a of the data.
    pub a: Tensor,
    /// Coefficient b of the noise.
    pub b: Tensor,
    gamma: Option<Tensor>,
    gamma_prime: OnceCell<Tensor>,
    path: &'p dyn GaussianPath,
    bounded: bool,
}

impl std::fmt::Debug for PathPoint<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PathPoint").field("t", &self.t).finish_non_exhaustive()
    }
}

impl<'p> PathPoint<'p> {
    /// The point of `path` at times `t`, with these coefficients. `bounded` is true if the path's
    /// log-SNR is finite at both ends.
    pub fn new(path: &'p dyn GaussianPath, bounded: bool, t: Tensor, at: Coefficients) -> Self {
        let Coefficients { a, b, gamma } = at;
        Self { t, a, b, gamma, gamma_prime: OnceCell::new(), path, bounded }
    }

    /// True if the log-SNR of the path is finite at both ends.
    pub fn bounded(&self) -> bool {
        self.bounded
    }

    /// Log-SNR γ = 2 ln(a/b), `[batch]`.
    pub fn gamma(&self) -> Tensor {
        match &self.gamma {
            Some(gamma) => gamma.shallow_clone(),
            None => (self.a.log() - self.b.log()) * 2.0,
        }
    }

    /// dγ/dt, `[batch]`.
    ///
    /// # Errors
    /// Errors of the path.
    pub fn gamma_prime(&self) -> Result<Tensor> {
        if let Some(known) = self.gamma_prime.get() {
            return Ok(known.shallow_clone());
        }
        let new = self.path.gamma_prime(self)?;
        Ok(self.gamma_prime.get_or_init(|| new).shallow_clone())
    }

    /// SNR = e^γ = (a/b)², `[batch]`.
    pub fn snr(&self) -> Tensor {
        match &self.gamma {
            Some(gamma) => gamma.exp(),
            None => (&self.a / &self.b).square(),
        }
    }

    /// dSNR/dt = γ'·SNR, `[batch]`.
    ///
    /// # Errors
    /// Errors of the path.
    pub fn snr_prime(&self) -> Result<Tensor> {
        Ok(self.gamma_prime()? * self.snr())
    }

    /// alpha_bar = σ(γ), `[batch]`.
    pub fn alpha_bar(&self) -> Tensor {
        self.gamma().sigmoid()
    }

    /// 1 − alpha_bar = σ(−γ), `[batch]`.
    pub fn one_minus_alpha_bar(&self) -> Tensor {
        self.gamma().neg().sigmoid()
    }

    /// Derivatives (da/ds, db/ds) with respect to the given clock s, `[batch]` each.
    ///
    /// # Errors
    /// Errors of the path.
    pub fn rates(&self, clock: Clock) -> Result<(Tensor, Tensor)> {
        self.path.rates(self, clock)
    }

    /// Factor of z in the input of the network, `[batch]`; `None`: 1.
    ///
    /// # Errors
    /// Errors of the path.
    pub fn input_scale(&self) -> Result<Option<Tensor>> {
        self.path.input_scale(self)
    }
}
