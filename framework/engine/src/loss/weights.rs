use crate::component::Objective;
use crate::config::Weighting;
use crate::error::Result;
use crate::path::{Clock, Path, PathPoint, Reading};
use tch::Tensor;

/// Largest weight of the output's error on the rectified path, where no weight that is the same
/// loss for every objective is bounded.
pub const RECTIFIED_CAP: f64 = 10.0;
/// Largest SNR with `min_snr`.
pub const MIN_SNR_CAP: f64 = 5.0;

/// Weight of errors over time, for one objective on one path.
#[derive(Clone, Copy, Debug)]
pub struct Weights {
    kind: Weighting,
    mean_flow: f64,
    mean_data: f64,
}

impl Weights {
    /// The weights of a kind. With `normalise`, each is divided by its mean over t.
    ///
    /// # Errors
    /// [`Error::Component`](crate::Error::Component): the schedule or the objective fails.
    pub fn new(
        kind: Weighting,
        normalise: bool,
        path: &Path,
        objective: &dyn Objective,
    ) -> Result<Self> {
        let plain = Self { kind, mean_flow: 1.0, mean_data: 1.0 };
        if !normalise || kind == Weighting::None {
            return Ok(plain);
        }
        if !path.bounded() {
            let mean_data = rectified_mean(kind);
            let (nodes, weights) = gauss_legendre(0.0, 1.0);
            let point = path.at(&Tensor::from_slice(&nodes).to_device(path.device()))?;
            let reading = Reading::new(objective, &point)?;
            let velocity = reading.determinant().abs().eq(1.0).all().int64_value(&[]) == 1;
            let mean_flow = if velocity || kind == Weighting::Seed {
                mean_data
            } else {
                plain
                    .flow(&reading)?
                    .dot(&Tensor::from_slice(&weights).to_device(path.device()))
                    .double_value(&[])
            };
            return Ok(Self { kind, mean_flow, mean_data });
        }
        // ∫ w dt = ∫ (w / γ') dγ, and every weight is proportional to γ'.
        let (start, end) = path.gamma_range()?;
        let kink = MIN_SNR_CAP.ln().clamp(start, end);
        let (mut mean_flow, mut mean_data) = (0.0, 0.0);
        for (from, to) in [(start, kink), (kink, end)] {
            let (nodes, weights) = gauss_legendre(from, to);
            let gamma = Tensor::from_slice(&nodes).to_device(path.device());
            let point = path.at_clocks(gamma, Clock::Gamma)?.per_log_snr();
            let reading = Reading::new(objective, &point)?;
            let weights = Tensor::from_slice(&weights).to_device(path.device());
            mean_flow += plain.flow(&reading)?.dot(&weights).double_value(&[]);
            mean_data += plain.data(&point)?.dot(&weights).double_value(&[]);
        }
        Ok(Self { kind, mean_flow, mean_data })
    }

    /// Divisors of the weights of flow, and of recon and reg: their exact means over t, or 1.
    pub fn means(&self) -> (f64, f64) {
        (self.mean_flow, self.mean_data)
    }

    /// True if the weight of the output's error is 1 at all times.
    pub fn flow_is_one(&self, path: &Path) -> bool {
        let one = match self.kind {
            Weighting::None => true,
            Weighting::Seed => !path.bounded(),
            _ => false,
        };
        one && self.mean_flow == 1.0
    }

    /// Weight of the squared error of the output, `[batch]`.
    ///
    /// # Errors
    /// [`Error::Component`](crate::Error::Component): the path fails.
    pub fn flow(&self, reading: &Reading<'_>) -> Result<Tensor> {
        let point = reading.point();
        let weight = self.raw(point)?;
        let in_output_space = match self.kind {
            Weighting::None | Weighting::Seed => weight,
            _ if point.bounded() => weight * (&point.b / reading.determinant()).square(),
            _ => (weight / reading.determinant().square()).clamp_max(RECTIFIED_CAP),
        };
        let mean = self.mean_flow;
        Ok(if mean == 1.0 { in_output_space } else { in_output_space / mean })
    }

    /// Weight of recon and reg, `[batch]`.
    ///
    /// # Errors
    /// [`Error::Component`](crate::Error::Component): the path fails.
    pub fn data(&self, point: &PathPoint<'_>) -> Result<Tensor> {
        Ok(self.raw(point)? / self.mean_data)
    }

    /// Weight of the data error on the variance-preserving path, and of the velocity error on the
    /// rectified one.
    fn raw(&self, point: &PathPoint<'_>) -> Result<Tensor> {
        let rectified = !point.bounded();
        Ok(match self.kind {
            Weighting::None => point.t.ones_like(),
            Weighting::Seed | Weighting::Field if rectified => point.t.ones_like(),
            Weighting::Seed => point.snr_prime()?,
            Weighting::Field => point.gamma_prime()? * point.a.square() * 0.25,
            Weighting::Elbo if rectified => (&point.a / &point.b * 2.0).clamp_max(RECTIFIED_CAP),
            Weighting::Elbo => point.snr_prime()?,
            // γ'·min(SNR, κ) for the data error, times b² for the velocity error.
            Weighting::MinSnr if rectified => {
                let ratio = &point.a / &point.b;
                (&ratio * 2.0).minimum(&(ratio.reciprocal() * (2.0 * MIN_SNR_CAP)))
            }
            Weighting::MinSnr => point.gamma_prime()? * point.snr().clamp_max(MIN_SNR_CAP),
        })
    }
}

/// Mean over t of the velocity-space weight on the rectified path.
fn rectified_mean(kind: Weighting) -> f64 {
    let below = |t: f64| -2.0 * t - 2.0 * (-t).ln_1p(); // ∫ 2t/(1 − t)
    match kind {
        Weighting::None | Weighting::Seed | Weighting::Field => 1.0,
        Weighting::Elbo => {
            let t = RECTIFIED_CAP / (2.0 + RECTIFIED_CAP);
            below(t) + RECTIFIED_CAP * (1.0 - t)
        }
        Weighting::MinSnr => {
            let t = MIN_SNR_CAP.sqrt() / (1.0 + MIN_SNR_CAP.sqrt());
            below(t) + 2.0 * MIN_SNR_CAP * (t - 1.0 - t.ln())
        }
    }
}

/// Nodes and weights of a 5-point Gauss-Legendre rule on each of 128 equal panels.
fn gauss_legendre(from: f64, to: f64) -> (Vec<f64>, Vec<f64>) {
    const X: [f64; 5] = [
        -0.906_179_845_938_664,
        -0.538_469_310_105_683_1,
        0.0,
        0.538_469_310_105_683_1,
        0.906_179_845_938_664,
    ];
    const W: [f64; 5] = [
        0.236_926_885_056_189_08,
        0.478_628_670_499_366_47,
        0.568_888_888_888_888_9,
        0.478_628_670_499_366_47,
        0.236_926_885_056_189_08,
    ];
    let half = (to - from) / 256.0;
    let panels = (0..128).flat_map(|i| {
        let centre = from + half * (2 * i + 1) as f64;
        X.iter().zip(W).map(move |(x, w)| (centre + half * x, half * w))
    });
    panels.unzip()
}
