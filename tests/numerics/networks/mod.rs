//! Conditional residual networks (CRNs) and their networks have the mathematical properties that
//! they document.

mod known;

use crate::common::{built_in, objective, rectified};
use triflow::prelude::*;
use triflow::rng::{Purpose, seed_torch};
use triflow::tch::{Device, Kind, nn::OptimizerConfig as _, no_grad};
use triflow::train::Control;
use triflow::{Experiment, Trainer};

const DOUBLE: (Kind, Device) = (Kind::Double, Device::Cpu);
const BACKBONES: [&str; 4] = ["mlp", "residual_mlp", "bilinear", "convex"];

/// The YAML of a small network.
fn network(name: &str) -> String {
    match name {
        "residual_mlp" => "{ type: residual_mlp, width: 6, hidden: 7, blocks: 2 }".to_owned(),
        other => format!("{{ type: {other}, hidden_dims: [7, 6] }}"),
    }
}

/// A CRN in float64, with random variables so that no layer is zero.
struct Standing {
    vars: nn::VarStore,
    crn: Box<dyn Crn>,
    latent: Vec<i64>,
    condition: Option<Vec<i64>>,
}

fn build(yaml: &str, latent: &[i64], condition: Option<&[i64]>) -> Result<Standing> {
    triflow_plugins::link();
    let component: Component<dyn Crn> = serde_yaml::from_str(yaml).unwrap();
    let _stream = seed_torch(11, Purpose::Init, 0);
    let mut vars = nn::VarStore::new(Device::Cpu);
    vars.set_kind(Kind::Double);
    let crn = component.build(&BuildContext {
        vars: vars.root(),
        target_shape: latent.to_vec(),
        target_blocks: Block::numbers(latent),
        condition_shape: condition.map(<[i64]>::to_vec),
        latent_shape: Some(latent.to_vec()),
    })?;
    move_by(&vars, 0.3);
    let condition = condition.map(<[i64]>::to_vec);
    Ok(Standing { vars, crn, latent: latent.to_vec(), condition })
}

fn move_by(vars: &nn::VarStore, deviation: f64) {
    let mut variables: Vec<_> = vars.variables().into_iter().collect();
    variables.sort_by(|a, b| a.0.cmp(&b.0));
    no_grad(|| {
        for (_, mut variable) in variables {
            variable += variable.randn_like() * deviation;
        }
    });
}

/// A batch of z, time and condition.
struct Rows {
    z: Tensor,
    time: Tensor,
    condition: Option<Condition>,
}

impl Standing {
    fn rows(&self, batch: i64) -> Rows {
        let _stream = seed_torch(12, Purpose::Data, 0);
        let normal = |shape: &[i64]| Tensor::randn([&[batch], shape].concat(), DOUBLE);
        Rows {
            z: normal(&self.latent),
            time: Tensor::rand([batch], DOUBLE),
            condition: self.condition.as_ref().map(|shape| {
                let present = Tensor::arange(batch, DOUBLE).ne(1.0).to_kind(Kind::Double);
                Condition::new(normal(shape)).with(Some(present), None)
            }),
        }
    }

    fn at(&self, z: &Tensor, rows: &Rows) -> Tensor {
        let path = rectified();
        let point = path.at(&rows.time).unwrap();
        let input = CrnInput {
            z,
            state: z,
            time: &rows.time,
            condition: rows.condition.as_ref(),
            reading: &Reading::new(&*objective("flow_matching"), &point).unwrap(),
        };
        self.crn.forward(&input, Pass { dropout: false, ..Pass::TRAIN }).unwrap()
    }

    /// Output `[batch, d]` and Jacobian `[batch, d, d]`, whose row i is the gradient of entry i.
    fn jacobian(&self, rows: &Rows) -> (Tensor, Tensor) {
        jacobian(&rows.z, |z| self.at(z, rows))
    }
}

fn jacobian(z: &Tensor, f: impl Fn(&Tensor) -> Tensor) -> (Tensor, Tensor) {
    let z = z.detach().set_requires_grad(true);
    let output = f(&z).flatten(1, -1);
    let row = |i| gradient(&output.select(1, i), &z, false).unwrap().flatten(1, -1);
    let rows: Vec<Tensor> = (0..output.size()[1]).map(row).collect();
    (output.detach(), Tensor::stack(&rows, 1))
}

/// Asserts that every entry is within `tolerance`, relative for entries above 1.
fn assert_same(what: &str, found: &Tensor, expected: &Tensor, tolerance: f64) {
    let off = largest(&((found - expected) / expected.abs().clamp_min(1.0)));
    assert!(off <= tolerance, "{what}: off by {off}");
}

fn largest(x: &Tensor) -> f64 {
    x.abs().max().double_value(&[])
}

/// Every CRN with every small network.
fn combinations() -> Vec<(&'static str, &'static str, String)> {
    let crns = built_in(Some("crn"));
    let crns = crns.iter().map(|entry| entry.info.name);
    let all = crns.flat_map(|crn| BACKBONES.map(|backbone| (crn, backbone)));
    all.map(|(crn, backbone)| {
        (crn, backbone, format!("{{ type: {crn}, network: {} }}", network(backbone)))
    })
    .collect()
}

/// `true` for valid pairs: the natural gradient divides by a Hessian that is positive definite only
/// for a convex network.
fn makes_sense(crn: &str, backbone: &str) -> bool {
    crn != "natural" || backbone == "convex"
}

#[test]
fn every_combination_gives_gradients_to_every_parameter_and_none_while_sampling() {
    let _stream = seed_torch(14, Purpose::Data, 0);
    for (crn, backbone, yaml) in combinations() {
        for (latent, condition) in [(&[2][..], &[3][..]), (&[2], &[2]), (&[2, 3, 2], &[1, 2])] {
            let what = format!("{crn} over {backbone}, {latent:?}, {condition:?}");
            let built = build(&yaml, latent, Some(condition));
            assert_eq!(built.is_ok(), makes_sense(crn, backbone), "{what}");
            let Ok(at) = built else { continue };
            let rows = at.rows(5);
            let output = at.at(&rows.z, &rows);
            assert_eq!(output.size(), rows.z.size(), "{what}");
            let sampled = no_grad(|| at.at(&rows.z, &rows));
            assert!(!sampled.requires_grad(), "{what}");
            assert_same(&what, &sampled, &output, 1e-9);
            let loss = &output * output.randn_like();
            for (name, variable) in at.vars.variables() {
                let slope = largest(&gradient(&loss, &variable, false).unwrap());
                assert!(slope.is_finite() && slope > 0.0, "{what}: {name} {slope}");
            }
        }
    }
}

/// Derivatives by parameters against finite differences, for up to three nested derivatives.
#[test]
fn stacked_derivatives_equal_differences() {
    let _stream = seed_torch(14, Purpose::Data, 0);
    for (crn, backbone, yaml) in combinations() {
        let Ok(at) = build(&yaml, &[2], Some(&[3])) else { continue };
        let rows = at.rows(4);
        let way = rows.z.randn_like();
        let loss = || (at.at(&rows.z, &rows) * &way).sum(Kind::Double);
        for (name, mut variable) in at.vars.variables() {
            let along = variable.detach().randn_like();
            let slope = gradient(&loss(), &variable, false).unwrap();
            let slope = (slope * &along).sum(Kind::Double).double_value(&[]);
            let step = 1e-5;
            let mut moved = |by: f64| {
                no_grad(|| variable += &along * by);
                loss().double_value(&[])
            };
            let difference = (moved(step) - moved(-2.0 * step)) / (2.0 * step);
            moved(step);
            let scale = slope.abs().max(1.0);
            assert!(
                (slope - difference).abs() < 1e-5 * scale,
                "{crn} over {backbone}: {name} {slope} {difference}"
            );
        }
    }
}

#[test]
fn potential_fields_have_symmetric_jacobians_and_no_curl() {
    let asymmetry = |yaml: &str, latent: &[i64]| {
        let at = build(yaml, latent, Some(&[3])).unwrap();
        let (_, jacobian) = at.jacobian(&at.rows(6));
        assert!(largest(&jacobian) > 1e-3, "{yaml}: the field is constant");
        largest(&(&jacobian - jacobian.transpose(1, 2))) / largest(&jacobian)
    };
    for latent in [&[2][..], &[2, 2]] {
        for name in BACKBONES {
            for sign in [-1, 1] {
                let yaml =
                    format!("{{ type: potential, sign: {sign}, network: {} }}", network(name));
                let off = asymmetry(&yaml, latent);
                assert!(off < 1e-12, "{yaml}: {off}");
            }
        }
    }
    // The measure detects an asymmetric Jacobian.
    assert!(asymmetry(&format!("{{ type: vanilla, network: {} }}", network("mlp")), &[2]) > 1e-2);
}

#[test]
fn the_sign_over_a_convex_network_decides_between_spreading_and_gathering() {
    for sign in [-1, 1] {
        let yaml = format!(
            "{{ type: potential, sign: {sign}, skip: false, network: {} }}",
            network("convex")
        );
        let at = build(&yaml, &[3], None).unwrap();
        let (_, jacobian) = at.jacobian(&at.rows(6));
        let least = (jacobian * sign).linalg_eigvalsh("L").min().double_value(&[]);
        assert!(least >= 0.05 - 1e-9, "{sign}: {least}"); // mu
        let sense = at.crn.sense().unwrap().unwrap();
        assert_eq!(
            (sense.rising, sense.otherwise),
            (sign > 0, format!("set `crn.sign: {}`", -sign))
        );
    }
    let free = build("{ type: potential }", &[3], None).unwrap();
    assert_eq!(free.crn.sense().unwrap(), None);
}

#[test]
fn convex_networks_are_convex_along_random_segments_before_and_after_training() {
    triflow_plugins::link();
    let _stream = seed_torch(13, Purpose::Init, 0);
    for (hidden, activation, output) in
        [("[8, 8, 8]", "softplus", 1), ("[5]", "softplus", 3), ("[9, 4]", "relu", 2)]
    {
        let yaml =
            format!("{{ type: convex, hidden_dims: {hidden}, activation: {activation}, mu: 0 }}");
        let component: Component<dyn Network> = serde_yaml::from_str(&yaml).unwrap();
        let mut vars = nn::VarStore::new(Device::Cpu);
        vars.set_kind(Kind::Double);
        let network = component
            .build(&NetworkContext {
                vars: vars.root(),
                z_shape: vec![3],
                condition_shape: Some(vec![2]),
                time_features: 4,
                output_shape: vec![output],
                derivatives: 0..=0,
            })
            .unwrap();
        assert!(network.is_convex().unwrap());
        let normal = |shape: [i64; 2], scale: f64| Tensor::randn(shape, DOUBLE) * scale;
        let n = 400;
        let condition = Condition::new(normal([n, 2], 1.0));
        let time = normal([n, 4], 1.0);
        let value = |z: &Tensor| {
            let input = NetworkInput { z, condition: Some(&condition), time: &time };
            network.forward(&input, Pass::EVAL).unwrap()
        };
        let check = |when: &str| {
            let (a, b, s) =
                (normal([n, 3], 3.0), normal([n, 3], 3.0), Tensor::rand([n, 1], DOUBLE));
            no_grad(|| {
                let chord = value(&a) * (1.0 - &s) + value(&b) * &s;
                let above = value(&(&a * (1.0 - &s) + &b * &s)) - &chord;
                let worst = (above / (chord.abs() + 1.0)).max().double_value(&[]);
                assert!(worst < 1e-12, "{yaml} {when}: above its chord by {worst}");
            });
        };
        check("at first");
        // The target is not convex.
        let mut optimizer = nn::Adam::default().build(&vars, 0.05).unwrap();
        for _ in 0..60 {
            let z = normal([n, 3], 2.0);
            let wanted = (&z * 2.0).sin().sum_dim_intlist([1].as_slice(), true, Kind::Double);
            let wanted = wanted - z.square().sum_dim_intlist([1].as_slice(), true, Kind::Double);
            optimizer.backward_step(&(value(&z) - wanted).square().mean(Kind::Double));
        }
        check("after training");
        move_by(&vars, 2.0);
        check("anywhere");
    }
}

/// The error of building an experiment.
fn refusal(yaml: &str) -> String {
    triflow_plugins::link();
    let full = format!(
        "{{ task: generation, data: {{ type: two_moons, samples: 64 }}, device: cpu, threads: 1, \
         training: {{ steps: 1 }}, {yaml} }}"
    );
    match Experiment::from_yaml(&full).and_then(|e| Trainer::new(e, std::path::Path::new(""))) {
        Ok(_) => panic!("{yaml}: not refused"),
        Err(e) => e.to_string(),
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_what_would() {
    let cases = [
        (
            "unconditional: true, crn: geometric",
            "`geometric` multiplies a Hessian with the condition, but the model has none\n  at crn\n  help: use \
             `potential`, or train with a condition (not `unconditional: true`)",
        ),
        (
            "crn: hamiltonian, encoder: linear, latent_shape: [3], decoder: mlp",
            "`hamiltonian` splits z into positions and momenta, and needs an even number of entries; z of [3] \
             has 3\n  at crn\n  help: set a `latent_shape` with an even number of entries and an encoder, or \
             use `vanilla`",
        ),
        (
            "crn: { type: potential, network: { type: mlp, activation: relu } }",
            "the gradient of the network is used here, and with `relu` it jumps between constants: the second \
             derivative is zero\n  at crn.network.activation\n  help: use a smooth activation: swish, gelu, \
             tanh or softplus",
        ),
        (
            "crn: { type: vanilla, network: { type: convex, activation: swish } }",
            "a convex network needs an activation that is convex and non-decreasing\n  at \
             crn.network.activation\n  help: use `softplus`, or leave it out",
        ),
        (
            "crn: { type: natural, network: mlp }",
            "`natural` inverts the Hessian of the network, which has to be positive definite; that of \
             `mlp` need not be\n  at crn.network\n  help: use a network that is convex in z, such as `convex`, or \
             the CRN `potential`",
        ),
        (
            "objective: ct, crn: { type: potential, network: convex }",
            "the output is minus the gradient of a convex function of z, but what this objective predicts is \
             the gradient of one\n  at crn\n  help: set `crn.sign: 1`",
        ),
        ("crn: { type: potential, sign: 0 }", "needs 1 or -1, got 0\n  at crn.sign"),
        (
            "crn: { type: natural, delta: 0 }",
            "needs a number above 0, got 0\n  at crn.delta (YAML:1)",
        ),
        (
            "crn: { type: potential, network: { type: convex, mu: -1 } }",
            "needs a number of at least 0, got -1\n  at crn.network.mu (YAML:1)",
        ),
        (
            "crn: { type: potential, network: { type: bilinear, hidden_dims: [4, 0] } }",
            "needs at least 1, got 0\n  at crn.network.hidden_dims[1] (YAML:1)",
        ),
    ];
    for (yaml, expected) in cases {
        assert_eq!(refusal(yaml), expected, "{yaml}");
    }
    for name in BACKBONES.into_iter().filter(|name| *name != "convex") {
        for crn in ["potential", "geometric", "hamiltonian"] {
            let yaml =
                format!("crn: {{ type: {crn}, network: {{ type: {name}, activation: relu }} }}");
            assert!(refusal(&yaml).contains("the second derivative is zero"), "{yaml}");
        }
    }
}

#[test]
fn every_combination_trains_and_samples() {
    for (crn, backbone, yaml) in combinations() {
        for objective in ["flow_matching", "ct", "diffusion"] {
            if !makes_sense(crn, backbone) {
                continue;
            }
            let sign = (crn == "potential" && objective == "ct").then_some(", sign: 1");
            let yaml = yaml.replacen(", network", &format!("{}, network", sign.unwrap_or("")), 1);
            let what = format!("{objective}, {yaml}");
            let full = format!(
                "{{ task: generation, data: {{ type: two_moons, samples: 64 }}, device: cpu, threads: 1, \
                 training: {{ steps: 4, batch_size: 16, condition_dropout: 0.3 }}, crn: {yaml}, objective: \
                 {objective}, sampling: {{ steps: 3 }} }}"
            );
            let experiment = Experiment::from_yaml(&full).unwrap();
            let mut trainer = Trainer::new(experiment, std::path::Path::new("")).unwrap();
            let before = trainer.trained().parameters();
            trainer
                .fit(&mut |_, _| Ok(Control::Continue))
                .unwrap_or_else(|e| panic!("{what}: {e}"));
            for (name, after) in trainer.trained().parameters() {
                let old = before.iter().find(|(n, _)| *n == name).unwrap();
                assert!(!after.equal(&old.1), "{what}: {name} has not moved");
            }
            let mut model = trainer.into_trained();
            let samples =
                model.generate(&Tensor::from_slice(&[0i64, 1]), Some(3), Some(1)).unwrap();
            assert_eq!(samples.size(), [2, 2], "{what}");
            assert!(samples.isfinite().all().int64_value(&[]) == 1, "{what}: {samples}");
        }
    }
}
