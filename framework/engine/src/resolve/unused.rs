use super::facts::{Facts, Pairing, ScheduleUse};
use crate::config::{Experiment, ModelPart};
use crate::path::Clock;
use std::fmt;

/// A setting that an experiment gives and that has no effect with its other settings and its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unused {
    /// Key of the setting, such as `sampling.steps`.
    pub key: &'static str,
    /// The reason, as the end of a sentence.
    pub why: String,
}

impl fmt::Display for Unused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` has no effect: {}", self.key, self.why)
    }
}

/// The settings without effect of an experiment without nulls: those that nothing reads and that
/// are given, by a value other than the default or by a flag.
pub(crate) fn unused(e: &Experiment, facts: &Facts) -> Vec<Unused> {
    let model = &facts.model;
    let (training, loss, sampling) = (&e.training, &e.loss, &e.sampling);
    let default = Experiment::from_yaml("{}").ok();
    let differs = |same: fn(&Experiment, &Experiment) -> bool| {
        default.as_ref().is_some_and(|default| !same(default, e))
    };
    let unweighted = loss.use_snr_weight == Some(false);
    let learned = [ModelPart::Encoder, ModelPart::Decoder, ModelPart::NoiseSchedule];
    let learned = learned.into_iter().any(|part| model.is_learned(part, e));
    let no_noise = "the path has no noise at t = 1, and no data at t = 0";
    let own_steps = format!("the solver `{}` chooses its own steps", sampling.solver.name());
    // Equal steps mean no more than their clock.
    let spaced = facts.sampling.grid.is_some_and(|(_, spaced)| spaced);
    let clock = match facts.sampling.grid {
        Some((Clock::Gamma, _)) => "log-SNR",
        _ => "time",
    };
    let own_grid = format!("{own_steps}, in {clock}");
    // The key, true if nothing reads it, true if its value is given, and the reason.
    let settings: [(&'static str, bool, bool, &str); 13] = [
        (
            "noise_schedule",
            model.schedule == ScheduleUse::Unread,
            differs(|a, b| a.noise_schedule == b.noise_schedule),
            "the path does not follow it",
        ),
        (
            "training.epochs",
            training.steps.is_some(),
            differs(|a, b| a.training.epochs == b.training.epochs),
            "`training.steps` replaces it",
        ),
        (
            "training.condition_dropout",
            !facts.data.condition,
            training.condition_dropout != 0.0,
            "the model has no condition",
        ),
        (
            "coupling.batch",
            model.pairing != Pairing::Batch,
            e.coupling.common().batch.is_some(),
            "this coupling pairs no rows",
        ),
        (
            "loss.weighting",
            unweighted,
            differs(|a, b| a.loss.weighting == b.loss.weighting),
            "`loss.use_snr_weight` is false",
        ),
        (
            "loss.normalise",
            unweighted || model.no_weighting,
            loss.normalise == Some(false),
            "errors have no weight over time",
        ),
        ("loss.kl_weight", !model.bounded, loss.kl_weight != 1.0, no_noise),
        ("loss.vae_noised", !model.bounded, loss.vae_noised == Some(true), no_noise),
        (
            "loss.vae_weight",
            !learned,
            loss.vae_weight.is_some_and(|weight| weight != 0.0),
            "neither encoder nor decoder is trained",
        ),
        (
            "sampling.steps",
            facts.sampling.adaptive,
            differs(|a, b| a.sampling.steps == b.sampling.steps),
            &own_steps,
        ),
        ("sampling.grid", facts.sampling.adaptive && spaced, true, &own_grid),
        (
            "sampling.guidance_interval",
            sampling.guidance == 1.0,
            sampling.guidance_interval != [0.0, 1.0],
            "`sampling.guidance` is 1",
        ),
        (
            "sampling.use_ema",
            training.ema.is_none(),
            false,
            "there are no EMA weights: `training.ema` is null",
        ),
    ];
    let given = settings
        .into_iter()
        .filter(|(key, unread, changed, _)| *unread && (*changed || e.flags.has(key)));
    given.map(|(key, _, _, why)| Unused { key, why: why.to_owned() }).collect()
}
