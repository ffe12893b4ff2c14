//! The Fréchet distance: closed forms, golden values, and features of networks in files.

use crate::common::{golden, list, numbers, tensor};
use std::path::Path;
use triflow::metrics::PointSet;
use triflow::prelude::*;
use triflow::rng::{Purpose, seed_torch};
use triflow::tch::{CModule, Device, Kind};
use triflow_plugins::metrics::{Features, FrechetDistance, Gaussian, Layer};

fn normal(shape: &[i64], seed: u64) -> Tensor {
    let _stream = seed_torch(seed, Purpose::Data, 0);
    Tensor::randn(shape, (Kind::Double, Device::Cpu))
}

/// Rows `[n, d]` whose mean and unbiased covariance are exactly `mean` and mixᵀmix.
fn rows(n: i64, mean: &Tensor, mix: &Tensor, seed: u64) -> Tensor {
    let d = mix.size()[0];
    let draws = normal(&[n, d], seed);
    let centred = &draws - draws.mean_dim([0].as_slice(), true, Kind::Double);
    let (q, _) = Tensor::linalg_qr(&centred, "reduced");
    (q * ((n - 1) as f64).sqrt()).matmul(mix) + mean
}

fn distance(x: &Tensor, y: &Tensor) -> f64 {
    Gaussian::fit(x).distance(&Gaussian::fit(y))
}

#[track_caller]
fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-10 * expected.abs().max(1.0), "{found} {expected}");
}

#[test]
fn the_distance_of_gaussians_with_one_basis_is_that_of_means_and_deviations() {
    let (basis, _) = Tensor::linalg_qr(&normal(&[4, 4], 1), "reduced");
    let of = |deviations: [f64; 4]| Tensor::from_slice(&deviations).diag(0).matmul(&basis);
    let (m, n) = (
        Tensor::from_slice(&[1.0, 0.0, -2.0, 0.5]),
        Tensor::zeros([4], (Kind::Double, Device::Cpu)),
    );
    let x = rows(50, &m, &of([1.0, 2.0, 0.5, 3.0]), 2);
    let y = rows(80, &n, &of([2.0, 2.0, 0.1, 1.0]), 3);
    // |m|² + Σ(s − t)²
    close(distance(&x, &y), 5.25 + 1.0 + 0.16 + 4.0);
    close(distance(&y, &x), distance(&x, &y));
    close(distance(&x, &x), 0.0);
}

/// For 2×2 matrices tr √M = √(tr M + 2√det M).
#[test]
fn the_distance_of_correlated_gaussians_in_a_plane_is_the_closed_form() {
    let zero = Tensor::zeros([2], (Kind::Double, Device::Cpu));
    let (a, b) = ([1.0, 0.7, 0.0, 0.4], [0.3, -0.9, 1.1, 0.2]);
    let of = |mix: [f64; 4], seed| rows(30, &zero, &Tensor::from_slice(&mix).view([2, 2]), seed);
    let square = |m: [f64; 4]| {
        [m[0] * m[0] + m[2] * m[2], m[0] * m[1] + m[2] * m[3], m[1] * m[1] + m[3] * m[3]]
    };
    let (s, t) = (square(a), square(b));
    let trace = s[0] * t[0] + 2.0 * s[1] * t[1] + s[2] * t[2];
    let det = (s[0] * s[2] - s[1] * s[1]) * (t[0] * t[2] - t[1] * t[1]);
    let root = (trace + 2.0 * det.sqrt()).sqrt();
    close(distance(&of(a, 4), &of(b, 5)), s[0] + s[2] + t[0] + t[2] - 2.0 * root);
}

#[test]
fn golden_distances_hold_also_with_fewer_rows_than_dimensions() {
    let golden = golden(include_str!("../golden/frechet.json"));
    for case in list(&golden["cases"]) {
        let found = distance(&tensor(&case["x"]), &tensor(&case["y"]));
        close(found, numbers(&case["distance"])[0]);
    }
    assert_eq!(list(&golden["cases"]).len(), 2);
}

/// Two rows have a covariance of rank 1, s²uuᵀ.
#[test]
fn covariances_of_rank_one_are_as_far_apart_as_their_lines() {
    let pair = |along: [f64; 3], s: f64| {
        let u = Tensor::from_slice(&along) * (s / 2f64.sqrt());
        Tensor::stack(&[u.shallow_clone(), -u], 0)
    };
    let (x, y) = (pair([1.0, 0.0, 0.0], 2.0), pair([0.6, 0.8, 0.0], 3.0));
    close(distance(&x, &y), 4.0 + 9.0 - 2.0 * 2.0 * 3.0 * 0.6);
    close(distance(&x, &pair([0.0, 1.0, 0.0], 3.0)), 13.0);
}

/// A network on images `[n, 1, 2, 2]`, traced into a file with one method.
fn traced(file: &Path, method: &str) {
    let weight = normal(&[4, 3], 7).to_kind(Kind::Float);
    let example = Tensor::zeros([2, 1, 2, 2], (Kind::Float, Device::Cpu));
    let mut network = |inputs: &[Tensor]| vec![inputs[0].flatten(1, -1).matmul(&weight).tanh()];
    let module = CModule::create_by_tracing("Network", method, &[example], &mut network);
    module.unwrap().save(file).unwrap();
}

/// Features by the network of a file, with all defaults.
fn by(file: std::path::PathBuf) -> Features {
    let range = [0.0, 1.0];
    Features { file: file.into(), layer: None, resize: None, channels: None, range, batch: 64 }
}

fn features_of(x: &Tensor) -> Tensor {
    let weight = normal(&[4, 3], 7).to_kind(Kind::Float);
    x.to_kind(Kind::Float).flatten(1, -1).matmul(&weight).tanh()
}

fn build(features: Features) -> Result<Box<dyn Metric>> {
    let spec = FrechetDistance { features: Some(features) };
    let context = MetricContext { device: Device::Cpu, shape: Some(vec![1, 2, 2]), columns: None };
    Component::from(spec).build(&context)
}

fn measured(metric: &dyn Metric, x: &Tensor, y: &Tensor, own: Option<OwnUnits<'_>>) -> f64 {
    let flat = |t: &Tensor| Vec::<f64>::try_from(t.reshape([-1])).unwrap();
    let (x, y) = (flat(x), flat(y));
    let held_out = PointSet::new(Points::new(&y, 4).unwrap());
    let samples = Samples::new(Points::new(&x, 4).unwrap(), &held_out).with(None, own);
    let input = MetricInput {
        samples: Some(&samples),
        ..MetricInput::new(Goal::Generation, &[1, 2, 2], 0)
    };
    metric.measure(&input).unwrap().unwrap()
}

#[test]
fn features_are_those_of_a_method_of_the_network() {
    triflow_plugins::link();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    traced(&file("one.pt"), "forward");
    traced(&file("method.pt"), "pooled");
    let (x, y) = (normal(&[200, 1, 2, 2], 8), normal(&[200, 1, 2, 2], 9) * 0.5 + 0.3);
    let of = |name: &str, layer| Features { layer, ..by(file(name)) };
    let (fx, fy) = (features_of(&x), features_of(&y));
    let expected = distance(&fx, &fy);
    assert!(expected > 0.1);
    for features in [of("one.pt", None), of("method.pt", Some(Layer::Name("pooled".into())))] {
        let metric = build(features).unwrap();
        // Twice, as the fit of the held-out rows is kept.
        for _ in 0..2 {
            let found = measured(&*metric, &x, &y, None);
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
        let found = measured(&*metric, &x, &x, None);
        assert!(found.abs() < 1e-6, "{found}");
    }
    // The network gets the data's own units, in its range.
    let metric = build(Features { range: [-1.0, 1.0], ..of("one.pt", None) }).unwrap();
    let own = OwnUnits { mean: &[0.5; 4], deviation: &[2.0; 4] };
    let apply = |t: &Tensor| features_of(&((t * 2.0 + 0.5) * 2.0 - 1.0));
    let found = measured(&*metric, &x, &y, Some(own));
    let expected = distance(&apply(&x), &apply(&y));
    assert!((found - expected).abs() < 1e-6, "{found} {expected}");
}

#[test]
fn images_are_resized_and_repeated_for_the_network() {
    triflow_plugins::link();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("colours.pt");
    // Means over each quarter of images of three channels.
    let example = Tensor::zeros([2, 3, 4, 4], (Kind::Float, Device::Cpu));
    let mut network =
        |inputs: &[Tensor]| vec![inputs[0].avg_pool2d([2, 2], [2, 2], [0, 0], false, true, None)];
    CModule::create_by_tracing("Means", "forward", &[example], &mut network)
        .unwrap()
        .save(&file)
        .unwrap();
    let (x, y) = (normal(&[50, 1, 2, 2], 8), normal(&[50, 1, 2, 2], 9));
    let features = Features { resize: Some(4), channels: Some(3), ..by(file) };
    let found = measured(&*build(features).unwrap(), &x, &y, None);
    // The output [n, 3, 2, 2] is averaged to [n, 3]: three times the mean of the resized image.
    let mean = |t: &Tensor| {
        let large = t.upsample_bilinear2d([4, 4], false, None, None);
        large.mean_dim([2, 3].as_slice(), false, Kind::Double).repeat([1, 3])
    };
    let expected = distance(&mean(&x), &mean(&y));
    assert!((found - expected).abs() < 1e-6, "{found} {expected}");
}

#[test]
fn a_network_that_cannot_be_used_is_told_with_its_key() {
    triflow_plugins::link();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    traced(&file("one.pt"), "forward");
    network_of(&file("flat.pt"), |x| x.mean(Kind::Float));
    std::fs::write(file("text.pt"), "no network").unwrap();
    let of = |name: &str| by(file(name));
    let named = |name: &str| Some(Layer::Name(name.to_owned()));
    for (features, message, key) in [
        (of("none.pt"), "there is no file", "features.file"),
        (of("text.pt"), "is not TorchScript", "features.file"),
        (
            Features { channels: Some(2), resize: Some(3), ..of("one.pt") },
            "does not take rows",
            "features",
        ),
        (of("flat.pt"), "gives [] for 1 rows, expected [1, features]", "features"),
        (
            Features { layer: Some(Layer::Index(1)), ..of("one.pt") },
            "is an index, but `forward` returns no tuple",
            "features.layer",
        ),
        (
            Features { range: [0.0, f64::INFINITY], ..of("one.pt") },
            "needs a finite number, got .inf",
            "features.range[1]",
        ),
        (
            Features { layer: named("pool"), ..of("one.pt") },
            "has no method `pool`",
            "features.layer",
        ),
    ] {
        let error = build(features).err().unwrap().to_string();
        assert!(error.contains(message), "{message}: {error}");
        assert!(error.contains(&format!("at {key}")), "{key}: {error}");
    }
}

/// Traces a network of images `[n, 1, 2, 2]` into a file.
fn network_of(file: &Path, output: impl Fn(&Tensor) -> Tensor) {
    let example = Tensor::ones([2, 1, 2, 2], (Kind::Float, Device::Cpu));
    let mut network = |inputs: &[Tensor]| vec![output(&inputs[0])];
    let module = CModule::create_by_tracing("Network", "forward", &[example], &mut network);
    module.unwrap().save(file).unwrap();
}

#[test]
fn a_network_of_images_refuses_other_rows_and_channels_that_cannot_be_repeated() {
    triflow_plugins::link();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("any.pt");
    network_of(&file, |x| x.flatten(1, -1));
    let on = |shape: &[i64], features: Features| {
        let spec = FrechetDistance { features: Some(features) };
        let context =
            MetricContext { device: Device::Cpu, shape: Some(shape.to_vec()), columns: None };
        Component::from(spec).build(&context).err().unwrap().to_string()
    };
    let resized = on(&[4], Features { resize: Some(8), ..by(file.clone()) });
    let row = "is for images [channels, height, width], but a row has the shape [4]";
    assert_eq!(resized, format!("{row}\n  at features.resize"));
    let repeated = on(&[4], Features { channels: Some(3), ..by(file.clone()) });
    assert_eq!(repeated, format!("{row}\n  at features.channels"));
    let two = on(&[2, 2, 2], Features { channels: Some(3), ..by(file) });
    assert_eq!(two, "needs 2, the channels of the images, or 1\n  at features.channels");
}
