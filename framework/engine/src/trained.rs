//! Trained models, which sample, predict, and are saved and loaded.

use crate::component::{Condition, Guidance, Likelihood, Observer, Pass, Projection, shape_text};
use crate::config::{Experiment, Precision, Sampling, parse_value};
use crate::data::{Units, one_hot, own_units};
use crate::device;
use crate::error::{Error, Result};
use crate::io::safetensors::{self, SafetensorsFile};
use crate::io::{to_array, to_tensor};
use crate::model::Model;
use crate::model::Parameters;
use crate::path::Clock;
use crate::registry::{Parameter as _, guard_engine};
use crate::rng::{Purpose, Streams, seed_torch};
use crate::sample::{
    Changes, ClassifierFree, Conditioned, Given, Sampled, SamplingPlan, invert, noise, sample,
};
use crate::sequence;
use crate::threads::{self, Threads};
use serde_yaml::{Mapping, Value};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use tch::{Device, Kind, Tensor};

/// A model with its parameters, their exponential moving average (EMA) and the units of the data:
/// everything that prediction and generation need, without the training data.
#[derive(Debug)]
pub struct Trained {
    pub(crate) experiment: Experiment,
    pub(crate) units: Units,
    pub(crate) model: Model,
    pub(crate) parameters: Parameters,
    pub(crate) ema: Option<Tensor>,
    pub(crate) row_observer: RowObserver,
}

/// A function that is called with the number of rows of each sampled block.
#[derive(Default)]
pub(crate) struct RowObserver(Option<Box<dyn FnMut(i64) + Send>>);

impl RowObserver {
    pub fn sampled(&mut self, rows: i64) {
        if let Some(observer) = &mut self.0 {
            observer(rows);
        }
    }
}

impl std::fmt::Debug for RowObserver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RowObserver").field(&self.0.is_some()).finish()
    }
}

/// Element type and device of an experiment's tensors.
pub(crate) fn options(experiment: &Experiment) -> Result<(Kind, Device)> {
    let kind = match experiment.training.precision {
        Precision::Float32 | Precision::Bf16 => Kind::Float,
        Precision::Float64 => Kind::Double,
    };
    Ok((kind, device::choose(&experiment.device)?))
}

impl Trained {
    /// Calls `observer` with the number of rows of each block that any method samples from now on.
    pub fn observe_rows(&mut self, observer: impl FnMut(i64) + Send + 'static) {
        self.row_observer.0 = Some(Box::new(observer));
    }

    /// Builds the experiment's model with its initial parameters, for training on `rows` rows.
    pub(crate) fn untrained(mut experiment: Experiment, units: Units, rows: i64) -> Result<Self> {
        experiment.check()?;
        let (_, device) = options(&experiment)?;
        let _stream = seed_torch(experiment.seed(), Purpose::Init, 0);
        let model = Model::build(&mut experiment, &units.shapes, device)?;
        if model.likelihood() == Likelihood::Categorical && !units.target_is_label {
            let message = "this decoder gives the logits of classes, but the targets are no labels";
            return Err(Error::config("decoder", message).help(
                "labels are integers of shape [n]; for numbers choose a decoder, or a head of it, \
                 that gives values",
            ));
        }
        let (x, y) = match experiment.task().learns_y() {
            true => (units.shapes.condition.as_ref(), Some(&units.shapes.target)),
            false => (Some(&units.shapes.target), units.shapes.condition.as_ref()),
        };
        experiment.input_shape = x.cloned();
        experiment.output_shape = y.cloned();
        let mut parameters = Parameters::new(&model.vars);
        for part in &experiment.training.freeze {
            parameters.freeze(part.prefix())?;
        }
        experiment.threads = Some(threads::choose(
            experiment.threads,
            parameters.count(),
            experiment.training.batch_size.min(rows),
        ));
        // Invalid options of sampling are an error before the training, not after it.
        check_sampling(&experiment, &units)?;
        let ema = experiment.training.ema.map(|_| parameters.flat.copy());
        Ok(Self { experiment, units, model, parameters, ema, row_observer: RowObserver::default() })
    }

    /// Builds the experiment's model with the parameters of a weights file.
    ///
    /// # Errors
    /// [`Error::Data`]: the file cannot be read, is damaged, is no weights file, or holds another
    /// model. [`Error::Config`]: the experiment is not valid. [`Error::Device`]: its device is not
    /// there.
    pub fn load(experiment: Experiment, path: &Path) -> Result<Self> {
        Self::from_saved(experiment, path, &safetensors::read_safetensors(path)?)
    }

    /// Builds the experiment's model with the parameters of a weights file that was read before;
    /// `path` is for messages.
    ///
    /// # Errors
    /// [`Error::Data`]: `file` is no weights file, or holds another model. [`Error::Config`]: the
    /// experiment is not valid. [`Error::Device`]: its device is not there.
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
                    .and_then(|saved| Mapping::read(&saved))
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

    /// The first key that makes the model another one than that of a saved experiment.
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
        // Compared as YAML values: parsing an experiment loads its plugins, and a weights file must
        // not decide which code runs.
        let own =
            serde_yaml::to_value(&self.experiment).map_err(|e| Error::runtime(e.to_string()))?;
        Ok(MODEL.into_iter().find(|key| {
            saved.get(key).zip(own.get(key)).is_some_and(|(saved, own)| !same_model(saved, own))
        }))
    }

    /// Writes a weights file, whole or not at all: the parameters by name, the EMA weights with the
    /// prefix `ema.`, the units of the data, and the experiment as YAML in the metadata.
    ///
    /// # Errors
    /// [`Error::Io`]: the file cannot be written. [`Error::Runtime`]: the experiment or the units
    /// cannot be expressed as text.
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

    /// Replaces the options of sampling.
    ///
    /// # Errors
    /// [`Error::Config`]: a value is out of its range or not possible with this model. The options
    /// stay as they were then.
    pub fn set_sampling(&mut self, sampling: Sampling) -> Result<()> {
        let experiment = Experiment { sampling, ..self.experiment.clone() };
        experiment.check()?;
        check_sampling(&experiment, &self.units)?;
        self.experiment = experiment;
        Ok(())
    }

    /// The experiment, with the nulls that the data and the model decide resolved.
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

    /// Copies of the parameters by name.
    pub fn parameters(&self) -> Vec<(String, Tensor)> {
        self.parameters.named(&self.parameters.flat.copy())
    }

    /// Makes LibTorch use the experiment's number of threads until the returned guard is dropped.
    /// Training and sampling do so by themselves.
    pub fn threads(&self) -> Threads {
        Threads::set(self.experiment.threads.unwrap_or(1))
    }

    /// Number of parameters.
    pub fn parameter_count(&self) -> i64 {
        self.parameters.count()
    }

    /// Device of the model.
    pub fn device(&self) -> Device {
        self.model.vars.device()
    }

    /// Steps, grid and random streams with which the experiment samples.
    pub fn plan(&self) -> SamplingPlan {
        let sampling = &self.experiment.sampling;
        SamplingPlan {
            steps: sampling.steps,
            from: None,
            grid: sampling.grid.clone(),
            final_denoise: sampling.final_denoise,
            streams: Streams::new(self.experiment.seed(), 0),
        }
    }

    /// The clock in which the experiment's solver steps.
    ///
    /// # Errors
    /// [`Error::Config`]: the step grid cannot be built. [`Error::Component`]: the objective or the
    /// grid fails.
    pub fn clock(&self) -> Result<Clock> {
        match self.experiment.sampling.step_grid()? {
            Some(grid) => grid.clock(),
            None => self.model.path().natural_clock(self.model.objective()),
        }
    }

    /// Runs `f` with the parameters that the model samples with: the EMA weights if
    /// `sampling.use_ema`.
    ///
    /// # Errors
    /// Those of `f`, and [`Error::Runtime`] if LibTorch fails in it.
    pub fn sampling<T>(&mut self, f: impl FnOnce(&Model, &Units) -> Result<T>) -> Result<T> {
        let _threads = self.threads();
        let (model, units) = (&self.model, &self.units);
        match self.ema.as_ref().filter(|_| self.experiment.sampling.use_ema) {
            Some(ema) => self.parameters.with(ema, || guard_engine(|| f(model, units))),
            None => guard_engine(|| f(model, units)),
        }
    }

    /// Draws z_0 `[n, …z_shape]` from the random streams of the rows; zeros without streams.
    ///
    /// # Errors
    /// [`Error::Component`]: the source fails. [`Error::Runtime`]: there are fewer streams than
    /// rows.
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

    /// Samples latents from z_0 `[n, …z_shape]`, or from the states at time `plan.from`, under
    /// normalised conditions. `observer` gets
    /// every state on the path: pass a [`Trajectory`](crate::sample::Trajectory) to keep them.
    ///
    /// # Errors
    /// [`Error::Component`]: the CRN, the solver or the force fails. [`Error::Config`]: the solver
    /// or the force cannot be built.
    pub fn sample_latents(
        &mut self,
        z0: &Tensor,
        condition: Option<&Condition>,
        plan: &SamplingPlan,
        observer: &mut dyn Observer,
    ) -> Result<Sampled> {
        self.sample_sequences(z0, None, condition, plan, observer)
    }

    /// Samples latents of sequences, as [`sample_latents`](Self::sample_latents) does. `mask`
    /// `[n, T]` is 1 at positions of a sequence and 0 at padding, where z stays zero.
    ///
    /// # Errors
    /// Those of [`sample_latents`](Self::sample_latents).
    pub fn sample_sequences(
        &mut self,
        z0: &Tensor,
        mask: Option<&Tensor>,
        condition: Option<&Condition>,
        plan: &SamplingPlan,
        observer: &mut dyn Observer,
    ) -> Result<Sampled> {
        self.sample_given(z0, None, mask, condition, plan, observer)
    }

    /// Samples latents of sequences some of whose entries are `given`, as
    /// [`sample_sequences`](Self::sample_sequences) does; see
    /// [`Observed`](crate::sample::Observed).
    ///
    /// # Errors
    /// Those of [`sample_latents`](Self::sample_latents).
    pub fn sample_given(
        &mut self,
        z0: &Tensor,
        given: Option<&Given>,
        mask: Option<&Tensor>,
        condition: Option<&Condition>,
        plan: &SamplingPlan,
        observer: &mut dyn Observer,
    ) -> Result<Sampled> {
        let sampling = &self.experiment.sampling;
        let (solver, force) = (sampling.solver.build(&())?, steering(sampling)?);
        let projection = projection(sampling)?;
        let guidance = ClassifierFree::new(sampling);
        self.sampling(|model, units| {
            let z0 = sequence::keep(z0, model.latent_mask(mask));
            let conditioned = Conditioned { model, condition, guidance: guidance.as_ref(), mask };
            let changes = Changes {
                force: force.as_deref(),
                given,
                projection: projection.as_deref(),
                units: model.latent_is_target().then_some(&units.target),
            };
            let mut sampled = sample(conditioned, &*solver, plan, &z0, &changes, observer)?;
            // A stochastic solver leaves noise in the padding.
            sampled.z = sequence::keep(&sampled.z, model.latent_mask(mask));
            Ok(sampled)
        })
    }

    /// Integrates from latents `data` `[n, …z_shape]` of sequences back to the states at time
    /// `plan.from` (`None`: to z_0) that lead to them, under normalised conditions and with the
    /// experiment's guidance and steering.
    ///
    /// # Errors
    /// [`Error::Config`]: the solver draws noise or goes from noise to data only, or there is a
    /// projection, which cannot be undone. Those of [`sample_latents`](Self::sample_latents).
    pub fn invert_latents(
        &mut self,
        data: &Tensor,
        mask: Option<&Tensor>,
        condition: Option<&Condition>,
        plan: &SamplingPlan,
    ) -> Result<Sampled> {
        let sampling = &self.experiment.sampling;
        if sampling.projection.is_some() {
            let message = "a projection cannot be undone: no path leads back from the data";
            return Err(Error::config("sampling.projection", message).help("set it to null"));
        }
        let (solver, force) = (sampling.solver.build(&())?, steering(sampling)?);
        let guidance = ClassifierFree::new(sampling);
        self.sampling(|model, _| {
            let data = sequence::keep(data, model.latent_mask(mask));
            let conditioned = Conditioned { model, condition, guidance: guidance.as_ref(), mask };
            let changes = Changes { force: force.as_deref(), ..Changes::default() };
            let mut state = invert(conditioned, &*solver, plan, &data, &changes)?;
            state.z = sequence::keep(&state.z, model.latent_mask(mask));
            Ok(state)
        })
    }

    /// Decodes latents to targets `[n, …target_shape]` in the data's own units; logits become
    /// probabilities.
    ///
    /// # Errors
    /// [`Error::Component`]: the decoder fails.
    pub fn present(&mut self, z: &Tensor) -> Result<Tensor> {
        self.present_sequences(z, None)
    }

    /// Decodes latents of sequences, as [`present`](Self::present) does. `mask` `[n, T]` is 1 at
    /// positions of a sequence and 0 at padding, where the result is zero.
    ///
    /// # Errors
    /// [`Error::Component`]: the decoder fails.
    pub fn present_sequences(&mut self, z: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        self.sampling(|model, units| {
            tch::no_grad(|| {
                let decoded = model.decode(z, Pass::EVAL.masked(mask))?;
                Ok(sequence::keep(&units.target.undo(&model.present(&decoded)), mask))
            })
        })
    }

    /// Normalises conditions `[n, …condition_shape]` in the data's own units, or one without the
    /// batch axis. Labels may also be int64 `[n]` or `[]`. Returns `true` beside the condition if
    /// it was a single one.
    ///
    /// # Errors
    /// [`Error::Config`]: the model takes no condition, or one of another shape, or a label is no
    /// class of it.
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
            let (expected, given) =
                (shape_text(shape), shape_text(rows.size().get(1..).unwrap_or_default()));
            let message =
                format!("a condition of this model has shape {expected}, but these have {given}");
            return Err(Error::config("", message));
        }
        Ok((Condition::new(self.units.condition.apply(&rows)), single))
    }
}

/// Checks that the model can be sampled with the experiment's options.
fn check_sampling(experiment: &Experiment, units: &Units) -> Result<()> {
    let sampling = &experiment.sampling;
    sampling.solver.build(&()).map_err(|e| e.under("sampling.solver"))?;
    sampling.step_grid()?;
    steering(sampling)?;
    projection(sampling)?;
    if sampling.guidance != 1.0 && units.shapes.condition.is_none() {
        let message = "a model without a condition cannot be guided by it";
        return Err(Error::config("sampling.guidance", message));
    }
    Ok(())
}

/// Builds the force of an experiment's `steering`.
fn steering(sampling: &Sampling) -> Result<Option<Box<dyn Guidance>>> {
    let built = sampling.steering.as_ref().map(|steering| steering.build(&())).transpose();
    built.map_err(|e| e.under("sampling.steering"))
}

/// Builds an experiment's projection of the predicted data.
fn projection(sampling: &Sampling) -> Result<Option<Box<dyn Projection>>> {
    let built = sampling.projection.as_ref().map(|projection| projection.build(&())).transpose();
    built.map_err(|e| e.under("sampling.projection"))
}

/// True if two configurations of a part describe the same model. A key that only one of them has is
/// ignored: another version may have written it.
fn same_model(saved: &Value, own: &Value) -> bool {
    match (saved, own) {
        (Value::Mapping(saved), Value::Mapping(own)) => {
            saved.iter().all(|(key, value)| own.get(key).is_none_or(|own| same_model(value, own)))
        }
        // The bare name of a component, as another version wrote it.
        (Value::String(_), Value::Mapping(own)) => own.get("type") == Some(saved),
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
        assert!(same_model(&saved, &with("{ type: mlp, hidden_dims: [8], dropout: 0.0 }")));
        assert!(same_model(&saved, &with("{ type: mlp }")));
        assert!(!same_model(&saved, &with("{ type: mlp, hidden_dims: [9] }")));
        assert!(!same_model(&saved, &with("{ type: film, hidden_dims: [8] }")));
        assert!(same_model(&value("straight"), &value("{ type: straight, power: 1 }")));
        assert!(!same_model(&value("straight"), &value("{ type: curved }")));
    }
}
