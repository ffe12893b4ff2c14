//! Initial parameters that come from another run.

use crate::component::shape_text;
use crate::config::{ModelPart, StartFrom, parse_saved};
use crate::error::{Error, Result};
use crate::io::{safetensors, to_tensor};
use crate::trained::Trained;
use serde_yaml::Value;
use std::collections::HashMap;
use tch::Tensor;

/// Name of the weights file in a finished run's folder.
pub const WEIGHTS: &str = "params.safetensors";

/// Tensors by name.
pub type Named = HashMap<String, Tensor>;

impl StartFrom {
    /// Reads the parameters with which a finished run samples, by name. Only numbers are read; no
    /// component or plugin of that run is loaded.
    ///
    /// # Errors
    /// [`Error::Config`]: the folder is no run folder, or has no weights yet. [`Error::Data`]: the
    /// weights file cannot be read or is damaged.
    pub fn parameters(&self) -> Result<Named> {
        let folder = &*self.run;
        if !folder.join("config.yaml").is_file() {
            let message =
                format!("{} is not a run folder: it has no config.yaml", folder.display());
            return Err(Error::config("", message));
        }
        let path = folder.join(WEIGHTS);
        if !path.is_file() {
            let message = format!("{} has no {WEIGHTS}: it is not finished", folder.display());
            return Err(Error::config("", message).help("continue it with `triflow resume`"));
        }
        let file = safetensors::read_safetensors(&path)?;
        let config = file.metadata.get("config").map(|text| parse_saved(text)).transpose()?;
        let use_ema = config.and_then(|c| c.get("sampling")?.get("use_ema")?.as_bool());
        let mut parameters = Named::new();
        let mut ema = Named::new();
        for array in &file.arrays {
            match array.name.strip_prefix("ema.") {
                Some(name) => ema.insert(name.to_owned(), to_tensor(array)?),
                None => parameters.insert(array.name.clone(), to_tensor(array)?),
            };
        }
        if use_ema != Some(false) {
            parameters.extend(ema);
        }
        Ok(parameters)
    }
}

impl Trained {
    /// Copies the parameters of the run in `start_from`, if there is one: those given, or else
    /// those in its folder.
    pub(crate) fn start(&mut self, initial: Option<&Named>) -> Result<()> {
        let Some(from) = &self.experiment.start_from else { return Ok(()) };
        let read;
        let initial = match initial {
            Some(initial) => initial,
            None => {
                read = from.parameters().map_err(|e| e.under("start_from.run"))?;
                &read
            }
        };
        let bad = |message: String| Err(Error::config("start_from", message));
        let is_left_out = |name: &str| {
            let part = name.split('.').next().unwrap_or_default().into();
            let part = serde_yaml::from_value::<ModelPart>(Value::String(part)).ok();
            from.parts.as_ref().is_some_and(|all| part.is_none_or(|part| !all.contains(&part)))
        };
        for (name, own) in self.parameters.fixed().iter().filter(|(name, _)| !is_left_out(name)) {
            // Earlier versions did not save them.
            if let Some(value) = initial.get(name).filter(|value| value.size() == own.size()) {
                tch::no_grad(|| own.shallow_clone().copy_(value));
            }
        }
        let mut copied = 0;
        for (name, mut own) in self.parameters.named(&self.parameters.flat) {
            if is_left_out(&name) {
                continue;
            }
            match initial.get(&name) {
                Some(value) if value.size() == own.size() => tch::no_grad(|| own.copy_(value)),
                Some(value) => {
                    let (has, wants) = (shape_text(&value.size()), shape_text(&own.size()));
                    return bad(format!("`{name}` has shape {has} there, but {wants} here"));
                }
                None => return bad(format!("that run has no `{name}`, which this model needs")),
            }
            copied += 1;
        }
        if copied == 0 {
            return bad("none of this model's parameters belongs to these parts".into());
        }
        if let Some(ema) = &mut self.ema {
            tch::no_grad(|| ema.copy_(&self.parameters.flat));
        }
        Ok(())
    }

    /// The parameters with which the model samples, by name: the EMA weights if `sampling.use_ema`.
    pub fn sampling_parameters(&self) -> Named {
        let ema = self.ema.as_ref().filter(|_| self.experiment.sampling.use_ema);
        let fixed = self.parameters.fixed().iter();
        let fixed = fixed.map(|(name, value)| (name.clone(), value.shallow_clone()));
        self.parameters
            .named(ema.unwrap_or(&self.parameters.flat))
            .into_iter()
            .chain(fixed)
            .collect()
    }
}
