//! The path from noise to data, z_t = a·data + b·noise, and the meaning of a prediction on it.

pub use crate::point::*;

use crate::component::{NoiseSchedule, Objective};
use crate::error::Result;
use crate::kernels::blend;
use std::cell::OnceCell;
use tch::{Device, Tensor};

/// The path of a model: its kind, and the noise schedule where the kind has one.
pub struct Path {
    /// The kind of path.
    pub kind: PathKind,
    /// The schedule of the variance-preserving path; `None` on the rectified path.
    pub schedule: Option<Box<dyn NoiseSchedule>>,
    /// The device of the schedule's parameters.
    pub device: Device,
}

impl std::fmt::Debug for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.kind.fmt(f)
    }
}

impl Path {
    /// The rectified path.
    pub fn rectified() -> Self {
        Self { kind: PathKind::Rectified, schedule: None, device: Device::Cpu }
    }

    /// The variance-preserving path of a schedule whose parameters are on `device`.
    pub fn variance_preserving(schedule: Box<dyn NoiseSchedule>, device: Device) -> Self {
        Self { kind: PathKind::VariancePreserving, schedule: Some(schedule), device }
    }

    /// True if the log-SNR is finite at both ends.
    pub fn bounded(&self) -> bool {
        self.kind == PathKind::VariancePreserving
    }

    /// The path at times `t`, `[batch]` in [0, 1].
    ///
    /// # Errors
    /// Errors of the noise schedule.
    pub fn at(&self, t: &Tensor) -> Result<PathPoint> {
        match &self.schedule {
            None => Ok(PathPoint::rectified(t)),
            Some(s) => Ok(PathPoint::variance_preserving(t, s.gamma(t)?, s.gamma_prime(t)?)),
        }
    }

    /// Times at which the log-SNR is `gamma`, in its shape.
    ///
    /// # Errors
    /// Errors of the noise schedule.
    pub fn time_of(&self, gamma: &Tensor) -> Result<Tensor> {
        match &self.schedule {
            None => Ok((gamma * 0.5).sigmoid()),
            Some(s) => s.time_of(gamma),
        }
    }

    /// The path at the single clock value `s`, in float64 and on the device of `like`.
    ///
    /// # Errors
    /// Errors of the noise schedule.
    pub fn at_clock(&self, s: f64, clock: Clock, like: &Tensor) -> Result<PathPoint> {
        self.at_clocks(like.new_full([1], s, (tch::Kind::Double, like.device())), clock)
    }

    /// The path at clock values `s`, `[n]` in float64.
    ///
    /// # Errors
    /// Errors of the noise schedule.
    pub fn at_clocks(&self, s: Tensor, clock: Clock) -> Result<PathPoint> {
        match clock {
            Clock::Time => self.at(&s),
            Clock::Gamma => {
                let t = self.time_of(&s)?;
                match &self.schedule {
                    None => self.at(&t),
                    // γ is given: the schedule is asked for its derivative only.
                    Some(schedule) => {
                        let rate = schedule.gamma_prime(&t)?;
                        Ok(PathPoint::variance_preserving(&t, s, rate))
                    }
                }
            }
        }
    }

    /// The clock that solvers step in by default: γ on the variance-preserving path, t on the
    /// rectified path, whose log-SNR is infinite at both ends. The exception is an objective whose
    /// velocity is infinite at t = 0 (noise prediction: v = (z − e)/t): there γ is used, because
    /// errors would be amplified from the start. At t = 1 (data prediction: v = (h − z)/(1 − t))
    /// they are damped.
    ///
    /// # Errors
    /// Errors of the objective.
    pub fn natural_clock(&self, objective: &dyn Objective) -> Result<Clock> {
        if self.kind == PathKind::VariancePreserving {
            return Ok(Clock::Gamma);
        }
        let start = PathPoint::rectified(&Tensor::from_slice(&[0.0]));
        let determinant = Reading::new(objective, &start)?.determinant().double_value(&[0]);
        Ok(if determinant == 0.0 { Clock::Gamma } else { Clock::Time })
    }

    /// Log-SNR at both ends, (γ(0), γ(1)); the infinite ends of the rectified path are cut off at
    /// [`END_GAP`].
    ///
    /// # Errors
    /// Errors of the noise schedule.
    pub fn gamma_range(&self) -> Result<(f64, f64)> {
        match &self.schedule {
            None => {
                let end = 2.0 * ((1.0 - END_GAP) / END_GAP).ln();
                Ok((-end, end))
            }
            Some(s) => {
                let gamma = s.gamma(&Tensor::from_slice(&[0.0, 1.0]).to_device(self.device))?;
                Ok((gamma.double_value(&[0]), gamma.double_value(&[1])))
            }
        }
    }
}

/// Meaning of a network's output at one point of the path: output = p·data + q·noise, solved
/// together with z = a·data + b·noise for data, noise and velocity.
#[derive(Debug)]
pub struct Reading<'p> {
    point: &'p PathPoint,
    p: Tensor,
    q: Tensor,
    /// D = a·q − b·p, computed at the first use.
    determinant: OnceCell<Tensor>,
}

impl<'p> Reading<'p> {
    /// The meaning of `objective`'s output at `point`.
    ///
    /// # Errors
    /// Errors of the objective.
    pub fn new(objective: &dyn Objective, point: &'p PathPoint) -> Result<Self> {
        let (p, q) = objective.mix(point)?;
        Ok(Self { point, p, q, determinant: OnceCell::new() })
    }

    /// The point of the path.
    pub fn point(&self) -> &PathPoint {
        self.point
    }

    /// D = a·q − b·p, `[batch]`. An error of the output reaches the data as |∂data/∂output| =
    /// |b/D|.
    pub fn determinant(&self) -> &Tensor {
        self.determinant.get_or_init(|| &self.point.a * &self.q - &self.point.b * &self.p)
    }

    /// Regression target of the network: p·data + q·noise, `[batch, …z_shape]`.
    pub fn target(&self, data: &Tensor, noise: &Tensor) -> Tensor {
        blend(&self.p, data, &self.q, noise)
    }

    /// Data h = (q·z − b·output) / D, `[batch, …z_shape]`.
    pub fn data(&self, z: &Tensor, output: &Tensor) -> Tensor {
        rows(&(&self.q / self.determinant()), z) * z
            - rows(&(&self.point.b / self.determinant()), z) * output
    }

    /// Noise e = (a·output − p·z) / D, `[batch, …z_shape]`.
    pub fn noise(&self, z: &Tensor, output: &Tensor) -> Tensor {
        rows(&(&self.point.a / self.determinant()), z) * output
            - rows(&(&self.p / self.determinant()), z) * z
    }

    /// dz/ds along the probability-flow ODE in the given clock, as the coefficients of z and of the
    /// output, `[batch]` each.
    pub fn derivative_coefficients(&self, clock: Clock) -> (Tensor, Tensor) {
        let (a_rate, b_rate) = self.point.rates(clock);
        let of_z = (&a_rate * &self.q - &b_rate * &self.p) / self.determinant();
        let of_output = (&b_rate * &self.point.a - &a_rate * &self.point.b) / self.determinant();
        (of_z, of_output)
    }

    /// dz/ds along the probability-flow ODE in the given clock, `[batch, …z_shape]`.
    pub fn derivative(&self, z: &Tensor, output: &Tensor, clock: Clock) -> Tensor {
        let (of_z, of_output) = self.derivative_coefficients(clock);
        blend(&of_z, z, &of_output, output)
    }

    /// Score ∇ log p_t(z) = −noise / b, `[batch, …z_shape]`.
    pub fn score(&self, z: &Tensor, output: &Tensor) -> Tensor {
        self.noise(z, output) / rows(&self.point.b.neg(), z)
    }
}

/// Reshapes `[batch]` (or `[]`) to `[batch, 1, …]`, so that it multiplies the rows of `like`.
pub fn rows(scalar: &Tensor, like: &Tensor) -> Tensor {
    let mut shape = vec![1; like.dim()];
    if scalar.dim() == 1 {
        shape[0] = scalar.size()[0];
    }
    scalar.view(shape.as_slice())
}
