//! Flags of sampling: how a trained run is drawn from.

use super::number::whole;
use clap::Args;
use std::path::PathBuf;
use triflow::config::Layers;
use triflow::measure::EXACT_POINTS;
use triflow::{Error, Result};

/// What a curve of quality against network evaluations is made of.
#[derive(Args, Clone, Debug)]
pub struct CurveArgs {
    /// Solvers.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', default_value = "euler,midpoint")]
    pub solver: Vec<String>,
    /// Network evaluations per sample.
    #[arg(long, value_delimiter = ',', value_name = "N,…", default_value = "1,2,4,8,16,32,64", value_parser = whole::<u64>(1..=100_000))]
    pub nfe: Vec<u64>,
    /// Step grid: time, gamma or karras; each run's own by default.
    #[arg(long, value_name = "NAME")]
    pub grid: Option<String>,
    /// Number of draws; the metric is the mean over them.
    #[arg(long, value_name = "K", default_value_t = 3, value_parser = whole::<u64>(1..))]
    pub draws: u64,
    /// Maximum number of held-out points.
    #[arg(long, value_name = "N", default_value_t = EXACT_POINTS, value_parser = whole::<i64>(1..=50_000))]
    pub points: i64,
    /// Seed of z_0.
    #[arg(long, value_name = "N", value_parser = whole::<u64>(0..))]
    pub seed: Option<u64>,
    /// Where the run's data lie now, if they have moved: the same rows, in a file or folder.
    #[arg(long, value_name = "PATH")]
    pub data_path: Option<PathBuf>,
}

#[derive(Args, Clone, Debug, Default)]
pub struct SamplingArgs {
    /// Number of steps of a fixed-step solver.
    #[arg(long, value_name = "N", value_parser = whole::<usize>(0..))]
    pub steps: Option<usize>,
    /// Solver, as `triflow list solver` lists them.
    #[arg(long, value_name = "NAME")]
    pub solver: Option<String>,
    /// Step grid: time, gamma or karras.
    #[arg(long, value_name = "NAME")]
    pub grid: Option<String>,
    /// Scale of classifier-free guidance; 1 is as trained.
    #[arg(long, value_name = "W")]
    pub guidance: Option<f64>,
    /// Set any key of `sampling`, as --set sampling.solver.eta=0.5 (repeatable).
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Seed of z_0.
    #[arg(long, value_name = "N", value_parser = whole::<u64>(0..))]
    pub seed: Option<u64>,
    /// How z_0 is drawn: independent or sobol.
    #[arg(long, value_name = "NAME")]
    pub noise: Option<String>,
    /// Where the run's data lie now, if they have moved: the same rows, in a file or folder.
    #[arg(long, value_name = "PATH")]
    pub data_path: Option<PathBuf>,
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
