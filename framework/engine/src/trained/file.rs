//! Weights files of trained models.

use super::Trained;
use crate::config::{Experiment, parse_saved};
use crate::data::{Marginals, Units};
use crate::error::{Error, Result, visible_json};
use crate::io::safetensors::{self, SafetensorsFile};
use crate::io::{to_array, to_tensor};
use crate::registry::{Parameter as _, guard_engine};
use serde_yaml::{Mapping, Value};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use tch::Tensor;

impl Trained {
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
            let (kind, device) = experiment.options()?;
            let units = Units::from_parts(find, text, (kind, device)).map_err(|e| match e {
                Error::Runtime(message) => Error::data(path, message),
                other => other,
            })?;
            let width = units.shapes.target.iter().product();
            let saved = |name: &str| tensors.get(name).map(Tensor::shallow_clone);
            let marginals = Marginals::from_parts(saved, width, device)
                .map_err(|e| Error::data(path, e.to_string()))?;
            if experiment.sampling.match_marginals && marginals.is_none() {
                log::warn!(
                    "{} does not hold how the columns are matched: `sampling.match_marginals` has \
                     no effect unless the model was trained with it, on the weights at the end of \
                     its training",
                    path.display()
                );
            }
            let trained = Self { marginals, ..Self::untrained(experiment, units, None)? };
            let copy = |name: &str, saved: &Tensor, own: &Tensor| -> Result<()> {
                let (has, wants) = (saved.size(), own.size());
                if has != wants {
                    let message = format!("`{name}` has shape {has:?}, the model's {wants:?}");
                    return Err(Error::data(path, message));
                }
                tch::no_grad(|| own.shallow_clone().copy_(saved));
                Ok(())
            };
            let fill = |flat: &Tensor, prefix: &str| -> Result<()> {
                for (name, piece) in trained.parameters.named(flat) {
                    let name = format!("{prefix}{name}");
                    copy(&name, &find(&name)?, &piece)?;
                }
                Ok(())
            };
            if let Some(config) = file.metadata.get("config") {
                let saved = parse_saved(config)
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
            // Earlier versions did not save them.
            for (name, own) in trained.parameters.fixed() {
                if let Some(saved) = tensors.get(name.as_str()) {
                    copy(name, saved, own)?;
                }
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
    /// prefix `ema.`, the units of the data, and the experiment as JSON in the metadata.
    ///
    /// # Errors
    /// [`Error::Io`]: the file cannot be written. [`Error::Runtime`]: the experiment or the units
    /// cannot be expressed as text.
    pub fn save(&self, path: &Path) -> Result<()> {
        self.save_with(path, &[])
    }

    /// Writes a weights file as [`save`](Self::save) does, with further texts in its metadata.
    ///
    /// # Errors
    /// Those of [`save`](Self::save).
    pub fn save_with(&self, path: &Path, texts: &[(&str, String)]) -> Result<()> {
        let mut tensors = self.parameters.named(&self.parameters.flat);
        if let Some(ema) = &self.ema {
            let named = self.parameters.named(ema);
            tensors.extend(named.into_iter().map(|(name, t)| (format!("ema.{name}"), t)));
        }
        let fixed = self.parameters.fixed().iter();
        tensors.extend(fixed.map(|(name, t)| (name.clone(), t.shallow_clone())));
        let (units, text) = self.units.to_parts()?;
        tensors.extend(units);
        tensors.extend(self.marginals.iter().flat_map(Marginals::to_parts));
        let arrays = tensors.iter().map(|(name, tensor)| to_array(name, tensor));
        let mut metadata = BTreeMap::from([
            ("config".to_owned(), visible_json(&self.experiment.to_json()?).into_owned()),
            ("units".to_owned(), text),
        ]);
        metadata.extend(texts.iter().map(|(key, text)| ((*key).to_owned(), text.clone())));
        safetensors::write_safetensors(path, &arrays.collect::<Result<Vec<_>>>()?, &metadata)
    }
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
