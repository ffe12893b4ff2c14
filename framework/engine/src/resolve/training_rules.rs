//! Rules of what an experiment trains, and how.

use super::facts::{Facts, Pairing};
use super::rules::refuse;
use crate::component::LossTerm;
use crate::config::{Every, Experiment, ModelPart};
use crate::error::Result;

pub(super) fn frozen_has_parameters(e: &Experiment, facts: &Facts) -> Result<()> {
    let none = e.training.freeze.iter().find(|part| !facts.model.has_parameters(**part));
    let part = none.map_or("", |part| part.prefix().trim_end_matches('.'));
    let message = format!("there is nothing to freeze: `{part}` has no parameters");
    refuse(none.is_some(), "training.freeze", message, "")
}

pub(super) fn something_is_learned(e: &Experiment, facts: &Facts) -> Result<()> {
    let left = ModelPart::ALL.into_iter().any(|part| facts.model.is_learned(part, e));
    let broken = !e.training.freeze.is_empty() && !left;
    refuse(broken, "training.freeze", "no parameter is left to learn", "")
}

pub(super) fn mirrored_is_image(e: &Experiment, facts: &Facts) -> Result<()> {
    let message = "only images [channels, height, width] can be mirrored, and the data have none";
    refuse(e.training.flip && !facts.data.images, "training.flip", message, "")
}

pub(super) fn mirrored_is_not_paired(e: &Experiment, facts: &Facts) -> Result<()> {
    let broken = e.training.flip && facts.model.pairing != Pairing::Independent;
    let message = "z_0 is paired with the images as they are, not with mirrored ones";
    refuse(broken, "training.flip", message, "remove it, or set `coupling: independent`")
}

pub(super) fn learning_rate_is_positive(_: &Experiment, facts: &Facts) -> Result<()> {
    let Some(rate) = facts.training.as_ref().map(|training| training.learning_rate) else {
        return Ok(());
    };
    let message = format!("needs a number above 0, got {rate}");
    let broken = !(rate.is_finite() && rate > 0.0);
    refuse(broken, "training.optimizer.learning_rate", message, "")
}

pub(super) fn stopping_term_exists(_: &Experiment, facts: &Facts) -> Result<()> {
    let term = facts.training.as_ref().and_then(|training| training.stopping_term);
    let broken = term == Some(LossTerm::Kl) && !facts.model.bounded;
    let name = term.map_or("", LossTerm::name);
    let message = format!("this model has no loss term `{name}`");
    refuse(broken, "training.stopping", message, "")
}

pub(super) fn stopping_has_rows(_: &Experiment, facts: &Facts) -> Result<()> {
    let training = facts.training.as_ref();
    let broken = training.is_some_and(|t| t.stopping_term.is_some() && !t.validation);
    let help = "hold some back, as `data: { split: { val: 0.1 } }`";
    refuse(broken, "training.stopping", "needs validation rows, and there are none", help)
}

pub(super) fn returns_are_planned(experiment: &Experiment, facts: &Facts) -> Result<()> {
    let restores = facts.training.as_ref().is_some_and(|training| training.restores);
    let by_time = matches!(experiment.checkpoint.every, Every::Seconds(_));
    let message = "checkpoints by the clock are at other steps each time, so that a training that \
                   returns to one would not repeat itself";
    let help = "write them every so many steps or epochs, or set training.on_divergence to stop";
    refuse(restores && by_time, "checkpoint.every", message, help)
}
