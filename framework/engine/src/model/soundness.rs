//! Checks that a model can be learned, and the defaults of its loss.

use crate::component::{Objective, Sense};
use crate::config::{Experiment, LossConfig, Reconstruction, Task};
use crate::error::{Error, Result};
use crate::path::{Path, PathPoint};
use tch::{Kind, Tensor};

/// Largest |γ|, beyond which SNR = e^γ leaves the range of float32.
const GAMMA_BOUND: f64 = 80.0;

/// Checks that log-SNR is finite, bounded and rising, at 1,001 times.
pub(super) fn check_log_snr(path: &Path, kind: Kind) -> Result<()> {
    tch::no_grad(|| {
        let t = Tensor::linspace(0.0, 1.0, 1001, (kind, path.device()));
        let gamma = path.at(&t)?.gamma().to_kind(Kind::Double);
        let bad = |message: String| {
            Err(Error::config("", message).help("choose other parameters of the schedule"))
        };
        if gamma.isfinite().all().int64_value(&[]) == 0 {
            return bad("with these parameters log-SNR is not finite on all of [0, 1]".into());
        }
        let (low, high) = (gamma.min().double_value(&[]), gamma.max().double_value(&[]));
        if low < -GAMMA_BOUND || high > GAMMA_BOUND {
            return bad(format!(
                "with these parameters log-SNR goes from {low:.3} to {high:.3}; it has to stay \
                 within ±{GAMMA_BOUND}"
            ));
        }
        let falls = gamma.diff::<Tensor>(1, -1, None, None).lt(-1e-4).any().int64_value(&[]) == 1;
        if falls || low >= high {
            return bad("with these parameters log-SNR does not rise from t = 0 to t = 1".into());
        }
        Ok(())
    })
}

/// Checks that all terms of the loss are finite on a path with infinite log-SNR. On straight lines,
/// data that are computed from the noise are infinite at t = 0, and so is the velocity computed
/// from the noise there or from the data at t = 1: their errors have no finite mean. Nor has the
/// error of an output that is itself infinite at an end, without a weight that vanishes there.
pub(super) fn refuse_infinite_terms(
    loss: &LossConfig,
    path: &Path,
    objective: &dyn Objective,
) -> Result<()> {
    let [start, end] = path.readable_ends(objective)?;
    let ends = path.at(&Tensor::from_slice(&[0.0, 1.0]).to_device(path.device()))?;
    let (p, q) = objective.mix(&ends)?;
    let infinite = (p + q).isfinite().all().int64_value(&[]) == 0;
    if infinite && loss.use_snr_weight != Some(true) {
        let message = "on this path the objective's target is infinite at an end, \
                       and so is its unweighted error";
        return Err(Error::config("loss.use_snr_weight", message)
            .help("set it to true, or use a path whose log-SNR is finite at both ends"));
    }
    let terms = [
        ("loss.recon_weight", loss.recon_weight != 0.0 && !start),
        ("loss.reg_weight", loss.reg_weight != 0.0 && !(start && end)),
    ];
    match terms.iter().find(|(_, infinite)| *infinite) {
        Some((key, _)) => {
            let message = "on this path the objective makes the term infinite";
            Err(Error::config(*key, message)
                .help("set it to 0, or use a path whose log-SNR is finite at both ends"))
        }
        None => Ok(()),
    }
}

/// Checks that a network whose output is plus or minus the gradient of a convex function can
/// represent the prediction. The mean of the data given a state of a Gaussian path is such a
/// gradient (its Jacobian is the covariance of the data given the state, times a/b²), so a falling
/// output cannot predict the data.
pub(super) fn refuse_wrong_sense(
    sense: Option<Sense>,
    objective: &dyn Objective,
    point: &PathPoint<'_>,
) -> Result<()> {
    let Some(sense) = sense else { return Ok(()) };
    let (data, noise) = objective.mix(point)?;
    let all = |holds: Tensor| holds.all().int64_value(&[]) == 1;
    let wrong = if sense.rising { data.lt(0.0) } else { data.gt(0.0) };
    if !(all(noise.eq(0.0)) && all(wrong)) {
        return Ok(());
    }
    let (minus, other) = if sense.rising { ("", "minus ") } else { ("minus ", "") };
    let message = format!(
        "the output is {minus}the gradient of a convex function of z, \
         but what this objective predicts is {other}the gradient of one"
    );
    Err(Error::config("crn", message).help(sense.otherwise))
}

/// The parts that are learned.
pub(super) struct Learned {
    pub schedule: bool,
    pub encoder: bool,
    pub decoder: bool,
    /// True if encoder or decoder have parameters, learned or frozen.
    pub autoencoder: bool,
}

/// Choices with which the loss is the variational bound.
pub(super) struct Variational {
    pub weighting: bool,
    pub times: bool,
}

/// Replaces the nulls of the loss, and checks that the loss suits the learned parts.
pub(super) fn resolve(
    experiment: &mut Experiment,
    path: &Path,
    learned: &Learned,
    variational: &Variational,
) -> Result<()> {
    let generation = experiment.task() != Task::Regression;
    let loss = &mut experiment.loss;
    if learned.schedule {
        let wrong = [
            ("loss.weighting", !variational.weighting),
            ("loss.use_snr_weight", loss.use_snr_weight == Some(false)),
            ("loss.normalise", loss.normalise == Some(true)),
            ("loss.vae_noised", loss.vae_noised == Some(false)),
            ("loss.vae_weight", loss.vae_weight == Some(0.0)),
            ("loss.kl_weight", loss.kl_weight == 0.0),
            ("loss.recon", loss.recon == Some(Reconstruction::None)),
            ("training.time_sampling", !variational.times),
        ];
        if let Some((key, _)) = wrong.iter().find(|(_, wrong)| *wrong) {
            let message =
                "a learnable noise schedule is only sound under the full variational bound";
            return Err(Error::config(*key, message).help(
                "leave weighting, use_snr_weight, normalise, recon, vae_noised, vae_weight, \
                 kl_weight and time_sampling to their defaults",
            ));
        }
        log::info!(
            "learnable noise schedule: minimising the variational bound \
             (weighting {}, kl, noised vae)",
            loss.weighting.name()
        );
    }
    loss.use_snr_weight.get_or_insert(path.bounded());
    loss.normalise.get_or_insert(!learned.schedule);
    loss.vae_noised.get_or_insert(learned.schedule);
    // A decoder is learned from a reconstruction only.
    let frozen = learned.autoencoder && !learned.encoder && !learned.decoder;
    let vae = (generation && learned.autoencoder && !frozen)
        || learned.schedule
        || (learned.decoder && loss.recon_weight == 0.0);
    loss.vae_weight.get_or_insert(if vae { 1.0 } else { 0.0 });
    let no_reconstruction = loss.recon == Some(Reconstruction::None)
        || (loss.recon_weight == 0.0 && loss.vae_weight == Some(0.0));
    if no_reconstruction && (learned.encoder || learned.decoder) {
        let what = if learned.encoder {
            "an encoder with parameters collapses"
        } else {
            "a decoder with parameters learns nothing"
        };
        let message = format!("{what} when nothing is reconstructed");
        return Err(Error::config("loss.vae_weight", message)
            .help("set `loss.vae_weight: 1.0`, or use one without parameters"));
    }
    Ok(())
}
