//! The configurations for images, on small files in the formats that they read.

use crate::command::{Folder, bytes, text};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Arguments that make every configuration as small and short as possible.
const SHORT: [&str; 14] = [
    "--num-epochs",
    "1",
    "--batch-size",
    "32",
    "--device",
    "cpu",
    "--set",
    "sampling.steps=2",
    "--set",
    "crn.network.channels=[8,8,8]",
    "--set",
    "crn.network.blocks=1",
    "--set",
    "training.ema=0.9",
];

const ROWS: usize = 96;

fn config(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs").join(name)
}

/// Images in the format of MNIST: a bright square whose position depends on the class.
fn mnist(folder: &Folder) -> String {
    let header = |sizes: &[u32]| {
        let sizes = sizes.iter().flat_map(|n| n.to_be_bytes());
        [0, 0, 8, sizes.clone().count() as u8 / 4].into_iter().chain(sizes).collect::<Vec<u8>>()
    };
    let bright = |class: usize, at: usize| {
        let (row, column) = (at / 28, at % 28);
        if row / 5 == class / 2 && column / 14 == class % 2 { 255 } else { 0 }
    };
    for (set, rows) in [("train", ROWS), ("t10k", ROWS / 2)] {
        let pixels = (0..rows).flat_map(|i| (0..28 * 28).map(move |at| bright(i % 10, at)));
        let images = header(&[rows as u32, 28, 28]).into_iter().chain(pixels).collect::<Vec<u8>>();
        let labels = (0..rows).map(|i| (i % 10) as u8);
        let labels = header(&[rows as u32]).into_iter().chain(labels).collect::<Vec<u8>>();
        std::fs::write(folder.join(format!("{set}-images-idx3-ubyte")), images).unwrap();
        std::fs::write(folder.join(format!("{set}-labels-idx1-ubyte")), labels).unwrap();
    }
    format!("data.path={}", folder.path().display())
}

/// Trains a configuration, asserts that its images were drawn, and returns the run folder.
fn train(folder: &Folder, name: &str, more: &[&str]) -> PathBuf {
    let config = config(name);
    let run = folder.train(&[&["train-gen", "--config", text(&config)], &SHORT[..], more].concat());
    for picture in ["images.png", "nearest_neighbours.png", "data_visualization.png"] {
        assert!(bytes(&run.join(picture)).starts_with(b"\x89PNG\r\n\x1a\n"), "{name}: {picture}");
    }
    let metrics: Value = serde_json::from_slice(&bytes(&run.join("metrics.json"))).unwrap();
    assert!(metrics["energy_distance"].as_f64().unwrap().is_finite(), "{name}: {metrics:#}");
    run
}

#[test]
fn every_configuration_of_mnist_trains_and_draws() {
    let folder = Folder::new();
    let data = mnist(&folder);
    let path = ["--set", &data];
    train(&folder, "mnist.yaml", &path);
    let smaller = ["--set", "crn.network={type: dit, patch: 7, width: 16, blocks: 1}"];
    let plain = folder.train(
        &[
            &["train-gen", "--config", text(&config("mnist_dit.yaml"))][..],
            &SHORT[..8],
            &path,
            &smaller,
        ]
        .concat(),
    );
    assert!(plain.join("images.png").exists());
    let first = train(&folder, "mnist_autoencoder.yaml", &path);
    let from = format!("start_from.run={}", first.display());
    train(&folder, "mnist_latent.yaml", &[&path[..], &["--set", &from]].concat());
}

#[test]
fn the_configuration_of_cifar_10_trains_and_draws() {
    let folder = Folder::new();
    for (name, rows) in [("data_batch_1.bin", ROWS), ("test_batch.bin", ROWS / 2)] {
        let row = |i: usize| {
            let pixels = (0..3 * 32 * 32).map(move |at| if at / 1024 == i % 3 { 200 } else { 20 });
            std::iter::once((i % 10) as u8).chain(pixels)
        };
        std::fs::write(folder.join(name), (0..rows).flat_map(row).collect::<Vec<u8>>()).unwrap();
    }
    let path = format!("data.path={}", folder.path().display());
    train(&folder, "cifar10.yaml", &["--set", &path, "--set", "crn.network.attention=[8]"]);
}
