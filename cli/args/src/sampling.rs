//! Flags of sampling: how a trained run is sampled.

use crate::catalogue::words;
use crate::number::whole;
use clap::Args;
use std::path::PathBuf;

/// Heading under which the help lists the flags of sampling.
const SAMPLING: &str = "Sampling options";

/// Heading under which the help lists the flags of the beginning of paths.
const START: &str = "Beginning of the paths";

/// Flags of a curve of quality against network evaluations.
#[derive(Args, Clone, Debug)]
pub struct CurveArgs {
    /// Solvers, see `triflow list solver`.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', default_value = "euler,midpoint")]
    pub solver: Vec<String>,
    /// Network evaluations per sample, 1 to 100,000 each.
    #[arg(long, value_delimiter = ',', value_name = "N,…", default_value = "1,2,4,8,16,32,64", value_parser = whole::<u64>(1..=100_000))]
    pub nfe: Vec<u64>,
    /// Step grid, see `triflow list step_grid` [default: the run's].
    #[arg(long, value_name = "NAME")]
    pub grid: Option<String>,
    /// Number of random draws; the metric is their mean.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = whole::<u64>(1..))]
    pub draws: u64,
    /// Maximum number of held-out points, 1 to 50,000.
    #[arg(long, value_name = "N", default_value_t = words().points, value_parser = whole::<i64>(1..=50_000))]
    pub points: i64,
    /// Random seed of z_0, at least 0 [default: the run's].
    #[arg(long, value_name = "N", value_parser = whole::<u64>(0..))]
    pub seed: Option<u64>,
    /// New location of the run's data: a file or folder with the same rows.
    #[arg(long, value_name = "PATH")]
    pub data_path: Option<PathBuf>,
}

/// Beginning of the paths of samples, other than noise.
#[derive(Args, Clone, Debug, Default)]
#[group(multiple = false, conflicts_with_all = ["seeds", "save_z0"])]
pub struct BeginningArgs {
    /// Continue from the states in a file: an .npz with their z and t, as --invert writes it, or
    /// with z0, as --save-z0 does.
    #[arg(long, value_name = "FILE", help_heading = START, conflicts_with = "n")]
    pub from: Option<PathBuf>,
    /// Edit the rows of a file, of data or as generate writes them: noise is added to them up to
    /// the time of --at, and sampling goes on from there.
    #[arg(long, value_name = "FILE", help_heading = START, requires = "at")]
    pub edit: Option<PathBuf>,
    /// Complete the rows of a file, in which empty cells or NaN are unknown: columns, images in
    /// numbers, or sequences, whose padding stays padding.
    #[arg(long, value_name = "FILE", help_heading = START, conflicts_with = "at")]
    pub given: Option<PathBuf>,
    /// Write, instead of samples, the states that lead to the rows of a file: the way back along
    /// the ODE to the time of --at, or to its start. --out is an .npz for --from.
    #[arg(long, value_name = "FILE", help_heading = START, conflicts_with_all = ["n", "trajectories"])]
    pub invert: Option<PathBuf>,
}

/// Flags of the beginning of paths.
#[derive(Args, Clone, Debug, Default)]
pub struct StartArgs {
    #[command(flatten)]
    pub beginning: BeginningArgs,
    /// Time t of --from, --edit or --invert, from 0 (noise) to below 1 (data).
    #[arg(long, value_name = "T", help_heading = START)]
    pub at: Option<f64>,
}

/// How a trained run is sampled.
#[derive(Args, Clone, Debug, Default)]
pub struct SamplingArgs {
    /// Number of steps of a fixed-step solver, at least 1 [default: the run's].
    #[arg(long, value_name = "N", help_heading = SAMPLING, value_parser = whole::<usize>(0..))]
    pub steps: Option<usize>,
    /// Solver, see `triflow list solver` [default: the run's].
    #[arg(long, value_name = "NAME", help_heading = SAMPLING)]
    pub solver: Option<String>,
    /// Step grid, see `triflow list step_grid` [default: the run's].
    #[arg(long, value_name = "NAME", help_heading = SAMPLING)]
    pub grid: Option<String>,
    /// Scale of classifier-free guidance; 1 means none [default: the run's].
    #[arg(long, value_name = "W", help_heading = SAMPLING)]
    pub guidance: Option<f64>,
    /// Set a key of `sampling`, such as sampling.solver.eta=0.5, or say how the files that are read
    /// are written, such as data.encoding=latin1 (repeatable).
    #[arg(long, value_name = "KEY=VALUE", help_heading = SAMPLING)]
    pub set: Vec<String>,
    /// Random seed of z_0, at least 0 [default: the run's].
    #[arg(long, value_name = "N", help_heading = SAMPLING, value_parser = whole::<u64>(0..))]
    pub seed: Option<u64>,
    /// Draws of z_0: independent, or sobol for a scrambled Sobol' set [default: the run's].
    #[arg(long, value_name = "NAME", help_heading = SAMPLING)]
    pub noise: Option<String>,
    /// New location of the run's data: a file or folder with the same rows.
    #[arg(long, value_name = "PATH")]
    pub data_path: Option<PathBuf>,
    /// Use the parameters with the lowest validation loss; needs a run trained with
    /// `checkpoint.keep_best`.
    #[arg(long, help_heading = SAMPLING)]
    pub best: bool,
}
