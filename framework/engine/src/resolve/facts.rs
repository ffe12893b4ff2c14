//! Properties of an experiment's components and data, which rules and defaults follow from.

use super::parts::Parts;
use crate::component::{Likelihood, Sense};
use crate::config::{Experiment, LossTerm, ModelPart, Sampling};
use crate::data::{Data, Units};
use crate::error::Result;
use crate::path::{Clock, Grid};
use tch::Tensor;

/// All properties that rules read.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub model: ModelFacts,
    pub data: DataFacts,
    pub sampling: SamplingFacts,
    /// `None` to sample a trained model.
    pub training: Option<TrainingFacts>,
}

/// Use of the noise schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScheduleUse {
    /// The path does not follow it.
    Unread,
    /// The path follows it, and it has no parameters.
    Fixed,
    /// The path follows it, and its parameters are learned.
    Learned,
}

/// Pairing of z_0 and z_1 in training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pairing {
    /// z_0 is independent of z_1.
    Independent,
    /// The coupling pairs the rows of a batch with draws of z_0.
    Batch,
    /// The data give the z_0 of each row.
    Data,
}

/// Sign of the data in an output that is a multiple of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OfData {
    Plus,
    Minus,
    /// The output holds noise too, or changes its sign.
    Mixed,
}

/// Properties of the components of a model.
#[derive(Clone, Debug)]
pub(crate) struct ModelFacts {
    pub latent_shape: Vec<i64>,
    /// True if the latents are the targets.
    pub latent_is_target: bool,
    /// True if latents are sequences with the positions of the targets.
    pub latent_is_sequence: bool,
    pub likelihood: Likelihood,
    /// Name of the decoder that the encoder's latents need, if they need one.
    pub decoder_of_latents: Option<String>,
    /// Name of the encoder whose latents alone the decoder reads, if there is one.
    pub encoder_of_decoder: Option<String>,
    /// Direction in which the output of the CRN can vary with z.
    pub sense: Option<Sense>,
    pub schedule: ScheduleUse,
    /// True if parameters of the schedule exist, whether the path follows it or not.
    pub schedule_is_learnable: bool,
    /// Number of parameters of each part, trained or frozen.
    pub parameters: Vec<(ModelPart, i64)>,
    /// True if z_0 is N(0, I).
    pub standard_normal: bool,
    pub pairing: Pairing,
    /// True if the coupling leaves the distribution of z_0 given the condition as it is.
    pub keeps_condition: bool,
    /// True if log-SNR is finite at both ends of the path.
    pub bounded: bool,
    /// True if the path goes from z_0 itself to z_1 itself.
    pub interpolates: bool,
    /// True if the output is dz/dt of the path.
    pub is_velocity: bool,
    /// True for each end, t = 0 and t = 1, at which data, noise and velocity follow from the
    /// output.
    pub readable: [bool; 2],
    /// True if the output is finite at both ends.
    pub finite_output: bool,
    /// The data in the output at three times within (0, 1).
    pub of_data: OfData,
    /// True if the time sampler suits the path.
    pub times_suit: bool,
    /// True if the expected loss is that of uniform times.
    pub times_keep_the_loss: bool,
    /// True if the weighting makes the loss the variational bound.
    pub variational_weighting: bool,
    /// True if the weighting is 1 at all times.
    pub no_weighting: bool,
}

impl ModelFacts {
    fn of(parts: &Parts, target_shape: &[i64]) -> Result<Self> {
        let Parts { path, objective, source, coupling, times, weights, .. } = parts;
        let schedule_is_learnable = parts.count(ModelPart::NoiseSchedule) > 0;
        let pairing = match (coupling.z0_from_data()?, coupling.is_independent()?) {
            (true, _) => Pairing::Data,
            (false, true) => Pairing::Independent,
            (false, false) => Pairing::Batch,
        };
        let all = |holds: Tensor| holds.all().int64_value(&[]) == 1;
        let (kind, device) = (parts.vars.kind(), parts.vars.device());
        let at = |times: &[f64]| Tensor::from_slice(times).to_kind(kind).to_device(device);
        let (p, q) = objective.mix(&path.at(&at(&[0.25, 0.5, 0.75]))?)?;
        let of_data = match all(q.eq(0.0)) {
            true if all(p.gt(0.0)) => OfData::Plus,
            true if all(p.lt(0.0)) => OfData::Minus,
            _ => OfData::Mixed,
        };
        let (p, q) =
            objective.mix(&path.at(&Tensor::from_slice(&[0.0, 1.0]).to_device(device))?)?;
        let latent = &parts.latent_shape;
        Ok(Self {
            latent_shape: parts.latent_shape.clone(),
            latent_is_target: parts.encoder.is_identity()?,
            latent_is_sequence: latent.len() == 2 && latent.first() == target_shape.first(),
            likelihood: parts.decoder.likelihood()?,
            decoder_of_latents: parts.encoder.decoder()?,
            encoder_of_decoder: parts.decoder.encoder()?,
            sense: parts.crn.sense()?,
            schedule: match (path.scheduled(), schedule_is_learnable) {
                (false, _) => ScheduleUse::Unread,
                (true, false) => ScheduleUse::Fixed,
                (true, true) => ScheduleUse::Learned,
            },
            schedule_is_learnable,
            parameters: ModelPart::ALL.into_iter().map(|part| (part, parts.count(part))).collect(),
            standard_normal: source.is_standard_normal()?,
            pairing,
            keeps_condition: coupling.keeps_condition()?,
            bounded: path.bounded(),
            interpolates: path.interpolates()?,
            is_velocity: path.is_velocity(&**objective)?,
            readable: path.readable_ends(&**objective)?,
            finite_output: all((p + q).isfinite()),
            of_data,
            times_suit: times.suit(),
            times_keep_the_loss: times.keep_the_loss(),
            variational_weighting: weights.is_variational_bound()?,
            no_weighting: weights.is_one(),
        })
    }

    /// True if a part has parameters, trained or frozen.
    pub fn has_parameters(&self, part: ModelPart) -> bool {
        self.parameters.iter().any(|(own, count)| *own == part && *count > 0)
    }

    /// True if a part has parameters that are trained.
    pub fn is_learned(&self, part: ModelPart, experiment: &Experiment) -> bool {
        self.has_parameters(part) && !experiment.training.freeze.contains(&part)
    }

    /// True if z_0 is N(0, I) and independent of the data.
    pub fn gaussian(&self) -> bool {
        self.standard_normal && self.pairing == Pairing::Independent
    }
}

/// Properties of the data as a model sees them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DataFacts {
    /// True if there are conditions.
    pub condition: bool,
    /// True if targets are one-hot labels.
    pub labels: bool,
    /// True if targets or conditions are images `[channels, height, width]`.
    pub images: bool,
    /// True if targets and conditions are vectors.
    pub flat: bool,
}

impl DataFacts {
    fn of(units: &Units) -> Self {
        let shapes = &units.shapes;
        let all = || [Some(&shapes.target), shapes.condition.as_ref()].into_iter().flatten();
        Self {
            condition: shapes.condition.is_some(),
            labels: units.target_is_label,
            images: all().any(|shape| shape.len() == 3),
            flat: all().all(|shape| shape.len() == 1),
        }
    }
}

/// Properties of the components that sample.
#[derive(Clone, Debug)]
pub(crate) struct SamplingFacts {
    /// True if the solver chooses its own steps.
    pub adaptive: bool,
    /// True if the solver needs the levels of a Gaussian path.
    pub needs_levels: bool,
    /// Clock of the step grid, and true if its steps are not equal; `None` without a grid.
    pub grid: Option<(Clock, bool)>,
}

impl SamplingFacts {
    /// The properties for options of sampling, all components of which are built once.
    pub fn of(sampling: &Sampling) -> Result<Self> {
        let solver = sampling.build_solver()?;
        let grid = match sampling.build_grid()? {
            None => None,
            Some(grid) => {
                let spaced = grid.nodes(0.25, 0.75, 4)? != Grid::uniform(0.25, 0.75, 4);
                Some((grid.clock()?, spaced))
            }
        };
        sampling.build_steering()?;
        sampling.build_projection()?;
        let (adaptive, needs_levels) = (solver.adaptive()?, solver.needs_levels()?);
        Ok(Self { adaptive, needs_levels, grid })
    }
}

/// Properties of the training rows, and of the components that only training uses.
#[derive(Clone, Debug)]
pub(crate) struct TrainingFacts {
    /// Number of training rows.
    pub rows: i64,
    /// True if there are validation rows.
    pub validation: bool,
    /// True if the targets are sequences of different lengths.
    pub sequences: bool,
    /// Name of each set that is not empty, and the shape of its rows' z_0; `None` without.
    pub z0: Vec<(&'static str, Option<Vec<i64>>)>,
    /// Learning rate of the optimizer.
    pub learning_rate: f64,
    /// Loss term on the validation rows that the stopping rule needs.
    pub stopping_term: Option<LossTerm>,
    /// True if a training that diverges returns to a checkpoint.
    pub restores: bool,
}

impl TrainingFacts {
    fn of(experiment: &Experiment, data: &Data) -> Result<Self> {
        let training = &experiment.training;
        let optimizer = training.optimizer.build(&());
        let optimizer = optimizer.map_err(|e| e.under("training.optimizer"))?;
        training.lr_schedule.build(&()).map_err(|e| e.under("training.lr_schedule"))?;
        let stopping = training.stopping.build(&()).map_err(|e| e.under("training.stopping"))?;
        let recovery = training.on_divergence.build(&());
        let recovery = recovery.map_err(|e| e.under("training.on_divergence"))?;
        let sets = [("training", &data.train), ("validation", &data.val)];
        let z0 = sets
            .into_iter()
            .filter(|(_, set)| !set.is_empty())
            .map(|(name, set)| (name, set.z0.as_ref().map(|z0| z0.shape().to_vec())));
        Ok(Self {
            rows: data.train.len(),
            validation: !data.val.is_empty(),
            sequences: data.train.target.lengths.is_some(),
            z0: z0.collect(),
            learning_rate: optimizer.learning_rate()?,
            stopping_term: stopping.validates()?,
            restores: recovery.factor(&[])?.is_some(),
        })
    }
}

impl Facts {
    /// The properties of an experiment for data in these units, with the rows to train on if it is
    /// to be trained.
    pub fn of(
        experiment: &Experiment,
        parts: &Parts,
        units: &Units,
        data: Option<&Data>,
    ) -> Result<Self> {
        Ok(Self {
            model: ModelFacts::of(parts, &units.shapes.target)?,
            data: DataFacts::of(units),
            sampling: SamplingFacts::of(&experiment.sampling)?,
            training: data.map(|data| TrainingFacts::of(experiment, data)).transpose()?,
        })
    }
}
