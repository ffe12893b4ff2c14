//! Every picture on realistic data and at the edges of what it may be given. With `TRIFLOW_PLOTS` set
//! to a folder the pictures stay there, to be looked at.

use std::path::{Path, PathBuf};

use super::*;

/// A small generator of the same numbers every time: uniform, and normal by twelve uniforms.
struct Dice(u64);

impl Dice {
    fn uniform(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

fn moons(n: usize, noise: f64, seed: u64) -> (Points, Vec<usize>) {
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
    (Points::new(values, 2), labels)
}

fn noise(n: usize, dim: usize, seed: u64) -> Points {
    let mut dice = Dice(seed);
    Points::new((0..n * dim).map(|_| dice.normal()).collect(), dim)
}

/// Samples on slightly bent ways from noise to `ends`.
fn walk(ends: &Points, steps: usize) -> TrajectoryView {
    let starts = noise(ends.len(), ends.dim, 5);
    let times: Vec<f64> = (0..=steps).map(|i| i as f64 / steps as f64).collect();
    let state = |t: f64| {
        let mix = |(i, (a, b)): (usize, (&f64, &f64))| {
            let bend = 0.35 * (std::f64::consts::PI * t).sin() * starts.values[i ^ 1];
            a * (1.0 - t) + b * t.powf(1.4) * (1.0 - 0.3 * t * (1.0 - t)) + bend * t * (1.0 - t)
        };
        let pairs = starts.values.iter().zip(&ends.values).enumerate();
        Points::new(pairs.map(mix).collect(), ends.dim)
    };
    let states = times.iter().map(|t| state(*t)).collect();
    TrajectoryView {
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

/// Where pictures go, and whether they stay.
fn folder() -> (PathBuf, Option<tempfile::TempDir>) {
    match std::env::var_os("TRIFLOW_PLOTS") {
        Some(kept) => (PathBuf::from(kept), None),
        None => {
            let folder = tempfile::tempdir().unwrap();
            (folder.path().to_owned(), Some(folder))
        }
    }
}

/// Draws, and checks that the file is a PNG as wide as all pictures and of a sensible height.
fn drawn(name: &str, draw: impl FnOnce(&Path) -> Result<()>) {
    let (folder, _kept) = folder();
    let path = folder.join(name);
    draw(&path).unwrap_or_else(|e| panic!("{name}: {e}"));
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(&bytes[..8], b"\x89PNG\r\n\x1a\n", "{name}");
    let size = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!(size(16), 1500, "{name}");
    assert!(
        (300..=1600).contains(&size(20)),
        "{name} is {} high",
        size(20)
    );
}

/// Checks that nothing is drawn and the reason contains `reason`.
fn refused(reason: &str, draw: impl FnOnce(&Path) -> Result<()>) {
    let folder = tempfile::tempdir().unwrap();
    let e = draw(&folder.path().join("x.png")).unwrap_err().to_string();
    assert!(e.contains(reason), "{e}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

fn losses(epochs: usize) -> LossTrends {
    let mut dice = Dice(3);
    let mut curve = |from: f64, to: f64, rough: f64| -> Vec<Option<f64>> {
        (0..epochs)
            .map(|i| {
                Some((to + (from - to) * (-(i as f64) / 9.0).exp()) * (1.0 + rough * dice.normal()))
            })
            .collect()
    };
    let mut terms: Vec<Term> = [
        ("total", 2.4, 0.31),
        ("flow", 1.9, 0.24),
        ("recon", 0.8, 0.004),
        ("kl", 0.3, 0.02),
    ]
    .into_iter()
    .map(|(name, from, to)| Term {
        name: name.into(),
        train: curve(from, to, 0.015),
        val: curve(from * 1.05, to * 1.12, 0.04),
    })
    .collect();
    terms.push(Term {
        name: "reg".into(),
        train: vec![Some(0.0); epochs],
        val: vec![Some(0.0); epochs],
    });
    terms.push(Term {
        name: "vae".into(),
        train: vec![None; epochs],
        val: vec![None; epochs],
    });
    LossTrends {
        title: "Loss over training · two moons".into(),
        terms,
    }
}

#[test]
fn loss_pictures() {
    drawn("loss.png", |p| loss_trends(p, &losses(80)));
    drawn("loss_one_epoch.png", |p| loss_trends(p, &losses(1)));
    let mut three = losses(30);
    three.terms.truncate(3);
    three.terms[0].train[7] = Some(f64::NAN);
    three.terms[1]
        .val
        .iter_mut()
        .enumerate()
        .filter(|(i, _)| i % 5 != 4)
        .for_each(|(_, v)| *v = None);
    three.terms[2].train = vec![Some(0.25); 30];
    three.terms[2].val = vec![];
    drawn("loss_gaps.png", |p| loss_trends(p, &three));
    three.terms.truncate(1);
    three.terms[0].train[2] = Some(9e9);
    three.terms[0].train[9] = Some(-0.1);
    drawn("loss_single.png", |p| loss_trends(p, &three));
    let all = Term {
        name: "x".into(),
        train: vec![Some(f64::NAN)],
        val: vec![None],
    };
    refused("no term has a finite value", |p| {
        loss_trends(
            p,
            &LossTrends {
                terms: vec![all],
                ..LossTrends::default()
            },
        )
    });
    refused("no term", |p| loss_trends(p, &LossTrends::default()));
}

fn names() -> Vec<String> {
    vec!["upper moon".into(), "lower moon".into()]
}

#[test]
fn data_pictures() {
    let (target, labels) = moons(6554, 0.06, 1);
    let view = DataView {
        title: "Data · two moons".into(),
        target: target.clone(),
        labels: Some(labels.clone()),
        label_names: names(),
        split_name: "training data, 6,554 points".into(),
        condition: None,
    };
    drawn("data.png", |p| data_visualization(p, &view));
    drawn("data_plain.png", |p| {
        data_visualization(
            p,
            &DataView {
                labels: None,
                ..view.clone()
            },
        )
    });
    let one = Points::new(target.column(0).collect(), 1);
    drawn("data_1d.png", |p| {
        data_visualization(
            p,
            &DataView {
                target: one.clone(),
                ..view.clone()
            },
        )
    });
    let mut dice = Dice(4);
    let five: Vec<f64> = (0..2000)
        .flat_map(|i| {
            let (a, b) = (target.values[2 * i], target.values[2 * i + 1]);
            [
                a,
                b,
                a - b,
                0.3 * a + 0.2 * dice.normal(),
                0.1 * dice.normal(),
            ]
        })
        .collect();
    let five = DataView {
        target: Points::new(five, 5),
        labels: Some(labels[..2000].to_vec()),
        ..view.clone()
    };
    drawn("data_5d.png", |p| data_visualization(p, &five));
    let y: Vec<f64> = target
        .column(0)
        .map(|x| (3.0 * x).sin() + 0.1 * dice.normal())
        .collect();
    let pairs = DataView {
        condition: Some(one),
        target: Points::new(y.clone(), 1),
        labels: None,
        ..view.clone()
    };
    drawn("data_regression.png", |p| data_visualization(p, &pairs));
    let two = DataView {
        target: target.clone(),
        ..pairs.clone()
    };
    drawn("data_regression_1_to_2.png", |p| {
        data_visualization(p, &two)
    });
    let plane = DataView {
        condition: Some(target.clone()),
        ..pairs
    };
    drawn("data_regression_2_to_1.png", |p| {
        data_visualization(p, &plane)
    });
    let one_hot = labels
        .iter()
        .flat_map(|l| [1.0 - *l as f64, *l as f64])
        .collect();
    let classes = DataView {
        condition: Some(target),
        target: Points::new(one_hot, 2),
        ..view.clone()
    };
    drawn("data_classes.png", |p| data_visualization(p, &classes));

    let point = DataView {
        target: Points::new(vec![1.0, 2.0], 2),
        labels: None,
        ..view.clone()
    };
    drawn("data_one_point.png", |p| data_visualization(p, &point));
    let same = DataView {
        target: Points::new(vec![3.0; 40], 1),
        labels: None,
        ..view.clone()
    };
    drawn("data_equal.png", |p| data_visualization(p, &same));
    let (mut torn, labels) = moons(300, 0.05, 2);
    torn.values[10] = f64::NAN;
    (torn.values[20], torn.values[33]) = (f64::INFINITY, 1e12);
    drawn("data_torn.png", |p| {
        data_visualization(
            p,
            &DataView {
                target: torn,
                labels: Some(labels),
                ..view.clone()
            },
        )
    });
    let many: Vec<usize> = (0..6554).map(|i| i % 37).collect();
    drawn("data_many_labels.png", |p| {
        data_visualization(
            p,
            &DataView {
                labels: Some(many),
                ..view.clone()
            },
        )
    });

    refused("nothing to draw", |p| {
        data_visualization(
            p,
            &DataView {
                target: Points::new(vec![], 2),
                labels: None,
                ..view.clone()
            },
        )
    });
    refused("nothing to draw", |p| {
        data_visualization(
            p,
            &DataView {
                target: Points::new(vec![f64::NAN; 4], 2),
                labels: None,
                ..view.clone()
            },
        )
    });
    refused("not rows of 0", |p| {
        data_visualization(
            p,
            &DataView {
                labels: None,
                target: Points::default(),
                ..view.clone()
            },
        )
    });
    refused("labels for", |p| {
        data_visualization(
            p,
            &DataView {
                labels: Some(vec![1]),
                ..view.clone()
            },
        )
    });
}

#[test]
fn sample_pictures() {
    let (real, real_labels) = moons(2000, 0.06, 1);
    let (mut generated, labels) = moons(2000, 0.09, 9);
    (
        generated.values[4],
        generated.values[11],
        generated.values[30],
    ) = (14.0, -900.0, f64::NAN);
    let view = SampleView {
        title: "Samples · two moons".into(),
        subtitle: "Heun, 50 steps, 100 network evaluations, EMA weights, n = 2,000".into(),
        generated,
        real,
        labels: None,
        label_names: names(),
    };
    drawn("samples.png", |p| samples(p, &view));
    let labels = Some((labels, real_labels));
    drawn("samples_conditional.png", |p| {
        samples(
            p,
            &SampleView {
                labels: labels.clone(),
                ..view.clone()
            },
        )
    });
    let column = |points: &Points| Points::new(points.column(0).collect(), 1);
    let one = SampleView {
        generated: column(&view.generated),
        real: column(&view.real),
        ..view.clone()
    };
    drawn("samples_1d.png", |p| samples(p, &one));
    drawn("samples_1d_conditional.png", |p| {
        samples(p, &SampleView { labels, ..one })
    });
    let far = Points::new(
        noise(500, 2, 8).values.iter().map(|v| 30.0 * v).collect(),
        2,
    );
    drawn("samples_far.png", |p| {
        samples(
            p,
            &SampleView {
                generated: far,
                ..view.clone()
            },
        )
    });
    let five = SampleView {
        generated: noise(500, 5, 2),
        real: noise(700, 5, 3),
        ..view.clone()
    };
    drawn("samples_5d.png", |p| samples(p, &five));
    let single = SampleView {
        generated: Points::new(vec![0.0, 0.0], 2),
        real: Points::new(vec![1.0, 1.0], 2),
        ..view.clone()
    };
    drawn("samples_one_point.png", |p| samples(p, &single));
    let same = SampleView {
        generated: Points::new(vec![0.5; 80], 1),
        real: Points::new(vec![0.5; 90], 1),
        ..view.clone()
    };
    drawn("samples_equal.png", |p| samples(p, &same));
    refused("dimensions", |p| {
        samples(
            p,
            &SampleView {
                real: noise(9, 3, 1),
                ..view.clone()
            },
        )
    });
}

#[test]
fn trajectory_pictures() {
    let (ends, labels) = moons(2000, 0.06, 1);
    let mut view = walk(&ends, 30);
    view.real = Some(moons(1500, 0.06, 7).0);
    let colored = TrajectoryView {
        labels: Some(labels),
        ..view.clone()
    };
    let one = walk(&Points::new(ends.column(0).collect(), 1), 30);
    let one = TrajectoryView {
        real: view
            .real
            .as_ref()
            .map(|r| Points::new(r.column(0).collect(), 1)),
        ..one
    };
    let mut five = walk(&noise(400, 5, 11), 12);
    five.times.iter_mut().for_each(|t| *t = 1.0 - *t);
    let mut torn = walk(&ends, 5);
    torn.states[2].values[7] = f64::NAN;
    torn.states[5].values[9] = f64::INFINITY;
    torn.states[5].values[12] = 1e9;
    let single = walk(&Points::new(vec![1.0, -1.0], 2), 1);
    let still = TrajectoryView {
        states: vec![Points::new(vec![1.0; 20], 2); 31],
        ..walk(&ends, 30)
    };
    let views = [
        ("", &view),
        ("_labels", &colored),
        ("_1d", &one),
        ("_5d_backwards", &five),
        ("_torn", &torn),
        ("_one_sample", &single),
        ("_still", &still),
    ];
    for (name, view) in views {
        drawn(&format!("trajectories{name}.png"), |p| {
            trajectories(p, view)
        });
        drawn(&format!("latent{name}.png"), |p| {
            latent_trajectories(p, view)
        });
        drawn(&format!("diagnostics{name}.png"), |p| {
            trajectory_diagnostics(p, view)
        });
    }
    let empty = TrajectoryView::default();
    let uneven = TrajectoryView {
        states: vec![noise(3, 2, 1), noise(4, 2, 1)],
        times: vec![0.0, 1.0],
        ..empty.clone()
    };
    for draw in [trajectories, latent_trajectories, trajectory_diagnostics] {
        refused("no states", |p| draw(p, &empty));
        refused("state 1", |p| draw(p, &uneven));
    }
}

#[test]
fn prediction_pictures() {
    let (x, truth) = moons(1500, 0.18, 1);
    let predicted: Vec<usize> = (0..x.len())
        .map(|i| usize::from(x.row(i)[1] < 0.25 + 0.1 * x.row(i)[0]))
        .collect();
    let predicted = Predicted::Classes {
        truth,
        predicted,
        names: names(),
    };
    let view = PredictionView {
        title: "Predictions · two moons".into(),
        subtitle: "test data, mode of 16 samples each".into(),
        x: Some(x.clone()),
        predicted,
    };
    drawn("predictions_classes.png", |p| predictions(p, &view));
    let mut dice = Dice(6);
    for k in [10usize, 45] {
        let truth: Vec<usize> = (0..3000).map(|i| i % k).collect();
        let predicted = truth
            .iter()
            .map(|t| {
                if dice.uniform() < 0.8 {
                    *t
                } else {
                    (dice.uniform() * k as f64) as usize
                }
            })
            .collect();
        let names = (0..k).map(|i| format!("a class called {i}")).collect();
        let view = PredictionView {
            x: None,
            predicted: Predicted::Classes {
                truth,
                predicted,
                names,
            },
            ..view.clone()
        };
        drawn(&format!("predictions_{k}_classes.png"), |p| {
            predictions(p, &view)
        });
    }
    for dim in [1usize, 2, 5] {
        let truth = noise(800, dim, 3);
        let mut predicted = truth.clone();
        predicted
            .values
            .iter_mut()
            .for_each(|v| *v = 0.8 * *v + 0.3 * dice.normal());
        predicted.values[3] = f64::NAN;
        predicted.values[4] = 1e7;
        let predicted = Predicted::Values {
            truth,
            predicted,
            names: vec![],
        };
        let view = PredictionView {
            x: None,
            predicted,
            ..view.clone()
        };
        drawn(&format!("predictions_{dim}_outputs.png"), |p| {
            predictions(p, &view)
        });
    }
    let same = Points::new(vec![2.0], 1);
    let predicted = Predicted::Values {
        truth: same.clone(),
        predicted: same,
        names: vec!["y".into()],
    };
    drawn("predictions_one_point.png", |p| {
        predictions(
            p,
            &PredictionView {
                predicted,
                ..view.clone()
            },
        )
    });
    let none = Predicted::Classes {
        truth: vec![],
        predicted: vec![],
        names: vec![],
    };
    refused("0 predicted", |p| {
        predictions(
            p,
            &PredictionView {
                predicted: none,
                ..view.clone()
            },
        )
    });
}
