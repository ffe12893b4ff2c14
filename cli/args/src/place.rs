//! Flags of training: the run folder, and several processes.

use crate::experiment::ExperimentArgs;
use crate::number::whole;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Heading under which the help lists the flags.
const PLACE: &str = "Run folder and processes";

/// The flags of a command that trains an experiment.
#[derive(Args, Debug)]
pub struct TrainArgs {
    #[command(flatten)]
    pub experiment: ExperimentArgs,
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// Where an experiment is trained.
#[derive(Args, Debug)]
pub struct PlaceArgs {
    /// Run folder; a run that was begun there goes on [default: a new folder in output_dir].
    #[arg(long, value_name = "DIR", help_heading = PLACE, conflicts_with = "output_dir")]
    pub run_dir: Option<PathBuf>,
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// The wait for other processes that a launcher started.
#[derive(Args, Debug)]
pub struct WaitArgs {
    /// Longest wait of one process for another, where torchrun, srun or mpirun start several.
    #[arg(
        long,
        value_name = "SECONDS",
        help_heading = PLACE,
        default_value = "300",
        value_parser = whole::<u64>(1..=86_400)
    )]
    timeout: u64,
}

impl WaitArgs {
    /// Longest wait for another process.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}
