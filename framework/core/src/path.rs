//! The path from noise to data, z_t = a·data + b·noise, and what a prediction on it means.
//!
//! All is computed from log-SNR: alpha_bar = σ(γ) and 1 − alpha_bar = σ(−γ), never by subtraction.

use crate::component::{Grid, NoiseSchedule, Objective};
use crate::error::Result;
use crate::kernels::blend;
use std::cell::OnceCell;
use tch::{Device, Tensor};

/// Which path the noise takes to the data.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum PathKind {
    /// a = t, b = 1 − t: straight lines, the path of flow matching.
    Rectified,
    /// a² = alpha_bar, b² = 1 − alpha_bar, from the noise schedule.
    VariancePreserving,
}

/// The variable that a solver steps in.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// Time t in \[0, 1\].
    Time,
    /// Log-SNR γ.
    Gamma,
}

/// The nodes of a sampler's steps: N + 1 of them between the ends of the path, and the clock they are in.
#[derive(
    Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum StepGrid {
    /// Equal steps in time t.
    Time,
    /// Equal steps in log-SNR γ.
    Gamma,
    /// In log-SNR, with σ^(1/ρ) in equal steps, σ = b/a = e^(−γ/2): the larger ρ, the more steps near the
    /// data (Karras et al. 2022, arXiv 2206.00364, eq. 5).
    Karras {
        /// ρ, above 0.
        #[serde(default = "seven")]
        rho: f64,
    },
}

fn seven() -> f64 {
    7.0
}

impl StepGrid {
    /// The clock in which solvers step.
    pub fn clock(self) -> Clock {
        match self {
            Self::Time => Clock::Time,
            Self::Gamma | Self::Karras { .. } => Clock::Gamma,
        }
    }

    /// The nodes from `start` to `end`, both in the grid's clock.
    pub fn nodes(self, start: f64, end: f64, steps: usize) -> Grid {
        let mut grid = Grid::uniform(start, end, steps);
        if let Self::Karras { rho } = self {
            let root = |gamma: f64| (-gamma / (2.0 * rho)).exp();
            let (from, to) = (root(start), root(end));
            let n = grid.nodes.len() - 1;
            for (i, node) in grid.nodes.iter_mut().enumerate().take(n).skip(1) {
                *node = -2.0 * rho * (from + (to - from) * i as f64 / n as f64).ln();
            }
        }
        grid
    }
}

impl std::fmt::Display for StepGrid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Time => f.write_str("time"),
            Self::Gamma => f.write_str("gamma"),
            Self::Karras { rho } => write!(f, "karras({rho})"),
        }
    }
}

impl From<Clock> for StepGrid {
    fn from(clock: Clock) -> Self {
        match clock {
            Clock::Time => Self::Time,
            Clock::Gamma => Self::Gamma,
        }
    }
}

/// How close to t = 0 and t = 1 a clock goes where the end itself is singular.
pub const END_GAP: f64 = 1e-3;

/// One time of the path; every field `[batch]`.
#[derive(Debug)]
pub struct PathPoint {
    /// The kind of path.
    pub kind: PathKind,
    /// Time.
    pub t: Tensor,
    /// Coefficient of the data.
    pub a: Tensor,
    /// Coefficient of the noise.
    pub b: Tensor,
    gamma: Option<Tensor>,
    gamma_prime: Option<Tensor>,
}

impl PathPoint {
    /// The rectified path at `t`.
    pub fn rectified(t: &Tensor) -> Self {
        Self {
            kind: PathKind::Rectified,
            t: t.shallow_clone(),
            a: t.shallow_clone(),
            b: t.rsub_scalar(1.0),
            gamma: None,
            gamma_prime: None,
        }
    }

    /// The variance-preserving path at `t`, from log-SNR and its derivative.
    pub fn variance_preserving(t: &Tensor, gamma: Tensor, gamma_prime: Tensor) -> Self {
        Self {
            kind: PathKind::VariancePreserving,
            t: t.shallow_clone(),
            a: (gamma.log_sigmoid() * 0.5).exp(),
            b: (gamma.neg().log_sigmoid() * 0.5).exp(),
            gamma: Some(gamma),
            gamma_prime: Some(gamma_prime),
        }
    }

    /// Log-SNR γ = 2 ln(a/b).
    pub fn gamma(&self) -> Tensor {
        match &self.gamma {
            Some(g) => g.shallow_clone(),
            None => (self.a.log() - self.b.log()) * 2.0,
        }
    }

    /// dγ/dt.
    pub fn gamma_prime(&self) -> Tensor {
        match &self.gamma_prime {
            Some(g) => g.shallow_clone(),
            None => (&self.a * &self.b).reciprocal() * 2.0,
        }
    }

    /// SNR = e^γ = (a/b)².
    pub fn snr(&self) -> Tensor {
        match &self.gamma {
            Some(g) => g.exp(),
            None => (&self.a / &self.b).square(),
        }
    }

    /// dSNR/dt = γ'·SNR.
    pub fn snr_prime(&self) -> Tensor {
        self.gamma_prime() * self.snr()
    }

    /// alpha_bar = σ(γ).
    pub fn alpha_bar(&self) -> Tensor {
        self.gamma().sigmoid()
    }

    /// 1 − alpha_bar = σ(−γ).
    pub fn one_minus_alpha_bar(&self) -> Tensor {
        self.gamma().neg().sigmoid()
    }

    /// (da/ds, db/ds) in the given clock.
    pub fn rates(&self, clock: Clock) -> (Tensor, Tensor) {
        match (self.kind, clock) {
            (PathKind::Rectified, Clock::Time) => (self.a.ones_like(), self.b.ones_like().neg()),
            // dt/dγ = t(1 − t)/2
            (PathKind::Rectified, Clock::Gamma) => {
                let rate = &self.a * &self.b * 0.5;
                (rate.shallow_clone(), rate.neg())
            }
            (PathKind::VariancePreserving, _) => {
                let a = &self.a * self.b.square() * 0.5;
                let b = &self.b * self.a.square() * -0.5;
                match clock {
                    Clock::Gamma => (a, b),
                    Clock::Time => {
                        let rate = self.gamma_prime();
                        (a * &rate, b * rate)
                    }
                }
            }
        }
    }
}

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
