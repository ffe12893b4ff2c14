//! Trainings whose steps draw random numbers of many kinds are the same by one rank and by two.

use super::{EXPERIMENT, assert_same, train};
use crate::command::{Folder, text};
use crate::plugins::library;
use std::collections::BTreeMap;
use triflow::io::{NamedArray, safetensors};

/// Trains with one rank and with two, and asserts equality.
fn same_by_one_and_two(folder: &Folder, tolerance: f64) {
    train(folder, 1, "of_1");
    train(folder, 2, "of_2");
    assert_same(folder, "of_1", "of_2", tolerance);
}

#[test]
fn after_400_steps_in_float32_the_models_are_equal_up_to_rounding() {
    let folder = Folder::new();
    let experiment = EXPERIMENT.replace("precision: float64", "precision: float32");
    folder.write("e.yaml", &experiment.replace("epochs: 4", "steps: 400"));
    same_by_one_and_two(&folder, 1e-5);
}

#[test]
fn images_are_mirrored_by_the_part() {
    let folder = Folder::new();
    // 20 images are two batches of 8 and one of 4.
    let values: Vec<f32> = (0..20 * 64).map(|i| (i * i % 97) as f32 / 97.0).collect();
    let images = NamedArray::new("x", vec![20, 1, 8, 8], values).unwrap();
    let file = folder.join("images.safetensors");
    safetensors::write_safetensors(&file, &[images], &BTreeMap::new()).unwrap();
    folder.write(
        "e.yaml",
        "
task: generation
unconditional: true
data: { type: safetensors, path: images.safetensors, split: { train: 1.0, val: 0.0, test: 0.0 } }
crn: { type: vanilla, network: { type: unet, channels: [4, 8], blocks: 1, dropout: 0.1 } }
training: { epochs: 6, batch_size: 8, parts: 2, flip: true, precision: float64 }
sampling: { solver: euler, steps: 2 }
device: cpu
",
    );
    same_by_one_and_two(&folder, 1e-12);
}

#[test]
fn the_network_of_a_plugin_draws_by_the_part() {
    let folder = Folder::new();
    let plugin = library("film_resnet");
    folder.write(
        "e.yaml",
        &format!(
            "
plugins: ['{}']
task: generation
data: {{ type: two_moons, samples: 100 }}
crn: {{ type: vanilla, network: {{ type: film_resnet, width: 8, blocks: 1, dropout: 0.2 }} }}
training: {{ epochs: 3, batch_size: 32, parts: 2, precision: float64 }}
sampling: {{ solver: euler, steps: 4 }}
device: cpu
",
            text(&plugin)
        ),
    );
    same_by_one_and_two(&folder, 1e-12);
}

#[test]
fn rows_are_drawn_by_weight_from_one_order() {
    let folder = Folder::new();
    let row = |i: i32| format!("{},{},{}\n", i, i * i % 31, i % 4);
    let rows: String = (0..90).map(row).collect();
    folder.write("rows.csv", &format!("x,y,mass\n{rows}"));
    folder.write(
        "e.yaml",
        "
task: generation
data: { type: table, path: rows.csv, y: [y], weights: mass }
crn: { type: vanilla, network: { type: mlp, hidden_dims: [8], dropout: 0.1 } }
training: { epochs: 3, batch_size: 16, parts: 4, row_weights: given, precision: float64 }
sampling: { solver: euler, steps: 4 }
device: cpu
",
    );
    same_by_one_and_two(&folder, 1e-12);
}
