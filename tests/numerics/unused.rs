//! Settings without effect are named, and settings with an effect are not; models without training.

use triflow::component::{Columns, Splits};
use triflow::prelude::*;
use triflow::rng::{Purpose, Streams, seed_torch};
use triflow::tch::{Device, Kind};
use triflow::train::Control;
use triflow::{Experiment, Trainer};

fn trainer(yaml: &str) -> Trainer {
    triflow_plugins::link();
    let _stream = seed_torch(7, Purpose::Data, 0);
    let x = Tensor::randn([64, 2], (Kind::Float, Device::Cpu));
    let y = Tensor::arange(64, (Kind::Int64, Device::Cpu)).remainder(2);
    let mut layers = triflow::config::Layers::new().unwrap();
    let base = "{ device: cpu, task: generation, crn: { network: { hidden_dims: [8] } }, \
                training: { epochs: 1, batch_size: 32 } }";
    layers.add_text(base, "base").unwrap();
    layers.add_text(yaml, "test").unwrap();
    let train = Columns { x: Some(x), y: Some(y), ..Columns::default() };
    Trainer::with_tables(layers.finish().unwrap(), Splits { train, ..Splits::default() }).unwrap()
}

fn unused(yaml: &str) -> Vec<&'static str> {
    let mut all: Vec<_> = trainer(yaml).trained().unused().into_iter().map(|u| u.key).collect();
    // Every experiment of these tests sets its number of epochs.
    all.retain(|key| *key != "training.epochs");
    all
}

#[test]
fn a_setting_without_effect_is_named_and_one_with_an_effect_is_not() {
    assert_eq!(unused("{}"), Vec::<&str>::new());
    for (key, idle, used) in [
        (
            "noise_schedule",
            "noise_schedule: quadratic",
            "{ path: variance_preserving, noise_schedule: quadratic }",
        ),
        (
            "training.condition_dropout",
            "{ unconditional: true, training: { condition_dropout: 0.1 } }",
            "training: { condition_dropout: 0.1 }",
        ),
        (
            "sampling.steps",
            "sampling: { steps: 7, solver: dopri5 }",
            "sampling: { steps: 7, solver: euler }",
        ),
        (
            "sampling.steps",
            "sampling: { steps: 7, solver: dopri5, repeats: 1 }",
            "sampling: { steps: 7, solver: dopri5, repeats: 2 }",
        ),
        (
            "sampling.grid",
            "sampling: { grid: karras, solver: dopri5 }",
            "sampling: { grid: gamma, solver: dopri5 }",
        ),
        (
            "sampling.grid",
            "sampling: { grid: shifted, solver: bosh3 }",
            "sampling: { grid: shifted }",
        ),
        (
            "sampling.guidance_interval",
            "sampling: { guidance_interval: [0.2, 0.8] }",
            "{ sampling: { guidance: 2, guidance_interval: [0.2, 0.8] }, training: { condition_dropout: 0.1 } }",
        ),
        (
            "loss.weighting",
            "loss: { use_snr_weight: false, weighting: field }",
            "loss: { use_snr_weight: true, weighting: field }",
        ),
        (
            "loss.kl_weight",
            "loss: { kl_weight: 3 }",
            "{ path: variance_preserving, loss: { kl_weight: 3 } }",
        ),
        ("loss.vae_weight", "loss: { vae_weight: 2 }", "{ encoder: mlp, loss: { vae_weight: 2 } }"),
    ] {
        assert!(unused(idle).contains(&key), "{idle}: {:?}", unused(idle));
        assert!(!unused(used).contains(&key), "{used}: {:?}", unused(used));
    }
}

#[test]
fn a_weighting_that_is_named_is_applied_on_every_path() {
    for (yaml, applied) in [
        ("{}", false),
        ("path: variance_preserving", true),
        ("loss: { weighting: field }", true),
        ("loss: { weighting: elbo }", true),
        ("loss: { weighting: field, use_snr_weight: null }", true),
        ("loss: { weighting: field, use_snr_weight: false }", false),
        // A file with all defaults names the default weighting.
        ("loss: { weighting: { type: elbo }, use_snr_weight: null }", false),
    ] {
        let loss = trainer(yaml).trained().experiment().loss.clone();
        assert_eq!(loss.use_snr_weight, Some(applied), "{yaml}");
    }
}

#[test]
fn an_infinite_error_is_refused_however_it_is_left_unweighted() {
    triflow_plugins::link();
    for loss in ["{ use_snr_weight: false }", "{ weighting: none }", "{}"] {
        let yaml = format!(
            "{{ task: generation, data: {{ samples: 100 }}, objective: score, path: rectified, \
               loss: {loss} }}"
        );
        let experiment = Experiment::from_yaml(&yaml).unwrap();
        let error = Trainer::new(experiment, std::path::Path::new("")).err().unwrap().to_string();
        assert!(error.contains("and so is its unweighted error"), "{loss}: {error}");
    }
}

#[test]
fn a_model_is_sampled_as_it_begins_where_there_is_nothing_to_train() {
    for yaml in ["training: { steps: 0 }", "training: { epochs: 0 }"] {
        let mut trainer = trainer(yaml);
        assert_eq!(trainer.total_steps(), 0, "{yaml}");
        assert!(trainer.fit(&mut |_, _| Ok(Control::Continue)).unwrap());
        assert!(trainer.history().epochs.is_empty());
        let labels = Tensor::from_slice(&[0_i64, 1]);
        let samples = trainer.into_trained().generate(&labels, None, Some(1)).unwrap();
        assert_eq!(samples.size(), [2, 2]);
    }
}

#[test]
fn more_threads_than_four_a_core_are_refused_and_long_training_begins() {
    triflow_plugins::link();
    let error_of = |yaml: &str| {
        let experiment = Experiment::from_yaml(yaml).unwrap();
        Trainer::new(experiment, std::path::Path::new("")).err().unwrap().to_string()
    };
    assert!(
        error_of("{ task: generation, threads: 100000 }").contains(", 4 for each core, got 100000")
    );
    let mut trainer = trainer("training: { steps: 1125899906842624 }");
    let mut steps = 0;
    let done = trainer.fit(&mut |_, _| {
        steps += 1;
        Ok(if steps == 3 { Control::Stop } else { Control::Continue })
    });
    assert!(!done.unwrap());
}

triflow::component! {
    /// The exact velocity on the rectified path for data N(0, I), without parameters.
    pub struct Analytic: Crn = "analytic" {}
}

impl Spec<dyn Crn> for Analytic {
    fn build(&self, _: &BuildContext) -> Result<Box<dyn Crn>> {
        Ok(Box::new(Analytic {}))
    }
}

impl Crn for Analytic {
    fn forward(&self, input: &CrnInput<'_>, _: Pass) -> Result<Tensor> {
        let t = input.time.unsqueeze(1);
        Ok(input.z * ((&t * 2.0 - 1.0) / (t.square() + (&t - 1.0).square())))
    }
}

#[test]
fn a_model_without_parameters_is_sampled_measured_saved_and_loaded() {
    triflow_plugins::link();
    let folder = tempfile::tempdir().unwrap();
    let yaml = format!(
        "{{ device: cpu, task: generation, unconditional: true, crn: analytic, data: {{ samples: 100 }}, \
           sampling: {{ steps: 100 }}, training: {{ epochs: 2 }}, output_dir: {:?} }}",
        folder.path()
    );
    let experiment = Experiment::from_yaml(&yaml).unwrap();
    let run = triflow::run::train(experiment, folder.path(), &mut ()).unwrap();
    for file in ["params.safetensors", "metrics.json", "manifest.json", "trajectories.png"] {
        assert!(run.file(file).is_file(), "{file}");
    }
    let mut trained = run.load().unwrap();
    assert_eq!(trained.parameter_count(), 0);
    let streams = Streams::new(3, 0);
    let z0 = trained.z0(5, Some(&streams)).unwrap();
    let plan = trained.plan();
    // Paths from N(0, I) to N(0, I) scale with √(t² + (1 − t)²), so that each ends where it
    // starts.
    let end = trained.sample_latents(&z0, None, &plan, &mut ()).unwrap().z;
    assert!((end - z0).abs().max().double_value(&[]) < 1e-3);
}
