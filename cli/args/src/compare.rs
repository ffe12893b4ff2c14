//! Flags of `compare`.

use crate::experiment::ExperimentArgs;
use crate::number::whole;
use clap::Args;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Flags of a comparison, which override `comparison` of the experiment file.
#[derive(Args, Debug)]
pub struct CompareArgs {
    #[command(flatten)]
    pub experiment: ExperimentArgs,
    /// Vary a key over values, such as objective=flow_matching,diffusion,ct (repeatable); every
    /// combination is compared [default: three objectives, three noise schedules].
    #[arg(long, value_name = "KEY=VALUE,VALUE")]
    pub over: Vec<String>,
    /// Number of seeds of each combination, counted up from --seed [default: 3].
    #[arg(long, value_name = "N", value_parser = whole::<u64>(1..))]
    pub seeds: Option<u64>,
    /// Training budget of each run: epochs=N, steps=N or seconds=N [default: the experiment's].
    #[arg(long, value_name = "UNIT=N")]
    pub budget: Option<String>,
    /// Maximum number of held-out points, 2 to 50,000 [default: 2000].
    #[arg(long, value_name = "N", value_parser = whole::<i64>(2..=50_000))]
    pub points: Option<i64>,
    /// Number of random draws; metrics are their means [default: 3].
    #[arg(long, value_name = "N", value_parser = whole::<u64>(1..))]
    pub draws: Option<u64>,
    /// Skip measuring quality against network evaluations.
    #[arg(long)]
    pub no_curve: bool,
    /// Folder of the comparison; finished runs in an existing one are kept [default: a new folder
    /// in artifacts/compare].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Number of parallel runs, 1 to 1,024 [default: as cores and memory allow, one on a GPU].
    #[arg(long, value_name = "N", value_parser = whole::<u64>(1..=1024))]
    pub jobs: Option<u64>,
    /// Train only part I of N, from 1/N to N/N, into --out; --collect reports on all parts.
    #[arg(long, value_name = "I/N", requires = "out")]
    pub shard: Option<Shard>,
    /// Resume the comparison in this folder.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["collect", "out", "over", "seeds", "budget"])]
    pub resume: Option<PathBuf>,
    /// Write the report of the comparison in this folder without training.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["out", "over", "seeds", "budget", "shard"])]
    pub collect: Option<PathBuf>,
    /// Print what would be trained, without training.
    #[arg(long)]
    pub dry_run: bool,
}

/// One of several equal parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 1.
    part: usize,
    of: usize,
}

impl Shard {
    /// `true` for the things of this part, by their numbers from 0.
    pub fn has(self, i: usize) -> bool {
        i % self.of == self.part - 1
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.part, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/');
        let parts =
            parts.and_then(|(i, n)| Some((i.parse::<usize>().ok()?, n.parse::<usize>().ok()?)));
        match parts {
            Some((part, of)) if 0 < part && part <= of => Ok(Self { part, of }),
            Some((part, of)) if of > 0 => Err(format!(
                "of {of} parts there is no part {part}: they count from 1 to {of} (a job array of \
                 Slurm does with --array=1-{of})"
            )),
            _ => Err("needs a part and the number of parts, such as 2/8".into()),
        }
    }
}
