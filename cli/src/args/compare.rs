//! Flags of `compare`.

use super::ExperimentArgs;
use super::experiment::Request;
use super::number::whole;
use clap::Args;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use triflow::config::parse_value;
use triflow::{Error, Result};

/// Flags of a comparison, which override `comparison` of the experiment file.
#[derive(Args, Debug)]
pub struct CompareArgs {
    #[command(flatten)]
    experiment: ExperimentArgs,
    /// Vary a key over values, such as objective=flow_matching,diffusion,ct (repeatable); every
    /// combination is compared [default: three objectives, three noise schedules].
    #[arg(long, value_name = "KEY=VALUE,VALUE")]
    over: Vec<String>,
    /// Number of seeds of each combination, counted up from --seed [default: 3].
    #[arg(long, value_name = "N", value_parser = whole::<u64>(1..))]
    seeds: Option<u64>,
    /// Training budget of each run: epochs=N, steps=N or seconds=N [default: the experiment's].
    #[arg(long, value_name = "UNIT=N")]
    budget: Option<String>,
    /// Maximum number of held-out points, 2 to 50,000 [default: 2000].
    #[arg(long, value_name = "N", value_parser = whole::<i64>(2..=50_000))]
    points: Option<i64>,
    /// Number of random draws; metrics are their means [default: 3].
    #[arg(long, value_name = "N", value_parser = whole::<u64>(1..))]
    draws: Option<u64>,
    /// Skip measuring quality against network evaluations.
    #[arg(long)]
    no_curve: bool,
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
    fn from_str(text: &str) -> std::result::Result<Self, String> {
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

impl CompareArgs {
    /// The experiment, its `comparison` as these flags say.
    pub fn asked(&self) -> Result<Request> {
        let mut asked = self.experiment.experiment(None, None)?;
        let layers = &mut asked.layers;
        if !self.over.is_empty() {
            let mut over = serde_yaml::Mapping::new();
            for text in &self.over {
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
        if let Some(text) = &self.budget {
            let (unit, n) = assignment(text, "--budget", "steps=2000")?;
            let mut budget = serde_yaml::Mapping::new();
            budget.insert(unit.into(), parse_value(n)?);
            layers.set("comparison.budget", budget.into(), "--budget")?;
        }
        let numbers = [
            ("seeds", self.seeds.map(Into::into), "--seeds"),
            ("points", self.points.map(Into::into), "--points"),
            ("draws", self.draws.map(Into::into), "--draws"),
            ("curve", self.no_curve.then_some(serde_yaml::Value::Null), "--no-curve"),
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

fn assignment<'t>(text: &'t str, flag: &str, example: &str) -> Result<(&'t str, &'t str)> {
    let parts = text.split_once('=').map(|(key, value)| (key.trim(), value));
    parts.filter(|(key, _)| !key.is_empty()).ok_or_else(|| {
        Error::config("", format!("`{flag} {text}` names no key"))
            .help(format!("write `{flag} {example}`"))
    })
}
