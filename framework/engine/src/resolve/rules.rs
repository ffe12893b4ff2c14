//! Rules of what fits what in an experiment.
//!
//! If z_0 is N(0, I) and independent of z_1, a state of the path is Gaussian given the data:
//! velocity, noise, data and score follow from each other, and paths differ only in their log-SNR.
//! With any other joint distribution of z_0 and z_1, only the velocity can be learned, of a path
//! from z_0 itself to z_1 itself.

use super::facts::{Facts, ModelFacts, OfData, Pairing, ScheduleUse};
use super::training_rules::*;
use crate::component::{GuidanceInput, Likelihood, shape_text, solvers_where};
use crate::config::{Experiment, ModelPart, Noise, Reconstruction};
use crate::error::{Error, Result};
use crate::path::Clock;
use crate::registry::{Component, check_group};
use tch::{Device, Kind, Tensor};

/// A rule, named by the sentence that it keeps true.
struct Rule {
    name: &'static str,
    check: Check,
}

/// The check of a rule.
enum Check {
    /// A check of the keys of an experiment alone, before any data are read.
    Keys(fn(&Experiment) -> Result<()>),
    /// A check of an experiment without nulls, with the properties of its components and data.
    Parts(fn(&Experiment, &Facts) -> Result<()>),
}

macro_rules! rules {
    ($($name:literal: $check:ident($function:path),)*) => {
        &[$(Rule { name: $name, check: Check::$check($function) },)*]
    };
}

/// Every rule, in the order in which they are checked.
const RULES: &[Rule] = rules! {
    "a prediction has a condition": Keys(prediction_has_condition),
    "a guided model was trained without its condition too": Keys(guided_was_dropped),
    "the interval of guidance does not end before it begins": Keys(guidance_interval),
    "a guided model has a condition": Parts(guided_has_condition),
    "columns are masked in rows of a table": Parts(masked_rows_are_flat),
    "columns are matched in rows of a table": Parts(matched_rows_are_flat),
    "a decoder of logits has labels to learn": Parts(logits_have_labels),
    "an encoder and a decoder belong together": Parts(decoder_reads_latents),
    "a learnable schedule is followed by the path": Parts(schedule_is_followed),
    "pairs are of latents that training does not change": Parts(pairs_stay),
    "a coupling keeps the condition, or its bias is accepted": Parts(coupling_keeps_condition),
    "a coupling pairs whole batches": Parts(coupling_batch),
    "without Gaussian noise, the path leads from z_0 itself to the data": Parts(path_interpolates),
    "without Gaussian noise, the velocity is predicted": Parts(velocity_is_predicted),
    "without Gaussian noise, steps are in time": Parts(steps_are_in_time),
    "without Gaussian noise, no step is repeated": Parts(no_step_is_repeated),
    "without Gaussian noise, no noise is removed at the end": Parts(nothing_to_denoise),
    "without Gaussian noise, no force is added": Parts(no_score_to_steer),
    "without Gaussian noise, the solver needs only the velocity": Parts(solver_needs_velocity),
    "Sobol' points are of N(0, I)": Parts(sobol_is_normal),
    "a prediction starts from the centre of N(0, I)": Parts(prediction_has_centre),
    "a convex CRN can represent the prediction": Parts(sense_fits),
    "the time sampler suits the path": Parts(times_suit),
    "a learned schedule is trained by the variational bound": Parts(learned_schedule_is_bound),
    "a learned encoder or decoder is reconstructed": Parts(learned_is_reconstructed),
    "an infinite output has a weight that vanishes": Parts(infinite_output_is_weighted),
    "the terms of the loss are finite": Parts(terms_are_finite),
    "what is frozen has parameters": Parts(frozen_has_parameters),
    "freezing leaves a parameter to learn": Parts(something_is_learned),
    "what is mirrored is an image": Parts(mirrored_is_image),
    "what is mirrored is not paired": Parts(mirrored_is_not_paired),
    "a force while sampling fits the latents": Parts(force_fits),
    "a learning rate is above 0": Parts(learning_rate_is_positive),
    "the stopping rule watches a term of the model": Parts(stopping_term_exists),
    "the stopping rule has validation rows": Parts(stopping_has_rows),
    "a training returns to checkpoints whose steps are planned": Parts(returns_are_planned),
    "sequences are not paired": Parts(sequences_are_not_paired),
    "rows that bring their z_0 have one": Parts(rows_have_z0),
    "z_0 of a row has the shape of a latent": Parts(z0_is_a_latent),
};

impl Experiment {
    /// Names of the rules of what fits what, each a sentence that holds for every experiment that
    /// is trained or sampled.
    pub fn rules() -> impl Iterator<Item = &'static str> {
        RULES.iter().map(|rule| rule.name)
    }

    /// Checks that every number lies in its range, and the rules that need no data.
    ///
    /// # Errors
    /// [`Error::Config`]: the key of the first value that is not allowed, with its range.
    pub fn check(&self) -> Result<()> {
        check_group(self)?;
        for rule in RULES {
            if let Check::Keys(check) = rule.check {
                check(self)?;
            }
        }
        Ok(())
    }
}

/// Checks the rules of components and data.
pub(crate) fn check(experiment: &Experiment, facts: &Facts) -> Result<()> {
    for rule in RULES {
        if let Check::Parts(check) = rule.check {
            check(experiment, facts)?;
        }
    }
    Ok(())
}

/// The error `message` at `key`, with advice, if the rule is `broken`.
pub(super) fn refuse(
    broken: bool,
    key: &str,
    message: impl Into<String>,
    help: &str,
) -> Result<()> {
    match broken {
        true if help.is_empty() => Err(Error::config(key, message)),
        true => Err(Error::config(key, message).help(help)),
        false => Ok(()),
    }
}

fn prediction_has_condition(e: &Experiment) -> Result<()> {
    let what = if e.task().is_sequence() { "a prediction" } else { "regression" };
    let message = format!("{what} has a condition; only generation can go without");
    refuse(e.task().predicts() && e.unconditional, "unconditional", message, "")
}

fn guided_was_dropped(e: &Experiment) -> Result<()> {
    let broken = e.sampling.guidance != 1.0 && e.training.condition_dropout == 0.0;
    let message = "a model that was never trained without its condition cannot be guided";
    let help = "train with `training.condition_dropout: 0.1`";
    refuse(broken, "sampling.guidance", message, help)
}

fn guidance_interval(e: &Experiment) -> Result<()> {
    let [from, to] = e.sampling.guidance_interval;
    let message = format!("needs from <= to, got [{from}, {to}]");
    refuse(from > to, "sampling.guidance_interval", message, "")
}

fn guided_has_condition(e: &Experiment, facts: &Facts) -> Result<()> {
    let broken = e.sampling.guidance != 1.0 && !facts.data.condition;
    let message = "a model without a condition cannot be guided by it";
    refuse(broken, "sampling.guidance", message, "")
}

fn masked_rows_are_flat(e: &Experiment, facts: &Facts) -> Result<()> {
    let fits = facts.data.flat && !facts.data.labels && !e.task().predicts();
    let broken = e.training.mask_columns.is_some() && !fits;
    let message = "only the cells of rows that are generated can be given and filled in, not \
                   labels, images, sequences or predictions";
    refuse(broken, "training.mask_columns", message, "set it to null")
}

fn matched_rows_are_flat(e: &Experiment, facts: &Facts) -> Result<()> {
    let fits = facts.data.flat && !facts.data.labels && !e.task().predicts();
    let message = "only columns of rows that are generated have a distribution to match, not \
                   labels, images, sequences or predictions";
    refuse(
        e.sampling.match_marginals && !fits,
        "sampling.match_marginals",
        message,
        "set it to false",
    )
}

fn logits_have_labels(_: &Experiment, facts: &Facts) -> Result<()> {
    let broken = facts.model.likelihood == Likelihood::Categorical && !facts.data.labels;
    let message = "this decoder gives the logits of classes, but the targets are no labels";
    let help = "labels are integers of shape [n]; for numbers choose a decoder, or a head of it, \
                that gives values";
    refuse(broken, "decoder", message, help)
}

fn decoder_reads_latents(e: &Experiment, facts: &Facts) -> Result<()> {
    let model = &facts.model;
    let (encoder, decoder) = (e.encoder.name(), e.decoder.name());
    let (needed, read) = (model.decoder_of_latents.as_deref(), model.encoder_of_decoder.as_deref());
    let (message, help) = match (needed, read) {
        (Some(needed), _) if needed == decoder => return Ok(()),
        (_, Some(read)) if read == encoder => return Ok(()),
        (_, Some(read)) => (
            format!("decoder `{decoder}` reads latents of encoder `{read}`, not of `{encoder}`"),
            format!("set `encoder: {read}`, or another decoder"),
        ),
        (Some(needed), None) if !model.has_parameters(ModelPart::Decoder) => (
            format!("decoder `{decoder}` does not read the latents of encoder `{encoder}`"),
            format!("set `decoder: {needed}`"),
        ),
        _ => return Ok(()),
    };
    refuse(true, "decoder", message, &help)
}

fn schedule_is_followed(e: &Experiment, facts: &Facts) -> Result<()> {
    let model = &facts.model;
    let broken = model.schedule_is_learnable && model.schedule == ScheduleUse::Unread;
    let name = e.path.as_ref().map_or("of this kind", Component::name);
    let message = format!("the path `{name}` has no noise schedule to learn");
    let help = "use a path that follows one, or leave the schedule fixed";
    refuse(broken, "noise_schedule.learnable", message, help)
}

fn pairs_stay(e: &Experiment, facts: &Facts) -> Result<()> {
    let model = &facts.model;
    let paired = model.pairing != Pairing::Independent;
    let message = format!(
        "`{}` pairs z_0 with z_1 before the step, \
         but an encoder with parameters computes a new z_1 in it",
        e.coupling.name()
    );
    let help = "use an independent coupling, or an encoder without parameters";
    refuse(paired && model.is_learned(ModelPart::Encoder, e), "coupling", message, help)
}

fn coupling_keeps_condition(e: &Experiment, facts: &Facts) -> Result<()> {
    let biased = facts.model.pairing != Pairing::Independent
        && !facts.model.keeps_condition
        && !e.unconditional;
    let message = format!(
        "`{}` ignores the condition: training would see another distribution of z_0 for each \
         condition, but sampling starts from the overall one, so samples would be biased",
        e.coupling.name()
    );
    let help = "use a coupling that keeps the condition (`triflow list coupling` shows all), \
                or set `coupling.allow_biased: true` to accept the bias";
    refuse(biased && !e.coupling.common().allow_biased, "coupling", message, help)
}

fn coupling_batch(e: &Experiment, facts: &Facts) -> Result<()> {
    let step = e.training.batch_size;
    match e.coupling.common().batch {
        Some(rows) if facts.model.pairing != Pairing::Independent => {
            let message = format!("needs a multiple of training.batch_size, {step}, got {rows}");
            let help = format!("such as {}", step * (rows / step).max(1));
            refuse(rows < 1 || rows % step != 0, "coupling.batch", message, &help)
        }
        _ => Ok(()),
    }
}

/// The reason why noise is not Gaussian and independent of the data; `None` if it is.
fn not_gaussian(e: &Experiment, model: &ModelFacts) -> Option<String> {
    match (model.standard_normal, model.gaussian()) {
        (_, true) => None,
        (true, false) => {
            Some(format!("with the coupling `{}` z_0 depends on the data", e.coupling.name()))
        }
        (false, false) => Some(format!("the source `{}` is not N(0, I)", e.source.name())),
    }
}

/// The error at `key` if `what`, which is used, needs Gaussian noise and there is none.
fn needs_gaussian(
    (e, facts): (&Experiment, &Facts),
    used: bool,
    key: &str,
    what: &str,
    help: &str,
) -> Result<()> {
    let Some(why) = not_gaussian(e, &facts.model) else { return Ok(()) };
    let message = format!("{what} needs Gaussian noise that is independent of the data, but {why}");
    refuse(used, key, message, help)
}

fn path_interpolates(e: &Experiment, facts: &Facts) -> Result<()> {
    let name = e.path.as_ref().map_or("of this kind", Component::name);
    let help = "use a path from z_0 itself to the data, such as straight lines, with an \
                objective that predicts the velocity";
    let what = format!("the path `{name}`");
    needs_gaussian((e, facts), !facts.model.interpolates, "path", &what, help)
}

fn velocity_is_predicted(e: &Experiment, facts: &Facts) -> Result<()> {
    let what = format!("reading a velocity from what `{}` predicts", e.objective.name());
    let help = "use an objective that predicts the velocity";
    needs_gaussian((e, facts), !facts.model.is_velocity, "objective", &what, help)
}

fn steps_are_in_time(e: &Experiment, facts: &Facts) -> Result<()> {
    let gamma = facts.sampling.grid.is_some_and(|(clock, _)| clock == Clock::Gamma);
    let help = "set `sampling.grid: null`, or a grid in time";
    needs_gaussian((e, facts), gamma, "sampling.grid", "a step in log-SNR", help)
}

fn no_step_is_repeated(e: &Experiment, facts: &Facts) -> Result<()> {
    let (what, help) = ("a step that is repeated", "set `sampling.repeats: 1`");
    needs_gaussian((e, facts), e.sampling.repeats > 1, "sampling.repeats", what, help)
}

fn nothing_to_denoise(e: &Experiment, facts: &Facts) -> Result<()> {
    let used = e.sampling.final_denoise == Some(true);
    let (what, help) = ("a last step that removes noise", "set `sampling.final_denoise: false`");
    needs_gaussian((e, facts), used, "sampling.final_denoise", what, help)
}

fn no_score_to_steer(e: &Experiment, facts: &Facts) -> Result<()> {
    let what = "a force, which is added to a score,";
    let used = e.sampling.steering.is_some();
    needs_gaussian((e, facts), used, "sampling.steering", what, "remove it")
}

fn solver_needs_velocity(e: &Experiment, facts: &Facts) -> Result<()> {
    let what = format!("the solver `{}`", e.sampling.solver.name());
    let others = solvers_where(|solver| Ok(!solver.needs_levels()?));
    let help = format!("use one that needs only the velocity: {others}");
    needs_gaussian((e, facts), facts.sampling.needs_levels, "sampling.solver", &what, &help)
}

fn sobol_is_normal(e: &Experiment, facts: &Facts) -> Result<()> {
    let broken = e.sampling.noise == Noise::Sobol && !facts.model.standard_normal;
    let source = e.source.name();
    let message = format!("`sobol` draws from N(0, I), but the source `{source}` is not N(0, I)");
    refuse(broken, "sampling.noise", message, "set `sampling.noise: independent`")
}

fn prediction_has_centre(e: &Experiment, facts: &Facts) -> Result<()> {
    let broken = e.task().predicts() && !facts.model.standard_normal;
    let message = format!(
        "a prediction starts from z_0 = 0, the centre of N(0, I), but the source `{}` is not \
         N(0, I)",
        e.source.name()
    );
    refuse(broken, "source", message, "use a source that is N(0, I)")
}

/// The mean of the data given a state of a Gaussian path is the gradient of a convex function (its
/// Jacobian is the covariance of the data given the state, times a/b²), so a falling output cannot
/// predict the data.
fn sense_fits(_: &Experiment, facts: &Facts) -> Result<()> {
    let Some(sense) = facts.model.sense.as_ref().filter(|_| facts.model.gaussian()) else {
        return Ok(());
    };
    let wrong = if sense.rising { OfData::Minus } else { OfData::Plus };
    let (minus, other) = if sense.rising { ("", "minus ") } else { ("minus ", "") };
    let message = format!(
        "the output is {minus}the gradient of a convex function of z, \
         but what this objective predicts is {other}the gradient of one"
    );
    refuse(facts.model.of_data == wrong, "crn", message, &sense.otherwise)
}

fn times_suit(e: &Experiment, facts: &Facts) -> Result<()> {
    let message = format!(
        "`{}` needs a log-SNR that is finite at both ends of the path, which it is not here",
        e.training.time_sampling.name()
    );
    let help = "use another time sampler (`triflow list time_sampler`), or another path";
    refuse(!facts.model.times_suit, "training.time_sampling", message, help)
}

fn learned_schedule_is_bound(e: &Experiment, facts: &Facts) -> Result<()> {
    if facts.model.schedule != ScheduleUse::Learned {
        return Ok(());
    }
    let loss = &e.loss;
    let wrong = [
        ("loss.weighting", !facts.model.variational_weighting),
        ("loss.use_snr_weight", loss.use_snr_weight == Some(false)),
        ("loss.normalise", loss.normalise == Some(true)),
        ("loss.vae_noised", loss.vae_noised == Some(false)),
        ("loss.vae_weight", loss.vae_weight == Some(0.0)),
        ("loss.kl_weight", loss.kl_weight == 0.0),
        ("loss.recon", loss.recon == Some(Reconstruction::None)),
        ("training.time_sampling", !facts.model.times_keep_the_loss),
    ];
    let key = wrong.iter().find(|(_, wrong)| *wrong).map(|(key, _)| *key);
    let message = "a learnable noise schedule is only sound under the full variational bound";
    let help = "leave weighting, use_snr_weight, normalise, recon, vae_noised, vae_weight, \
                kl_weight and time_sampling to their defaults";
    refuse(key.is_some(), key.unwrap_or_default(), message, help)
}

fn learned_is_reconstructed(e: &Experiment, facts: &Facts) -> Result<()> {
    let loss = &e.loss;
    let none = loss.recon == Some(Reconstruction::None)
        || (loss.recon_weight == 0.0 && loss.vae_weight == Some(0.0));
    let [encoder, decoder] =
        [ModelPart::Encoder, ModelPart::Decoder].map(|part| facts.model.is_learned(part, e));
    let what = match encoder {
        true => "an encoder with parameters collapses",
        false => "a decoder with parameters learns nothing",
    };
    let message = format!("{what} when nothing is reconstructed");
    let help = "set `loss.vae_weight: 1.0`, or use one without parameters";
    refuse(none && (encoder || decoder), "loss.vae_weight", message, help)
}

/// An output that is infinite at an end has an error of infinite mean, without a weight that
/// vanishes there.
fn infinite_output_is_weighted(e: &Experiment, facts: &Facts) -> Result<()> {
    let model = &facts.model;
    let off = e.loss.use_snr_weight != Some(true);
    let broken = !model.bounded && !model.finite_output && (off || model.no_weighting);
    let (key, other) = match off {
        true => ("loss.use_snr_weight", "set it to true"),
        false => ("loss.weighting", "name another"),
    };
    let message = "on this path the objective's target is infinite at an end, \
                   and so is its unweighted error";
    let help = format!("{other}, or use a path whose log-SNR is finite at both ends");
    refuse(broken, key, message, &help)
}

/// On straight lines, data that are computed from the noise are infinite at t = 0, and so is the
/// velocity computed from the noise there or from the data at t = 1: their errors have no finite
/// mean.
fn terms_are_finite(e: &Experiment, facts: &Facts) -> Result<()> {
    let ([start, end], loss) = (facts.model.readable, &e.loss);
    let infinite = [
        ("loss.recon_weight", loss.recon_weight != 0.0 && !start),
        ("loss.reg_weight", loss.reg_weight != 0.0 && !(start && end)),
    ];
    let key = infinite.iter().find(|(_, infinite)| *infinite).map(|(key, _)| *key);
    let message = "on this path the objective makes the term infinite";
    let help = "set it to 0, or use a path whose log-SNR is finite at both ends";
    refuse(!facts.model.bounded && key.is_some(), key.unwrap_or_default(), message, help)
}

fn force_fits(experiment: &Experiment, facts: &Facts) -> Result<()> {
    let Some(steering) = experiment.sampling.build_steering()? else { return Ok(()) };
    let shape = [&[1], &facts.model.latent_shape[..]].concat();
    let options = (Kind::Float, Device::Cpu);
    let (z, half) = (Tensor::zeros(shape, options), Tensor::full([1], 0.5, options));
    let at = GuidanceInput { z: &z, data: &z, a: &half, b: &half, time: &half, condition: None };
    match tch::no_grad(|| steering.force(&at)) {
        Err(e @ Error::Config(_)) => Err(e),
        // It may need the condition that is missing here.
        _ => Ok(()),
    }
}

fn sequences_are_not_paired(_: &Experiment, facts: &Facts) -> Result<()> {
    let sequences = facts.training.as_ref().is_some_and(|training| training.sequences);
    let message = "sequences of different lengths cannot be paired with z_0: \
                   no distance between them is defined";
    let broken = sequences && facts.model.pairing != Pairing::Independent;
    refuse(broken, "coupling", message, "use an independent coupling")
}

fn rows_have_z0(_: &Experiment, facts: &Facts) -> Result<()> {
    let Some(training) = facts.training.as_ref().filter(|_| brings_z0(facts)) else {
        return Ok(());
    };
    let without = training.z0.iter().find(|(_, z0)| z0.is_none());
    let name = without.map_or("", |(name, _)| *name);
    let message =
        format!("the coupling takes each row's z_0 from the data, but the {name} rows have none");
    let help = "add an array `z0` (`z0_val` for validation rows), or use another coupling";
    refuse(without.is_some(), "coupling", message, help)
}

fn z0_is_a_latent(_: &Experiment, facts: &Facts) -> Result<()> {
    let Some(training) = facts.training.as_ref().filter(|_| brings_z0(facts)) else {
        return Ok(());
    };
    let latent = &facts.model.latent_shape;
    let other = training.z0.iter().filter_map(|(_, z0)| z0.as_ref()).find(|z0| *z0 != latent);
    let (found, expected) = (shape_text(other.unwrap_or(latent)), shape_text(latent));
    let message = format!("z0 has rows of shape {found}, but a latent has shape {expected}");
    refuse(other.is_some(), "data", message, "")
}

fn brings_z0(facts: &Facts) -> bool {
    facts.model.pairing == Pairing::Data
}
