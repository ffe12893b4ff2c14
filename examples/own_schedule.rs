//! A custom noise schedule in a program: declared as a component, named in an experiment, trained.
//!
//! `cargo run --release --example own_schedule` writes a run folder into `artifacts`.

// readme: begin
use triflow::prelude::*;

triflow::component! {
    /// alpha_bar of a diffusion whose root of the noise rate β is a linear function of time.
    ///
    /// γ(t) = −ln(e^B − 1), where B is the integral of β from 0 to s = (1 − t) + t·s_min.
    #[reference = "Rombach et al. 2022, arXiv 2112.10752"]
    pub struct ScaledLinear: NoiseSchedule = "scaled_linear" {
        /// Noise rate at s = 0, below beta_max.
        #[range(above = 0)]
        pub beta_min: f64 = 0.85,
        /// Noise rate at s = 1.
        #[range(above = 0)]
        pub beta_max: f64 = 12.0,
        /// s at t = 1: at s = 0 there is no noise, and γ is infinite.
        #[range(above = 0, below = 1)]
        pub s_min: f64 = 0.001,
    }
}

impl Spec<dyn NoiseSchedule> for ScaledLinear {
    fn build(&self, _: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        if self.beta_min >= self.beta_max {
            return Err(Error::config("beta_min", "needs beta_min < beta_max"));
        }
        Ok(Box::new(self.clone()))
    }
}

impl NoiseSchedule for ScaledLinear {
    fn gamma(&self, t: &Tensor) -> Result<Tensor> {
        let (start, end) = (self.beta_min.sqrt(), self.beta_max.sqrt());
        let s: Tensor = 1.0 - t + t * self.s_min;
        let root: Tensor = &s * (end - start) + start;
        let integral = s * (root.square() + &root * start + start * start) / 3.0;
        Ok(-integral.expm1().log())
    }
}
// readme: end

use std::path::Path;
use triflow::Experiment;
use triflow::run::{self, Run};

/// Experiment of a short diffusion training with the schedule.
const EXPERIMENT: &str = "
objective: diffusion
noise_schedule: { type: scaled_linear, beta_max: 10 }
data: { samples: 1000 }
training: { epochs: 2 }
";

fn train(output_dir: &Path) -> Result<Run> {
    triflow_plugins::link();
    let mut experiment = Experiment::from_yaml(EXPERIMENT)?;
    experiment.output_dir = output_dir.to_owned();
    run::train(experiment, Path::new(""), &mut ())
}

fn main() -> Result<()> {
    println!("results in {}", train(Path::new("artifacts"))?.path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_of_ones_own_conforms() {
        triflow::testing::conforms(ScaledLinear::default());
    }

    #[test]
    fn a_schedule_of_ones_own_trains_and_is_saved_under_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let run = train(folder.path()).unwrap();
        let config = std::fs::read_to_string(run.file("config.yaml")).unwrap();
        for line in ["type: scaled_linear", "beta_min: 0.85", "beta_max: 10.0"] {
            assert!(config.contains(line), "{config}");
        }
        assert!(run.file("manifest.json").is_file());
    }
}
