//! A custom noise schedule in a program: declared as a component, named in an experiment, trained.
//!
//! `cargo run --release --example own_schedule` writes a run folder into `artifacts`.

// readme: begin
use triflow::prelude::*;

triflow::component! {
    /// Noise level σ = b/a whose ρ-th root is linear in time.
    ///
    /// γ(t) = −2 ln σ(t) with σ(t)^(1/ρ) = (1 − t)·sigma_max^(1/ρ) + t·sigma_min^(1/ρ).
    #[reference = "Karras et al. 2022, arXiv 2206.00364, eq. 5"]
    pub struct Karras: NoiseSchedule, NoiseScheduleSpec = "karras" {
        /// Noise level at t = 0, above `sigma_min`.
        pub sigma_max: f64 = 80.0,
        /// Noise level at t = 1, in (0, sigma_max).
        pub sigma_min: f64 = 0.002,
        /// Exponent ρ, above 0: a larger one spends more time at low noise.
        pub rho: f64 = 7.0,
    }
}

impl Spec<dyn NoiseSchedule> for Karras {
    fn build(&self, _: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        if !(0.0 < self.sigma_min && self.sigma_min < self.sigma_max) {
            return Err(Error::config("sigma_min", "needs 0 < sigma_min < sigma_max"));
        }
        if self.rho.is_nan() || self.rho <= 0.0 {
            return Err(Error::config("rho", "needs rho > 0"));
        }
        Ok(Box::new(self.clone()))
    }
}

impl NoiseSchedule for Karras {
    fn gamma(&self, t: &Tensor) -> Result<Tensor> {
        let root = |sigma: f64| sigma.powf(1.0 / self.rho);
        let (start, end) = (root(self.sigma_max), root(self.sigma_min));
        Ok((t * (end - start) + start).log() * (-2.0 * self.rho))
    }
}
// readme: end

use std::path::Path;
use triflow::Experiment;
use triflow::run::{self, Run};

/// Experiment of a short diffusion training with the schedule.
const EXPERIMENT: &str = "
objective: diffusion
noise_schedule: { type: karras, rho: 5 }
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
        triflow::testing::conforms(Karras::default());
    }

    #[test]
    fn a_schedule_of_ones_own_trains_and_is_saved_under_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let run = train(folder.path()).unwrap();
        let config = std::fs::read_to_string(run.file("config.yaml")).unwrap();
        for line in ["type: karras", "sigma_max: 80.0", "rho: 5.0"] {
            assert!(config.contains(line), "{config}");
        }
        assert!(run.file("manifest.json").is_file());
    }
}
