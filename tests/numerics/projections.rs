//! Projections of the predicted data: their formulas, noise and velocity that follow from projected
//! data, and samples within bounds in the data's own units.

use crate::common::gaussian::{Data, Exact};
use crate::common::{
    OBJECTIVES, assert_close, rectified, schedule, solver, values, variance_preserving,
};
use serde_json::json;
use triflow::Trainer;
use triflow::component::{Columns, Splits};
use triflow::path::{Path, Reading};
use triflow::prelude::*;
use triflow::rng::{Purpose, Streams, seed_torch};
use triflow::sample::{Changed, Predictor as _, PredictorField, Projected, Space};
use triflow::tch::{Device, Kind};

fn projection(yaml: &str) -> Box<dyn Projection> {
    triflow_plugins::link();
    let component: Component<dyn Projection> = serde_yaml::from_str(yaml).unwrap();
    component.build(&()).unwrap()
}

fn paths() -> [Path; 2] {
    let (_, linear) = schedule("linear", &json!({}), false, Kind::Double);
    [rectified(), variance_preserving(linear)]
}

#[test]
fn the_dynamic_threshold_is_the_quantile_of_each_row_but_never_below_the_bound() {
    let data = Tensor::from_slice(&[0.0, 1.0, -2.0, 4.0, 0.5, -0.5, 0.25, 1.0]).view([2, 4]);
    let imagen = projection("{ type: dynamic_threshold, quantile: 0.5, low: -1, high: 1 }");
    // |row| = 0, 1, 2, 4: the median is 1.5. The second row is within the bound.
    let right = [0.0, 1.0 / 1.5, -1.0, 1.0, 0.5, -0.5, 0.25, 1.0];
    assert_close("about 0", &imagen.project(&data).unwrap(), &right, 1e-15);
    // A quantile within the bound does not shrink the row, but what lies beyond is cut off.
    let row = Tensor::from_slice(&[0.1, -0.2, 0.3, 3.0]).view([1, 4]);
    assert_close("cut off", &imagen.project(&row).unwrap(), &[0.1, -0.2, 0.3, 1.0], 1e-15);
    // The same data and interval about 3, with a half width of 2.
    let moved = projection("{ type: dynamic_threshold, quantile: 0.5, low: 1, high: 5 }");
    let found = moved.project(&(&data * 2.0 + 3.0)).unwrap();
    assert_close("about 3", &((found - 3.0) / 2.0), &right, 1e-15);
    let clamp = projection("{ type: clamp, low: -0.5, high: 1e9 }").project(&data).unwrap();
    assert_eq!(values(&clamp), [0.0, 1.0, -0.5, 4.0, 0.5, -0.5, 0.25, 1.0]);
}

#[test]
fn noise_and_velocity_follow_from_the_projected_data_for_every_objective() {
    let clamp = projection("{ type: clamp, low: -0.2, high: 0.4 }");
    let data = Data { m: Tensor::from_slice(&[0.5, -0.25]), s: 0.8 };
    let z = Tensor::from_slice(&[1.5, -0.4, 0.1, 0.7, -2.0, 0.3]).view([3, 2]);
    for path in &paths() {
        for name in OBJECTIVES {
            let exact = || Exact { data: &data, path, objective: crate::common::objective(name) };
            let projected = Changed::new(exact())
                .with(Projected { projection: &*clamp, space: Space::Latents });
            for t in [0.05, 0.5, 0.97] {
                let point = path.at(&Tensor::from_slice(&[t])).unwrap();
                let h = data.prediction(&z, &point).0.clamp(-0.2, 0.4);
                let noise = (&z - &point.a * &h) / &point.b;
                let exact = exact();
                let reading = Reading::new(exact.objective(), &point).unwrap();
                let output = projected.output(&z, &reading).unwrap();
                let what = format!("{name} at {t}");
                assert_close(&what, &reading.data(&z, &output), &values(&h), 1e-10);
                assert_close(&what, &reading.noise(&z, &output), &values(&noise), 1e-10);
                let (a, b) = point.rates(Clock::Time).unwrap();
                let velocity = reading.derivative(&z, &output, Clock::Time).unwrap();
                assert_close(&what, &velocity, &values(&(a * &h + b * noise)), 1e-9);
            }
        }
    }
}

#[test]
fn samples_end_where_the_projection_allows_on_every_path() {
    let clamp = projection("{ type: clamp, low: -0.2, high: 0.4 }");
    let data = Data { m: Tensor::from_slice(&[0.5, -0.25]), s: 0.8 };
    let _stream = seed_torch(4, Purpose::Sample, 0);
    let z0 = Tensor::randn([500, 2], (Kind::Double, Device::Cpu));
    for path in &paths() {
        for name in ["euler", "midpoint", "dpmpp", "ddim"] {
            let objective = crate::common::objective("flow_matching");
            let exact = Exact { data: &data, path, objective };
            let projected =
                Changed::new(exact).with(Projected { projection: &*clamp, space: Space::Latents });
            let clock = path.natural_clock(projected.objective()).unwrap();
            let field = PredictorField::of(projected, clock);
            let solver = solver(json!({ "type": name }));
            let end = field.sample(&*solver, 10, None, &z0, &mut ()).unwrap().z;
            let (low, high) = (end.min().double_value(&[]), end.max().double_value(&[]));
            assert!(low >= -0.2 - 1e-12 && high <= 0.4 + 1e-12, "{name}: {low} to {high}");
            // Both bounds are reached, as the data reach beyond them.
            assert!(low < -0.19 && high > 0.39, "{name}: {low} to {high}");
        }
    }
}

/// An untrained model of two columns of different units.
fn trained(yaml: &str) -> triflow::Trained {
    triflow_plugins::link();
    let x = Tensor::from_slice(&[9.0_f32, 100.0, 11.0, 300.0, 10.0, 200.0, 10.0, 200.0]);
    let train = Columns { x: Some(x.view([4, 2])), ..Columns::default() };
    let mut layers = triflow::config::Layers::new().unwrap();
    let base = "{ task: generation, unconditional: true, device: cpu, threads: 1, \
                training: { steps: 0, batch_size: 4 }, sampling: { steps: 5 } }";
    layers.add_text(base, "base").unwrap();
    layers.add_text(yaml, "test").unwrap();
    let tables = Splits { train, ..Splits::default() };
    Trainer::with_tables(layers.finish().unwrap(), tables).unwrap().into_trained()
}

fn ends(of: &Tensor) -> (f64, f64) {
    (of.min().double_value(&[]), of.max().double_value(&[]))
}

#[test]
fn bounds_are_in_the_units_of_the_data_where_the_latent_is_the_target_and_else_of_the_latent() {
    for path in ["rectified", "variance_preserving"] {
        let projection = "sampling: { projection: { type: clamp, low: 9.9, high: 10.1 } }";
        let mut model = trained(&format!("{{ path: {path}, {projection} }}"));
        // 200 is far above 10.1: the second column is at the upper end everywhere.
        let samples = model.sample(&[200], None, 3).unwrap();
        let (low, high) = ends(&samples.select(1, 0));
        assert!(low > 9.8999 && high < 10.1001 && high - low > 0.1, "{path}: {low} to {high}");
        let (low, high) = ends(&samples.select(1, 1));
        assert!((low - 10.1).abs() < 1e-3 && (high - 10.1).abs() < 1e-3, "{low} to {high}");
    }
    let mut model = trained(
        "{ encoder: mlp, decoder: mlp, latent_shape: [3], \
           sampling: { projection: { type: clamp, low: -0.1, high: 0.2 } } }",
    );
    let z0 = model.z0(200, Some(&Streams::new(1, 0))).unwrap();
    let plan = model.plan();
    let (low, high) = ends(&model.sample_latents(&z0, None, &plan, &mut ()).unwrap().z);
    assert!(low > -0.10001 && high < 0.20001 && high - low > 0.25, "{low} to {high}");
}

#[test]
fn the_projection_none_changes_no_bit() {
    let draw = |yaml: &str| trained(yaml).sample(&[50], None, 3).unwrap();
    let plain = draw("{}");
    assert_eq!(values(&draw("sampling: { projection: none }")), values(&plain));
    let wide = "sampling: { projection: { type: clamp, low: -1e9, high: 1e9 } }";
    assert_eq!(values(&draw(wide)), values(&plain));
    let narrow = "sampling: { projection: { type: clamp, low: 9.9, high: 10.1 } }";
    assert_ne!(values(&draw(narrow)), values(&plain));
}
