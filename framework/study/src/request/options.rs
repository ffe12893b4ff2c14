//! Options with which a trained run is sampled.

use crate::config::{Experiment, FurtherFiles, Layers, parse_value};
use crate::error::{Error, Result};
use crate::run::{Run, Weights};
use crate::trained::Trained;
use serde_yaml::Value;
use std::path::{Path, PathBuf};

/// How a trained run is sampled and measured where it is not as the run itself says.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Number of steps of a solver with fixed steps.
    pub steps: Option<usize>,
    /// Solver: its name, or a map with its `type`.
    pub solver: Option<Value>,
    /// Step grid, as the solver.
    pub grid: Option<Value>,
    /// Scale of classifier-free guidance.
    pub guidance: Option<f64>,
    /// Assignments `KEY=VALUE` of keys of `sampling`, and of keys of `data` that say how files are
    /// written.
    pub set: Vec<String>,
    /// Seed of z_0.
    pub seed: Option<u64>,
    /// Draws of z_0, such as `sobol`.
    pub noise: Option<Value>,
    /// Path of the run's data if they have moved.
    pub data_path: Option<PathBuf>,
    /// Use the parameters of the lowest validation loss.
    pub best: bool,
    /// Units of the metrics.
    pub units: Option<String>,
    /// Further metrics, each in YAML.
    pub metrics: Vec<String>,
}

/// Key and value of `data.KEY=VALUE`.
fn key_of_data(assignment: &str) -> Option<(&str, &str)> {
    assignment.trim_start().strip_prefix("data.")?.split_once('=')
}

impl Options {
    /// Keys of the data source by which files beside the run's own data are read.
    pub fn further(&self) -> FurtherFiles {
        let keys = self.set.iter().filter_map(|text| key_of_data(text));
        FurtherFiles(keys.map(|(key, value)| (key.trim().to_owned(), value.to_owned())).collect())
    }

    /// Sets the options in the layers of a run.
    fn apply(&self, layers: &mut Layers) -> Result<()> {
        for assignment in self.set.iter().filter(|text| key_of_data(text).is_none()) {
            if !assignment.trim_start().starts_with("sampling.") {
                let message = format!(
                    "--set {assignment}: only keys of `sampling` can be set for a trained run, and \
                     those of `data` that say how a given file is written"
                );
                return Err(Error::config("", message).help("write `--set sampling.steps=50`"));
            }
            layers.set_text(assignment)?;
        }
        if let Some(steps) = self.steps {
            layers.set("sampling.steps", (steps as u64).into(), "--steps")?;
        }
        let parts = [
            ("sampling.solver", &self.solver, "--solver"),
            ("sampling.grid", &self.grid, "--grid"),
            ("sampling.noise", &self.noise, "--noise"),
        ];
        for (key, value, flag) in parts {
            if let Some(value) = value {
                layers.set(key, value.clone(), flag)?;
            }
        }
        if let Some(scale) = self.guidance {
            layers.set("sampling.guidance", scale.into(), "--guidance")?;
        }
        if let Some(units) = &self.units {
            layers.set("metrics.units", units.as_str().into(), "--units")?;
        }
        if !self.metrics.is_empty() {
            let own = layers.finish()?.metrics.extra;
            let own = serde_yaml::to_value(own).map_err(|e| Error::runtime(e.to_string()))?;
            let mut all = own.as_sequence().cloned().unwrap_or_default();
            for metric in &self.metrics {
                let quoted = |e: Error| e.help(format!("in `--metric {metric}`"));
                all.push(parse_value(metric).map_err(quoted)?);
            }
            layers.set("metrics.extra", all.into(), "--metric")?;
        }
        Ok(())
    }
}

/// Loads a trained run as the options say, and warns of settings without effect.
///
/// # Errors
/// Those of [`open`].
pub fn load(run: &Path, options: &Options) -> Result<(Run, Trained)> {
    let (run, model) = open(run, options)?;
    model.warn_unused("sampling.");
    Ok((run, model))
}

/// Loads a trained run as the options say, without warnings.
///
/// # Errors
/// [`Error::Config`]: `run` is no run folder, or an option does not exist or does not fit the run.
/// The errors of [`Run::load_as`].
pub fn open(run: &Path, options: &Options) -> Result<(Run, Trained)> {
    let (run, model, _) = opened(run, options)?;
    Ok((run, model))
}

/// The run and model of [`open`], and the layers of settings that say where each was written.
pub(super) fn opened(run: &Path, options: &Options) -> Result<(Run, Trained, Layers)> {
    let run = Run::open(run)?.with_data_at(options.data_path.as_deref());
    let mut layers = run.layers()?;
    options.apply(&mut layers)?;
    let weights = if options.best { Weights::Best } else { Weights::Last };
    let experiment = Experiment { further: options.further(), ..layers.finish()? };
    // Wrong keys are reported before the model is loaded.
    experiment
        .data
        .with_keys(&experiment.further.0)
        .map_err(|e| e.under("data").placed("--set"))?;
    let model = run.load_as(experiment, weights).map_err(|e| layers.locate(e))?;
    Ok((run, model, layers))
}
