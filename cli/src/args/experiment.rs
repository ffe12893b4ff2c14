//! Flags of experiments: what is trained, and how.

use super::endings;
use clap::Args;
use std::path::{Path, PathBuf};
use triflow::config::{Layers, parse_value};
use triflow::registry::registry;
use triflow::{Error, Experiment, Result};

/// Headings under which the help lists the flags.
const MODEL: &str = "Model options";
const TRAINING: &str = "Training options";
const LOSS: &str = "Loss options";

/// The flags that determine an experiment. A flag overrides --set, which overrides the file.
///
/// Values are read as YAML by the experiment itself, so that a wrong one gives the same error
/// wherever it was written.
#[derive(Args, Debug)]
pub struct ExperimentArgs {
    /// Experiment file; without it the defaults are used, which `triflow init` prints.
    #[arg(long, alias = "config-file", value_name = "FILE")]
    config: Option<PathBuf>,
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "")]
    config_class: Option<String>,
    /// Set a key of the experiment, such as crn.network.hidden_dims=[64,64] (repeatable).
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    #[arg(long, value_name = "PATH", help = format!(
        "{}, or a folder for a data source that reads one [default: two moons]",
        endings::read("Data file with x and y")
    ))]
    data_path: Option<PathBuf>,
    /// Objective: flow_matching, diffusion, ct or that of a plugin [default: flow_matching].
    #[arg(long, value_name = "NAME", help_heading = MODEL)]
    model_type: Option<String>,
    /// Noise schedule for diffusion and ct, see `triflow list noise_schedule` [default: linear].
    #[arg(long, value_name = "NAME", help_heading = MODEL)]
    noise_schedule: Option<String>,
    /// Learn the noise schedule with the model.
    #[arg(long, help_heading = MODEL)]
    noise_schedule_learnable: bool,
    /// Encoder, see `triflow list encoder` [default: identity].
    #[arg(long, value_name = "NAME", help_heading = MODEL)]
    encoder_model_type: Option<String>,
    /// Decoder, see `triflow list decoder` [default: identity].
    #[arg(long, value_name = "NAME", help_heading = MODEL)]
    decoder_model_type: Option<String>,
    /// Head of the decoder: linear, softmax or none.
    #[arg(long, value_name = "HEAD", help_heading = MODEL)]
    decoder_type: Option<String>,
    /// Conditional residual network (CRN), see `triflow list crn` [default: vanilla].
    #[arg(long, value_name = "NAME", help_heading = MODEL)]
    crn_type: Option<String>,
    /// Backbone network of the CRN, see `triflow list network` [default: mlp].
    #[arg(long, value_name = "NAME", help_heading = MODEL)]
    network_type: Option<String>,
    /// Widths of the hidden layers of the backbone, such as 64 64 [default: 64 64 64].
    #[arg(long, num_args = 1.., value_name = "N", help_heading = MODEL)]
    hidden_dims: Option<Vec<String>>,
    /// Shape of one latent [default: the target's].
    #[arg(long, alias = "latent-dim", num_args = 1.., value_name = "N", help_heading = MODEL)]
    latent_shape: Option<Vec<String>>,
    /// Shape of one x, checked against the data [default: the data's].
    #[arg(long, alias = "input-dim", num_args = 1.., value_name = "N", help_heading = MODEL)]
    input_shape: Option<Vec<String>>,
    /// Shape of one y, checked against the data [default: the data's].
    #[arg(long, alias = "output-dim", num_args = 1.., value_name = "N", help_heading = MODEL)]
    output_shape: Option<Vec<String>>,
    /// Number of training epochs [default: 50].
    #[arg(long, value_name = "N", help_heading = TRAINING)]
    num_epochs: Option<String>,
    /// Rows of one training step, at least 1 [default: 256].
    #[arg(long, value_name = "N", help_heading = TRAINING)]
    batch_size: Option<String>,
    /// Learning rate of the optimizer [default: 0.001].
    #[arg(long, value_name = "RATE", help_heading = TRAINING)]
    learning_rate: Option<String>,
    /// Optimizer, see `triflow list optimizer` [default: adam].
    #[arg(long, value_name = "NAME", help_heading = TRAINING)]
    optimizer: Option<String>,
    /// Apply dropout only in the first N epochs [default: all].
    #[arg(long, value_name = "N", help_heading = TRAINING)]
    dropout_epochs: Option<String>,
    /// Weight of the reconstruction loss from z_t, at least 0 [default: 0].
    #[arg(long, value_name = "WEIGHT", help_heading = LOSS)]
    recon_weight: Option<String>,
    /// Weight of the regularization loss |dz/dt|², at least 0 [default: 0].
    #[arg(long, value_name = "WEIGHT", help_heading = LOSS)]
    reg_weight: Option<String>,
    /// Weight of the encoder-decoder reconstruction loss, at least 0 [default: 1 for generation, 0
    /// for regression].
    #[arg(long, value_name = "WEIGHT", help_heading = LOSS)]
    vae_weight: Option<String>,
    /// Weight the flow loss over time by the signal-to-noise ratio: true or false [default: true
    /// for diffusion and ct, false for flow_matching].
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", help_heading = LOSS)]
    use_snr_weight: Option<String>,
    /// Train an unconditional generative model.
    #[arg(long, help_heading = MODEL)]
    unconditional: bool,
    /// Random seed, at least 0 [default: 42].
    #[arg(long, value_name = "N")]
    seed: Option<String>,
    /// Device to train on: auto, cpu, cuda or cuda:N [default: auto].
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Folder in which run folders are created [default: artifacts].
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
}

/// The experiment of a command line.
#[derive(Debug)]
pub struct Request {
    pub experiment: Experiment,
    /// The origin of each key, for later errors.
    pub layers: Layers,
    /// The folder against which data paths are read.
    pub base: PathBuf,
}

impl ExperimentArgs {
    /// The experiment of these arguments over `file`, or over the one of --config.
    pub fn experiment(&self, file: Option<&Path>, task: Option<&str>) -> Result<Request> {
        if self.config_class.is_some() {
            return Err(Error::config("", "--config_class: a configuration is a file, not code")
                .help("use `extends:` in YAML, or the library"));
        }
        self.over(file, |layers| match task {
            Some(task) => layers.set("task", task.into(), "the command"),
            None => Ok(()),
        })
    }

    /// The experiment of these arguments over the one of --config, as one on sequences: with
    /// `generate` one that generates, otherwise as the file says, by default one that predicts.
    pub fn sequences(&self, generate: bool) -> Result<Request> {
        self.over(None, |layers| {
            layers.set("task.type", "sequence".into(), "the command")?;
            match generate {
                true => layers.set("task.mode", "generate".into(), "--generate"),
                false => Ok(()),
            }
        })
    }

    fn over(
        &self,
        file: Option<&Path>,
        task: impl FnOnce(&mut Layers) -> Result<()>,
    ) -> Result<Request> {
        let mut layers = Layers::new()?;
        if let (Some(file), Some(other)) = (file, &self.config) {
            let message = format!(
                "--config {}: the experiment file is {} already",
                other.display(),
                file.display()
            );
            return Err(Error::config("", message)
                .help("leave --config out; a file builds on another by `extends:`"));
        }
        let file = file.or(self.config.as_deref());
        if let Some(file) = file {
            layers.add_file(file)?;
        }
        task(&mut layers)?;
        for assignment in &self.set {
            layers.set_text(assignment)?;
        }
        self.flags(&mut layers)?;
        let base = file.and_then(Path::parent).map(Into::into).unwrap_or_default();
        Ok(Request { experiment: layers.finish()?, layers, base })
    }

    fn flags(&self, layers: &mut Layers) -> Result<()> {
        if let Some(path) = &self.data_path {
            match path.is_dir() {
                true => set_folder(layers, path)?,
                false => layers.set("data", source_of(path)?, "--data-path")?,
            }
        }
        let output_dir = self.output_dir.as_ref().map(|dir| dir.to_string_lossy().into_owned());
        let texts = [
            ("objective", &self.model_type, "--model-type"),
            ("noise_schedule", &self.noise_schedule, "--noise-schedule"),
            ("encoder", &self.encoder_model_type, "--encoder-model-type"),
            ("decoder", &self.decoder_model_type, "--decoder-model-type"),
            ("decoder.head", &self.decoder_type, "--decoder-type"),
            ("crn", &self.crn_type, "--crn-type"),
            ("crn.network", &self.network_type, "--network-type"),
            ("training.optimizer", &self.optimizer, "--optimizer"),
            ("device", &self.device, "--device"),
            ("output_dir", &output_dir, "--output-dir"),
        ];
        for (key, value, flag) in texts {
            if let Some(value) = value {
                layers.set(key, value.as_str().into(), flag)?;
            }
        }
        let values = [
            ("training.optimizer.learning_rate", &self.learning_rate, "--learning-rate"),
            ("training.epochs", &self.num_epochs, "--num-epochs"),
            ("training.batch_size", &self.batch_size, "--batch-size"),
            ("training.dropout_epochs", &self.dropout_epochs, "--dropout-epochs"),
            ("training.seed", &self.seed, "--seed"),
            ("loss.recon_weight", &self.recon_weight, "--recon-weight"),
            ("loss.reg_weight", &self.reg_weight, "--reg-weight"),
            ("loss.vae_weight", &self.vae_weight, "--vae-weight"),
            ("loss.use_snr_weight", &self.use_snr_weight, "--use-snr-weight"),
        ];
        for (key, value, flag) in values {
            if let Some(value) = value {
                layers.set(key, parse_value(value)?, flag)?;
            }
        }
        let lists = [
            ("crn.network.hidden_dims", &self.hidden_dims, "--hidden-dims"),
            ("latent_shape", &self.latent_shape, "--latent-shape"),
            ("input_shape", &self.input_shape, "--input-shape"),
            ("output_shape", &self.output_shape, "--output-shape"),
        ];
        for (key, values, flag) in lists {
            if let Some(values) = values {
                let values = values.iter().map(|v| parse_value(v)).collect::<Result<Vec<_>>>()?;
                layers.set(key, values.into(), flag)?;
            }
        }
        let switches = [
            (
                "noise_schedule.learnable",
                self.noise_schedule_learnable,
                "--noise-schedule-learnable",
            ),
            ("unconditional", self.unconditional, "--unconditional"),
        ];
        for (key, on, flag) in switches {
            if on {
                layers.set(key, true.into(), flag)?;
            }
        }
        Ok(())
    }
}

/// Sets the folder that the experiment's data source reads.
fn set_folder(layers: &mut Layers, folder: &Path) -> Result<()> {
    let source = layers.get("data.type").or(layers.get("data")).and_then(|name| name.as_str());
    let source = source.map(|name| registry().find("data_source", name)).transpose()?;
    match source
        .filter(|source| source.info.fields().iter().any(|field| field.key.name() == "path"))
    {
        Some(_) => layers.set("data.path", folder.to_string_lossy().as_ref().into(), "--data-path"),
        None => Err(Error::data(
            folder,
            "is a folder, which the experiment's data source does not read; name one \
                                         that does, such as --set data.type=image_folder",
        )),
    }
}

/// The data source that reads a file, as configured.
fn source_of(path: &Path) -> Result<serde_yaml::Value> {
    let mut source = serde_yaml::Mapping::new();
    source.insert("type".into(), triflow::data::files::source_of(path)?.into());
    source.insert("path".into(), path.to_string_lossy().as_ref().into());
    Ok(source.into())
}
