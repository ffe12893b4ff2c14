//! Every component trains: a step with it changes the parameters, and the loss stays finite.

use crate::common::built_in;
use triflow::component::{Columns, Splits};
use triflow::rng::{Purpose, seed_torch};
use triflow::tch::{Device, Kind, Tensor};
use triflow::train::Control;
use triflow::{Error, Experiment, Result, Trained, Trainer};

/// 64 rows of points, with labels or numbers.
fn rows(labels: bool) -> Splits {
    let _stream = seed_torch(5, Purpose::Data, 0);
    let x = Tensor::randn([64, 2], (Kind::Float, Device::Cpu));
    let sum = x.sum_dim_intlist([1].as_slice(), true, Kind::Float);
    let y = if labels { sum.squeeze_dim(1).gt(0.0).to_kind(Kind::Int64) } else { sum };
    let train = Columns { x: Some(x), y: Some(y), ..Columns::default() };
    Splits { train, ..Splits::default() }
}

/// Trains two epochs of the experiment `yaml` over a small base, on rows of points.
fn train(yaml: &str, labels: bool) -> Result<Trained> {
    train_on(yaml, rows(labels))
}

fn train_on(yaml: &str, tables: Splits) -> Result<Trained> {
    triflow_plugins::link();
    let mut layers = triflow::config::Layers::new()?;
    layers.add_text("{ device: cpu, training: { epochs: 2, batch_size: 16 } }", "base")?;
    layers.add_text(yaml, "test")?;
    let mut trainer = Trainer::with_tables(layers.finish()?, tables)?;
    let first = trainer.trained().parameters();
    trainer.fit(&mut |_, _| Ok(Control::Continue))?;
    for epoch in &trainer.history().epochs {
        assert!(epoch.train[0].is_some_and(f64::is_finite), "{yaml}: {epoch:?}");
    }
    for (name, before) in first {
        let after = trainer.trained().parameters().into_iter().find(|(n, _)| *n == name);
        let moved = after.is_some_and(|(_, after)| !after.equal(&before));
        assert!(moved, "{yaml}: {name} has not moved");
    }
    Ok(trainer.into_trained())
}

/// An outlier among the validation rows, whose loss overflows float32, does not stop training; one
/// among the training rows does.
#[test]
fn an_outlier_in_the_validation_rows_is_no_divergence() {
    let with = |x: f32| Columns {
        x: Some(Tensor::full([3, 2], f64::from(x), (Kind::Float, Device::Cpu))),
        ..Columns::default()
    };
    let mut tables = rows(true);
    tables.train.y = None;
    tables.val = Some(with(1e30));
    let yaml = "{ unconditional: true, data: { standardise: false } }";
    let history = |splits| -> Result<_> {
        triflow_plugins::link();
        let text = "{ device: cpu, training: { epochs: 2, batch_size: 16 } }";
        let mut layers = triflow::config::Layers::new()?;
        layers.add_text(text, "base")?;
        layers.add_text(yaml, "test")?;
        let mut trainer = Trainer::with_tables(layers.finish()?, splits)?;
        trainer.fit(&mut |_, _| Ok(Control::Continue))?;
        trainer.state()?;
        Ok(trainer.history().clone())
    };
    let epochs = history(tables).unwrap().epochs;
    let totals: Vec<_> = epochs.iter().map(|e| (e.train[0].is_some(), e.val[0])).collect();
    assert_eq!(totals, [(true, None), (true, None)]);
    let outlier = Splits { train: with(1e30), ..Splits::default() };
    let error = history(outlier).unwrap_err().to_string();
    assert!(
        error.starts_with("the loss term `flow` is no longer finite at step 1 (epoch 1, "),
        "{error}"
    );
}

/// The gradient of parts is the mean over the batch, as that of the whole is: with the plain rule
/// θ − η·gradient the first steps have about one length and direction.
#[test]
fn parts_of_a_batch_add_up_to_its_mean_gradient() {
    let step = |parts: i64, clip: &str| {
        let yaml = format!(
            "{{ unconditional: true, device: cpu, crn: {{ network: {{ hidden_dims: [8] }} }}, \
             training: {{ steps: 1, batch_size: 20000, parts: {parts}, clip_grad_norm: {clip}, \
             optimizer: {{ type: sgd, learning_rate: 1.0 }} }} }}"
        );
        let _stream = seed_torch(5, Purpose::Data, 0);
        let x = Tensor::randn([20000, 2], (Kind::Float, Device::Cpu)).abs();
        let train = Columns { x: Some(x), ..Columns::default() };
        drop(_stream);
        let mut layers = triflow::config::Layers::new().unwrap();
        layers.add_text(&yaml, "test").unwrap();
        let splits = Splits { train, ..Splits::default() };
        let experiment = layers.finish().unwrap();
        let mut trainer = Trainer::with_tables(experiment, splits).unwrap();
        let flat = |trainer: &Trainer| {
            let all = trainer.trained().parameters();
            Tensor::cat(&all.iter().map(|(_, t)| t.reshape([-1])).collect::<Vec<_>>(), 0)
        };
        let before = flat(&trainer).copy();
        trainer.fit(&mut |_, _| Ok(Control::Continue)).unwrap();
        flat(&trainer) - before
    };
    triflow_plugins::link();
    let norm = |t: &Tensor| t.norm().double_value(&[]);
    let whole = step(1, "null");
    for parts in [2, 8] {
        let by_parts = step(parts, "null");
        let difference = norm(&(&by_parts - &whole)) / norm(&whole);
        assert!(difference > 1e-4 && difference < 0.2, "{parts} parts: {difference}");
        // Clipping acts on the sum.
        let clipped = norm(&step(parts, "0.01"));
        assert!((clipped - 0.01).abs() < 1e-5, "{parts} parts: {clipped}");
    }
}

fn names(kind: &str) -> Vec<&'static str> {
    built_in(Some(kind)).iter().map(|e| e.info.name).collect()
}

/// Pairs are trained on points unless they convolve, and all on small images.
#[test]
fn every_encoder_and_decoder_learns_and_samples() {
    for (shape, latent) in [(vec![2], "[3]"), (vec![1, 4, 4], "[2, 2, 2]")] {
        let images = shape.len() > 1;
        let learned = |names: Vec<&'static str>| {
            names.into_iter().filter(move |name| images || !name.starts_with("conv"))
        };
        for encoder in learned(names("encoder")) {
            for decoder in learned(names("decoder")) {
                // The identity encoder has no other latent shape, and only some decoders have a
                // head.
                let latent = match encoder {
                    "identity" => String::new(),
                    _ => format!("latent_shape: {latent}, "),
                };
                // Those of tables share the form of their latents, and take vectors.
                let of_tables = ["mixed", "one_hot"];
                let for_table = of_tables.contains(&encoder) || of_tables.contains(&decoder);
                let do_not_fit = for_table && (encoder != decoder || images);
                if do_not_fit || (encoder == "identity" && decoder == "conv") {
                    continue;
                }
                let latent = if for_table { String::new() } else { latent };
                let head = if for_table || decoder == "conv" { "" } else { ", head: linear" };
                let yaml = format!(
                    "{{ {latent}encoder: {encoder}, decoder: {{ type: {decoder}{head} }} }}"
                );
                let mut tables = rows(false);
                let x = tables.train.x.take().unwrap();
                let wide = shape.iter().product::<i64>() / 2;
                let x = x.repeat([1, wide]).reshape([&[64], shape.as_slice()].concat());
                tables.train.x = Some(x);
                let mut model = train_on(&yaml, tables).unwrap_or_else(|e| panic!("{yaml}: {e}"));
                let y = Tensor::zeros([5, 1], (Kind::Float, Device::Cpu));
                let samples = model.generate(&y, Some(3), Some(1)).unwrap();
                assert_eq!(samples.size(), [&[5], shape.as_slice()].concat(), "{yaml}");
                assert!(bool::try_from(samples.isfinite().all()).unwrap(), "{yaml}");
            }
        }
    }
}

#[test]
fn every_objective_learns_on_both_paths_under_every_schedule_and_weighting() {
    for objective in names("objective") {
        for schedule in names("noise_schedule") {
            for learnable in [false, true] {
                train(
                    &format!(
                        "{{ objective: {objective}, path: variance_preserving, noise_schedule: {{ type: \
                         {schedule}, learnable: {learnable} }} }}"
                    ),
                    false,
                )
                .unwrap_or_else(|e| panic!("{objective} {schedule} {learnable}: {e}"));
            }
        }
        for weighting in ["elbo", "field", "min_snr", "seed", "none"] {
            for path in ["rectified", "variance_preserving"] {
                let loss = format!("{{ weighting: {weighting}, use_snr_weight: true }}");
                let what = format!("{objective} {path} {weighting}");
                let yaml = format!("{{ objective: {objective}, path: {path}, loss: {loss} }}");
                // The score is infinite at t = 1 of the rectified path, where these weights are 1.
                let infinite = objective == "score" && path == "rectified";
                match train(&yaml, true) {
                    Ok(_) => {
                        assert!(!(infinite && ["seed", "none"].contains(&weighting)), "{what}")
                    }
                    Err(e) => {
                        assert!(infinite && e.to_string().contains("infinite"), "{what}: {e}")
                    }
                }
            }
        }
    }
}

#[test]
fn every_optimizer_learns() {
    for optimizer in names("optimizer") {
        train(&format!("{{ training: {{ optimizer: {optimizer} }} }}"), true).unwrap();
    }
}

#[test]
fn what_decodes_labels_is_learned_in_regression_too() {
    let mut model =
        train("{ task: regression, decoder: { type: mlp, head: softmax } }", true).unwrap();
    assert_eq!(model.experiment().loss.vae_weight, Some(1.0));
    let x = Tensor::from_slice(&[1.0f32, 1.0]);
    let p = model.generate(&x, None, None).unwrap();
    assert!((p.sum(Kind::Double).double_value(&[]) - 1.0).abs() < 1e-6);
}

#[test]
fn labels_are_conditions_as_integers_and_as_one_hot_rows() {
    let mut model = train("{ task: generation }", true).unwrap();
    let mut draw = |conditions: &Tensor| model.generate(conditions, None, Some(1)).unwrap();
    let labels = Tensor::from_slice(&[0i64, 1]);
    assert!(draw(&labels).equal(&draw(&Tensor::eye(2, (Kind::Float, Device::Cpu)))));
    assert!(draw(&Tensor::from(1i64)).equal(&draw(&Tensor::from_slice(&[0.0f32, 1.0]))));
}

#[test]
fn what_has_no_finite_loss_is_refused() {
    let refused = |yaml: &str, labels: bool| match train(yaml, labels) {
        Err(Error::Config(e)) => e.key,
        other => panic!("{yaml}: {other:?}"),
    };
    let schedule =
        |text: &str| refused(&format!("{{ objective: ct, noise_schedule: {text} }}"), false);
    assert_eq!(schedule("{ type: laplace, loc: -500 }"), "noise_schedule");
    assert_eq!(schedule("{ type: sigmoid, k: 400 }"), "noise_schedule");
    assert_eq!(
        refused("{ objective: diffusion, path: rectified, loss: { recon_weight: 1 } }", false),
        "loss.recon_weight"
    );
    assert_eq!(
        refused("{ objective: ct, path: rectified, loss: { reg_weight: 1 } }", false),
        "loss.reg_weight"
    );
    assert_eq!(refused("{ decoder: { type: identity, head: softmax } }", false), "decoder");
    let bound = "objective: diffusion, noise_schedule: { type: cosine, learnable: true }";
    assert_eq!(refused(&format!("{{ {bound}, loss: {{ recon: none }} }}"), false), "loss.recon");
    for optimizer in ["{ type: adam, beta1: 1.5 }", "{ type: sgd, momentum: -1 }"] {
        let key = refused(&format!("{{ training: {{ optimizer: {optimizer} }} }}"), false);
        assert!(key.starts_with("training.optimizer."), "{key}");
    }
}

/// The table has more numbers than are checked at once; the first and the last are not finite.
#[test]
fn rows_that_are_not_finite_are_counted_and_refused() {
    let x = Tensor::zeros([40, 65_536], (Kind::Float, Device::Cpu));
    let _ = x.get(0).get(0).fill_(f64::NAN);
    let _ = x.get(39).get(65_535).fill_(f64::INFINITY);
    let tables =
        Splits { train: Columns { x: Some(x), ..Columns::default() }, ..Splits::default() };
    let yaml = "{ task: generation, unconditional: true,
                  data: { split: { train: 1.0, val: 0.0, test: 0.0 } } }";
    let error = train_on(yaml, tables).unwrap_err().to_string();
    assert!(error.starts_with("x holds 2 values that are NaN or infinite"), "{error}");
}

#[test]
fn a_steep_exponential_schedule_stays_finite() {
    let yaml = "{ objective: diffusion, noise_schedule: { type: exponential, beta: 90 } }";
    train(yaml, false).unwrap();
    assert!(Experiment::from_yaml(yaml).is_ok());
}

/// Products in bfloat16 have 8 bits, so results are near those in float32 but not equal. Every
/// conditional residual network (CRN) trains with them, also those that differentiate by z.
#[test]
fn in_bf16_the_crn_alone_is_rounded() {
    let losses = |crn: &str, precision: &str| -> Vec<f64> {
        let yaml = format!("{{ crn: {crn}, training: {{ epochs: 6, precision: {precision} }} }}");
        triflow_plugins::link();
        let mut layers = triflow::config::Layers::new().unwrap();
        layers.add_text("{ device: cpu, training: { batch_size: 16 } }", "base").unwrap();
        layers.add_text(&yaml, "test").unwrap();
        let mut trainer = Trainer::with_tables(layers.finish().unwrap(), rows(false)).unwrap();
        trainer.fit(&mut |_, _| Ok(Control::Continue)).unwrap();
        for (name, value) in trainer.trained().parameters() {
            assert_eq!(value.kind(), Kind::Float, "{name}");
        }
        trainer.history().epochs.iter().filter_map(|epoch| epoch.train[0]).collect()
    };
    for crn in names("crn") {
        let (single, half) = (losses(crn, "float32"), losses(crn, "bf16"));
        assert_eq!(half.len(), 6, "{crn}");
        assert_ne!(single, half, "{crn}: nothing was rounded");
        for (a, b) in single.iter().zip(&half) {
            assert!((a - b).abs() < 0.03 * a.abs(), "{crn}: {single:?} {half:?}");
        }
    }
}
