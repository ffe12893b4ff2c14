//! Exported files beside the models that they are of, for every network and conditional residual
//! network, at numbers of rows that were not recorded.

use crate::common::{built_in, values};
use serde_json::Value;
use triflow::Lengths;
use triflow::component::{Columns, Splits};
use triflow::prelude::*;
use triflow::rng::{Purpose, Streams, seed_torch};
use triflow::tch::{CModule, Device, IndexOp as _, Kind, no_grad};
use triflow::{Exported, Trained, Trainer};

/// Largest deviation, as a share of the largest value.
const TOLERANCE: f64 = 1e-5;

const ROWS: i64 = 40;

fn normal(shape: &[i64]) -> Tensor {
    Tensor::randn([&[ROWS], shape].concat(), (Kind::Float, Device::Cpu))
}

fn labels() -> Tensor {
    Tensor::arange(ROWS, (Kind::Int64, Device::Cpu)).remainder(3)
}

/// x and y of the data that a network is for.
fn data_of(network: &str) -> (Tensor, Tensor) {
    match network {
        "unet" | "dit" => (normal(&[2, 8, 8]), labels()),
        "transformer" | "temporal_conv" => (normal(&[6, 2]), normal(&[6, 3])),
        _ => (normal(&[4]) * 2.0 + 1.0, labels()),
    }
}

/// A model of these settings whose parameters are random, since layers that begin at zero would
/// hide what is before them.
fn model(settings: &str, (x, y): (Tensor, Tensor)) -> Trained {
    triflow_plugins::link();
    let mut layers = triflow::config::Layers::new().unwrap();
    let task = if y.dim() == 3 { "{ type: sequence, mode: generate }" } else { "generation" };
    let base = format!(
        "{{ device: cpu, task: {task}, sampling: {{ steps: 5, solver: heun }},
            training: {{ batch_size: 16, condition_dropout: 0.1, ema: null }} }}"
    );
    layers.add_text(&base, "base").unwrap();
    layers.add_text(settings, "test").unwrap();
    let train = Columns { x: Some(x), y: Some(y), ..Columns::default() };
    let splits = Splits { train, ..Splits::default() };
    let trained = Trainer::with_tables(layers.finish().unwrap(), splits).unwrap().into_trained();
    let _stream = seed_torch(3, Purpose::Init, 0);
    let mut all: Vec<_> = trained.model().vars.variables().into_iter().collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    for (_, mut variable) in all {
        no_grad(|| variable += variable.randn_like() * 0.1);
    }
    trained
}

/// A stream for the rows of data.
fn with_data(settings: &str, network: &str) -> Trained {
    let data = {
        let _stream = seed_torch(5, Purpose::Data, 0);
        data_of(network)
    };
    model(settings, data)
}

fn loaded(archive: &[u8]) -> CModule {
    CModule::load_data(&mut &archive[..]).unwrap()
}

fn deviation(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!((found.size(), found.kind()), (expected.size(), expected.kind()));
    let off = (found - expected).abs().max().double_value(&[]);
    off / expected.abs().max().double_value(&[]).max(1e-3)
}

/// Conditions and lengths of `n` rows, as a file takes them.
fn asked(trained: &Trained, n: i64) -> (Tensor, Option<[Tensor; 2]>) {
    let whole = |to: i64| Tensor::arange(n, (Kind::Int64, Device::Cpu)).remainder(to);
    let units = trained.units();
    if units.condition_is_label {
        return (whole(3), None);
    }
    let shape = [&[n], &units.shapes.condition.clone().unwrap()[..]].concat();
    let values = Tensor::randn(shape, (Kind::Float, Device::Cpu));
    let sequences = trained.experiment().task().is_sequence();
    (values, sequences.then(|| [whole(6) + 1, whole(4) + 3]))
}

/// Deviation of the network's file at 7 rows.
fn network_deviation(trained: &mut Trained) -> f64 {
    let module = loaded(&trained.export(Exported::Network).unwrap());
    let _stream = seed_torch(8, Purpose::Data, 0);
    let n = 7;
    let model = trained.model();
    let shape = [&[n], model.latent_shape()].concat();
    let z = Tensor::randn(shape, (Kind::Float, Device::Cpu));
    let t = Tensor::rand([n], (Kind::Float, Device::Cpu));
    let present = Tensor::from_slice(&[1f32, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0]);
    let (rows, lengths) = asked(trained, n);
    let mut inputs = vec![z.shallow_clone(), t.shallow_clone(), rows.shallow_clone()];
    inputs.push(present.shallow_clone());
    inputs.extend(lengths.iter().flatten().map(Tensor::shallow_clone));
    let found = no_grad(|| module.forward_ts(&inputs)).unwrap();
    let mask = |steps: &Tensor| triflow::sequence::mask_of(steps, 6, Kind::Float);
    let masks = lengths.as_ref().map(|both| both.each_ref().map(mask));
    let own = trained.condition(&rows).unwrap().0;
    let [of_condition, of_target] = masks.map_or([None, None], |both| both.map(Some));
    let own = Condition::new(triflow::sequence::keep(&own.value, of_condition.as_ref()))
        .with(Some(present), of_condition);
    let point = model.path().at(&t.to_kind(Kind::Double)).unwrap();
    let reading = Reading::new(model.objective(), &point).unwrap();
    let pass = Pass::EVAL.masked(of_target.as_ref());
    let expected = no_grad(|| model.output(&z, &reading, Some(&own), pass)).unwrap();
    deviation(&found, &expected)
}

/// Deviation of the sampler's file from `generate`, at 9 rows.
fn sampler_deviation(trained: &mut Trained) -> f64 {
    let module = loaded(&trained.export(Exported::Sampler).unwrap());
    let (n, streams) = (9, Streams::new(4, 0));
    let z0 = trained.z0(n, Some(&streams)).unwrap();
    let (rows, lengths) = {
        let _stream = seed_torch(8, Purpose::Data, 0);
        asked(trained, n)
    };
    let mut inputs = vec![z0, rows.shallow_clone()];
    inputs.extend(lengths.iter().flatten().map(Tensor::shallow_clone));
    let found = no_grad(|| module.forward_ts(&inputs)).unwrap();
    let [condition, target] = lengths.map_or([None, None], |both| both.map(Some));
    let lengths = Lengths { condition, target };
    let expected = trained.generate_sequences(&rows, &lengths, Some(&streams)).unwrap();
    deviation(&found, &expected)
}

/// Small parameters of a network.
fn small(network: &str) -> &'static str {
    match network {
        "mlp" => "hidden_dims: [16, 16]",
        "bilinear" => "hidden_dims: [12, 16]",
        "convex" => "hidden_dims: [16, 12]",
        "residual_mlp" => "width: 16, hidden: 24, blocks: 2",
        "unet" => "channels: [8, 16], attention: [4], heads: 2, features: 16",
        "dit" => "width: 16, heads: 2, blocks: 2",
        "transformer" => "width: 16, blocks: 2",
        "temporal_conv" => "width: 8, blocks: 3",
        other => panic!("no small parameters of `{other}`"),
    }
}

#[test]
fn files_of_every_network_compute_what_it_does_for_any_number_of_rows() {
    for entry in built_in(Some("network")) {
        let name = entry.info.name;
        let network = format!("crn: {{ network: {{ type: {name}, {} }} }}", small(name));
        let mut trained = with_data(&format!("{{ {network} }}"), name);
        let (one, all) = (network_deviation(&mut trained), sampler_deviation(&mut trained));
        println!("{name}: network {one:.1e}, sampler {all:.1e}");
        assert!(one < TOLERANCE && all < TOLERANCE, "{name}: network {one:e}, sampler {all:e}");
    }
}

#[test]
fn crns_whose_output_is_a_derivative_are_refused_with_the_reason() {
    let why = "its output is a derivative, and LibTorch does not record how it is taken";
    for entry in built_in(Some("crn")).into_iter().filter(|entry| entry.info.name != "vanilla") {
        let name = entry.info.name;
        let network = if name == "natural" { "convex" } else { "mlp" };
        let network = format!("{{ type: {network}, {} }}", small(network));
        let settings = format!("{{ crn: {{ type: {name}, network: {network} }} }}");
        for what in [Exported::Network, Exported::Sampler] {
            let error = with_data(&settings, "mlp").export(what).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{name}");
            let error = error.to_string();
            assert!(error.lines().next().unwrap().ends_with(why), "{name}: {error}");
        }
    }
}

#[test]
fn files_of_every_objective_solver_grid_and_guidance_give_the_samples_of_the_model() {
    let mut settings = Vec::new();
    for objective in built_in(Some("objective")) {
        settings.push(format!("objective: {}", objective.info.name));
    }
    for grid in built_in(Some("step_grid")) {
        settings.push(format!("objective: v, sampling: {{ grid: {} }}", grid.info.name));
    }
    for solver in built_in(Some("solver")) {
        let name = solver.info.name;
        let built = Component::<dyn Solver>::named(name).unwrap().build(&()).unwrap();
        if !built.stochastic().unwrap() && !built.adaptive().unwrap() {
            settings.push(format!("sampling: {{ solver: {name}, guidance: 2.5 }}"));
        }
    }
    let schedule = "objective: diffusion, noise_schedule: { type: monotonic_nn, learnable: true }";
    settings.push(schedule.to_owned());
    settings.push("training: { precision: float64 }".to_owned());
    settings.push("sampling: { steering: { type: toward, to: [1, 2, 0, 1], spread: 1.0 } }".into());
    for own in settings {
        let mut trained = with_data(
            &format!("{{ crn: {{ network: {{ hidden_dims: [8, 8] }} }}, {own} }}"),
            "mlp",
        );
        let off = sampler_deviation(&mut trained);
        println!("{own}: {off:.1e}");
        assert!(off < 2.0 * TOLERANCE, "{own}: {off:e}");
    }
}

#[test]
fn a_file_holds_the_ema_weights_that_samples_are_drawn_with() {
    let settings = |use_ema: bool| {
        format!(
            "{{ crn: {{ network: {{ hidden_dims: [8] }} }}, training: {{ ema: 0.9 }},
                sampling: {{ use_ema: {use_ema} }} }}"
        )
    };
    // The EMA weights are the initial ones, since only the others were changed.
    for use_ema in [true, false] {
        let mut trained = with_data(&settings(use_ema), "mlp");
        let before = trained.parameters();
        let off = sampler_deviation(&mut trained);
        assert!(off < TOLERANCE, "{use_ema}: {off:e}");
        for ((name, old), (_, new)) in before.iter().zip(trained.parameters()) {
            assert_eq!(old, &new, "{name}");
        }
    }
}

#[test]
fn a_file_names_its_variables_as_the_weights_do_and_holds_only_those_that_it_reads() {
    let settings =
        "{ encoder: mlp, decoder: mlp, latent_shape: [3], crn: { network: { hidden_dims: [8] } } }";
    let mut trained = with_data(settings, "mlp");
    let own: std::collections::HashMap<String, Tensor> = trained.parameters().into_iter().collect();
    let names = |what: Exported, trained: &mut Trained| {
        let module = loaded(&trained.export(what).unwrap());
        let all = module.named_parameters().unwrap();
        for (name, values) in &all {
            assert_eq!(values, &own[name], "{name}");
            assert!(!values.requires_grad(), "{name}");
        }
        let mut parts: Vec<String> =
            all.iter().map(|(name, _)| name.split('.').next().unwrap().to_owned()).collect();
        parts.sort();
        parts.dedup();
        parts
    };
    assert_eq!(names(Exported::Network, &mut trained), ["crn"]);
    assert_eq!(names(Exported::Sampler, &mut trained), ["crn", "decoder"]);
}

#[test]
fn the_description_in_a_file_says_what_goes_in_and_comes_out() {
    let mut trained = with_data("{ crn: { network: { hidden_dims: [8] } } }", "mlp");
    let about = |what, trained: &mut Trained| -> Value {
        let archive = trained.export(what).unwrap();
        let find = |from: usize, text: &[u8]| {
            let at = archive[from..].windows(text.len()).position(|part| part == text);
            from + at.unwrap()
        };
        let from = find(find(0, b"extra/triflow.json"), b"{\"");
        let mut all = serde_json::Deserializer::from_slice(&archive[from..]).into_iter();
        all.next().unwrap().unwrap()
    };
    let sampler = about(Exported::Sampler, &mut trained);
    let of = |about: &Value, key: &str| -> Vec<Value> {
        about["inputs"].as_array().unwrap().iter().map(|input| input[key].clone()).collect()
    };
    assert_eq!(of(&sampler, "name"), ["z0", "label"]);
    assert_eq!(of(&sampler, "type"), ["float32", "int64"]);
    assert_eq!(sampler["inputs"][0]["shape"], serde_json::json!(["batch", 4]));
    assert_eq!(sampler["output"]["shape"], serde_json::json!(["batch", 4]));
    assert_eq!(sampler["computes"], "sampler");
    assert_eq!(sampler["config"]["sampling"]["solver"]["type"], "heun");
    let network = about(Exported::Network, &mut trained);
    assert_eq!(of(&network, "name"), ["z", "t", "label", "present"]);
}

triflow::component! {
    /// A network whose output is scaled by a number that it reads from its input.
    pub struct Reads: Network = "export_reads" {
            /// Kind of reading, or a number or choice of operations by the number of rows.
        pub what: String = "value".to_owned(),
    }
}

impl Spec<dyn Network> for Reads {
    fn build(&self, _: &NetworkContext) -> Result<Box<dyn Network>> {
        Ok(Box::new(self.clone()))
    }
}

impl Network for Reads {
    fn forward(&self, input: &NetworkInput<'_>, _: Pass) -> Result<Tensor> {
        let (z, n) = (input.z, input.z.size()[0]);
        Ok(match self.what.as_str() {
            "value" => z * z.double_value(&[0, 0]),
            "copy" => z * Tensor::from_slice(&[values(z)[0] as f32 + 2.0]),
            "rows" => z * n as f64,
            "square" => z + Tensor::arange(n * n, (Kind::Float, Device::Cpu)).i(0),
            _ if n > 4 => z.sin(),
            _ => z.cos(),
        })
    }
}

#[test]
fn a_network_that_cannot_be_recorded_is_refused_with_the_reason() {
    let told = |what: &str| {
        let settings = format!(
            "{{ crn: {{ skip: false, network: {{ type: export_reads, what: {what} }} }} }}"
        );
        let error = with_data(&settings, "mlp").export(Exported::Network).unwrap_err();
        error.to_string()
    };
    let start = "this model cannot be written as a graph of LibTorch's operations: ";
    let value = format!(
        "{start}an argument depends on the values of the inputs or on the number of rows (at aten::mul)"
    );
    assert_eq!(told("value"), value);
    let copied = "a value that does not come from recorded operations depends on the inputs";
    assert_eq!(told("copy"), format!("{start}{copied} (at aten::mul)"));
    assert_eq!(told("rows"), value);
    let square = "a number that is 9 for 3 rows and 25 for 5 is no multiple of the rows";
    assert_eq!(told("square"), format!("{start}{square} (at aten::arange)"));
    let branch =
        "which operations run depends on the size of the batch or the values of the inputs";
    assert!(told("branch").starts_with(&format!("{start}{branch}")), "{}", told("branch"));
}

#[test]
fn samplers_that_are_no_function_of_z_0_in_fixed_steps_are_refused() {
    let told = |sampling: &str| {
        let settings = format!(
            "{{ objective: diffusion, crn: {{ network: {{ hidden_dims: [8] }} }}, sampling: {{ {sampling} }} }}"
        );
        let error = with_data(&settings, "mlp").export(Exported::Sampler).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        error.to_string()
    };
    let noisy = told("solver: euler_maruyama");
    assert!(noisy.contains("`euler_maruyama` draws random numbers on its way"), "{noisy}");
    assert!(noisy.contains("use one of ") && noisy.contains("heun"), "{noisy}");
    assert!(!noisy.contains("dopri5"), "{noisy}");
    let adaptive = told("solver: dopri5");
    assert!(adaptive.contains("`dopri5` chooses its steps"), "{adaptive}");
    assert!(told("repeats: 3").contains("repeated steps draw random numbers"));
}
