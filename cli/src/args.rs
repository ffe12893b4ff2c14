//! The command line: flags of experiments, in kebab-case with snake_case accepted.

use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use triflow::config::{Layers, parse_value};
use triflow::report::EXACT_POINTS;
use triflow::{Error, Experiment, Result};

/// Train, sample and compare flow matching, diffusion and continuous-time models.
#[derive(Debug, Parser)]
#[command(name = "triflow", version, arg_required_else_help = true)]
pub struct Cli {
    /// Say more (twice: everything).
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say only errors.
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// A shared library with further components, or a folder of them (may be given again). Those that
    /// TRIFLOW_PLUGIN_PATH names are loaded as well.
    #[arg(long, global = true, value_name = "PATH")]
    pub plugin: Vec<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train regression or classification, x → y.
    #[command(
        after_help = "Example:\n  triflow train --config configs/two_moons_classification.yaml"
    )]
    Train(ExperimentArgs),
    /// Train generation, y → x, or x alone with --unconditional.
    #[command(
        after_help = "Example:\n  triflow train-gen --config configs/two_moons.yaml --model-type diffusion"
    )]
    TrainGen(ExperimentArgs),
    /// Run an experiment file, following its `task`.
    #[command(
        after_help = "Example:\n  triflow run configs/two_moons.yaml --set training.epochs=10"
    )]
    Run {
        /// The experiment file.
        file: PathBuf,
        #[command(flatten)]
        experiment: ExperimentArgs,
    },
    /// Continue an unfinished run from its last checkpoint.
    #[command(
        after_help = "Example:\n  triflow resume --run artifacts/flow_matching_gen/20260101_1200"
    )]
    Resume {
        /// The run folder.
        #[arg(long)]
        run: PathBuf,
    },
    /// Draw samples from a trained run.
    #[command(
        after_help = "Example:\n  triflow generate --run artifacts/flow_matching_gen/20260101_1200 --labels 0,1 --out samples.npz"
    )]
    Generate {
        /// The run folder.
        #[arg(long)]
        run: PathBuf,
        /// Number of samples: 100, or 1 for each row of --condition; of each label or row where there are some.
        #[arg(long, allow_negative_numbers = true)]
        n: Option<i64>,
        /// Class labels to generate.
        #[arg(long, value_delimiter = ',', allow_negative_numbers = true)]
        labels: Vec<i64>,
        /// A file of conditions (its y, or the arrays or columns that the run's own data call so).
        #[arg(long, value_name = "FILE", conflicts_with = "labels")]
        condition: Option<PathBuf>,
        #[command(flatten)]
        sampling: SamplingArgs,
        /// Where the samples go.
        #[arg(long)]
        out: PathBuf,
    },
    /// Predict y for the x of a file, from z_0 = 0, or with --seed from a drawn one.
    #[command(
        after_help = "Example:\n  triflow predict --run artifacts/flow_matching_reg/20260101_1200 --data new.csv --out predictions.npz"
    )]
    Predict {
        /// The run folder.
        #[arg(long)]
        run: PathBuf,
        /// Rows of x: an .npz, .csv or .safetensors file.
        #[arg(long, value_name = "FILE")]
        data: PathBuf,
        /// Draws a row, whose mean and standard deviation are written.
        #[arg(long, value_name = "K", value_parser = clap::value_parser!(u64).range(1..))]
        samples: Option<u64>,
        #[command(flatten)]
        sampling: SamplingArgs,
        /// Where the predictions go, an .npz.
        #[arg(long)]
        out: PathBuf,
    },
    /// Write a data source's rows into a file: .npz, .csv or .safetensors.
    #[command(after_help = "Example:\n  triflow data two_moons --set samples=1000 --out moons.npz")]
    Data {
        /// The data source.
        name: String,
        /// A parameter of it, as `samples=1000`.
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
        /// Seed of what it draws.
        #[arg(long)]
        seed: Option<u64>,
        /// Where the rows go.
        #[arg(long)]
        out: PathBuf,
    },
    /// Measure a trained run on its held-out data, as JSON.
    #[command(
        after_help = "Example:\n  triflow evaluate --run artifacts/flow_matching_gen/20260101_1200"
    )]
    Evaluate {
        /// The run folder.
        #[arg(long)]
        run: PathBuf,
        /// Other rows of x and y than the run's own: an .npz, .csv or .safetensors file.
        #[arg(long, value_name = "FILE")]
        data: Option<PathBuf>,
        /// Draws, of which metrics are means beside their deviations.
        #[arg(long, value_name = "K", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
        draws: u64,
        /// Most held-out points that are measured; the exact Wasserstein distance takes 8·N² bytes and, for
        /// 10,000 points, about half a minute a draw.
        #[arg(long, value_name = "N", default_value_t = EXACT_POINTS, value_parser = clap::value_parser!(i64).range(1..=50_000))]
        points: i64,
        /// How likely the rows are under the model, of at most ROWS of them: by the change of variables along
        /// the ODE (with --solver, or else an adaptive one) and by the variational bound.
        #[arg(long, value_name = "ROWS", num_args = 0..=1, default_missing_value = "2000", value_parser = clap::value_parser!(i64).range(1..))]
        likelihood: Option<i64>,
        #[command(flatten)]
        sampling: SamplingArgs,
    },
    /// Draw quality against network evaluations, of one or more trained runs.
    #[command(
        after_help = "Example:\n  triflow curve --run artifacts/flow_matching_gen/20260101_1200 --solver euler,midpoint,dpmpp --out curve.png"
    )]
    Curve {
        /// A run folder; give it again for another run.
        #[arg(long, required = true)]
        run: Vec<PathBuf>,
        #[command(flatten)]
        ask: CurveArgs,
        /// Where the picture goes, a .png; its numbers go beside it, as .json.
        #[arg(long)]
        out: PathBuf,
    },
    /// Train a straighter model on the pairs (z_0, sample) of a trained run, for few steps (rectified flow).
    #[command(
        after_help = "Example:\n  triflow reflow --run artifacts/flow_matching_gen/20260101_1200 --pairs 50000"
    )]
    Reflow {
        /// The run whose paths are straightened.
        #[arg(long)]
        run: PathBuf,
        /// Pairs to train on; as many as the run had training rows.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
        pairs: Option<i64>,
        /// How the pairs are drawn: along `dopri5`, unless --solver says otherwise.
        #[command(flatten)]
        sampling: SamplingArgs,
        /// Any key of the new run's experiment, as --train training.epochs=20; may be given again.
        #[arg(long, value_name = "KEY=VALUE")]
        train: Vec<String>,
        /// Where run folders are made.
        #[arg(long, value_name = "DIR")]
        output_dir: Option<PathBuf>,
    },
    /// Draw a run's pictures again.
    #[command(
        after_help = "Example:\n  triflow plot --run artifacts/flow_matching_gen/20260101_1200"
    )]
    Plot {
        /// The run folder.
        #[arg(long)]
        run: PathBuf,
    },
    /// List the components, all or of one kind.
    #[command(after_help = "Example:\n  triflow list noise_schedule")]
    List {
        /// Such as `noise_schedule` or `solver`.
        kind: Option<String>,
        /// table or json.
        #[arg(long, default_value = "table")]
        format: Format,
    },
    /// Describe one component: what it is, its parameters, an example.
    #[command(
        after_help = "Example:\n  triflow describe noise_schedule cosine --eval --set s=0.02"
    )]
    Describe {
        /// Such as `noise_schedule`.
        kind: String,
        /// Such as `cosine`.
        name: String,
        /// table or json.
        #[arg(long, default_value = "table")]
        format: Format,
        /// Print t, alpha_bar, gamma, gamma_prime, snr_prime of a noise schedule as CSV, in float64.
        #[arg(long)]
        eval: bool,
        /// Points of --eval.
        #[arg(long, default_value_t = 11, value_parser = clap::value_parser!(u32).range(2..))]
        points: u32,
        /// A parameter, as `s=0.02`, for --eval.
        #[arg(long)]
        set: Vec<String>,
    },
    /// Hold a component to what its kind promises, as the tests of its author do.
    #[command(
        after_help = "Example:\n  triflow check noise_schedule my_schedule --plugin target/release/libmy_schedule.so"
    )]
    Check {
        /// Such as `noise_schedule`.
        kind: String,
        /// Such as `cosine`.
        name: String,
        /// A parameter, as `s=0.02`.
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
    },
    /// Write the crate of a plugin to start from: it builds, and its test passes.
    #[command(after_help = "Example:\n  triflow new-plugin noise_schedule my_schedule")]
    NewPlugin {
        /// What the component is, such as `noise_schedule`, `objective`, `network` or `solver`.
        kind: String,
        /// Name of the component and of its crate, such as `my_schedule`.
        name: String,
        /// Folder in which the crate's folder is made.
        #[arg(long, value_name = "DIR", default_value = ".")]
        into: PathBuf,
        /// Folder with triflow's source; by default that from which this command was built.
        #[arg(long, value_name = "DIR")]
        framework: Option<PathBuf>,
    },
    /// Print the JSON schema of experiment files.
    Schema,
    /// Check an experiment file to the last (data, model), and print it with every default spelled out.
    #[command(after_help = "Example:\n  triflow validate configs/two_moons.yaml")]
    Validate {
        /// The experiment file.
        file: PathBuf,
        #[command(flatten)]
        experiment: ExperimentArgs,
    },
    /// Print an experiment file to start from.
    #[command(after_help = "Example:\n  triflow init --task regression > my.yaml")]
    Init {
        /// regression or generation.
        #[arg(long, default_value = "generation")]
        task: String,
    },
    /// Print a completion script for a shell.
    Completions {
        /// bash, zsh, fish, elvish or powershell.
        shell: clap_complete::Shell,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    Table,
    Json,
}

/// What a curve of quality against network evaluations is made of.
#[derive(Args, Clone, Debug)]
pub struct CurveArgs {
    /// Solvers, by name.
    #[arg(long, value_delimiter = ',', default_value = "euler,midpoint")]
    pub solver: Vec<String>,
    /// Network evaluations a sample.
    #[arg(long, value_delimiter = ',', value_name = "N", default_value = "1,2,4,8,16,32,64", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub nfe: Vec<u64>,
    /// Where the steps are: time, gamma or karras; each run's own unless said.
    #[arg(long)]
    pub grid: Option<String>,
    /// Draws, of which the metric is the mean.
    #[arg(long, value_name = "K", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    pub draws: u64,
    /// Most held-out points that are measured.
    #[arg(long, value_name = "N", default_value_t = EXACT_POINTS, value_parser = clap::value_parser!(i64).range(1..=50_000))]
    pub points: i64,
    /// Seed of z_0.
    #[arg(long)]
    pub seed: Option<u64>,
}

#[derive(Args, Clone, Debug, Default)]
pub struct SamplingArgs {
    /// Steps of a fixed-step solver.
    #[arg(long)]
    pub steps: Option<usize>,
    /// The solver's name.
    #[arg(long)]
    pub solver: Option<String>,
    /// Where the steps are: time, gamma or karras.
    #[arg(long)]
    pub grid: Option<String>,
    /// Scale of classifier-free guidance; 1: as trained.
    #[arg(long, value_name = "W", allow_negative_numbers = true)]
    pub guidance: Option<f64>,
    /// Any other key of `sampling`, as --set sampling.solver.eta=0.5; may be given again.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Seed of z_0.
    #[arg(long)]
    pub seed: Option<u64>,
    /// How z_0 is drawn: independent or sobol.
    #[arg(long)]
    pub noise: Option<String>,
    /// Use the parameters of the lowest validation loss (`checkpoint.keep_best`).
    #[arg(long)]
    pub best: bool,
}

impl SamplingArgs {
    pub fn apply(&self, layers: &mut Layers) -> Result<()> {
        for assignment in &self.set {
            if !assignment.trim_start().starts_with("sampling.") {
                let message =
                    format!("--set {assignment}: of a trained run only `sampling` can be set");
                return Err(Error::config("", message).help("write `--set sampling.steps=50`"));
            }
            layers.set_text(assignment)?;
        }
        if let Some(steps) = self.steps {
            layers.set("sampling.steps", (steps as u64).into(), "--steps")?;
        }
        let names = [
            ("sampling.solver", &self.solver, "--solver"),
            ("sampling.grid", &self.grid, "--grid"),
            ("sampling.noise", &self.noise, "--noise"),
        ];
        for (key, value, flag) in names {
            if let Some(value) = value {
                layers.set(key, value.as_str().into(), flag)?;
            }
        }
        if let Some(scale) = self.guidance {
            layers.set("sampling.guidance", scale.into(), "--guidance")?;
        }
        Ok(())
    }
}

/// What determines an experiment, from the command line. A flag wins over --set, which wins over the file.
///
/// Values are read as YAML by the experiment itself, so that a wrong one gets the same answer wherever it
/// was written.
#[derive(Args, Debug)]
pub struct ExperimentArgs {
    /// The experiment file; none is needed.
    #[arg(long, alias = "config-file", value_name = "FILE")]
    config: Option<PathBuf>,
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "")]
    config_class: Option<String>,
    /// Any key, as `crn.network.hidden_dims=[64,64]`.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Rows of x and y: an .npz, .csv or .safetensors file.
    #[arg(long, value_name = "FILE")]
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
    #[arg(long, num_args = 1.., value_name = "N", allow_negative_numbers = true)]
    hidden_dims: Option<Vec<String>>,
    /// Shape of one latent.
    #[arg(long, alias = "latent-dim", num_args = 1.., value_name = "N", allow_negative_numbers = true)]
    latent_shape: Option<Vec<String>>,
    /// Shape of one x.
    #[arg(long, alias = "input-dim", num_args = 1.., value_name = "N", allow_negative_numbers = true)]
    input_shape: Option<Vec<String>>,
    /// Shape of one y.
    #[arg(long, alias = "output-dim", num_args = 1.., value_name = "N", allow_negative_numbers = true)]
    output_shape: Option<Vec<String>>,
    /// Passes over the training rows.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    num_epochs: Option<String>,
    /// Rows a step.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    batch_size: Option<String>,
    /// Learning rate of the optimizer.
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    learning_rate: Option<String>,
    /// Optimizer, such as adamw.
    #[arg(long, value_name = "NAME")]
    optimizer: Option<String>,
    /// Dropout in the first so many epochs.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    dropout_epochs: Option<String>,
    /// Weight of the reconstruction from z_t.
    #[arg(long, value_name = "WEIGHT", allow_negative_numbers = true)]
    recon_weight: Option<String>,
    /// Weight of |dz/dt|².
    #[arg(long, value_name = "WEIGHT", allow_negative_numbers = true)]
    reg_weight: Option<String>,
    /// Weight of the reconstruction from z_1.
    #[arg(long, value_name = "WEIGHT", allow_negative_numbers = true)]
    vae_weight: Option<String>,
    /// Weight errors over time by SNR.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    use_snr_weight: Option<String>,
    /// Generate without condition.
    #[arg(long)]
    unconditional: bool,
    /// Seed of everything that is drawn.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    seed: Option<String>,
    /// auto, cpu, cuda or cuda:N.
    #[arg(long)]
    device: Option<String>,
    /// Where run folders are made.
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
}

/// What the command line asks for.
#[derive(Debug)]
pub struct Asked {
    pub experiment: Experiment,
    /// Who wrote which key, for errors that come later.
    pub layers: Layers,
    /// The folder against which data paths are read.
    pub base: PathBuf,
}

impl ExperimentArgs {
    /// The experiment of these arguments over `file`, or over the one of --config.
    pub fn experiment(&self, file: Option<&Path>, task: Option<&str>) -> Result<Asked> {
        if self.config_class.is_some() {
            return Err(Error::config("", "--config_class: configuration is not code here")
                .help("use `extends:` in YAML, or the library"));
        }
        let mut layers = Layers::new()?;
        let file = file.or(self.config.as_deref());
        if let Some(file) = file {
            layers.add_file(file)?;
        }
        if let Some(task) = task {
            layers.set("task", task.into(), "the command")?;
        }
        for assignment in &self.set {
            layers.set_text(assignment)?;
        }
        self.flags(&mut layers)?;
        let base = file.and_then(Path::parent).map(Into::into).unwrap_or_default();
        Ok(Asked { experiment: layers.finish()?, layers, base })
    }

    fn flags(&self, layers: &mut Layers) -> Result<()> {
        if let Some(path) = &self.data_path {
            layers.set("data", source_of(path)?, "--data-path")?;
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

/// The data source that reads a file, as configured.
fn source_of(path: &Path) -> Result<serde_yaml::Value> {
    let mut source = serde_yaml::Mapping::new();
    source.insert("type".into(), triflow::data::files::source_of(path)?.into());
    source.insert("path".into(), path.to_string_lossy().as_ref().into());
    Ok(source.into())
}

/// `--num_epochs` means `--num-epochs`.
pub fn normalise(args: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    args.map(|arg| match arg.to_str().and_then(|arg| arg.strip_prefix("--")) {
        Some(flag) => {
            let (name, value) = flag.split_once('=').map_or((flag, None), |(n, v)| (n, Some(v)));
            let name = name.replace('_', "-");
            value.map_or_else(|| format!("--{name}"), |v| format!("--{name}={v}")).into()
        }
        None => arg,
    })
}
