//! A trained model in the data's own units: everything that predicting and generating need, and nothing
//! of the training data.

use crate::component::{Condition, Guidance, Likelihood, Observer, Pass, shape_text};
use crate::config::{Experiment, Precision, Sampling, parse_value};
use crate::data::{Units, one_hot, own_units};
use crate::device;
use crate::error::{Error, Result};
use crate::io::safetensors::{self, SafetensorsFile};
use crate::io::{to_array, to_tensor};
use crate::model::Model;
use crate::model::Parameters;
use crate::path::StepGrid;
use crate::registry::{deserialize, guard_engine};
use crate::rng::{Purpose, Streams, seed_torch};
use crate::sample::{ClassifierFree, Conditioned, Sampled, SamplingPlan, noise, sample};
use crate::sequence;
use crate::threads::{self, Threads};
use serde_yaml::{Mapping, Value};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use tch::{Device, Kind, Tensor};

/// A model with its parameters, their running mean, and the units of the data.
#[derive(Debug)]
pub struct Trained {
    pub(crate) experiment: Experiment,
    pub(crate) units: Units,
    pub(crate) model: Model,
    pub(crate) parameters: Parameters,
    pub(crate) ema: Option<Tensor>,
}

/// Kind and device of an experiment's tensors.
pub(crate) fn options(experiment: &Experiment) -> Result<(Kind, Device)> {
    let kind = match experiment.training.precision {
        Precision::Float32 | Precision::Bf16 => Kind::Float,
        Precision::Float64 => Kind::Double,
    };
    Ok((kind, device::choose(&experiment.device)?))
}

impl Trained {
    /// The experiment's model with its initial parameters; `rows` to train on.
    pub(crate) fn untrained(mut experiment: Experiment, units: Units, rows: i64) -> Result<Self> {
        experiment.check()?;
        let (_, device) = options(&experiment)?;
        let _stream = seed_torch(experiment.seed(), Purpose::Init, 0);
        let model = Model::build(&mut experiment, &units.shapes, device)?;
        if model.likelihood() == Likelihood::Categorical && !units.target_is_label {
            let message = "this decoder gives the logits of classes, but the targets are no labels";
            return Err(Error::config("decoder", message).help(
                "labels are integers of shape [n]; for numbers choose a decoder, or a head of it, that gives values",
            ));
        }
        let (x, y) = match experiment.task().learns_y() {
            true => (units.shapes.condition.as_ref(), Some(&units.shapes.target)),
            false => (Some(&units.shapes.target), units.shapes.condition.as_ref()),
        };
        experiment.input_shape = x.cloned();
        experiment.output_shape = y.cloned();
        let mut parameters = Parameters::new(&model.vars)?;
        for part in &experiment.training.freeze {
            parameters.freeze(part.prefix())?;
        }
        experiment.threads = Some(threads::choose(
            experiment.threads,
            parameters.count(),
            experiment.training.batch_size.min(rows),
        ));
        // What cannot sample is said before the training, not after it.
        check_sampling(&experiment, &units)?;
        let ema = experiment.training.ema.map(|_| parameters.flat.copy());
        Ok(Self { experiment, units, model, parameters, ema })
    }

    /// The experiment's model with the parameters of a weights file.
    pub fn load(experiment: Experiment, path: &Path) -> Result<Self> {
        Self::from_saved(experiment, path, &safetensors::read_safetensors(path)?)
    }

    /// The same from what was read from it.
    pub fn from_saved(experiment: Experiment, path: &Path, file: &SafetensorsFile) -> Result<Self> {
        let tensors = file.arrays.iter().map(|a| Ok((a.name.as_str(), to_tensor(a)?)));
        let tensors: HashMap<&str, Tensor> = tensors.collect::<Result<_>>()?;
        let find = |name: &str| -> Result<Tensor> {
            let found = tensors.get(name).map(Tensor::shallow_clone);
            found.ok_or_else(|| Error::data(path, format!("has no `{name}`")))
        };
        let text = file.metadata.get("units");
        let text = text.ok_or_else(|| Error::data(path, "is no weights file of a run"))?;
        guard_engine(|| {
            let (kind, device) = options(&experiment)?;
            let units = Units::from_parts(find, text, (kind, device)).map_err(|e| match e {
                Error::Runtime(message) => Error::data(path, message),
                other => other,
            })?;
            let trained = Self::untrained(experiment, units, i64::MAX)?;
            let fill = |flat: &Tensor, prefix: &str| -> Result<()> {
                for (name, mut piece) in trained.parameters.named(flat) {
                    let name = format!("{prefix}{name}");
                    let saved = find(&name)?;
                    if saved.size() != piece.size() {
                        let (has, wants) = (saved.size(), piece.size());
                        let message = format!("`{name}` has shape {has:?}, the model's {wants:?}");
                        return Err(Error::data(path, message));
                    }
                    tch::no_grad(|| piece.copy_(&saved));
                }
                Ok(())
            };
            if let Some(config) = file.metadata.get("config") {
                let saved = parse_value(config)
                    .and_then(deserialize)
                    .map_err(|e| Error::data(path, format!("holds no experiment: {e}")))?;
                if let Some(key) = trained.differs_from(&saved)? {
                    let message =
                        format!("holds another model than the experiment's: `{key}` differs");
                    return Err(Error::data(path, message));
                }
            }
            fill(&trained.parameters.flat, "")?;
            if let Some(ema) = &trained.ema {
                fill(ema, "ema.")?;
            }
            Ok(trained)
        })
    }

    /// The key that makes the model another one than that of a saved experiment.
    fn differs_from(&self, saved: &Mapping) -> Result<Option<&'static str>> {
        const MODEL: [&str; 13] = [
            "task",
            "unconditional",
            "input_shape",
            "output_shape",
            "latent_shape",
            "objective",
            "path",
            "noise_schedule",
            "encoder",
            "decoder",
            "crn",
            "source",
            "coupling",
        ];
        // As values: an experiment would load its plugins, and a file of numbers must not name code that
        // runs.
        let own =
            serde_yaml::to_value(&self.experiment).map_err(|e| Error::runtime(e.to_string()))?;
        Ok(MODEL.into_iter().find(|key| {
            saved.get(key).zip(own.get(key)).is_some_and(|(saved, own)| !agrees(saved, own))
        }))
    }

    /// Saves parameters and running mean (`ema.` in front) by name, the units of the data, and the
    /// experiment as text, whole or not at all.
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut tensors = self.parameters.named(&self.parameters.flat);
        if let Some(ema) = &self.ema {
            let named = self.parameters.named(ema);
            tensors.extend(named.into_iter().map(|(name, t)| (format!("ema.{name}"), t)));
        }
        let (units, text) = self.units.to_parts()?;
        tensors.extend(units);
        let arrays = tensors.iter().map(|(name, tensor)| to_array(name, tensor));
        let metadata = BTreeMap::from([
            ("config".to_owned(), self.experiment.to_yaml()?),
            ("units".to_owned(), text),
        ]);
        safetensors::write_safetensors(path, &arrays.collect::<Result<Vec<_>>>()?, &metadata)
    }

    /// Samples otherwise from now on.
    ///
    /// # Errors
    /// What is out of its range, or not possible with this model; nothing is changed then.
    pub fn set_sampling(&mut self, sampling: Sampling) -> Result<()> {
        let mut experiment = Experiment { sampling, ..self.experiment.clone() };
        let path = self.model.path();
        let natural = path.natural_clock(self.model.objective())?;
        experiment.sampling.grid.get_or_insert(natural.into());
        experiment.check()?;
        check_sampling(&experiment, &self.units)?;
        self.experiment = experiment;
        Ok(())
    }

    /// The experiment with every null resolved.
    pub fn experiment(&self) -> &Experiment {
        &self.experiment
    }

    /// The units of the data.
    pub fn units(&self) -> &Units {
        &self.units
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Copies of the learned parameters by name.
    pub fn parameters(&self) -> Vec<(String, Tensor)> {
        self.parameters.named(&self.parameters.flat.copy())
    }

    /// Makes LibTorch work on the experiment's threads until what it returns is dropped. Training and sampling do so by
    /// themselves.
    pub fn threads(&self) -> Threads {
        Threads::set(self.experiment.threads.unwrap_or(1))
    }

    /// Number of learned parameters.
    pub fn parameter_count(&self) -> i64 {
        self.parameters.count()
    }

    /// Where it runs.
    pub fn device(&self) -> Device {
        self.model.vars.device()
    }

    /// How the experiment samples.
    pub fn plan(&self) -> SamplingPlan {
        let sampling = &self.experiment.sampling;
        let grid = sampling.grid.unwrap_or(StepGrid::Time);
        let streams = Streams::new(self.experiment.seed(), 0);
        SamplingPlan { steps: sampling.steps, grid, final_denoise: sampling.final_denoise, streams }
    }

    /// Runs `f` with the parameters that sample: their running mean where the experiment says so.
    pub fn sampling<T>(&mut self, f: impl FnOnce(&Model, &Units) -> Result<T>) -> Result<T> {
        let _threads = self.threads();
        let (model, units) = (&self.model, &self.units);
        match self.ema.as_ref().filter(|_| self.experiment.sampling.use_ema) {
            Some(ema) => self.parameters.with(ema, || guard_engine(|| f(model, units))),
            None => guard_engine(|| f(model, units)),
        }
    }

    /// z_0 `[n, …z_shape]`: drawn from the streams of the rows as the experiment says, or zeros without any.
    pub fn z0(&self, n: i64, streams: Option<&Streams>) -> Result<Tensor> {
        let shape = self.model.latent_shape();
        let options = (self.model.vars.kind(), self.device());
        match streams {
            Some(streams) => {
                let (noise, source) = (self.experiment.sampling.noise, self.model.source());
                noise::draw(noise, source, n, shape, streams, options)
            }
            None => {
                let full: Vec<i64> = std::iter::once(n).chain(shape.iter().copied()).collect();
                Ok(Tensor::zeros(full.as_slice(), options))
            }
        }
    }

    /// Latents drawn from z_0 `[n, …z_shape]` under normalised conditions. `seen` sees every state of the
    /// way there: give a [`Trajectory`](crate::sample::Trajectory) to keep them.
    pub fn sample_latents(
        &mut self,
        z0: &Tensor,
        condition: Option<&Condition>,
        plan: &SamplingPlan,
        seen: &mut dyn Observer,
    ) -> Result<Sampled> {
        self.sample_sequences(z0, None, condition, plan, seen)
    }

    /// The same where targets are sequences, of which the positions in `mask` (`[n, T]`) are there; the others
    /// of z stay zero.
    pub fn sample_sequences(
        &mut self,
        z0: &Tensor,
        mask: Option<&Tensor>,
        condition: Option<&Condition>,
        plan: &SamplingPlan,
        seen: &mut dyn Observer,
    ) -> Result<Sampled> {
        let sampling = &self.experiment.sampling;
        let (solver, force) = (sampling.solver.build(&())?, steering(sampling)?);
        let guidance = ClassifierFree::new(sampling);
        self.sampling(|model, _| {
            let z0 = sequence::keep(z0, model.latent_mask(mask));
            let along = Conditioned { model, condition, guidance: guidance.as_ref(), mask };
            let mut sampled = sample(along, &*solver, plan, &z0, force.as_deref(), seen)?;
            // A solver that draws noise leaves some in the padding.
            sampled.z = sequence::keep(&sampled.z, model.latent_mask(mask));
            Ok(sampled)
        })
    }

    /// Targets in the data's own units (probabilities for logits), `[n, …target_shape]`, for latents.
    pub fn present(&mut self, z: &Tensor) -> Result<Tensor> {
        self.present_sequences(z, None)
    }

    /// The same where targets are sequences, of which the positions in `mask` (`[n, T]`) are there; the others
    /// are zero.
    pub fn present_sequences(&mut self, z: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        self.sampling(|model, units| {
            tch::no_grad(|| {
                let decoded = model.decode(z, Pass::EVAL.masked(mask))?;
                Ok(sequence::keep(&units.target.undo(&model.present(&decoded)), mask))
            })
        })
    }

    /// Conditions as the model takes them, for rows in the data's own units (labels also as int64 `[n]` or
    /// `[]`) or one without the batch axis; and whether it was one.
    pub fn condition(&self, rows: &Tensor) -> Result<(Condition, bool)> {
        let shape = self.units.shapes.condition.as_ref();
        let shape =
            shape.ok_or_else(|| Error::config("unconditional", "this model takes no condition"))?;
        let labels = self.units.condition_is_label && rows.kind() == Kind::Int64 && rows.dim() < 2;
        let rows = if labels { &one_hot(rows, shape[0])? } else { rows };
        let rows = own_units(rows, self.model.vars.kind()).to_device(self.device());
        let single = rows.size() == *shape;
        let rows = if single { rows.unsqueeze(0) } else { rows };
        if rows.size().get(1..) != Some(shape.as_slice()) {
            let (wanted, given) =
                (shape_text(shape), shape_text(rows.size().get(1..).unwrap_or_default()));
            let message =
                format!("a condition of this model has shape {wanted}, but these have {given}");
            return Err(Error::config("", message));
        }
        Ok((Condition::new(self.units.condition.apply(&rows)), single))
    }
}

/// An error if the model could not be sampled as the experiment says.
fn check_sampling(experiment: &Experiment, units: &Units) -> Result<()> {
    let sampling = &experiment.sampling;
    sampling.solver.build(&()).map_err(|e| e.under("sampling.solver"))?;
    steering(sampling)?;
    if sampling.guidance != 1.0 && units.shapes.condition.is_none() {
        let message = "a model without a condition cannot be guided by it";
        return Err(Error::config("sampling.guidance", message));
    }
    Ok(())
}

/// The further force that an experiment asks for.
fn steering(sampling: &Sampling) -> Result<Option<Box<dyn Guidance>>> {
    let built = sampling.steering.as_ref().map(|steering| steering.build(&())).transpose();
    built.map_err(|e| e.under("sampling.steering"))
}

/// Whether two configurations of one part mean the same model. A key that one of them does not know, as
/// it was written by another version, says nothing.
fn agrees(saved: &Value, own: &Value) -> bool {
    match (saved, own) {
        (Value::Mapping(saved), Value::Mapping(own)) => {
            saved.iter().all(|(key, value)| own.get(key).is_none_or(|own| agrees(value, own)))
        }
        _ => saved == own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_another_version_makes_no_other_model() {
        let value = |text: &str| serde_yaml::from_str::<Value>(text).unwrap();
        let saved = value("{ type: vanilla, network: { type: mlp, hidden_dims: [8] } }");
        let with = |network: &str| value(&format!("{{ type: vanilla, network: {network} }}"));
        assert!(agrees(&saved, &with("{ type: mlp, hidden_dims: [8], dropout: 0.0 }")));
        assert!(agrees(&saved, &with("{ type: mlp }")));
        assert!(!agrees(&saved, &with("{ type: mlp, hidden_dims: [9] }")));
        assert!(!agrees(&saved, &with("{ type: film, hidden_dims: [8] }")));
    }
}
