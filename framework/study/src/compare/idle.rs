//! Settings of a cell without which its training would be the same.

use super::grid::Axis;
use super::name::digest;
use crate::config::Experiment;
use crate::data::{Data, Units};
use crate::error::{Error, Result};
use crate::registry::guard_engine;
use crate::resolve::Unused;
use serde_yaml::Value;
use std::collections::HashMap;
use std::path::Path;
use tch::{Device, Kind};

/// Key of the switch of the weights over time.
const USE_WEIGHT: &str = "loss.use_snr_weight";

/// The settings without effect on the training of each cell.
pub(super) struct Idle {
    /// True if the cells differ in a setting that may be without effect.
    varied: bool,
    /// Units of the data, by the digest of what determines them; `None` for data that cannot be
    /// loaded here.
    units: HashMap<String, Option<Units>>,
    /// Keys without effect, by the digest of what determines the training.
    keys: HashMap<String, Vec<&'static str>>,
}

impl Idle {
    /// Settings without effect in cells of these axes.
    pub fn of(axes: &[Axis]) -> Self {
        let below = |key: &str, other: &str| {
            key.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let may_be_idle = |key: &str| {
            Unused::keys().chain([USE_WEIGHT]).any(|idle| below(key, idle) || below(idle, key))
        };
        let varied = axes.iter().flat_map(Axis::keys).any(may_be_idle);
        Self { varied, units: HashMap::new(), keys: HashMap::new() }
    }

    /// Keys of the settings without which the training of `experiment` would be the same. Its model
    /// is built for that, once for all cells that sample it, and not trained. None are known if
    /// data or model cannot be made here: a run says why.
    ///
    /// # Errors
    /// If the experiment cannot be written as YAML.
    pub fn keys(&mut self, experiment: &Experiment) -> Result<Vec<&'static str>> {
        if !self.varied {
            return Ok(Vec::new());
        }
        // Sampling is no part of the training, and the plan may be made on another machine than
        // the runs.
        let sampling = Experiment::from_yaml("{}")?.sampling;
        let device = "cpu".to_owned();
        let experiment = Experiment { sampling, device, ..experiment.clone() };
        let training = digest(&experiment)?;
        if let Some(known) = self.keys.get(&training) {
            return Ok(known.clone());
        }
        let keys = self.find(&experiment)?;
        self.keys.insert(training, keys.clone());
        Ok(keys)
    }

    fn find(&mut self, experiment: &Experiment) -> Result<Vec<&'static str>> {
        let data = digest(&experiment.data)?;
        let key = format!("{data} {:?} {}", experiment.task, experiment.unconditional);
        let units = self.units.entry(key).or_insert_with(|| {
            let mut experiment = experiment.clone();
            let options = (Kind::Float, Device::Cpu);
            let load = || Data::load(&mut experiment, Path::new(""), options);
            guard_engine(load).ok().map(|(_, units)| units)
        });
        let Some(units) = units else { return Ok(Vec::new()) };
        let Ok(resolved) = guard_engine(|| experiment.clone().resolve(units, None)) else {
            return Ok(Vec::new());
        };
        let keys = resolved.unused().into_iter().map(|unused| unused.key);
        let mut keys: Vec<_> = keys.filter(|key| !key.starts_with("sampling.")).collect();
        // A weighting that is named is applied, which it would be on most paths anyway.
        if experiment.loss.use_snr_weight.is_some() {
            let mut open = experiment.clone();
            open.loss.use_snr_weight = None;
            let same = |decided: &Experiment| {
                decided.loss.use_snr_weight == experiment.loss.use_snr_weight
            };
            if guard_engine(|| open.resolve(units, None)).is_ok_and(|open| same(open.experiment()))
            {
                keys.push(USE_WEIGHT);
            }
        }
        Ok(keys)
    }
}

/// Replaces the values of `keys` in an experiment as a YAML value by the defaults.
pub(super) fn reset(experiment: &mut Value, keys: &[&str]) -> Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let default = Experiment::from_yaml("{}")?;
    let default = serde_yaml::to_value(default).map_err(|e| Error::runtime(e.to_string()))?;
    for key in keys {
        let value = key.split('.').try_fold(&default, |at, part| at.get(part));
        let place = key.split('.').try_fold(&mut *experiment, |at, part| at.get_mut(part));
        if let (Some(place), Some(value)) = (place, value) {
            place.clone_from(value);
        }
    }
    Ok(())
}
