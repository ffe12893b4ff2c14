//! Divergence in a group: all processes find the same step, and do the same.

use super::{Ranks, codes, train};
use crate::command::{Folder, bytes};
use serde_json::Value;

/// The learning rate rises until training diverges, after some checkpoints.
const EXPERIMENT: &str = "
task: generation
data: { type: two_moons, samples: 400, val_samples: 100, test_samples: 100 }
crn: { type: vanilla, network: { type: mlp, hidden_dims: [16] } }
training:
  epochs: 4
  batch_size: 50
  parts: 2
  optimizer: { type: sgd, learning_rate: 6 }
  lr_schedule: { type: constant, warmup: 30 }
  on_divergence: { type: restore_and_halve_lr, restores: 5 }
checkpoint: { every: 3 steps, keep_best: w2 }
sampling: { solver: euler, steps: 4 }
device: cpu
";

#[test]
fn ranks_return_to_the_same_state_and_end_with_the_same_error() {
    let folder = Folder::new();
    folder.write("e.yaml", EXPERIMENT);
    for (size, run) in [(1, "of_1"), (2, "of_2")] {
        train(&folder, size, run);
    }
    let read = |run: &str| -> Value {
        serde_json::from_slice(&bytes(&folder.join(run).join("history.json"))).unwrap()
    };
    let (one, two) = (read("of_1"), read("of_2"));
    assert_eq!(one["restores"], two["restores"]);
    assert!(one["restores"].as_array().unwrap().len() > 1, "{one}");
    assert_eq!(two["step"].as_array().unwrap().len(), 4);
    assert!(folder.join("of_2/checkpoints/best.safetensors").is_file());
    let stop = "training.on_divergence=stop";
    let ranks = Ranks::start(&folder, 2, |_| {
        vec!["-q", "run", "e.yaml", "--run-dir", "stopped", "--set", stop]
    });
    let all = ranks.finish();
    assert_eq!(codes(&all), [1, 1], "{all:?}");
    let diverged = one["restores"][0]["diverged"].as_u64().unwrap();
    let expected = format!("no longer finite at step {diverged} (epoch ");
    assert!(all[0].err.contains(&expected), "{}", all[0].err);
}
