//! The subcommands and their flags.

use crate::catalogue::{Format, words};
use crate::compare::CompareArgs;
use crate::endings::{self, listed};
use crate::experiment::ExperimentArgs;
use crate::number::whole;
use crate::place::{TrainArgs, WaitArgs};
use crate::sampling::{CurveArgs, SamplingArgs, StartArgs};
use crate::serve::ServeArgs;
use clap::Subcommand;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a regression or classification model, x → y.
    #[command(
        after_help = "Examples:\n  triflow train --decoder-type softmax --num-epochs 20\n  triflow train --config configs/two_moons_classification.yaml"
    )]
    Train(TrainArgs),
    /// Train a generative model, y → x, or x alone with --unconditional.
    #[command(
        after_help = "Examples:\n  triflow train-gen --model-type diffusion --noise-schedule cosine\n  triflow train-gen --config configs/two_moons.yaml"
    )]
    TrainGen(TrainArgs),
    /// Train a model of sequences, x → y, or a generative one with --generate.
    #[command(
        after_help = "Example:\n  triflow train-seq --config configs/damped_oscillators.yaml"
    )]
    TrainSeq {
        /// Train a generative model of y given x, or of y alone with --unconditional.
        #[arg(long)]
        generate: bool,
        #[command(flatten)]
        train: TrainArgs,
    },
    /// Train the experiment of a file, with the task that it names.
    #[command(
        after_help = "Example:\n  triflow init > my.yaml\n  triflow run my.yaml --set training.epochs=10"
    )]
    Run {
        /// Experiment file.
        file: PathBuf,
        #[command(flatten)]
        train: TrainArgs,
    },
    /// Resume an interrupted run from its last checkpoint, or train a finished one further.
    #[command(
        after_help = "Examples:\n  timeout -s INT 4 triflow train-gen --num-epochs 200 --output-dir cut\n  triflow resume --run cut/*/*\n  triflow resume --run cut/*/* --epochs 300"
    )]
    Resume {
        /// Run folder.
        #[arg(long, value_name = "DIR")]
        run: PathBuf,
        /// New location of the run's data: a file or folder with the same rows.
        #[arg(long, value_name = "PATH")]
        data_path: Option<PathBuf>,
        /// Train a finished run further, to N epochs in all, in a new run folder. The learning-rate
        /// schedule is that of a training of N epochs, from the present step on.
        #[arg(long, value_name = "N", value_parser = whole::<u64>(1..))]
        epochs: Option<u64>,
        /// Train a finished run further, to N steps in all.
        #[arg(long, value_name = "N", conflicts_with = "epochs", value_parser = whole::<u64>(1..))]
        steps: Option<u64>,
        /// Set a key of the further training, such as training.stopping=never (repeatable).
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
        /// Folder in which the new run folder is created [default: the run's].
        #[arg(long, value_name = "DIR")]
        output_dir: Option<PathBuf>,
        #[command(flatten)]
        wait: WaitArgs,
    },
    /// Generate samples from a trained run.
    #[command(
        after_help = "Example:\n  run=$(triflow -q train-gen --num-epochs 5)\n  triflow generate --run $run --labels 0,1 --out samples.npz\n  triflow generate --run $run --invert data.csv --out states.npz\n  triflow generate --run $run --from states.npz --labels 1 --out samples.npz"
    )]
    Generate {
        /// Run folder.
        #[arg(long, value_name = "DIR")]
        run: PathBuf,
        /// Number of samples, of each label or condition if there are any [default: 100, or 1 with
        /// --condition].
        #[arg(long, value_name = "N", value_parser = whole::<i64>(..))]
        n: Option<i64>,
        /// Classes to generate, by their names in the data [default: all].
        #[arg(long, value_delimiter = ',', value_name = "CLASS,…", allow_hyphen_values = true)]
        labels: Vec<String>,
        /// File of conditions, one a row, in the arrays or columns that held them in training.
        #[arg(long, value_name = "FILE", conflicts_with = "labels")]
        condition: Option<PathBuf>,
        /// Also write the z_0 of each sample, as the array z0; needs an .npz.
        #[arg(long)]
        save_z0: bool,
        /// Also write the states along the path of each sample, as the array trajectories, with
        /// their times; needs an .npz.
        #[arg(long)]
        trajectories: bool,
        /// File of random seeds, one for each sample: whole numbers, one a line, or an .npy.
        #[arg(long, value_name = "FILE", conflicts_with_all = ["n", "seed"])]
        seeds: Option<PathBuf>,
        #[command(flatten)]
        start: StartArgs,
        #[command(flatten)]
        sampling: SamplingArgs,
        #[arg(long, value_name = "FILE", help = endings::written(&words().samples))]
        out: PathBuf,
    },
    /// Predict y for the x of a file with a trained run.
    #[command(
        after_help = "Example:\n  run=$(triflow -q train --num-epochs 5)\n  triflow data two_moons --set samples=100 --seed 1 --out new.csv\n  triflow predict --run $run --data new.csv --out predictions.npz"
    )]
    Predict {
        /// Run folder.
        #[arg(long, value_name = "DIR")]
        run: PathBuf,
        #[arg(long, value_name = "FILE", help = endings::read("File with x"))]
        data: PathBuf,
        /// Number of random draws for each row; writes their mean, and of two and more their
        /// standard deviation. Without it, and without a seed, one prediction from z_0 = 0.
        #[arg(long, value_name = "N", value_parser = whole::<u64>(1..))]
        samples: Option<u64>,
        /// File of random seeds, one for each row: whole numbers, one a line, or an .npy.
        #[arg(long, value_name = "FILE", conflicts_with = "seed")]
        seeds: Option<PathBuf>,
        #[command(flatten)]
        sampling: SamplingArgs,
        #[arg(long, value_name = "FILE", help = endings::written(&words().samples))]
        out: PathBuf,
    },
    /// Serve a trained run over HTTP: samples and predictions on request.
    #[command(
        after_help = "Example:\n  run=$(triflow -q train-gen --num-epochs 5)\n  triflow serve --run $run --port 8080\n\nIn another terminal:\n  curl -s localhost:8080/generate -H 'Content-Type: application/json' -d '{\"n\": 2, \"seed\": 1}'\n\nThere is no authentication: only this machine is served unless --host says otherwise."
    )]
    Serve {
        /// Run folder.
        #[arg(long, value_name = "DIR")]
        run: PathBuf,
        #[command(flatten)]
        serving: ServeArgs,
        #[command(flatten)]
        sampling: SamplingArgs,
    },
    /// Fill in the missing cells of a table with a run that was trained for it.
    #[command(
        after_help = "Example:\n  run=$(triflow -q train-gen --unconditional --data-path rows.csv --set training.mask_columns=0.5)\n  triflow impute --run $run --data rows.csv --out full.csv\n\nKnown cells stay as they are, and so do the columns that the model does not use. Rows keep\ntheir order."
    )]
    Impute {
        /// Run folder; trained with `training.mask_columns`.
        #[arg(long, value_name = "DIR")]
        run: PathBuf,
        /// Table with missing cells; columns of the training file that it lacks are drawn too.
        #[arg(long, value_name = "FILE")]
        data: PathBuf,
        /// Number of draws. With several, a number is their mean, beside their standard deviation
        /// COLUMN_std, and a category the most frequent one, beside the share COLUMN_others of the
        /// draws that have another.
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = whole::<u64>(1..))]
        draws: u64,
        #[command(flatten)]
        sampling: SamplingArgs,
        #[arg(long, value_name = "FILE", help = endings::written(&words().tables))]
        out: PathBuf,
    },
    /// Write the rows of a data source to a file, or show the columns of a table.
    #[command(
        args_conflicts_with_subcommands = true,
        subcommand_negates_reqs = true,
        after_help = "Example:\n  triflow data two_moons --set samples=1000 --out moons.npz\n  triflow data inspect rows.csv --set y=species"
    )]
    Data {
        #[command(subcommand)]
        action: Option<DataCommand>,
        /// Data source, see `triflow list data_source`.
        #[arg(required = true)]
        name: Option<String>,
        /// Set a parameter of the data source, such as samples=1000 (repeatable).
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
        /// Random seed, at least 0 [default: 42].
        #[arg(long, value_name = "N", value_parser = whole::<u64>(0..))]
        seed: Option<u64>,
        #[arg(long, value_name = "FILE", required = true, help = endings::written(&words().arrays))]
        out: Option<PathBuf>,
    },
    /// Measure a trained run on held-out rows and print the metrics as JSON.
    #[command(
        after_help = "Example:\n  run=$(triflow -q train-gen --num-epochs 5)\n  triflow evaluate --run $run --solver heun --steps 10"
    )]
    Evaluate {
        /// Run folder.
        #[arg(long, value_name = "DIR")]
        run: PathBuf,
        /// File with x and y to measure on [default: the run's held-out rows].
        #[arg(long, value_name = "FILE")]
        data: Option<PathBuf>,
        /// File of generated rows, such as those of another program, to measure in place of the
        /// run's samples; each draw is another part of them.
        #[arg(long, value_name = "FILE")]
        samples: Option<PathBuf>,
        /// Number of random draws; metrics are their means, with standard deviations.
        #[arg(long, value_name = "N", default_value_t = 5, value_parser = whole::<u64>(1..))]
        draws: u64,
        /// Maximum number of held-out points, 1 to 50,000; the Wasserstein distance needs 8·N²
        /// bytes and, for 10,000 points, about half a minute a draw.
        #[arg(long, value_name = "N", default_value_t = words().points, value_parser = whole::<i64>(1..=50_000))]
        points: i64,
        /// Also measure the negative log-likelihood of at most ROWS rows, along the ODE (by
        /// --solver, or dopri5) and by the variational bound; 2000 if ROWS is left out.
        #[arg(long, value_name = "ROWS", num_args = 0..=1, default_missing_value = "2000", value_parser = whole::<i64>(1..))]
        likelihood: Option<i64>,
        #[arg(long, value_name = "FILE", requires = "likelihood", help = format!(
            "Also write −ln p of each row, beside the row, to this file ({}): the highest are \
             outliers. Needs --likelihood",
            listed(&words().samples)
        ))]
        out: Option<PathBuf>,
        /// Units of distances: standardised or data [default: the run's].
        #[arg(long, value_name = "UNITS")]
        units: Option<String>,
        /// Further metric: a name, or its keys such as '{type: precision, k: 5}' (repeatable; see
        /// `triflow list metric`).
        #[arg(long, value_name = "METRIC")]
        metric: Vec<String>,
        #[command(flatten)]
        sampling: SamplingArgs,
    },
    /// Train variants of an experiment with the same seeds and budget, and write a report.
    #[command(
        after_help = "Examples:\n  triflow compare --budget epochs=5\n  triflow compare --budget epochs=5 --over objective=flow_matching,ct --over sampling.solver.type=euler,midpoint --seeds 5"
    )]
    Compare(CompareArgs),
    /// Train and measure one run of a comparison.
    #[command(hide = true)]
    CompareOne {
        #[arg(long)]
        folder: PathBuf,
        #[arg(long)]
        plan: String,
        #[arg(long)]
        unit: String,
        #[arg(long, value_parser = whole::<u64>(0..))]
        seed: u64,
    },
    /// Plot quality against network evaluations of trained runs.
    #[command(
        after_help = "Example:\n  run=$(triflow -q train-gen --num-epochs 5)\n  triflow curve --run $run --solver euler,midpoint,dpmpp --out curve.png"
    )]
    Curve {
        /// Run folder (repeatable).
        #[arg(long, required = true, value_name = "DIR")]
        run: Vec<PathBuf>,
        #[command(flatten)]
        ask: CurveArgs,
        /// Output file (.png); the values go to a .json file of the same name.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Train a model that samples in few steps from a trained run (rectified flow).
    #[command(
        after_help = "Example:\n  run=$(triflow -q train-gen --num-epochs 5)\n  triflow reflow --run $run --pairs 5000"
    )]
    Reflow {
        /// Run folder of the model to start from.
        #[arg(long, value_name = "DIR")]
        run: PathBuf,
        /// Number of pairs (z_0, sample) to train on, drawn along dopri5 or --solver [default: the
        /// run's number of training rows].
        #[arg(long, value_name = "N", value_parser = whole::<i64>(1..))]
        pairs: Option<i64>,
        /// Sampling of the pairs, along `dopri5` unless --solver says otherwise.
        #[command(flatten)]
        sampling: SamplingArgs,
        /// Set a key of the new run's experiment, such as training.epochs=20 (repeatable).
        #[arg(long, value_name = "KEY=VALUE")]
        train: Vec<String>,
        /// Folder in which run folders are created [default: the run's].
        #[arg(long, value_name = "DIR")]
        output_dir: Option<PathBuf>,
    },
    /// Write a trained run as a file that any LibTorch evaluates without triflow.
    #[command(
        after_help = "Examples:\n  run=$(triflow -q train-gen --num-epochs 5)\n  triflow export --run $run --to torchscript --out network.pt\n  triflow export --run $run --to sampler --solver dpmpp --steps 10 --out sampler.pt"
    )]
    Export {
        /// Run folder.
        #[arg(long, value_name = "DIR")]
        run: PathBuf,
        /// Function that the file computes, and its format.
        #[arg(long, value_name = "WHAT")]
        to: ExportTo,
        #[command(flatten)]
        sampling: SamplingArgs,
        #[arg(long, value_name = "FILE", help = endings::written(EXPORT_ENDINGS))]
        out: PathBuf,
    },
    /// Draw the pictures of a run again.
    #[command(
        after_help = "Example:\n  run=$(triflow -q train-gen --num-epochs 5)\n  triflow plot --run $run"
    )]
    Plot {
        /// Run folder.
        #[arg(long, value_name = "DIR")]
        run: PathBuf,
        /// New location of the run's data: a file or folder with the same rows.
        #[arg(long, value_name = "PATH")]
        data_path: Option<PathBuf>,
    },
    /// List components.
    #[command(after_help = "Example:\n  triflow list noise_schedule")]
    List {
        /// Kind of component, such as noise_schedule or solver [default: all].
        kind: Option<String>,
        /// Output format.
        #[arg(long, default_value = "table")]
        format: Format,
    },
    /// Print the documentation, the parameters and an example of a component.
    #[command(
        after_help = "Examples:\n  triflow describe noise_schedule cosine --eval --set s=0.02\n  triflow describe noise_schedule linear,cosine --plot --out schedules.png"
    )]
    Describe {
        /// Kind of component, such as noise_schedule.
        kind: String,
        /// Name of the component, such as cosine; for --plot one or several, separated by commas.
        name: Option<String>,
        /// Output format.
        #[arg(long, default_value = "table")]
        format: Format,
        /// Print the values of a noise schedule as CSV: t, alpha_bar, gamma, gamma_prime,
        /// snr_prime.
        #[arg(long)]
        eval: bool,
        /// Draw noise schedules or paths over time.
        #[arg(long, requires = "out", conflicts_with = "eval")]
        plot: bool,
        /// Picture of --plot (.png).
        #[arg(long, value_name = "FILE", requires = "plot")]
        out: Option<PathBuf>,
        /// Number of times t in [0, 1] for --eval, at least 2.
        #[arg(long, value_name = "N", default_value_t = 11, value_parser = whole::<u32>(2..))]
        points: u32,
        /// Set a parameter for --eval or --plot, such as s=0.02 (repeatable).
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
    },
    /// Run the conformance checks of its kind on a component.
    #[command(after_help = "Example:\n  triflow check noise_schedule cosine --set s=0.02")]
    Check {
        /// Kind of component, such as noise_schedule.
        kind: String,
        /// Name of the component, such as cosine.
        name: String,
        /// Set a parameter, such as s=0.02 (repeatable).
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
    },
    /// Create a crate for a plugin with one component.
    #[command(after_help = "Example:\n  triflow new-plugin noise_schedule my_schedule")]
    NewPlugin {
        /// Kind of component, such as noise_schedule.
        kind: String,
        /// Name of the component and of the crate, such as my_schedule.
        name: String,
        /// Folder in which the crate's folder is created.
        #[arg(long, value_name = "DIR", default_value = ".")]
        into: PathBuf,
        /// Folder with the source of triflow [default: the one that this command was built from].
        #[arg(long, value_name = "DIR")]
        framework: Option<PathBuf>,
    },
    /// Create a crate for a program that uses triflow as a library.
    #[command(after_help = "Example:\n  triflow new-program my_model")]
    NewProgram {
        /// Name of the crate and of the program, such as my_model.
        name: String,
        /// Folder in which the crate's folder is created.
        #[arg(long, value_name = "DIR", default_value = ".")]
        into: PathBuf,
        /// Folder with the source of triflow [default: the one that this command was built from].
        #[arg(long, value_name = "DIR")]
        framework: Option<PathBuf>,
    },
    /// Print the JSON schema of experiment files.
    #[command(after_help = "Example:\n  triflow schema > triflow.schema.json")]
    Schema,
    /// Check an experiment file with its data and model, and print it with all defaults.
    #[command(after_help = "Example:\n  triflow init > my.yaml\n  triflow validate my.yaml")]
    Validate {
        /// Experiment file.
        file: PathBuf,
        #[command(flatten)]
        experiment: ExperimentArgs,
    },
    /// Print an experiment file with all defaults.
    #[command(after_help = "Example:\n  triflow init --task regression > my.yaml")]
    Init {
        /// Task: regression, generation or sequence.
        #[arg(long, default_value = "generation")]
        task: String,
    },
    /// Print a completion script for a shell.
    #[command(after_help = "Example:\n  triflow completions bash > triflow.bash")]
    Completions {
        /// Shell to complete in.
        shell: clap_complete::Shell,
    },
}

/// Commands about data.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Show the columns of a table: their types, values and gaps, and what each would be.
    #[command(
        after_help = "Example:\n  triflow data inspect rows.csv --set y=species --set columns.id=ignore"
    )]
    Inspect {
        /// File of the table.
        file: PathBuf,
        /// Set a parameter of the data source, such as y=species (repeatable).
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
    },
}

/// Endings of the names of exported files.
pub const EXPORT_ENDINGS: &[&str] = &["pt"];

/// Function that an exported file computes, and its format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ExportTo {
    /// The network f(z, t, condition), in TorchScript
    #[value(name = "torchscript")]
    TorchScript,
    /// All steps from z_0 and condition to data, in TorchScript
    Sampler,
    /// The network in ONNX, which the Python package writes
    Onnx,
}
