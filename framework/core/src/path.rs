//! The path from noise to data, z_t = a·data + b·noise, and what a prediction on it means.

pub use crate::point::*;

use crate::component::{NoiseSchedule, Objective};
use crate::error::Result;
use crate::kernels::blend;
use std::cell::OnceCell;
use tch::{Device, Tensor};

/// The path of a model.
pub struct Path {
    /// Its kind.
    pub kind: PathKind,
    /// The schedule that shapes the variance-preserving path.
    pub schedule: Option<Box<dyn NoiseSchedule>>,
    /// Where the schedule's variables lie.
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

    /// The variance-preserving path of a schedule whose variables lie on `device`.
    pub fn variance_preserving(schedule: Box<dyn NoiseSchedule>, device: Device) -> Self {
        Self { kind: PathKind::VariancePreserving, schedule: Some(schedule), device }
    }

    /// The path at times `t` (`[batch]`).
    pub fn at(&self, t: &Tensor) -> Result<PathPoint> {
        match &self.schedule {
            None => Ok(PathPoint::rectified(t)),
            Some(s) => Ok(PathPoint::variance_preserving(t, s.gamma(t)?, s.gamma_prime(t)?)),
        }
    }

    /// The times of log-SNR `gamma`.
    pub fn time_of(&self, gamma: &Tensor) -> Result<Tensor> {
        match &self.schedule {
            None => Ok((gamma * 0.5).sigmoid()),
            Some(s) => s.time_of(gamma),
        }
    }

    /// The path at the single clock value `s`, in float64 and on the device of `like`.
    pub fn at_clock(&self, s: f64, clock: Clock, like: &Tensor) -> Result<PathPoint> {
        self.at_clocks(like.new_full([1], s, (tch::Kind::Double, like.device())), clock)
    }

    /// The path at clock values, `[n]` in float64.
    pub fn at_clocks(&self, s: Tensor, clock: Clock) -> Result<PathPoint> {
        match clock {
            Clock::Time => self.at(&s),
            Clock::Gamma => {
                let t = self.time_of(&s)?;
                match &self.schedule {
                    None => self.at(&t),
                    // γ is given: only its derivative is asked of the schedule.
                    Some(schedule) => {
                        let rate = schedule.gamma_prime(&t)?;
                        Ok(PathPoint::variance_preserving(&t, s, rate))
                    }
                }
            }
        }
    }

    /// The clock to step in unless told otherwise: γ on the variance-preserving path, t on the rectified,
    /// whose log-SNR is infinite at both ends. But γ also there if the velocity read from the output is
    /// infinite at t = 0 (from noise: v = (z − e)/t), where errors would be amplified from the start; at
    /// t = 1 (from data: v = (h − z)/(1 − t)) they are damped.
    pub fn natural_clock(&self, objective: &dyn Objective) -> Result<Clock> {
        if self.kind == PathKind::VariancePreserving {
            return Ok(Clock::Gamma);
        }
        let start = PathPoint::rectified(&Tensor::from_slice(&[0.0]));
        let determinant = Reading::new(objective, &start)?.determinant().double_value(&[0]);
        Ok(if determinant == 0.0 { Clock::Gamma } else { Clock::Time })
    }

    /// (γ(0), γ(1)); infinite ends of the rectified path are cut off at [`END_GAP`].
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

/// What a network's output means at one point: output = p·data + q·noise, together with
/// z = a·data + b·noise, solved for data, noise and velocity.
#[derive(Debug)]
pub struct Reading<'p> {
    point: &'p PathPoint,
    p: Tensor,
    q: Tensor,
    /// D = a·q − b·p, once it is asked for.
    determinant: OnceCell<Tensor>,
}

impl<'p> Reading<'p> {
    /// The reading of `objective` at `point`.
    pub fn new(objective: &dyn Objective, point: &'p PathPoint) -> Result<Self> {
        let (p, q) = objective.mix(point)?;
        Ok(Self { point, p, q, determinant: OnceCell::new() })
    }

    /// The point itself.
    pub fn point(&self) -> &PathPoint {
        self.point
    }

    /// D = a·q − b·p, `[batch]`: how an error of the output reaches the data, |∂data/∂output| = |b/D|.
    pub fn determinant(&self) -> &Tensor {
        self.determinant.get_or_init(|| &self.point.a * &self.q - &self.point.b * &self.p)
    }

    /// What the network should say: p·data + q·noise.
    pub fn target(&self, data: &Tensor, noise: &Tensor) -> Tensor {
        blend(&self.p, data, &self.q, noise)
    }

    /// Data h = (q·z − b·output) / D.
    pub fn data(&self, z: &Tensor, output: &Tensor) -> Tensor {
        rows(&(&self.q / self.determinant()), z) * z
            - rows(&(&self.point.b / self.determinant()), z) * output
    }

    /// Noise e = (a·output − p·z) / D.
    pub fn noise(&self, z: &Tensor, output: &Tensor) -> Tensor {
        rows(&(&self.point.a / self.determinant()), z) * output
            - rows(&(&self.p / self.determinant()), z) * z
    }

    /// dz/ds along the probability-flow ODE, as two coefficients (of z and of the output), `[batch]` each.
    pub fn derivative_coefficients(&self, clock: Clock) -> (Tensor, Tensor) {
        let (a_rate, b_rate) = self.point.rates(clock);
        let of_z = (&a_rate * &self.q - &b_rate * &self.p) / self.determinant();
        let of_output = (&b_rate * &self.point.a - &a_rate * &self.point.b) / self.determinant();
        (of_z, of_output)
    }

    /// dz/ds along the probability-flow ODE in the given clock.
    pub fn derivative(&self, z: &Tensor, output: &Tensor, clock: Clock) -> Tensor {
        let (of_z, of_output) = self.derivative_coefficients(clock);
        blend(&of_z, z, &of_output, output)
    }

    /// Score ∇ log p_t(z) = −noise / b.
    pub fn score(&self, z: &Tensor, output: &Tensor) -> Tensor {
        self.noise(z, output) / rows(&self.point.b.neg(), z)
    }
}

/// Reshapes `[batch]` (or `[]`) to `[batch, 1, …]` so that it multiplies the rows of `like`.
pub fn rows(scalar: &Tensor, like: &Tensor) -> Tensor {
    let mut shape = vec![1; like.dim()];
    if scalar.dim() == 1 {
        shape[0] = scalar.size()[0];
    }
    scalar.view(shape.as_slice())
}
