//! Experiments from layers: no setting is dropped, and a wrong one is an error that names its
//! place.

use triflow::component::{Columns, Splits};
use triflow::config::Layers;
use triflow::prelude::*;
use triflow::tch::{Device, Kind};
use triflow::{Experiment, Trainer};
use triflow_plugins::data_sources::TwoMoons;
use triflow_plugins::lr_schedules::{Constant, Cosine};

fn layers(file: &str, set: &[&str]) -> Result<Layers> {
    triflow_plugins::link();
    let mut layers = Layers::new()?;
    layers.add_text(file, "e.yaml")?;
    for assignment in set {
        layers.set_text(assignment)?;
    }
    Ok(layers)
}

fn experiment(file: &str, set: &[&str]) -> Result<Experiment> {
    layers(file, set)?.finish()
}

fn refused(file: &str, set: &[&str]) -> String {
    let outcome = experiment(file, set);
    outcome.map_or_else(|e| e.to_string(), |_| panic!("{file} {set:?} is taken"))
}

#[test]
fn a_key_and_the_name_of_its_map_come_in_any_order() {
    triflow_plugins::link();
    let rho = [("rho".to_owned(), "2".to_owned())];
    let karras = Some(Component::named("karras").unwrap().with_keys(&rho).unwrap());
    let (name, key) = ("sampling.grid=karras", "sampling.grid.rho=2");
    for below in ["{}", "sampling: { grid: gamma }", "sampling: { grid: { type: karras, rho: 9 } }"]
    {
        for set in [[name, key], [key, name]] {
            assert_eq!(experiment(below, &set).unwrap().sampling.grid, karras, "{below} {set:?}");
        }
    }
    let cosine = Component::from(Cosine { warmup: 30, floor: 0.1 });
    let file = "training: { lr_schedule: { type: cosine, warmup: 30, floor: 0.1 } }";
    let schedule = |set: &[&str]| experiment(file, set).unwrap().training.lr_schedule;
    assert_eq!(schedule(&["training.lr_schedule=cosine"]), cosine);
    // A change of the type keeps the keys that the new type knows.
    let constant = Component::from(Constant { warmup: 30 });
    assert_eq!(schedule(&["training.lr_schedule=constant"]), constant);
    assert_eq!(schedule(&["training.lr_schedule.type=constant"]), constant);
}

#[test]
fn keys_that_nobody_knows_are_refused_in_every_map() {
    for (set, expected) in [
        (
            "sampling.grid={ type: time, rho: 2 }",
            "unknown key `rho`\n  at sampling.grid.rho (--set SET)\n  help: there are no keys here",
        ),
        (
            "sampling.grid={ type: karras, roh: 2 }",
            "unknown key `roh`\n  at sampling.grid.roh (--set SET)\n  help: did you mean `rho`? known keys: rho",
        ),
        (
            "training.lr_schedule={ type: constant, floor: 0.1 }",
            "unknown key `floor`\n  at training.lr_schedule.floor (--set SET)\n  help: known keys: warmup",
        ),
        (
            "start_from.ran=x",
            "unknown key `ran`\n  at start_from.ran (--set SET)\n  help: did you mean `run`? known keys: run, parts",
        ),
        (
            "sampling.grid.rho=2",
            "`type` is missing\n  at sampling.grid (--set SET)\n  help: known types: gamma, karras, shifted, time",
        ),
        (
            "sampling.grid=[karras, 2]",
            "needs a name, or a map with `type: NAME`, got a list\n  at sampling.grid (--set SET)",
        ),
        (
            "checkpoint=[1 epochs, 3, null]",
            "needs a map of keys, got a list\n  at checkpoint (--set SET)",
        ),
        (
            "crn.time_embedding=[16, 1.0]",
            "needs a map of keys, got a list\n  at crn.time_embedding (--set SET)",
        ),
        (
            "crn.network={ type: mlp, hidden: [8] }",
            "unknown key `hidden`\n  at crn.network.hidden (--set SET)\n  help: known keys: hidden_dims, activation, dropout",
        ),
    ] {
        assert_eq!(refused("{}", &[set]), expected.replace("SET", set));
    }
}

#[test]
fn a_change_of_the_type_drops_keys_of_the_old_one_and_refuses_others() {
    let file = "data: { type: two_moons, samples: 64 }";
    let data = "data={ type: table, path: rows.csv }";
    assert!(experiment(file, &["data.missing=drop", data]).is_ok());
    for (set, expected) in [
        ("data.missin=drop", "unknown key `missin`\n  at data.missin (--set data.missin=drop)"),
        ("data.samples=[64]", "unknown key `samples`\n  at data.samples (--set data.samples=[64])"),
        ("data.markers=-999", "got -999\n  at data.markers (--set data.markers=-999)"),
        ("data.columns=[year]", "got a list\n  at data.columns (--set data.columns=[year])"),
    ] {
        let message = refused(file, &[set, data]);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_map_without_keys_changes_nothing() {
    let default = experiment("{}", &[]).unwrap();
    let file = "training: { epochs: 3 }\nloss: { reg_weight: 0.5 }\ncrn: { skip: false }";
    let some = experiment(file, &[]).unwrap();
    for section in [
        "data",
        "objective",
        "noise_schedule",
        "encoder",
        "decoder",
        "crn",
        "source",
        "coupling",
        "loss",
        "training",
        "checkpoint",
        "sampling",
        "comparison",
        "training.optimizer",
        "training.lr_schedule",
        "sampling.solver",
        "crn.network",
        "crn.time_embedding",
        "comparison.over",
    ] {
        let mut text = String::new();
        for (depth, part) in section.split('.').enumerate() {
            text += &format!("\n{}{part}:", "  ".repeat(depth));
        }
        assert_eq!(experiment(&text, &[]).expect(section), default, "{section}");
        assert_eq!(experiment(file, &[&format!("{section}=")]).expect(section), some, "{section}");
    }
    // Where null is a value of its own, it stays null.
    let none = experiment(
        "sampling: { grid: karras, steering: toward }",
        &["sampling.grid=", "sampling.steering=null"],
    );
    let none = none.unwrap().sampling;
    assert!(none.grid.is_none() && none.steering.is_none());
}

/// The error of building an experiment's model on rows of two numbers.
fn build_error(file: &str) -> String {
    let layers = layers(file, &["unconditional=true"]).unwrap();
    let table = Columns {
        x: Some(Tensor::zeros([8, 2], (Kind::Float, Device::Cpu))),
        ..Columns::default()
    };
    let splits = Splits { train: table, ..Splits::default() };
    let built = layers.finish().and_then(|experiment| Trainer::with_tables(experiment, splits));
    layers.locate(built.map(|_| ()).unwrap_err()).to_string()
}

triflow::component! {
    /// A schedule that holds other schedules, as a plugin may have.
    pub struct Around: NoiseSchedule = "around" {
        /// An inner schedule.
        pub noise_schedule: Component<dyn NoiseSchedule> = Component::default_of("cosine"),
        /// An optional schedule.
        pub other: Option<Component<dyn NoiseSchedule>> = None,
        /// A list of schedules.
        pub several: Vec<Component<dyn NoiseSchedule>> = Vec::new(),
        /// A group of parameters with a component in it.
        pub group: Group = Group::default(),
    }
}

triflow::parameters! {
    /// A group of parameters.
    pub struct Group {
        /// A schedule within the group.
        pub inner: Component<dyn NoiseSchedule> = Component::default_of("cosine"),
    }
}

impl Spec<dyn NoiseSchedule> for Around {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        let all = self.other.iter().chain(&self.several).chain([&self.group.inner]);
        for (i, schedule) in all.enumerate() {
            schedule.build(&ctx.sub(&format!("other_{i}")))?;
        }
        self.noise_schedule.build(&ctx.sub("inner"))
    }
}

#[test]
fn an_error_in_a_component_inside_others_names_the_whole_key() {
    // The first is refused when it is read, the second when it is built.
    for (wrong, own, message) in [
        ("{ type: cosine, s: -1 }", "s", "needs a number above 0, got -1"),
        (
            "{ type: cosine, alpha_bar_min: 0.9999 }",
            "alpha_bar_min",
            "needs alpha_bar_min < alpha_bar_max",
        ),
    ] {
        for (inner, key) in [
            (format!("noise_schedule: {wrong}"), "noise_schedule"),
            (
                format!("noise_schedule: {{ type: around, noise_schedule: {wrong} }}"),
                "noise_schedule.noise_schedule",
            ),
            (format!("other: {wrong}"), "other"),
            (format!("several: [cosine, {wrong}]"), "several[1]"),
            (format!("group: {{ inner: {wrong} }}"), "group.inner"),
        ] {
            let file =
                format!("path: variance_preserving\nnoise_schedule:\n  type: around\n  {inner}\n");
            let expected = format!("{message}\n  at noise_schedule.{key}.{own} (e.yaml:4)");
            assert_eq!(build_error(&file), expected);
        }
    }
    assert_eq!(
        build_error("crn: { network: { type: mlp, dropout: 7 } }"),
        "needs 0 <= dropout < 1, got 7\n  at crn.network.dropout (e.yaml:1)"
    );
    assert_eq!(
        build_error("source:\n  type: data\n  data: { type: pinwheel, arms: 0 }"),
        "needs at least 1, got 0\n  at source.data.arms (e.yaml:3)"
    );
}

#[test]
fn an_experiment_in_rust_is_the_one_in_yaml_and_has_the_same_ranges() {
    let written = experiment(
        "{ objective: ct, data: { samples: 300 }, training: { epochs: 2, ema: null }, \
         loss: { reg_weight: 0.1, weighting: field }, path: rectified, \
         sampling: { grid: gamma } }",
        &[],
    );
    let builder = || {
        Experiment::builder()
            .objective(triflow_plugins::objectives::Ct::default())
            .data(TwoMoons { samples: 300, ..TwoMoons::default() })
            .epochs(2)
            .ema(None)
            .path(triflow_plugins::paths::Rectified::default())
            .weighting(triflow_plugins::loss_weightings::Field::default())
            .grid(triflow_plugins::step_grids::Gamma::default())
            .with(|e| e.loss.reg_weight = 0.1)
    };
    assert_eq!(builder().build().unwrap(), written.unwrap());
    let error = builder().batch_size(0).build().unwrap_err().to_string();
    assert_eq!(error, "needs at least 1, got 0\n  at training.batch_size");
    // Components check theirs when they are built.
    let wrong = Component::<dyn DataSource>::from(TwoMoons { noise: -1.0, ..TwoMoons::default() });
    let error = wrong.build(&DataContext::new(1, "")).err().unwrap();
    assert_eq!(error.to_string(), "needs a number of at least 0, got -1\n  at noise");
}

#[test]
fn every_setter_of_the_builder_sets_its_own_key() {
    use triflow_plugins as built_in;
    let experiment = Experiment::builder()
        .task(triflow::config::Task::Regression)
        .unconditional(false)
        .noise_schedule(built_in::noise_schedules::Cosine::default())
        .encoder(built_in::encoders::Linear {})
        .decoder(built_in::decoders::Mlp { hidden_dims: vec![7], ..Default::default() })
        .crn(built_in::crns::Natural { delta: 0.5, ..Default::default() })
        .source(built_in::sources::Uniform::default())
        .coupling(built_in::couplings::OtExact {})
        .time_sampling(built_in::time_samplers::Uniform {})
        .optimizer(built_in::optimizers::Sgd { learning_rate: 0.25, ..Default::default() })
        .lr_schedule(built_in::lr_schedules::Constant { warmup: 3 })
        .stopping(built_in::stopping::Patience { epochs: 4, ..Default::default() })
        .on_divergence(built_in::recoveries::RestoreAndHalveLr { restores: 2 })
        .batch_size(17)
        .seed(19)
        .solver(built_in::solvers::Heun {})
        .sampling_steps(23)
        .build()
        .unwrap();
    let yaml = "{ task: regression, noise_schedule: cosine, encoder: linear, \
                decoder: { type: mlp, hidden_dims: [7] }, crn: { type: natural, delta: 0.5 }, \
                source: uniform, coupling: ot_exact, \
                training: { time_sampling: uniform, optimizer: { type: sgd, learning_rate: 0.25 }, \
                  lr_schedule: { type: constant, warmup: 3 }, \
                  stopping: { type: patience, epochs: 4 }, \
                  on_divergence: { type: restore_and_halve_lr, restores: 2 }, batch_size: 17, seed: 19 }, \
                sampling: { solver: heun, steps: 23 } }";
    assert_eq!(experiment, Experiment::from_yaml(yaml).unwrap());
}
