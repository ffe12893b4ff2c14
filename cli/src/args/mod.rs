//! The command line: flags of experiments, in kebab-case with snake_case accepted.

mod compare;
pub mod experiment;
mod number;
mod sampling;

pub use compare::CompareArgs;
pub use experiment::ExperimentArgs;
pub use sampling::{CurveArgs, SamplingArgs};

use self::number::whole;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;
use triflow::measure::EXACT_POINTS;

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
    /// Train on sequences, x → y, each [T, features]; with --generate to draw sequences like y.
    #[command(
        after_help = "Example:\n  triflow train-seq --config configs/damped_oscillators.yaml"
    )]
    TrainSeq {
        /// Draw sequences like those of the data, rather than predict; with --unconditional without x.
        #[arg(long)]
        generate: bool,
        #[command(flatten)]
        experiment: ExperimentArgs,
    },
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
        /// Where the run's data lie now, if they have moved: the same rows, in a file or folder.
        #[arg(long, value_name = "PATH")]
        data_path: Option<PathBuf>,
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
        #[arg(long, value_parser = whole::<i64>(..))]
        n: Option<i64>,
        /// Classes to generate, by the names that they have in the data (or their numbers, where those are 0, 1,
        /// 2, …).
        #[arg(long, value_delimiter = ',', value_name = "CLASS", allow_hyphen_values = true)]
        labels: Vec<String>,
        /// A file of conditions (its y, or the arrays or columns that the run's own data call so).
        #[arg(long, value_name = "FILE", conflicts_with = "labels")]
        condition: Option<PathBuf>,
        #[command(flatten)]
        sampling: SamplingArgs,
        /// Where the samples go: an .npz, or a .csv with the columns' names.
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
        /// Rows of x: a .csv, .tsv, .npz, .npy or .safetensors file.
        #[arg(long, value_name = "FILE")]
        data: PathBuf,
        /// Draws a row, whose mean and standard deviation are written.
        #[arg(long, value_name = "K", value_parser = whole::<u64>(1..))]
        samples: Option<u64>,
        #[command(flatten)]
        sampling: SamplingArgs,
        /// Where the predictions go: an .npz, or a .csv with the columns' names.
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
        #[arg(long, value_parser = whole::<u64>(0..))]
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
        /// Other rows of x and y than the run's own: a .csv, .tsv, .npz or .safetensors file.
        #[arg(long, value_name = "FILE")]
        data: Option<PathBuf>,
        /// Draws, of which metrics are means beside their deviations.
        #[arg(long, value_name = "K", default_value_t = 5, value_parser = whole::<u64>(1..))]
        draws: u64,
        /// Most held-out points that are measured; the exact Wasserstein distance takes 8·N² bytes and, for
        /// 10,000 points, about half a minute a draw.
        #[arg(long, value_name = "N", default_value_t = EXACT_POINTS, value_parser = whole::<i64>(1..=50_000))]
        points: i64,
        /// How likely the rows are under the model, of at most ROWS of them: by the change of variables along
        /// the ODE (with --solver, or else an adaptive one) and by the variational bound.
        #[arg(long, value_name = "ROWS", num_args = 0..=1, default_missing_value = "2000", value_parser = whole::<i64>(1..))]
        likelihood: Option<i64>,
        #[command(flatten)]
        sampling: SamplingArgs,
    },
    /// Compare what an experiment becomes under other objectives, schedules, networks, solvers: each trained
    /// with the same seeds at the same budget, and a report that says what may be said.
    #[command(
        after_help = "Examples:\n  triflow compare --config configs/two_moons.yaml --budget epochs=5\n  triflow compare --config configs/two_moons.yaml --over objective=flow_matching,ct --over sampling.solver.type=euler,midpoint --seeds 5"
    )]
    Compare(CompareArgs),
    /// One run of a comparison.
    #[command(hide = true)]
    CompareOne {
        #[arg(long)]
        folder: PathBuf,
        #[arg(long)]
        unit: String,
        #[arg(long, value_parser = whole::<u64>(0..))]
        seed: u64,
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
        #[arg(long, value_name = "N", value_parser = whole::<i64>(1..))]
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
        /// Where the run's data lie now, if they have moved: the same rows, in a file or folder.
        #[arg(long, value_name = "PATH")]
        data_path: Option<PathBuf>,
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
        #[arg(long, default_value_t = 11, value_parser = whole::<u32>(2..))]
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
        /// regression, generation or sequence.
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

impl Cli {
    /// What a command line asks for.
    ///
    /// # Errors
    /// What is wrong with it, or the help that it asks for.
    pub fn of(args: impl Iterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut command = command();
        let matches = command.try_get_matches_from_mut(normalise(args))?;
        Self::from_arg_matches(&matches).map_err(|e| e.format(&mut command))
    }
}

/// The command line, where a number below 0 is a value of any flag that takes one: `--seed -1` is answered as
/// what it is.
fn command() -> clap::Command {
    Cli::command().mut_subcommands(|command| {
        command.mut_args(|arg| {
            let takes_values = arg.get_action().takes_values();
            arg.allow_negative_numbers(takes_values)
        })
    })
}

/// `--num_epochs` means `--num-epochs`.
fn normalise(args: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    args.map(|arg| match arg.to_str().and_then(|arg| arg.strip_prefix("--")) {
        Some(flag) => {
            let (name, value) = flag.split_once('=').map_or((flag, None), |(n, v)| (n, Some(v)));
            let name = name.replace('_', "-");
            value.map_or_else(|| format!("--{name}"), |v| format!("--{name}={v}")).into()
        }
        None => arg,
    })
}
