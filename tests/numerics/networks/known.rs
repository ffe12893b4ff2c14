//! CRNs over potentials that are known in closed form.

use super::{BACKBONES, DOUBLE, Rows, Standing, assert_same, build, jacobian, largest, network};
use crate::common::golden;
use serde_json::Value;
use triflow::prelude::*;
use triflow::tch::{Device, Kind, no_grad};

triflow::component! {
    /// The potential ln Σ exp(A z + B x + c t) + δ/2·|z|² of the golden file, whose time
    /// feature is t.
    pub struct Golden: Network = "golden_potential" {}
}

impl Spec<dyn Network> for Golden {
    fn build(&self, _: &NetworkContext) -> Result<Box<dyn Network>> {
        let g = file();
        let delta = g["delta"].as_f64().unwrap();
        Ok(Box::new(LogSumExp {
            a: rows_of(&g["A"]),
            b: rows_of(&g["B"]),
            c: list(&g["c"]),
            delta,
        }))
    }
}

struct LogSumExp {
    a: Tensor,
    b: Tensor,
    c: Tensor,
    delta: f64,
}

impl LogSumExp {
    fn value(&self, z: &Tensor, x: &Tensor, time: &Tensor) -> Tensor {
        let u = z.matmul(&self.a.tr()) + x.matmul(&self.b.tr()) + time * &self.c;
        let square = z.square().sum_dim_intlist([1].as_slice(), true, Kind::Double);
        u.logsumexp([1].as_slice(), true) + square * (0.5 * self.delta)
    }
}

impl Network for LogSumExp {
    fn forward(&self, input: &NetworkInput<'_>, _: Pass) -> Result<Tensor> {
        Ok(self.value(input.z, &input.condition.unwrap().value, input.time))
    }

    fn is_convex(&self) -> Result<bool> {
        Ok(true)
    }
}

fn file() -> Value {
    golden(include_str!("../../golden/networks.json"))["potential_fields"].clone()
}

fn list(value: &Value) -> Tensor {
    Tensor::from_slice(&serde_json::from_value::<Vec<f64>>(value.clone()).unwrap())
}

fn rows_of(value: &Value) -> Tensor {
    Tensor::from_slice2(&serde_json::from_value::<Vec<Vec<f64>>>(value.clone()).unwrap())
}

/// A CRN with the golden potential, and the golden rows as one batch.
fn golden_crn(name: &str, keys: &str) -> (Standing, Rows) {
    let yaml = format!(
        "{{ type: {name}, network: golden_potential, time_embedding: {{ dim: 1 }}, skip: false{keys} }}"
    );
    triflow_plugins::link();
    let component: Component<dyn Crn> = serde_yaml::from_str(&yaml).unwrap();
    let mut vars = nn::VarStore::new(Device::Cpu);
    vars.set_kind(Kind::Double);
    let (latent, condition) = (vec![4], Some(vec![4]));
    let crn = component
        .build(&BuildContext {
            vars: vars.root(),
            target_shape: latent.clone(),
            target_blocks: Block::numbers(&latent),
            condition_shape: condition.clone(),
            latent_shape: Some(latent.clone()),
        })
        .unwrap();
    let g = file();
    let column = |key: &str| {
        let all: Vec<Tensor> =
            g["rows"].as_array().unwrap().iter().map(|r| list(&r[key])).collect();
        Tensor::stack(&all, 0)
    };
    let time: Vec<f64> =
        g["rows"].as_array().unwrap().iter().map(|r| r["t"].as_f64().unwrap()).collect();
    let rows = Rows {
        z: column("z"),
        time: Tensor::from_slice(&time),
        condition: Some(Condition::new(column("x"))),
    };
    (Standing { vars, crn, latent, condition }, rows)
}

/// The vectors come from an independent numpy script, see `tests/golden`.
#[test]
fn the_fields_of_a_known_potential_equal_the_golden_vectors() {
    let g = file();
    let expected = |key: &str| {
        let all: Vec<Tensor> =
            g["rows"].as_array().unwrap().iter().map(|r| list(&r[key])).collect();
        Tensor::stack(&all, 0)
    };
    let cases = [
        ("potential", "", expected("potential")),
        ("potential", ", sign: 1", expected("grad")),
        ("geometric", "", expected("geometric")),
        ("natural", "", expected("natural_delta_0_01")),
        ("hamiltonian", "", expected("hamiltonian")),
    ];
    for (name, keys, expected) in cases {
        let (at, rows) = golden_crn(name, keys);
        let (found, jacobian) = at.jacobian(&rows);
        assert_same(name, &found, &expected, 1e-10);
        assert_same(name, &no_grad(|| at.at(&rows.z, &rows)), &expected, 1e-10);
        if name == "potential" && keys.is_empty() || name == "hamiltonian" {
            let traces =
                jacobian.diagonal(0, 1, 2).sum_dim_intlist([1].as_slice(), false, Kind::Double);
            for (i, row) in g["rows"].as_array().unwrap().iter().enumerate() {
                let expected = row["divergence"][name].as_f64().unwrap();
                let found = traces.double_value(&[i as i64]);
                assert!((found - expected).abs() < 1e-10, "{name} {i}: {found} {expected}");
            }
        }
    }
}

/// The time is fixed, as the energy of a time-dependent potential changes.
#[test]
fn a_hamiltonian_flow_conserves_its_energy_and_volumes() {
    let (at, rows) = golden_crn("hamiltonian", "");
    let g = file();
    let energy = LogSumExp {
        a: rows_of(&g["A"]),
        b: rows_of(&g["B"]),
        c: list(&g["c"]),
        delta: g["delta"].as_f64().unwrap(),
    };
    let value = |z: &Tensor| {
        energy.value(z, &rows.condition.as_ref().unwrap().value, &rows.time.unsqueeze(1))
    };
    let step = 0.05;
    // The classical Runge-Kutta step of order 4.
    let flow = |z: &Tensor| {
        let mut z = z.shallow_clone();
        for _ in 0..40 {
            let k1 = at.at(&z, &rows);
            let k2 = at.at(&(&z + &k1 * (step / 2.0)), &rows);
            let k3 = at.at(&(&z + &k2 * (step / 2.0)), &rows);
            let k4 = at.at(&(&z + &k3 * step), &rows);
            z = (k1 + k2 * 2.0 + k3 * 2.0 + k4) * (step / 6.0) + z;
        }
        z
    };
    let (end, jacobian) = jacobian(&rows.z, flow);
    assert!(largest(&(&end - &rows.z)) > 0.5, "nothing has moved");
    assert_same("energy", &value(&end), &value(&rows.z), 1e-6);
    let volume = Tensor::linalg_det(&jacobian);
    assert_same("volume", &volume, &volume.ones_like(), 1e-6);
}

#[test]
fn hamiltonian_fields_have_no_divergence() {
    for name in BACKBONES {
        let yaml = format!("{{ type: hamiltonian, network: {} }}", network(name));
        for latent in [&[2][..], &[2, 1, 2]] {
            let at = build(&yaml, latent, Some(&[3])).unwrap();
            let (_, jacobian) = at.jacobian(&at.rows(6));
            let trace =
                jacobian.diagonal(0, 1, 2).sum_dim_intlist([1].as_slice(), false, Kind::Double);
            assert!(largest(&jacobian) > 1e-3 && largest(&trace) < 1e-12, "{name} {trace}");
        }
    }
}

/// The system is solved by a Cholesky decomposition for d = 6, by conjugate gradients for d = 66.
#[test]
fn the_natural_gradient_solves_the_dense_system() {
    for d in [6, 66] {
        let with = |name: &str, keys: &str| {
            let network = network("convex");
            let yaml = format!("{{ type: {name}, skip: false, network: {network}{keys} }}");
            build(&yaml, &[d], Some(&[3])).unwrap()
        };
        // With the same variables, the other CRN gives the gradient, and the Hessian as its
        // Jacobian.
        let (natural, gradient) =
            (with("natural", ", delta: 0.02"), with("potential", ", sign: 1"));
        let variables = gradient.vars.variables();
        for (name, mut variable) in natural.vars.variables() {
            no_grad(|| variable.copy_(&variables[&name]));
        }
        let rows = natural.rows(4);
        let (slope, hessian) = gradient.jacobian(&rows);
        let matrix = hessian + Tensor::eye(d, DOUBLE) * 0.02;
        let expected =
            Tensor::linalg_solve(&matrix, &slope.unsqueeze(2), true).squeeze_dim(2).neg();
        assert_same("natural", &natural.at(&rows.z, &rows).detach(), &expected, 1e-8);
    }
}
