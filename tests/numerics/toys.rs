//! Data sources that draw points.

use std::f64::consts::{PI, TAU};
use triflow::component::{DataContext, DataSource, Splits};
use triflow::registry::Component;
use triflow::tch::{Kind, Tensor};

const N: usize = 40_000;

fn load(yaml: &str) -> Splits {
    triflow_plugins::link();
    let source: Component<dyn DataSource> = serde_yaml::from_str(yaml).unwrap();
    source.build(&DataContext::new(3, "")).unwrap().load().unwrap()
}

/// Points of each label, N in all.
fn by_label(yaml: &str) -> Vec<Vec<[f64; 2]>> {
    let table = load(yaml).train;
    let x: Vec<f64> = Vec::try_from(table.x.unwrap().to_kind(Kind::Double).reshape([-1])).unwrap();
    let y: Vec<i64> = Vec::try_from(table.y.unwrap()).unwrap();
    assert_eq!((x.len(), y.len()), (2 * N, N));
    let mut groups = vec![Vec::new(); *y.iter().max().unwrap() as usize + 1];
    for (point, label) in x.chunks_exact(2).zip(y) {
        groups[label as usize].push([point[0], point[1]]);
    }
    groups
}

fn mean(values: impl Iterator<Item = f64> + Clone) -> f64 {
    values.clone().sum::<f64>() / values.count() as f64
}

/// Asserts that a count is that of N draws with this probability, within five standard deviations.
fn assert_share(count: usize, share: f64) {
    let (mean, deviation) = (N as f64 * share, (N as f64 * share * (1.0 - share)).sqrt());
    assert!((count as f64 - mean).abs() < 5.0 * deviation, "{count} of {N}, expected {mean}");
}

#[test]
fn each_of_eight_gaussians_stands_at_its_place_with_its_variance() {
    let groups = by_label("{ type: eight_gaussians, samples: 40000, radius: 3, variance: 0.25 }");
    assert_eq!(groups.len(), 8);
    for (k, points) in groups.iter().enumerate() {
        assert_share(points.len(), 0.125);
        let (sin, cos) = (TAU * k as f64 / 8.0).sin_cos();
        let error = 0.5 / (points.len() as f64).sqrt();
        for (i, centre) in [3.0 * cos, 3.0 * sin].into_iter().enumerate() {
            let off = mean(points.iter().map(|p| p[i])) - centre;
            assert!(off.abs() < 5.0 * error, "{k}: {off}");
            let variance = mean(points.iter().map(|p| (p[i] - centre).powi(2)));
            assert!((variance / 0.25 - 1.0).abs() < 5.0 * (2.0 / points.len() as f64).sqrt());
        }
    }
}

#[test]
fn a_checkerboard_fills_its_black_cells_and_no_other() {
    let groups = by_label("{ type: checkerboard, samples: 40000 }");
    assert_eq!(groups.len(), 8);
    for points in &groups {
        assert_share(points.len(), 0.125);
        let cell = |p: &[f64; 2]| p.map(|v| (v / 2.0).floor() as i64);
        let first = cell(&points[0]);
        // The lower left cell is black, its neighbours are white.
        assert_eq!((first[0] + first[1]).rem_euclid(2), 0, "{first:?}");
        assert!(points.iter().all(|p| cell(p) == first && p.iter().all(|v| v.abs() <= 4.0)));
        // Points are uniform within the cell: each quarter of it has a quarter of them.
        let quarter =
            points.iter().filter(|p| p.iter().all(|v| (v / 2.0).rem_euclid(1.0) < 0.5)).count();
        assert_share(quarter, 0.125 / 4.0);
    }
}

#[test]
fn the_arms_of_a_pinwheel_are_one_arm_turned() {
    let groups = by_label("{ type: pinwheel, samples: 40000, arms: 4, twist: 0.5 }");
    assert_eq!(groups.len(), 4);
    let mut means = Vec::new();
    for (k, points) in groups.iter().enumerate() {
        assert_share(points.len(), 0.25);
        // Rotated or not, |x|² = 4((1 + 0.3ε)² + (0.1ε')²).
        let squares = mean(points.iter().map(|p| p[0] * p[0] + p[1] * p[1]));
        assert!((squares / 4.4 - 1.0).abs() < 0.03, "{k}: {squares}");
        let (sin, cos) = (-TAU * k as f64 / 4.0).sin_cos();
        means.push([
            mean(points.iter().map(|p| cos * p[0] - sin * p[1])),
            mean(points.iter().map(|p| sin * p[0] + cos * p[1])),
        ]);
    }
    for turned in &means {
        assert!((turned[0] - means[0][0]).hypot(turned[1] - means[0][1]) < 0.08, "{means:?}");
    }
    // An arm without twist and width is straight.
    let straight = by_label("{ type: pinwheel, samples: 40000, arms: 1, twist: 0, tangential: 0 }");
    assert!(straight[0].iter().all(|p| p[1].abs() < 1e-6));
    assert!((mean(straight[0].iter().map(|p| p[0])) - 2.0).abs() < 0.02);
}

#[test]
fn a_point_of_a_swiss_roll_lies_where_its_angle_says() {
    let table = load("{ type: swiss_roll, samples: 40000, noise: 0 }").train;
    let (x, y) = (table.x.unwrap() * 5.0, table.y.unwrap());
    assert_eq!((y.kind(), y.size()), (Kind::Float, vec![N as i64]));
    let place = Tensor::stack(&[y.cos() * &y, y.sin() * &y], 1);
    assert!((x - place).abs().max().double_value(&[]) < 1e-4);
    let y = y.to_kind(Kind::Double);
    let (low, high) = (y.min().double_value(&[]), y.max().double_value(&[]));
    assert!((low - 1.5 * PI).abs() < 0.01, "{low}");
    assert!((high - 4.5 * PI).abs() < 0.01, "{high}");
    assert!((y.mean(Kind::Double).double_value(&[]) - 3.0 * PI).abs() < 0.08);
    // The noise has deviation 1 before the division by 5.
    let table = load("{ type: swiss_roll, samples: 40000 }").train;
    let (x, y) = (table.x.unwrap() * 5.0, table.y.unwrap());
    let off = x - Tensor::stack(&[y.cos() * &y, y.sin() * &y], 1);
    assert!((off.std(true).double_value(&[]) - 1.0).abs() < 0.02);
}

#[test]
fn sets_of_their_own_are_drawn_by_themselves_and_a_seed_is_a_draw() {
    for name in ["eight_gaussians", "checkerboard", "pinwheel", "swiss_roll", "two_moons"] {
        let yaml = |seed: u64| {
            format!(
                "{{ type: {name}, samples: 50, val_samples: 50, test_samples: 20, seed: {seed} }}"
            )
        };
        let (all, again, other) = (load(&yaml(1)), load(&yaml(1)), load(&yaml(2)));
        let x = |splits: &Splits| splits.train.x.as_ref().unwrap().shallow_clone();
        assert!(x(&all) == x(&again) && x(&all) != x(&other), "{name}");
        let val = all.val.unwrap().x.unwrap();
        assert!(val != x(&again), "{name}");
        assert_eq!(all.test.unwrap().x.unwrap().size(), [20, 2]);
    }
}

#[test]
fn what_cannot_be_drawn_is_told() {
    let error_of = |yaml: &str| {
        triflow_plugins::link();
        let source: Result<Component<dyn DataSource>, _> = serde_yaml::from_str(yaml);
        source.unwrap_err().to_string()
    };
    for (yaml, message) in [
        ("{ type: checkerboard, samples: 1 }", "needs at least 2, got 1\n  at samples"),
        ("{ type: swiss_roll, test_samples: 0 }", "at test_samples"),
        ("{ type: pinwheel, samples: 10000000000 }", "needs at most 1000000000, got 10000000000"),
        ("{ type: pinwheel, arms: 0 }", "needs at least 1, got 0\n  at arms"),
        ("{ type: pinwheel, twist: .nan }", "at twist"),
        (
            "{ type: eight_gaussians, variance: -1 }",
            "needs a number of at least 0, got -1\n  at variance",
        ),
        ("{ type: two_moons, noise: .inf }", "at noise"),
    ] {
        assert!(error_of(yaml).contains(message), "{yaml}: {}", error_of(yaml));
    }
}
