//! The variational bound on −ln p of a diffusion (Kingma et al. 2021).

use crate::component::Posterior;
use crate::config::Reduction;
use crate::error::{Error, Result};
use crate::loss;
use crate::path::{PathPoint, Reading, rows};
use crate::sample::Predictor;
use std::f64::consts::PI;
use tch::{Kind, Tensor};

/// Terms of the bound on −ln p of a set of rows, in nats, float64.
#[derive(Debug)]
pub struct Bound {
    /// KL(q(z_0 | data) ‖ N(0, I)), exact, `[n]`.
    pub prior: Tensor,
    /// ½ ∫ |noise − ε|² dγ, the mean over the draws, `[n]`.
    pub diffusion: Tensor,
    /// Standard error of `diffusion`, `[n]`, computed from the differences between draws in
    /// neighbouring intervals of γ, which overestimates rather than underestimates it; `None` for
    /// a single draw.
    pub error: Option<Tensor>,
    /// −E ln N(data; z/a, (b/a)²I) at the end of the path, exact and the same for every row.
    pub decoder: f64,
    /// Log-SNR at the start and at the end of the path.
    pub gamma: (f64, f64),
}

impl Bound {
    /// The bound, the sum of its terms, `[n]`.
    pub fn total(&self) -> Tensor {
        &self.prior + &self.diffusion + self.decoder
    }
}

/// Bounds −ln p of `data` `[n, …z_shape]` from `draws` pairs (γ, ε) for each row: γ uniform
/// between the path's ends with one draw in each of `draws` equal intervals, ε ~ N(0, I), both
/// from LibTorch's generator (seed a [stream](crate::rng::seed_torch) first). The prediction is
/// evaluated in the precision of `data`.
///
/// The bound is that of the variance-preserving diffusion between the log-SNRs of the path's ends.
/// Every other Gaussian path is a rescaling of it, so the bound also holds for a path with
/// infinite log-SNR between the ends of [`gamma_range`](crate::path::Path::gamma_range), outside of
/// which the prediction is not evaluated.
///
/// # Errors
/// [`Error::Config`]: the noise cannot be computed from the prediction at an end of the path, where
/// the bound is infinite. [`Error::Runtime`]: the result is not finite. [`Error::Component`]: a
/// component fails.
pub fn bound(predictor: &impl Predictor, data: &Tensor, draws: u64) -> Result<Bound> {
    tch::no_grad(|| {
        let path = predictor.path();
        let (start, end) = path.gamma_range()?;
        let options = (Kind::Double, data.device());
        refuse_infinite(predictor)?;
        let (n, draws) = (data.size()[0], draws.max(1));
        let exact = data.to_kind(Kind::Double);
        let parts = Tensor::arange(draws as i64, options).unsqueeze(1);
        let gamma = (Tensor::rand([draws as i64, n], options) + parts)
            * ((end - start) / draws as f64)
            + start;
        let times = path.time_of(&gamma.view(-1))?.view_as(&gamma);
        let (mut sum, mut squares) = (Tensor::zeros([n], options), Tensor::zeros([n], options));
        let mut last: Option<Tensor> = None;
        for draw in 0..draws as i64 {
            let point = path.at(&times.get(draw))?;
            let noise = exact.randn_like();
            let new =
                error(predictor, &point, &exact, &noise, data.kind())? * (0.5 * (end - start));
            if let Some(last) = last {
                squares += (&new - last).square() * 0.5;
            }
            sum += &new;
            last = Some(new);
        }
        let mean = sum / draws as f64;
        if mean.isfinite().all().int64_value(&[]) == 0 {
            return Err(Error::runtime("the prediction is not finite"));
        }
        let dimensions = (data.numel() as i64 / n.max(1)) as f64;
        let posterior = Posterior { mean: exact, log_variance: None };
        let alpha_bar = Tensor::from(start).to_device(data.device()).sigmoid();
        let variance = squares / (draws.max(2) - 1) as f64;
        Ok(Bound {
            prior: loss::kl(&posterior, &alpha_bar, Reduction::Sum, None),
            diffusion: mean,
            error: (draws > 1).then(|| (variance / draws as f64).sqrt()),
            decoder: 0.5 * dimensions * (1.0 + (2.0 * PI).ln() - end),
            gamma: (start, end),
        })
    })
}

/// Checks that the noise can be computed from the prediction at the ends of the path. Otherwise,
/// such as from the velocity where γ′ = 0, its error is unbounded. Between the ends it can
/// always be computed: γ rises there, and infinite ends are cut off.
fn refuse_infinite(predictor: &impl Predictor) -> Result<()> {
    let path = predictor.path();
    if !path.bounded() {
        return Ok(());
    }
    let ends = path.at(&Tensor::from_slice(&[0.0, 1.0]).to_device(predictor.device()))?;
    let reading = Reading::new(predictor.objective(), &ends)?;
    let smallest = reading.determinant().abs().min().double_value(&[]);
    if smallest > 0.0 {
        return Ok(());
    }
    let message =
        "the bound is infinite: at an end of this path the prediction does not determine the noise";
    Err(Error::config("noise_schedule", message)
        .help("use a schedule whose log-SNR rises at both ends, or another objective"))
}

/// Squared error |predicted noise − ε|² of each row, less the control variate
/// alpha_bar²·(|ε|² − d), whose mean is 0: it removes most of the variance where the prediction
/// cannot know ε.
fn error(
    predictor: &impl Predictor,
    point: &PathPoint<'_>,
    data: &Tensor,
    noise: &Tensor,
    kind: Kind,
) -> Result<Tensor> {
    let z = rows(&point.a, data) * data + rows(&point.b, data) * noise;
    let reading = Reading::new(predictor.objective(), point)?;
    let output = predictor.output(&z.to_kind(kind), &reading)?.to_kind(Kind::Double);
    let read = reading.noise(&z, &output);
    let surplus = loss::reduce(&(noise.square() - 1.0), Reduction::Sum, None);
    let errors = loss::squared_error(&read, noise, Reduction::Sum, None);
    Ok(errors - surplus * point.alpha_bar().square())
}
