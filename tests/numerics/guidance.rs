//! Guidance: effects of its scale, its interval and a force on samples.

use crate::common::gaussian::{Data, Exact};
use crate::common::{OBJECTIVES, assert_close, rectified, schedule, values, variance_preserving};
use serde_json::json;
use triflow::config::Sampling;
use triflow::prelude::*;
use triflow::rng::{Purpose, Streams, seed_torch};
use triflow::sample::{
    Changed, ClassifierFree, Conditioned, Predictor as _, PredictorField, Steered,
};
use triflow::tch::{Device, Kind};
use triflow::train::Control;
use triflow::{Experiment, Trainer};

/// Gaussian data guided by `toward` are Gaussian again: with precision 1/s² + strength, and the
/// mean of the data's mean and the target weighted by the precisions.
#[test]
fn a_pull_makes_of_gaussian_data_the_gaussian_that_bayes_says() {
    let (s, strength, to) = (0.8_f64, 3.0_f64, [1.5_f64, -1.0]);
    let data = Data { m: Tensor::from_slice(&[0.5, 0.25]), s };
    let pull = json!({ "type": "toward", "to": to, "strength": strength, "spread": s });
    triflow_plugins::link();
    let pull: Component<dyn Guidance> = serde_json::from_value(pull).unwrap();
    let pull = pull.build(&()).unwrap();
    let options = json!({ "alpha_bar_min": 1e-4, "alpha_bar_max": 0.9999 });
    let linear = schedule("linear", &options, false, Kind::Double).1;
    let paths = [rectified(), variance_preserving(linear)];
    let heun = crate::common::solver(json!({ "type": "heun" }));
    for path in &paths {
        for name in OBJECTIVES {
            let _stream = seed_torch(5, Purpose::Sample, 0);
            let z0 = Tensor::randn([5_000, 2], (Kind::Double, Device::Cpu));
            let predictor = Exact { data: &data, path, objective: crate::common::objective(name) };
            let steered = Changed::new(predictor).with(Steered { force: &*pull, condition: None });
            let field = PredictorField::of(steered, Clock::Gamma);
            let z = field.sample(&*heun, 60, Some(true), &z0, &mut ()).unwrap().z;
            let precision = s.powi(-2) + strength;
            let mean = (&data.m * s.powi(-2) + Tensor::from_slice(&to) * strength) / precision;
            let found = z.mean_dim([0].as_slice(), false, Kind::Double);
            let what = format!("{path:?} {name}");
            let off = (found - mean).abs().max().double_value(&[]);
            assert!(off < 0.03, "{what}: mean off by {off}");
            let ratio = z.std_dim([0].as_slice(), true, false) * precision.sqrt() - 1.0;
            let off = ratio.abs().max().double_value(&[]);
            assert!(off < 0.04, "{what}: deviation off by {off}");
        }
    }
}

fn trained(objective: &str) -> triflow::Trained {
    triflow_plugins::link();
    let experiment = Experiment::from_yaml(&format!(
        "{{ task: generation, objective: {objective}, data: {{ type: two_moons, samples: 512 }},
           crn: {{ type: vanilla, network: {{ type: mlp, hidden_dims: [16, 16] }} }},
           training: {{ steps: 40, batch_size: 64, condition_dropout: 0.25 }}, device: cpu, threads: 1 }}"
    ));
    let mut trainer = Trainer::new(experiment.unwrap(), std::path::Path::new("")).unwrap();
    assert!(trainer.fit(&mut |_, _| Ok(Control::Continue)).unwrap());
    trainer.into_trained()
}

#[test]
fn guided_outputs_lie_on_the_line_through_the_unconditional_and_the_conditional() {
    for name in OBJECTIVES {
        let trained = trained(name);
        let model = trained.model();
        let z = Tensor::from_slice(&[0.3_f32, -1.0, 0.8, 0.1]).view([2, 2]);
        let value = Tensor::from_slice(&[1.0_f32, 0.0, 0.0, 1.0]).view([2, 2]);
        let with =
            |present: Option<Tensor>| Condition::new(value.shallow_clone()).with(present, None);
        let at = |t: f64| model.path().at(&Tensor::from_slice(&[t])).unwrap();
        let plain = |t: f64, condition: &Condition| {
            let point = at(t);
            let reading = Reading::new(model.objective(), &point).unwrap();
            model.output(&z, &reading, Some(condition), Pass::EVAL).unwrap()
        };
        let (conditional, absent) =
            (with(None), with(Some(Tensor::zeros([2], (Kind::Float, Device::Cpu)))));
        let mut sampling = trained.experiment().sampling.clone();
        sampling.guidance = 2.5;
        sampling.guidance_interval = [0.2, 0.7];
        let guidance = ClassifierFree::new(&sampling).unwrap();
        let predictor = Conditioned {
            model,
            condition: Some(&conditional),
            guidance: Some(&guidance),
            mask: None,
        };
        let guided = |t: f64| {
            let point = at(t);
            predictor.output(&z, &Reading::new(model.objective(), &point).unwrap()).unwrap()
        };
        triflow::tch::no_grad(|| {
            let (c, u) = (plain(0.5, &conditional), plain(0.5, &absent));
            assert!(
                (&c - &u).abs().max().double_value(&[]) > 1e-3,
                "{name}: the condition is heard"
            );
            let line = &u + (&c - &u) * 2.5;
            assert_close(name, &guided(0.5), &values(&line), 1e-5);
            assert_eq!(predictor.further_evaluations(), 1);
            // Outside the interval the output is that of the model alone, for one evaluation.
            let outside = guided(0.1);
            assert_eq!(values(&outside), values(&plain(0.1, &conditional)));
            assert_eq!(predictor.further_evaluations(), 1);
        });
        sampling.guidance = 1.0;
        assert!(ClassifierFree::new(&sampling).is_none());
    }
}

#[test]
fn guidance_counts_its_evaluations_and_pulls_the_classes_apart() {
    let mut trained = trained("flow_matching");
    let labels = Tensor::from_slice(&[0_i64, 1]).repeat_interleave_self_int(200, 0, None::<i64>);
    let (condition, _) = trained.condition(&labels).unwrap();
    // Both classes have the same z_0, so that only the condition separates them.
    let z0 = trained.z0(200, Some(&Streams::new(3, 0))).unwrap().repeat([2, 1]);
    let plan = trained.plan();
    let mut draw = |scale: f64| {
        let sampling = trained.experiment().sampling.clone();
        trained.set_sampling(Sampling { guidance: scale, ..sampling }).unwrap();
        trained.sample_latents(&z0, Some(&condition), &plan, &mut ()).unwrap()
    };
    let (plain, guided) = (draw(1.0), draw(3.0));
    assert_eq!((plain.nfe, guided.nfe), (2 * plan.steps, 4 * plan.steps));
    let separation = |z: &Tensor| {
        let mean = |class: i64| {
            z.narrow(0, 200 * class, 200).mean_dim([0].as_slice(), false, Kind::Double)
        };
        (mean(0) - mean(1)).norm().double_value(&[])
    };
    assert!(
        separation(&guided.z) > 1.2 * separation(&plain.z),
        "{} {}",
        separation(&guided.z),
        separation(&plain.z)
    );
}
