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

/// A setting that may be without effect.
struct Setting {
    key: &'static str,
    /// True if nothing reads it.
    unread: fn(&Experiment, &Facts) -> bool,
    /// True if an experiment gives another value than the default one.
    given: fn(&Experiment, &Experiment) -> bool,
    /// The reason why nothing reads it.
    why: fn(&Experiment, &Facts) -> String,
}

/// Every setting that may be without effect.
const SETTINGS: [Setting; 13] = [
    Setting {
        key: "noise_schedule",
        unread: |_, facts| facts.model.schedule == ScheduleUse::Unread,
        given: |e, default| e.noise_schedule != default.noise_schedule,
        why: |_, _| "the path does not follow it".into(),
    },
    Setting {
        key: "training.epochs",
        unread: |e, _| e.training.steps.is_some(),
        given: |e, default| e.training.epochs != default.training.epochs,
        why: |_, _| "`training.steps` replaces it".into(),
    },
    Setting {
        key: "training.condition_dropout",
        unread: |_, facts| !facts.data.condition,
        given: |e, _| e.training.condition_dropout != 0.0,
        why: |_, _| "the model has no condition".into(),
    },
    Setting {
        key: "coupling.batch",
        unread: |_, facts| facts.model.pairing != Pairing::Batch,
        given: |e, _| e.coupling.common().batch.is_some(),
        why: |_, _| "this coupling pairs no rows".into(),
    },
    Setting {
        key: "loss.weighting",
        unread: |e, _| is_unweighted(e),
        given: |e, default| e.loss.weighting != default.loss.weighting,
        why: |_, _| "`loss.use_snr_weight` is false".into(),
    },
    Setting {
        key: "loss.normalise",
        unread: |e, facts| is_unweighted(e) || facts.model.no_weighting,
        given: |e, _| e.loss.normalise == Some(false),
        why: |_, _| "errors have no weight over time".into(),
    },
    Setting {
        key: "loss.kl_weight",
        unread: |_, facts| !facts.model.bounded,
        given: |e, _| e.loss.kl_weight != 1.0,
        why: |_, _| "the path has no noise at t = 1, and no data at t = 0".into(),
    },
    Setting {
        key: "loss.vae_noised",
        unread: |_, facts| !facts.model.bounded,
        given: |e, _| e.loss.vae_noised == Some(true),
        why: |_, _| "the path has no noise at t = 1, and no data at t = 0".into(),
    },
    Setting {
        key: "loss.vae_weight",
        unread: |e, facts| {
            let parts = [ModelPart::Encoder, ModelPart::Decoder, ModelPart::NoiseSchedule];
            !parts.into_iter().any(|part| facts.model.is_learned(part, e))
        },
        given: |e, _| e.loss.vae_weight.is_some_and(|weight| weight != 0.0),
        why: |_, _| "neither encoder nor decoder is trained".into(),
    },
    Setting {
        key: "sampling.steps",
        unread: chooses_steps,
        given: |e, default| e.sampling.steps != default.sampling.steps,
        why: |e, _| own_steps(e),
    },
    Setting {
        key: "sampling.grid",
        // Equal steps mean no more than their clock.
        unread: |e, facts| {
            chooses_steps(e, facts) && facts.sampling.grid.is_some_and(|(_, spaced)| spaced)
        },
        given: |_, _| true,
        why: |e, facts| match facts.sampling.grid {
            Some((Clock::Gamma, _)) => format!("{}, in log-SNR", own_steps(e)),
            _ => format!("{}, in time", own_steps(e)),
        },
    },
    Setting {
        key: "sampling.guidance_interval",
        unread: |e, _| e.sampling.guidance == 1.0,
        given: |e, _| e.sampling.guidance_interval != [0.0, 1.0],
        why: |_, _| "`sampling.guidance` is 1".into(),
    },
    Setting {
        key: "sampling.use_ema",
        unread: |e, _| e.training.ema.is_none(),
        given: |_, _| false,
        why: |_, _| "there are no EMA weights: `training.ema` is null".into(),
    },
];

fn is_unweighted(e: &Experiment) -> bool {
    e.loss.use_snr_weight == Some(false)
}

/// True if the solver chooses its steps on the whole path; steps that are repeated lie between the
/// nodes of the grid.
fn chooses_steps(e: &Experiment, facts: &Facts) -> bool {
    facts.sampling.adaptive && e.sampling.repeats == 1
}

fn own_steps(e: &Experiment) -> String {
    format!("the solver `{}` chooses its own steps", e.sampling.solver.name())
}

impl Unused {
    /// Keys of all settings that may be without effect.
    pub fn keys() -> impl Iterator<Item = &'static str> {
        SETTINGS.iter().map(|setting| setting.key)
    }
}

/// The settings without effect of an experiment without nulls: those that nothing reads and that
/// are given, by a value other than the default or by a flag.
pub(crate) fn unused(e: &Experiment, facts: &Facts) -> Vec<Unused> {
    let default = Experiment::from_yaml("{}").ok();
    let given = |setting: &Setting| {
        e.flags.has(setting.key) || default.as_ref().is_some_and(|d| (setting.given)(e, d))
    };
    let unused = SETTINGS.iter().filter(|setting| (setting.unread)(e, facts) && given(setting));
    unused.map(|setting| Unused { key: setting.key, why: (setting.why)(e, facts) }).collect()
}
