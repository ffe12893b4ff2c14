//! Training on given pairs, starting from the parameters of another run, and the pairs of reflow.

use triflow::component::{Columns, Splits};
use triflow::config::Layers;
use triflow::data::Data;
use triflow::prelude::*;
use triflow::rng::{Purpose, seed_torch};
use triflow::run::{self, RunObserver};
use triflow::tch::{Device, Kind};
use triflow::train::{Control, Event};
use triflow::{Trainer, reflow};

fn normal(seed: u64, n: i64) -> Tensor {
    let _stream = seed_torch(seed, Purpose::Data, 0);
    Tensor::randn([n, 2], (Kind::Float, Device::Cpu))
}

const BASE: &str = "
device: cpu
unconditional: true
data: { standardise: false }
crn: { type: vanilla, network: { type: mlp, hidden_dims: [32, 32] } }
training: { epochs: 12, batch_size: 64, optimizer: { type: adam, learning_rate: 0.01 }, ema: null }
sampling: { solver: euler, steps: 1 }
";

fn trainer(yaml: &str, train: Columns) -> Result<Trainer> {
    triflow_plugins::link();
    let mut layers = Layers::new()?;
    layers.add_text(BASE, "base")?;
    layers.add_text(yaml, "test")?;
    Trainer::with_tables(layers.finish()?, Splits { train, ..Splits::default() })
}

fn fit(yaml: &str, train: Columns) -> Trainer {
    let mut trainer = trainer(yaml, train).unwrap();
    assert!(trainer.fit(&mut |_, _| Ok(Control::Continue)).unwrap());
    trainer
}

/// Pairs of z_0 ~ N(0, I) and z_0 + (3, −1).
fn moved() -> Columns {
    let z0 = normal(1, 2000);
    Columns {
        x: Some(&z0 + Tensor::from_slice(&[3.0_f32, -1.0])),
        z0: Some(z0),
        ..Columns::default()
    }
}

#[test]
fn one_step_carries_each_z0_to_the_end_that_was_given_for_it() {
    let mut given = fit("{ coupling: given }", moved()).into_trained();
    let z0 = normal(2, 500);
    let plan = given.plan();
    let end = given.sample_latents(&z0, None, &plan, &mut ()).unwrap().z;
    let off = (end - &z0 - Tensor::from_slice(&[3.0_f32, -1.0])).square().mean(Kind::Float).sqrt();
    assert!(off.double_value(&[]) < 0.1, "off by {off:?}");

    // With independent pairs, one step from pure noise leads to the mean of the data.
    let independent = Columns { z0: None, ..moved() };
    let mut independent = fit("{ coupling: independent }", independent).into_trained();
    let end = independent.sample_latents(&z0, None, &plan, &mut ()).unwrap().z;
    let spread = end.std_dim([0].as_slice(), true, false).max().double_value(&[]);
    assert!(spread < 0.3, "spread {spread}");
}

#[test]
fn what_is_given_must_be_there_and_fit() {
    let error_of = |table: Columns| trainer("{ coupling: given }", table).unwrap_err().to_string();
    let message = error_of(Columns { z0: None, ..moved() });
    assert!(
        message.contains("the training rows have none") && message.contains("`z0`"),
        "{message}"
    );
    let message = error_of(Columns { z0: Some(normal(1, 2000).narrow(1, 0, 1)), ..moved() });
    assert!(message.contains("[1]") && message.contains("[2]"), "{message}");
    let message = error_of(Columns { z0: Some(normal(1, 1999)), ..moved() });
    assert!(message.contains("z0 has 1999 rows"), "{message}");
    let message = error_of(Columns { z0: Some(normal(1, 2000) / 0.0), ..moved() });
    assert!(message.contains("z0 holds") && message.contains("infinite"), "{message}");
}

#[test]
fn rows_stay_with_their_z0_through_files_splits_and_shuffles() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pairs.npz");
    let splits =
        Splits { train: moved(), test: Some(Columns { z0: None, ..moved() }), ..Splits::default() };
    triflow::data::files::write_rows(&file, &splits).unwrap();
    triflow_plugins::link();
    let yaml = format!(
        "{{ unconditional: true, coupling: given, data: {{ type: npz, path: {}, standardise: false, \
           split: {{ train: 0.8, val: 0.1 }} }} }}",
        file.display()
    );
    let trainer =
        Trainer::new(triflow::Experiment::from_yaml(&yaml).unwrap(), folder.path()).unwrap();
    let Data { train, val, test, .. } = trainer.data();
    for (set, rows) in [(train, 1600), (val, 200)] {
        assert_eq!(set.len(), rows);
        let set = set.all().unwrap();
        let off = &set.target - set.z0.as_ref().unwrap() - Tensor::from_slice(&[3.0_f32, -1.0]);
        assert!(off.abs().max().double_value(&[]) < 1e-5);
    }
    assert_eq!((test.len(), test.z0.is_none()), (2000, true));
}

#[test]
fn a_table_of_text_has_no_place_for_z0() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pairs.csv");
    let splits = Splits { train: moved(), ..Splits::default() };
    let error = triflow::data::files::write_rows(&file, &splits).unwrap_err().to_string();
    assert!(error.contains("holds no z_0") && !file.exists(), "{error}");
}

/// Points around (2, 0) or (−2, 0), and the side as their label.
fn sides() -> Columns {
    let y = Tensor::arange(600, (Kind::Int64, Device::Cpu)).remainder(2);
    let side = Tensor::stack(&[&y * 4.0 - 2.0, y.zeros_like()], 1).to_kind(Kind::Float);
    Columns { x: Some(normal(3, 600) * 0.3 + side), y: Some(y), ..Columns::default() }
}

#[test]
fn the_pairs_of_a_model_are_the_ends_of_its_own_paths() {
    let yaml = "{ unconditional: false, data: { standardise: true }, sampling: { steps: 8 } }";
    let mut trainer = fit(yaml, sides());
    let (model, data) = trainer.trained_mut();
    let drawn = |model: &mut _, data: &_, seed| {
        reflow::pairs(model, data, (300, seed), &mut |_| Ok(())).unwrap()
    };
    let (first, again, other) =
        (drawn(model, data, 7), drawn(model, data, 7), drawn(model, data, 8));
    let x = |splits: &Splits| splits.train.x.as_ref().unwrap().copy();
    assert!(x(&first) == x(&again) && x(&first) != x(&other));

    let Columns { x, y, z0, .. } = &first.train;
    let (x, y, z0) = (x.as_ref().unwrap(), y.as_ref().unwrap(), z0.as_ref().unwrap());
    assert_eq!((x.size(), y.size(), y.kind()), (vec![300, 2], vec![300], Kind::Int64));
    let (condition, _) = model.condition(y).unwrap();
    let z = model.sample_latents(z0, Some(&condition), &model.plan(), &mut ()).unwrap().z;
    assert!((model.present(&z).unwrap() - x).abs().max().double_value(&[]) < 1e-6);
    // Each point is on the side of its label.
    let right = x.narrow(1, 0, 1).squeeze_dim(1).gt(0.0).eq_tensor(&y.eq(1));
    assert!(right.to_kind(Kind::Float).mean(Kind::Float).double_value(&[]) > 0.98);
    // The held-out rows are the real ones, in the data's own units.
    let test = first.test.unwrap();
    let real = model.units().target.undo(&data.test.all().unwrap().target);
    assert!((test.x.unwrap() - real).abs().max().double_value(&[]) < 1e-6);
    assert_eq!(test.y.unwrap().kind(), Kind::Int64);
}

#[test]
fn no_pairs_are_drawn_where_an_end_does_not_follow_from_z0() {
    let noisy = "{ sampling: { solver: { type: ancestral }, steps: 4 } }";
    let mut trainer = trainer(noisy, Columns { z0: None, ..moved() }).unwrap();
    let (model, data) = trainer.trained_mut();
    let error = reflow::pairs(model, data, (10, 0), &mut |_| Ok(())).unwrap_err().to_string();
    assert!(
        error.contains("`ancestral` draws noise") && error.contains("at sampling.solver"),
        "{error}"
    );
}

#[test]
fn a_run_may_start_from_the_parameters_of_another() {
    let folder = tempfile::tempdir().unwrap();
    triflow_plugins::link();
    let mut layers = Layers::new().unwrap();
    layers.add_text(BASE, "base").unwrap();
    let own = "{ data: { type: two_moons, samples: 200 }, training: { epochs: 3, ema: 0.9 } }";
    layers.add_text(own, "test").unwrap();
    let mut experiment = layers.finish().unwrap();
    experiment.output_dir = folder.path().into();
    let run = run::train(experiment, folder.path(), &mut ()).unwrap();
    let run = run.path.display();
    let begin = |extra: &str| trainer(extra, Columns { z0: None, ..moved() });

    // The old run samples with its EMA weights, so the new run starts from these, its own EMA too.
    let old = triflow::io::safetensors::read_safetensors(
        &std::path::Path::new(&run.to_string()).join("params.safetensors"),
    )
    .unwrap();
    let new = begin(&format!("{{ start_from: {{ run: {run} }} }}")).unwrap();
    let new = new.trained().parameters();
    assert!(!new.is_empty());
    for (name, value) in new {
        let mean = old.arrays.iter().find(|a| a.name == format!("ema.{name}")).unwrap();
        let off = value - triflow::io::to_tensor(mean).unwrap();
        assert_eq!(off.abs().max().double_value(&[]), 0.0, "{name}");
    }

    let error_of =
        |extra: &str| begin(&extra.replace("RUN", &run.to_string())).unwrap_err().to_string();
    let message = error_of("{ start_from: { run: RUN }, crn: { network: { hidden_dims: [8] } } }");
    assert!(message.contains("has shape") && message.contains("at start_from"), "{message}");
    let message = error_of("{ start_from: { run: RUN, parts: [decoder] } }");
    assert!(message.contains("none of this model's parameters"), "{message}");
    let message = error_of("{ start_from: { run: /nowhere } }");
    assert!(
        message.contains("is not a run folder") && message.contains("at start_from.run"),
        "{message}"
    );
    // Parts that are not named are initialised as usual.
    let latent = "encoder: mlp, decoder: mlp, latent_shape: [2]";
    let message = error_of(&format!("{{ start_from: {{ run: RUN }}, {latent} }}"));
    assert!(message.contains("that run has no `"), "{message}");
    let ask = format!("{{ start_from: {{ run: {run}, parts: [crn] }}, {latent} }}");
    assert!(begin(&ask).is_ok());
}

struct StopAt(u64, u64);

impl RunObserver for StopAt {
    fn step(&mut self, event: &Event<'_>) {
        self.0 = event.step;
    }

    fn stop(&self) -> bool {
        self.0 >= self.1
    }
}

#[test]
fn a_run_that_was_begun_goes_on_without_the_run_that_it_started_from() {
    triflow_plugins::link();
    let folder = tempfile::tempdir().unwrap();
    let experiment = |extra: &str| {
        let mut layers = Layers::new().unwrap();
        layers.add_text(BASE, "base").unwrap();
        layers.add_text("{ data: { type: two_moons, samples: 200 } }", "data").unwrap();
        layers.add_text("{ training: { epochs: 2, batch_size: 32 } }", "training").unwrap();
        layers.add_text(extra, "test").unwrap();
        let mut experiment = layers.finish().unwrap();
        experiment.output_dir = folder.path().into();
        experiment
    };
    let base = std::path::Path::new("");
    let first = run::train(experiment("{}"), base, &mut ()).unwrap().path;
    let from = format!("{{ start_from: {{ run: {} }} }}", first.display());
    let complete = run::train(experiment(&from), base, &mut ()).unwrap();
    let stopped = run::train(experiment(&from), base, &mut StopAt(0, 3));
    let Err(triflow::Error::Interrupted { run }) = stopped else { panic!("{stopped:?}") };
    std::fs::rename(&first, folder.path().join("elsewhere")).unwrap();
    let resumed = run::resume(&run, &mut ()).unwrap();
    for name in ["params.safetensors", "history.csv", "metrics.json"] {
        let read = |run: &std::path::Path| std::fs::read(run.join(name)).unwrap();
        assert!(read(&complete.path) == read(&resumed.path), "{name}");
    }
}
