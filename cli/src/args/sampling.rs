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
    /// Solvers, by name.
    #[arg(long, value_delimiter = ',', default_value = "euler,midpoint")]
    pub solver: Vec<String>,
    /// Network evaluations a sample.
    #[arg(long, value_delimiter = ',', value_name = "N", default_value = "1,2,4,8,16,32,64", value_parser = whole::<u64>(1..=100_000))]
    pub nfe: Vec<u64>,
    /// Where the steps are: time, gamma or karras; each run's own unless said.
    #[arg(long)]
    pub grid: Option<String>,
    /// Draws, of which the metric is the mean.
    #[arg(long, value_name = "K", default_value_t = 3, value_parser = whole::<u64>(1..))]
    pub draws: u64,
    /// Most held-out points that are measured.
    #[arg(long, value_name = "N", default_value_t = EXACT_POINTS, value_parser = whole::<i64>(1..=50_000))]
    pub points: i64,
    /// Seed of z_0.
    #[arg(long, value_parser = whole::<u64>(0..))]
    pub seed: Option<u64>,
    /// Where the run's data lie now, if they have moved: the same rows, in a file or folder.
    #[arg(long, value_name = "PATH")]
    pub data_path: Option<PathBuf>,
}

#[derive(Args, Clone, Debug, Default)]
pub struct SamplingArgs {
    /// Steps of a fixed-step solver.
    #[arg(long, value_parser = whole::<usize>(0..))]
    pub steps: Option<usize>,
    /// The solver's name.
    #[arg(long)]
    pub solver: Option<String>,
    /// Where the steps are: time, gamma or karras.
    #[arg(long)]
    pub grid: Option<String>,
    /// Scale of classifier-free guidance; 1: as trained.
    #[arg(long, value_name = "W")]
    pub guidance: Option<f64>,
    /// Any other key of `sampling`, as --set sampling.solver.eta=0.5; may be given again.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Seed of z_0.
    #[arg(long, value_parser = whole::<u64>(0..))]
    pub seed: Option<u64>,
    /// How z_0 is drawn: independent or sobol.
    #[arg(long)]
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
