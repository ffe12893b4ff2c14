//! Training with rows on disk equals training with rows in memory, to the bit: paired with z_0, of
//! different lengths, mirrored.

use std::collections::BTreeMap;
use std::path::Path;
use triflow::Trainer;
use triflow::io::{ArrayData, NamedArray, safetensors};
use triflow::prelude::*;
use triflow::train::Control;

const ROWS: usize = 60;

/// Irregular numbers.
fn numbers(n: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * i % 97) as f32).sin() * (1 + i % 3) as f32 + 2.0).collect()
}

fn bytes(n: usize) -> Vec<u8> {
    (0..n).map(|i| (i * i % 251) as u8).collect()
}

fn write(path: &Path, arrays: Vec<(&str, Vec<usize>, ArrayData)>) {
    let arrays: Vec<NamedArray> = arrays
        .into_iter()
        .map(|(name, shape, data)| {
            NamedArray::new(name, [&[ROWS], &shape[..]].concat(), data).unwrap()
        })
        .collect();
    safetensors::write_safetensors(path, &arrays, &BTreeMap::new()).unwrap();
}

/// A trainer of the experiment `yaml` on the file for two epochs, with `data.keep` set to `keep`.
fn trainer(path: &Path, keep: &str, yaml: &str) -> Result<Trainer> {
    triflow_plugins::link();
    let mut layers = triflow::config::Layers::new()?;
    let data = format!("{{ type: safetensors, path: {}, keep: {keep} }}", path.display());
    let training = "{ epochs: 2, batch_size: 16 }";
    let base = format!("{{ device: cpu, data: {data}, training: {training} }}");
    layers.add_text(&base, "base")?;
    layers.add_text(yaml, "test")?;
    Trainer::new(layers.finish()?, Path::new(""))
}

/// History and parameters after training.
fn trained(path: &Path, keep: &str, yaml: &str) -> (String, Vec<(String, Vec<f64>)>) {
    let mut trainer = trainer(path, keep, yaml).unwrap_or_else(|e| panic!("{keep} {yaml}: {e}"));
    trainer.fit(&mut |_, _| Ok(Control::Continue)).unwrap();
    let flat = |t: Tensor| Vec::try_from(t.to_kind(triflow::tch::Kind::Double).view(-1)).unwrap();
    let parameters = trainer.trained().parameters();
    let history = serde_json::to_string(trainer.history()).unwrap();
    (history, parameters.into_iter().map(|(name, t)| (name, flat(t))).collect())
}

fn same(path: &Path, yaml: &str) {
    assert_eq!(trained(path, "device", yaml), trained(path, "disk", yaml), "{yaml}");
}

#[test]
fn vectors_are_paired_with_z_0_from_their_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.safetensors");
    let labels: Vec<i64> = (0..ROWS as i64).map(|i| i % 3).collect();
    write(&path, vec![("x", vec![2], numbers(2 * ROWS).into()), ("y", vec![], labels.into())]);
    same(&path, "{ unconditional: true, coupling: ot_exact }");
    // The blocks of 32 rows do not divide an epoch; y (labels) is the condition first, then x.
    same(&path, "{ coupling: { type: ot_conditional, batch: 32 } }");
    same(&path, "{ task: regression, coupling: { type: ot_exact, allow_biased: true } }");
}

#[test]
fn images_are_encoded_paired_and_mirrored_from_their_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("images.safetensors");
    write(
        &path,
        vec![
            ("x", vec![1, 4, 4], bytes(16 * ROWS).into()),
            ("y", vec![1, 4, 4], numbers(16 * ROWS).into()),
        ],
    );
    let latent = "latent_shape: [2, 2, 2], encoder: { type: conv, width: 4 },
                  decoder: { type: conv, width: 4 }, training: { freeze: [encoder] }";
    same(&path, &format!("{{ unconditional: true, coupling: ot_exact, {latent} }}"));
    same(&path, "{ coupling: { type: ot_sinkhorn, allow_biased: true } }");
    same(&path, "{ training: { flip: true } }");
}

#[test]
fn sequences_of_different_lengths_are_learned_from_their_file_whatever_their_padding_holds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sequences.safetensors");
    let lengths: Vec<i64> = (0..ROWS as i64).map(|i| 1 + i * i % 5).collect();
    let padded = |width: usize| {
        let mut values = numbers(5 * width * ROWS);
        for (row, length) in values.chunks_mut(5 * width).zip(&lengths) {
            row[*length as usize * width..].fill(f32::NAN);
        }
        values
    };
    write(
        &path,
        vec![
            ("x", vec![5, 2], padded(2).into()),
            ("y", vec![5], padded(1).into()),
            ("lengths", vec![], lengths.clone().into()),
        ],
    );
    same(&path, "{ task: sequence, objective: diffusion }");
    same(&path, "{ task: sequence, data: { standardise: false } }");
}

#[test]
fn what_cannot_be_paired_is_said_wherever_the_rows_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("images.safetensors");
    write(&path, vec![("x", vec![1, 4, 4], bytes(16 * ROWS).into())]);
    for keep in ["device", "disk"] {
        let yaml = "{ unconditional: true, coupling: ot_exact, training: { flip: true } }";
        let error = trainer(&path, keep, yaml).unwrap_err().to_string();
        let why = "z_0 is paired with the images as they are, not with mirrored ones";
        assert!(error.starts_with(why), "{error}");
    }
}
