//! Tests of every picture on realistic data and on extreme values. If `TRIFLOW_PLOTS` names a
//! folder, the pictures are kept there, to be looked at.

use std::path::{Path, PathBuf};

use super::*;

mod content;
mod picture;
mod sampling;
mod table;
mod training;

use picture::Picture;

/// A small deterministic generator of uniform numbers, and of normal ones as sums of twelve.
struct Dice(u64);

impl Dice {
    fn uniform(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

fn moons(n: usize, noise: f64, seed: u64) -> (Scatter, Vec<usize>) {
    let mut dice = Dice(seed);
    let mut values = Vec::new();
    let labels: Vec<usize> = (0..n).map(|i| i % 2).collect();
    for label in &labels {
        let angle = std::f64::consts::PI * dice.uniform();
        let (x, y) = if *label == 0 {
            (angle.cos(), angle.sin())
        } else {
            (1.0 - angle.cos(), 0.5 - angle.sin())
        };
        values.extend([x + noise * dice.normal(), y + noise * dice.normal()]);
    }
    (Scatter::new(values, 2), labels)
}

fn noise(n: usize, dim: usize, seed: u64) -> Scatter {
    let mut dice = Dice(seed);
    Scatter::new((0..n * dim).map(|_| dice.normal()).collect(), dim)
}

/// Samples on slightly bent paths from noise to `ends`.
fn walk(ends: &Scatter, steps: usize) -> TrajectoryView {
    let starts = noise(ends.len(), ends.dim, 5);
    let times: Vec<f64> = (0..=steps).map(|i| i as f64 / steps as f64).collect();
    let state = |t: f64| {
        let mix = |(i, (a, b)): (usize, (&f64, &f64))| {
            let bend = 0.35 * (std::f64::consts::PI * t).sin() * starts.values[i ^ 1];
            a * (1.0 - t) + b * t.powf(1.4) * (1.0 - 0.3 * t * (1.0 - t)) + bend * t * (1.0 - t)
        };
        let pairs = starts.values.iter().zip(&ends.values).enumerate();
        Scatter::new(pairs.map(mix).collect(), ends.dim)
    };
    let states = times.iter().map(|t| state(*t)).collect();
    TrajectoryView {
        names: Vec::new(),
        title: "Trajectories · two moons".into(),
        subtitle: format!(
            "Heun, {steps} steps, {} network evaluations, EMA weights, n = {}",
            2 * steps,
            ends.len()
        ),
        times,
        states,
        real: None,
        labels: None,
        label_names: names(),
    }
}

/// The folder of the pictures, with a guard that removes it unless it is to be kept.
fn folder() -> (PathBuf, Option<tempfile::TempDir>) {
    match std::env::var_os("TRIFLOW_PLOTS") {
        Some(kept) => (PathBuf::from(kept), None),
        None => {
            let folder = tempfile::tempdir().unwrap();
            (folder.path().to_owned(), Some(folder))
        }
    }
}

/// Draws a picture, and checks that its file is a PNG as wide as all pictures and of a sensible
/// height, and that no panel of it is empty.
fn drawn(name: &str, draw: impl FnOnce(&Path) -> Result<()>) -> Picture {
    let (folder, _kept) = folder();
    let path = folder.join(name);
    draw(&path).unwrap_or_else(|e| panic!("{name}: {e}"));
    let picture = Picture::read(&path);
    let (width, height) = picture.size();
    assert_eq!(width, 1500, "{name}");
    assert!((300..=1600).contains(&height), "{name} is {height} high");
    picture.is_not_empty();
    picture
}

/// Checks that `draw` fails with an error that contains `reason`, and writes nothing.
fn refused(reason: &str, draw: impl FnOnce(&Path) -> Result<()>) {
    let folder = tempfile::tempdir().unwrap();
    let e = draw(&folder.path().join("x.png")).unwrap_err().to_string();
    assert!(e.contains(reason), "{e}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

fn names() -> Vec<String> {
    vec!["upper moon".into(), "lower moon".into()]
}
