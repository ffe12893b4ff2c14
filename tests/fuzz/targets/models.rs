//! Checkpoints and files of parameters, of one small experiment.

use std::path::Path;
use triflow::train::State;
use triflow::{Experiment, Trained, Trainer};

const EXPERIMENT: &str = "
task: generation
data: { type: two_moons, samples: 40 }
crn: { type: vanilla, network: { type: mlp, hidden_dims: [4] } }
training: { epochs: 3, batch_size: 8, ema: 0.9 }
device: cpu
threads: 1
";

fn experiment() -> Experiment {
    triflow_plugins::link();
    Experiment::from_yaml(EXPERIMENT).expect("the experiment is sound")
}

pub fn checkpoint(folder: &Path, data: &[u8]) {
    thread_local! {
        static TRAINER: std::cell::RefCell<Trainer> =
            Trainer::new(experiment(), Path::new("")).expect("it trains").into();
    }
    let Some(path) = super::write(folder, "step_000000002.safetensors", data) else { return };
    if let Ok(state) = State::load(&path) {
        TRAINER.with_borrow_mut(|trainer| {
            let _ = trainer.restore(state);
        });
    }
}

pub fn parameters(folder: &Path, data: &[u8]) {
    let Some(path) = super::write(folder, "params.safetensors", data) else { return };
    let _ = Trained::load(experiment(), &path);
}
