//! Flags of experiments: what is trained, and how.

use clap::Args;
use std::path::{Path, PathBuf};
use triflow::config::{Layers, parse_value};
use triflow::registry::{properties_of, registry};
use triflow::{Error, Experiment, Result};

/// What determines an experiment, from the command line. A flag wins over --set, which wins over the file.
///
/// Values are read as YAML by the experiment itself, so that a wrong one gets the same answer wherever it
/// was written.
#[derive(Args, Debug)]
pub struct ExperimentArgs {
    /// Experiment file (optional).
    #[arg(long, alias = "config-file", value_name = "FILE")]
    config: Option<PathBuf>,
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "")]
    config_class: Option<String>,
    /// Set any key, as --set crn.network.hidden_dims=[64,64] (repeatable).
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Data with x and y: a .csv, .tsv (also .gz), .npz, .npy or .safetensors file, or the folder of a data source
    /// that reads one.
    #[arg(long, value_name = "PATH")]
    data_path: Option<PathBuf>,
    /// Objective: flow_matching, diffusion or ct.
    #[arg(long, value_name = "NAME")]
    model_type: Option<String>,
    /// Noise schedule, such as cosine.
    #[arg(long, value_name = "NAME")]
    noise_schedule: Option<String>,
    /// Learn the noise schedule.
    #[arg(long)]
    noise_schedule_learnable: bool,
    /// Encoder, such as linear.
    #[arg(long, value_name = "NAME")]
    encoder_model_type: Option<String>,
    /// Decoder, such as mlp.
    #[arg(long, value_name = "NAME")]
    decoder_model_type: Option<String>,
    /// Decoder head: linear, softmax or none.
    #[arg(long, value_name = "HEAD")]
    decoder_type: Option<String>,
    /// CRN, such as vanilla.
    #[arg(long, value_name = "NAME")]
    crn_type: Option<String>,
    /// Backbone of the CRN, such as mlp.
    #[arg(long, value_name = "NAME")]
    network_type: Option<String>,
    /// Widths of the backbone's hidden layers.
    #[arg(long, num_args = 1.., value_name = "N")]
    hidden_dims: Option<Vec<String>>,
    /// Shape of one latent.
    #[arg(long, alias = "latent-dim", num_args = 1.., value_name = "N")]
    latent_shape: Option<Vec<String>>,
    /// Shape of one x.
    #[arg(long, alias = "input-dim", num_args = 1.., value_name = "N")]
    input_shape: Option<Vec<String>>,
    /// Shape of one y.
    #[arg(long, alias = "output-dim", num_args = 1.., value_name = "N")]
    output_shape: Option<Vec<String>>,
    /// Number of epochs.
    #[arg(long, value_name = "N")]
    num_epochs: Option<String>,
    /// Batch size.
    #[arg(long, value_name = "N")]
    batch_size: Option<String>,
    /// Learning rate of the optimizer.
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<String>,
    /// Optimizer, such as adamw.
    #[arg(long, value_name = "NAME")]
    optimizer: Option<String>,
    /// Apply dropout only in the first N epochs.
    #[arg(long, value_name = "N")]
    dropout_epochs: Option<String>,
    /// Weight of the reconstruction from z_t.
    #[arg(long, value_name = "WEIGHT")]
    recon_weight: Option<String>,
    /// Weight of |dz/dt|².
    #[arg(long, value_name = "WEIGHT")]
    reg_weight: Option<String>,
    /// Weight of the reconstruction from z_1.
    #[arg(long, value_name = "WEIGHT")]
    vae_weight: Option<String>,
    /// Weight errors over time by SNR.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    use_snr_weight: Option<String>,
    /// Generate without condition.
    #[arg(long)]
    unconditional: bool,
    /// Seed of all random draws.
    #[arg(long, value_name = "N")]
    seed: Option<String>,
    /// Device: auto, cpu, cuda or cuda:N.
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Folder in which run folders are created.
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
}

/// What the command line asks for.
#[derive(Debug)]
pub struct Request {
    pub experiment: Experiment,
    /// Who wrote which key, for errors that come later.
    pub layers: Layers,
    /// The folder against which data paths are read.
    pub base: PathBuf,
}

impl ExperimentArgs {
    /// The experiment of these arguments over `file`, or over the one of --config.
    pub fn experiment(&self, file: Option<&Path>, task: Option<&str>) -> Result<Request> {
        if self.config_class.is_some() {
            return Err(Error::config("", "--config_class: configuration is not code here")
                .help("use `extends:` in YAML, or the library"));
        }
        self.over(file, |layers| match task {
            Some(task) => layers.set("task", task.into(), "the command"),
            None => Ok(()),
        })
    }

    /// The experiment of these arguments over the one of --config, as one on sequences: that generates, or
    /// does what the file says, or else predicts.
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
    match source.filter(|source| properties_of(source.info).contains_key("path")) {
        Some(_) => layers.set("data.path", folder.to_string_lossy().as_ref().into(), "--data-path"),
        None => Err(Error::data(
            folder,
            "is a folder, which the experiment's data source does not read; name one \
                                         that does, as --set data.type=image_folder",
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
