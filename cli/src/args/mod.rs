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

/// Heading of the options that every command takes.
const GLOBAL: &str = "Global options";

/// Train, sample and compare flow matching, diffusion and continuous-time models.
#[derive(Debug, Parser)]
#[command(name = "triflow", version, arg_required_else_help = true)]
pub struct Cli {
    /// Increase verbosity (-vv for everything).
    #[arg(short, long, global = true, help_heading = GLOBAL, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Suppress all output but errors and results.
    #[arg(short, long, global = true, help_heading = GLOBAL)]
    pub quiet: bool,
    /// Load a plugin, or every plugin of a folder, beside those of TRIFLOW_PLUGIN_PATH (repeatable).
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "PATH")]
    pub plugin: Vec<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train regression or classification, x → y.
    #[command(
        after_help = "Examples:\n  triflow train --decoder-type softmax --num-epochs 20\n  triflow train --config configs/two_moons_classification.yaml"
    )]
    Train(ExperimentArgs),
    /// Train generation, y → x; with --unconditional x alone.
    #[command(
        after_help = "Examples:\n  triflow train-gen --model-type diffusion --noise-schedule cosine\n  triflow train-gen --config configs/two_moons.yaml"
    )]
    TrainGen(ExperimentArgs),
    /// Train on sequences [T, features], x → y; with --generate to generate sequences like y.
    #[command(
        after_help = "Example:\n  triflow train-seq --config configs/damped_oscillators.yaml"
    )]
    TrainSeq {
        /// Generate sequences like those of the data instead of predicting; with --unconditional without x.
        #[arg(long)]
        generate: bool,
        #[command(flatten)]
        experiment: ExperimentArgs,
    },
    /// Run an experiment file, following its `task`.
    #[command(
        after_help = "Example:\n  triflow init > my.yaml\n  triflow run my.yaml --set training.epochs=10"
    )]
    Run {
        /// The experiment file.
        file: PathBuf,
        #[command(flatten)]
        experiment: ExperimentArgs,
    },
    /// Continue an unfinished run from its last checkpoint.
    #[command(
        after_help = "Example:\n  timeout -s INT 4 triflow train-gen --num-epochs 200 --output-dir cut\n  triflow resume --run cut/*/*"
    )]
    Resume {
        /// The run folder.
        #[arg(long, value_name = "DIR")]
        run: PathBuf,
        /// Where the run's data lie now, if they have moved: the same rows, in a file or folder.
        #[arg(long, value_name = "PATH")]
        data_path: Option<PathBuf>,
    },
    /// Generate samples from a trained run.
    #[command(
        after_help = "Example:\n  run=$(triflow -q train-gen --num-epochs 5)\n  triflow generate --run $run --labels 0,1 --out samples.npz"
    )]
    Generate {
        /// The run folder.
        #[arg(long, value_name = "DIR")]
        run: PathBuf,
        /// Number of samples: 100, or 1 for each row of --condition; of each label or row where there are some.
        #[arg(long, value_name = "N", value_parser = whole::<i64>(..))]
        n: Option<i64>,
        /// Classes to generate, by the names that they have in the data (or their numbers, where those are 0, 1,
        /// 2, …).
        #[arg(long, value_delimiter = ',', value_name = "CLASS,…", allow_hyphen_values = true)]
        labels: Vec<String>,
        /// A file of conditions (its y, or the arrays or columns that the run's own data call so).
        #[arg(long, value_name = "FILE", conflicts_with = "labels")]
        condition: Option<PathBuf>,
        /// Also write the z_0 of each sample, as the array `z0`.
        #[arg(long)]
        save_z0: bool,
        /// A seed for each sample (of each label or row): whole numbers, one a line, or an .npy of them.
        #[arg(long, value_name = "FILE", conflicts_with_all = ["n", "seed"])]
        seeds: Option<PathBuf>,
        #[command(flatten)]
        sampling: SamplingArgs,
        /// Output file: an .npz, or a .csv with the columns' names.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Predict y for the x of a file, from z_0 = 0, or with --seed from a drawn one.
    #[command(
        after_help = "Example:\n  run=$(triflow -q train --num-epochs 5)\n  triflow data two_moons --set samples=100 --seed 1 --out new.csv\n  triflow predict --run $run --data new.csv --out predictions.npz"
    )]
    Predict {
        /// The run folder.
        #[arg(long, value_name = "DIR")]
        run: PathBuf,
        /// Rows of x: a .csv, .tsv, .npz, .npy or .safetensors file.
        #[arg(long, value_name = "FILE")]
        data: PathBuf,
        /// Number of draws for each row; their mean and standard deviation are written.
        #[arg(long, value_name = "K", value_parser = whole::<u64>(1..))]
        samples: Option<u64>,
        /// A seed for each row: whole numbers, one a line, or an .npy of them.
        #[arg(long, value_name = "FILE", conflicts_with = "seed")]
        seeds: Option<PathBuf>,
        #[command(flatten)]
        sampling: SamplingArgs,
        /// Output file: an .npz, or a .csv with the columns' names.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Write a data source's rows into a file: .npz, .csv or .safetensors.
    #[command(after_help = "Example:\n  triflow data two_moons --set samples=1000 --out moons.npz")]
    Data {
        /// The data source, as `triflow list data_source` lists them.
        name: String,
        /// A parameter of it, as `samples=1000`.
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
        /// Seed of the random draws.
        #[arg(long, value_name = "N", value_parser = whole::<u64>(0..))]
        seed: Option<u64>,
        /// Output file.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Evaluate a trained run on its held-out data and print the metrics as JSON.
    #[command(
        after_help = "Example:\n  run=$(triflow -q train-gen --num-epochs 5)\n  triflow evaluate --run $run --solver heun --steps 10"
    )]
    Evaluate {
        /// The run folder.
        #[arg(long, value_name = "DIR")]
        run: PathBuf,
        /// Evaluate on the rows of this file instead: a .csv, .tsv, .npz or .safetensors file.
        #[arg(long, value_name = "FILE")]
        data: Option<PathBuf>,
        /// Number of draws; metrics are means over them, with standard deviations.
        #[arg(long, value_name = "K", default_value_t = 5, value_parser = whole::<u64>(1..))]
        draws: u64,
        /// Maximum number of held-out points; the exact Wasserstein distance takes 8·N² bytes and, for
        /// 10,000 points, about half a minute a draw.
        #[arg(long, value_name = "N", default_value_t = EXACT_POINTS, value_parser = whole::<i64>(1..=50_000))]
        points: i64,
        /// How likely the rows are under the model, of at most ROWS of them: by the change of variables along
        /// the ODE (with --solver, or else an adaptive one) and by the variational bound.
        #[arg(long, value_name = "ROWS", num_args = 0..=1, default_missing_value = "2000", value_parser = whole::<i64>(1..))]
        likelihood: Option<i64>,
        /// The units of distances and neighbours: standardised, or those of the data.
        #[arg(long, value_name = "UNITS")]
        units: Option<String>,
        #[command(flatten)]
        sampling: SamplingArgs,
    },
    /// Train and compare variants of an experiment (objectives, schedules, networks, solvers, …) on the same
    /// seeds at the same budget, and write a report.
    #[command(
        after_help = "Examples:\n  triflow compare --budget epochs=5\n  triflow compare --budget epochs=5 --over objective=flow_matching,ct --over sampling.solver.type=euler,midpoint --seeds 5"
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
    /// Plot quality against network evaluations for one or more trained runs.
    #[command(
        after_help = "Example:\n  run=$(triflow -q train-gen --num-epochs 5)\n  triflow curve --run $run --solver euler,midpoint,dpmpp --out curve.png"
    )]
    Curve {
        /// The run folder (repeatable).
        #[arg(long, required = true, value_name = "DIR")]
        run: Vec<PathBuf>,
        #[command(flatten)]
        ask: CurveArgs,
        /// Output file, a .png; its numbers are written beside it, as .json.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Train a straighter model, for sampling in few steps, on pairs (z_0, sample) of a trained run (rectified flow).
    #[command(
        after_help = "Example:\n  run=$(triflow -q train-gen --num-epochs 5)\n  triflow reflow --run $run --pairs 5000"
    )]
    Reflow {
        /// The run whose paths are straightened.
        #[arg(long, value_name = "DIR")]
        run: PathBuf,
        /// Number of pairs; by default as many as the run had training rows.
        #[arg(long, value_name = "N", value_parser = whole::<i64>(1..))]
        pairs: Option<i64>,
        /// How the pairs are drawn: along `dopri5`, unless --solver says otherwise.
        #[command(flatten)]
        sampling: SamplingArgs,
        /// Set any key of the new run's experiment, as --train training.epochs=20 (repeatable).
        #[arg(long, value_name = "KEY=VALUE")]
        train: Vec<String>,
        /// Folder in which run folders are created.
        #[arg(long, value_name = "DIR")]
        output_dir: Option<PathBuf>,
    },
    /// Draw the pictures of a run again.
    #[command(
        after_help = "Example:\n  run=$(triflow -q train-gen --num-epochs 5)\n  triflow plot --run $run"
    )]
    Plot {
        /// The run folder.
        #[arg(long, value_name = "DIR")]
        run: PathBuf,
        /// Where the run's data lie now, if they have moved: the same rows, in a file or folder.
        #[arg(long, value_name = "PATH")]
        data_path: Option<PathBuf>,
    },
    /// List the available components, all or of one kind.
    #[command(after_help = "Example:\n  triflow list noise_schedule")]
    List {
        /// Such as `noise_schedule` or `solver`.
        kind: Option<String>,
        /// Output format.
        #[arg(long, default_value = "table")]
        format: Format,
    },
    /// Describe a component: documentation, parameters, example.
    #[command(
        after_help = "Example:\n  triflow describe noise_schedule cosine --eval --set s=0.02"
    )]
    Describe {
        /// Such as `noise_schedule`.
        kind: String,
        /// Such as `cosine`.
        name: String,
        /// Output format.
        #[arg(long, default_value = "table")]
        format: Format,
        /// Print t, alpha_bar, gamma, gamma_prime, snr_prime of a noise schedule as CSV, in float64.
        #[arg(long)]
        eval: bool,
        /// Number of points for --eval.
        #[arg(long, value_name = "N", default_value_t = 11, value_parser = whole::<u32>(2..))]
        points: u32,
        /// A parameter, as `s=0.02`, for --eval.
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
    },
    /// Run the conformance checks of a component, as its author's tests do.
    #[command(after_help = "Example:\n  triflow check noise_schedule cosine --set s=0.02")]
    Check {
        /// Such as `noise_schedule`.
        kind: String,
        /// Such as `cosine`.
        name: String,
        /// A parameter, as `s=0.02`.
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
    },
    /// Create the crate of a plugin to start from: it builds, and its test passes.
    #[command(after_help = "Example:\n  triflow new-plugin noise_schedule my_schedule")]
    NewPlugin {
        /// What the component is, such as `noise_schedule`, `objective`, `network` or `solver`.
        kind: String,
        /// Name of the component and of its crate, such as `my_schedule`.
        name: String,
        /// Folder in which to create the crate's folder.
        #[arg(long, value_name = "DIR", default_value = ".")]
        into: PathBuf,
        /// Folder with triflow's source; by default that from which this command was built.
        #[arg(long, value_name = "DIR")]
        framework: Option<PathBuf>,
    },
    /// Create the crate of a program that uses triflow as a library: it builds, trains and samples.
    #[command(after_help = "Example:\n  triflow new-program my_model")]
    NewProgram {
        /// Name of the crate and of the program, such as `my_model`.
        name: String,
        /// Folder in which to create the crate's folder.
        #[arg(long, value_name = "DIR", default_value = ".")]
        into: PathBuf,
        /// Folder with triflow's source; by default that from which this command was built.
        #[arg(long, value_name = "DIR")]
        framework: Option<PathBuf>,
    },
    /// Print the JSON schema of experiment files.
    #[command(after_help = "Example:\n  triflow schema > triflow.schema.json")]
    Schema,
    /// Check an experiment file, its data and its model, and print it with all defaults.
    #[command(after_help = "Example:\n  triflow init > my.yaml\n  triflow validate my.yaml")]
    Validate {
        /// The experiment file.
        file: PathBuf,
        #[command(flatten)]
        experiment: ExperimentArgs,
    },
    /// Print an experiment file with all defaults, to start from.
    #[command(after_help = "Example:\n  triflow init --task regression > my.yaml")]
    Init {
        /// regression, generation or sequence.
        #[arg(long, default_value = "generation")]
        task: String,
    },
    /// Print a completion script for a shell.
    #[command(after_help = "Example:\n  triflow completions bash > triflow.bash")]
    Completions {
        /// The shell.
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
