//! The experiment of a command line, as its flags and files say.

use std::path::{Path, PathBuf};
use triflow::config::{Layers, parse_value};
use triflow::registry::registry;
use triflow::{Error, Experiment, Result};
use triflow_args::{CompareArgs, ExperimentArgs};

/// The experiment of a command line.
#[derive(Debug)]
pub struct Request {
    pub experiment: Experiment,
    /// The origin of each key, for later errors.
    pub layers: Layers,
    /// The folder against which data paths are read.
    pub base: PathBuf,
}

impl Request {
    /// The experiment of `args` over `file`, or over the one of --config.
    pub fn of(args: &ExperimentArgs, file: Option<&Path>, task: Option<&str>) -> Result<Self> {
        if args.config_class.is_some() {
            return Err(Error::config("", "--config_class: a configuration is a file, not code")
                .help("use `extends:` in YAML, or the library"));
        }
        Self::over(args, file, |layers| match task {
            Some(task) => layers.set("task", task.into(), "the command"),
            None => Ok(()),
        })
    }

    /// The experiment of `args` over the one of --config, as one on sequences: with `generate` one
    /// that generates, otherwise as the file says, by default one that predicts.
    pub fn of_sequences(args: &ExperimentArgs, generate: bool) -> Result<Self> {
        Self::over(args, None, |layers| {
            layers.set("task.type", "sequence".into(), "the command")?;
            match generate {
                true => layers.set("task.mode", "generate".into(), "--generate"),
                false => Ok(()),
            }
        })
    }

    fn over(
        args: &ExperimentArgs,
        file: Option<&Path>,
        task: impl FnOnce(&mut Layers) -> Result<()>,
    ) -> Result<Self> {
        let mut layers = Layers::new()?;
        if let (Some(file), Some(other)) = (file, &args.config) {
            let message = format!(
                "--config {}: the experiment file is {} already",
                other.display(),
                file.display()
            );
            return Err(Error::config("", message)
                .help("leave --config out; a file builds on another by `extends:`"));
        }
        let file = file.or(args.config.as_deref());
        if let Some(file) = file {
            layers.add_file(file)?;
        }
        task(&mut layers)?;
        for assignment in &args.set {
            layers.set_text(assignment)?;
        }
        set_flags(args, &mut layers)?;
        let base = file.and_then(Path::parent).map(Into::into).unwrap_or_default();
        Ok(Self { experiment: layers.finish()?, layers, base })
    }

    /// The experiment of a comparison, its `comparison` as the flags say.
    pub fn of_comparison(args: &CompareArgs) -> Result<Self> {
        let mut asked = Self::of(&args.experiment, None, None)?;
        let layers = &mut asked.layers;
        if !args.over.is_empty() {
            let mut over = serde_yaml::Mapping::new();
            for text in &args.over {
                let (key, values) = assignment(text, "--over", "objective=flow_matching,ct")?;
                let values = parse_value(&format!("[{values}]"));
                let values = values.map_err(|e| e.help(format!("in `--over {text}`")))?;
                if over.insert(key.into(), values).is_some() {
                    let message = format!("`--over {key}` is given twice");
                    return Err(Error::config("", message)
                        .help("write all its values once, as `--over KEY=VALUE,VALUE`"));
                }
            }
            layers.set("comparison.over", over.into(), "--over")?;
        }
        if let Some(text) = &args.budget {
            let (unit, n) = assignment(text, "--budget", "steps=2000")?;
            let mut budget = serde_yaml::Mapping::new();
            budget.insert(unit.into(), parse_value(n)?);
            layers.set("comparison.budget", budget.into(), "--budget")?;
        }
        let numbers = [
            ("seeds", args.seeds.map(Into::into), "--seeds"),
            ("points", args.points.map(Into::into), "--points"),
            ("draws", args.draws.map(Into::into), "--draws"),
            ("curve", args.no_curve.then_some(serde_yaml::Value::Null), "--no-curve"),
        ];
        for (key, value, flag) in numbers {
            if let Some(value) = value {
                layers.set(&format!("comparison.{key}"), value, flag)?;
            }
        }
        asked.experiment = asked.layers.finish()?;
        Ok(asked)
    }
}

/// Sets the keys of the flags.
fn set_flags(args: &ExperimentArgs, layers: &mut Layers) -> Result<()> {
    if let Some(path) = &args.data_path {
        match path.is_dir() {
            true => set_folder(layers, path)?,
            false => layers.set("data", source_of(path)?, "--data-path")?,
        }
    }
    let output_dir = args.output_dir.as_ref().map(|dir| dir.to_string_lossy().into_owned());
    let texts = [
        ("objective", &args.model_type, "--model-type"),
        ("noise_schedule", &args.noise_schedule, "--noise-schedule"),
        ("encoder", &args.encoder_model_type, "--encoder-model-type"),
        ("decoder", &args.decoder_model_type, "--decoder-model-type"),
        ("decoder.head", &args.decoder_type, "--decoder-type"),
        ("crn", &args.crn_type, "--crn-type"),
        ("crn.network", &args.network_type, "--network-type"),
        ("training.optimizer", &args.optimizer, "--optimizer"),
        ("device", &args.device, "--device"),
        ("output_dir", &output_dir, "--output-dir"),
    ];
    for (key, value, flag) in texts {
        if let Some(value) = value {
            layers.set(key, value.as_str().into(), flag)?;
        }
    }
    let values = [
        ("training.optimizer.learning_rate", &args.learning_rate, "--learning-rate"),
        ("training.epochs", &args.num_epochs, "--num-epochs"),
        ("training.batch_size", &args.batch_size, "--batch-size"),
        ("training.dropout_epochs", &args.dropout_epochs, "--dropout-epochs"),
        ("training.seed", &args.seed, "--seed"),
        ("loss.recon_weight", &args.recon_weight, "--recon-weight"),
        ("loss.reg_weight", &args.reg_weight, "--reg-weight"),
        ("loss.vae_weight", &args.vae_weight, "--vae-weight"),
        ("loss.use_snr_weight", &args.use_snr_weight, "--use-snr-weight"),
    ];
    for (key, value, flag) in values {
        if let Some(value) = value {
            layers.set(key, parse_value(value)?, flag)?;
        }
    }
    let lists = [
        ("crn.network.hidden_dims", &args.hidden_dims, "--hidden-dims"),
        ("latent_shape", &args.latent_shape, "--latent-shape"),
        ("input_shape", &args.input_shape, "--input-shape"),
        ("output_shape", &args.output_shape, "--output-shape"),
    ];
    for (key, values, flag) in lists {
        if let Some(values) = values {
            let values = values.iter().map(|v| parse_value(v)).collect::<Result<Vec<_>>>()?;
            layers.set(key, values.into(), flag)?;
        }
    }
    let switches = [
        ("noise_schedule.learnable", args.noise_schedule_learnable, "--noise-schedule-learnable"),
        ("unconditional", args.unconditional, "--unconditional"),
    ];
    for (key, on, flag) in switches {
        if on {
            layers.set(key, true.into(), flag)?;
        }
    }
    Ok(())
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

/// Splits `KEY=VALUE` of a flag; `example` is shown with an error.
fn assignment<'t>(text: &'t str, flag: &str, example: &str) -> Result<(&'t str, &'t str)> {
    let parts = text.split_once('=').map(|(key, value)| (key.trim(), value));
    parts.filter(|(key, _)| !key.is_empty()).ok_or_else(|| {
        Error::config("", format!("`{flag} {text}` names no key"))
            .help(format!("write `{flag} {example}`"))
    })
}
