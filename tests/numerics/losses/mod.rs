//! Every term of the loss and every weight over time against golden vectors. The file's `upstream`
//! kinds are for information and not compared; its sequence mask belongs to sequences.

mod model;

use crate::common::{
    OBJECTIVES, assert_close, assert_within, golden, label, list, numbers, objective, path, tensor,
    values, weights,
};
use serde_json::Value;
use triflow::config::{Reconstruction, Reduction};
use triflow::loss::{Weights, kl, reconstruction, reduce, squared_error};
use triflow::path::{Path, Reading};
use triflow::prelude::*;
use triflow::rng::{Purpose, seed_torch};
use triflow::tch::{Device, Kind};

const REDUCTIONS: [(&str, Reduction); 2] = [("mean", Reduction::Mean), ("sum", Reduction::Sum)];
const RECONS: [(&str, Reconstruction); 3] = [
    ("mse", Reconstruction::Mse),
    ("cross_entropy", Reconstruction::CrossEntropy),
    ("none", Reconstruction::None),
];
const KINDS: [&str; 3] = ["none", "seed", "elbo"];

fn file() -> Value {
    golden(include_str!("../../golden/losses.json"))
}

/// A golden case with the file's inputs.
struct Case<'g> {
    golden: &'g Value,
    inputs: &'g Value,
    what: String,
    objective: Box<dyn Objective>,
    path: Path,
}

impl<'g> Case<'g> {
    fn all(file: &'g Value) -> Vec<Self> {
        let cases = list(&file["cases"]);
        assert_eq!(cases.len(), 8);
        let case = |golden: &'g Value| {
            let model = golden["model"].as_str().unwrap();
            let name = match model {
                "FM" => "flow_matching",
                "DF" => "diffusion",
                _ => "ct",
            };
            Case {
                golden,
                inputs: &file["inputs"],
                what: format!("{model} {}", label(golden)),
                objective: objective(name),
                path: path(golden),
            }
        };
        cases.iter().map(case).collect()
    }

    fn input(&self, name: &str) -> Tensor {
        tensor(&self.inputs[name])
    }

    fn point(&self) -> PathPoint<'_> {
        self.path.at(&self.input("t")).unwrap()
    }

    fn close(&self, name: &str, ours: &Tensor, expected: &Value) {
        assert_close(&format!("{} {name}", self.what), ours, &numbers(expected), 1e-10);
    }

    fn z(&self, point: &PathPoint<'_>) -> Tensor {
        let (data, noise) = (self.input("z_1"), self.input("eps"));
        rows(&point.a, &data) * data + rows(&point.b, &noise) * noise
    }

    /// Unweighted terms, a value for each row.
    fn terms(&self, reduction: Reduction) -> Vec<(String, Tensor)> {
        let point = self.point();
        let reading = Reading::new(&*self.objective, &point).unwrap();
        let (z, output) = (self.z(&point), self.input("model_output"));
        let target = reading.target(&self.input("z_1"), &self.input("eps"));
        let velocity = reading.derivative(&z, &output, Clock::Time).unwrap();
        let posterior = Posterior { mean: self.input("z_1"), log_variance: None };
        let alpha_bar_0 = self.path.at(&Tensor::from_slice(&[0.0])).unwrap().a.square();
        let mut terms = vec![
            ("flow".to_owned(), squared_error(&output, &target, reduction, None)),
            ("reg".to_owned(), reduce(&velocity.square(), reduction, None)),
            ("kl".to_owned(), kl(&posterior, &alpha_bar_0, reduction, None)),
        ];
        let segments = Segments::new(&Block::numbers(&self.input("y").size()[1..]), Device::Cpu);
        for (name, recon) in RECONS {
            let (y, y_pred, y_vae) = match recon {
                Reconstruction::CrossEntropy => ("onehot", "logits", "vae_logits"),
                _ => ("y", "y_pred", "y_vae"),
            };
            for (term, from) in [("recon", y_pred), ("vae", y_vae)] {
                let value = {
                    let pair = (&self.input(from), &self.input(y));
                    reconstruction(recon, pair, &segments, reduction, None)
                };
                terms.push((format!("{term}_{name}"), value));
            }
        }
        terms
    }
}

#[test]
fn states_and_readings_meet_the_golden_vectors() {
    let file = file();
    for case in Case::all(&file) {
        let point = case.point();
        let reading = Reading::new(&*case.objective, &point).unwrap();
        let (z, output) = (case.z(&point), case.input("model_output"));
        let ideal = reading.target(&case.input("z_1"), &case.input("eps"));
        let velocity = |output| reading.derivative(&z, output, Clock::Time).unwrap();
        let ours = [
            ("a", point.a.shallow_clone()),
            ("b", point.b.shallow_clone()),
            ("gamma_prime", point.gamma_prime().unwrap()),
            ("snr", point.snr()),
            ("snr_prime", point.snr_prime().unwrap()),
            ("z_t", z.shallow_clone()),
            ("v_true", velocity(&ideal)),
            ("target_hat", reading.data(&z, &output)),
            ("noise_hat", reading.noise(&z, &output)),
            ("dz_dt", velocity(&output)),
        ];
        for (name, ours) in ours {
            case.close(name, &ours, &case.golden[name]);
        }
    }
}

#[test]
fn every_term_of_every_row_meets_the_golden_vectors() {
    let file = file();
    for case in Case::all(&file) {
        for (name, reduction) in REDUCTIONS {
            let golden = case.golden["per_sample"][name].as_object().unwrap();
            let terms = case.terms(reduction);
            assert_eq!(terms.len(), golden.len());
            for (term, ours) in terms {
                case.close(&format!("{name} {term}"), &ours, &golden[&term]);
            }
        }
    }
}

#[test]
fn every_weight_and_its_mean_meet_the_golden_vectors() {
    let file = file();
    for case in Case::all(&file) {
        let point = case.point();
        let reading = Reading::new(&*case.objective, &point).unwrap();
        for name in KINDS {
            let golden = &case.golden["snr_weights"][name];
            let plain = weights(name, false, &case.path, &*case.objective);
            let flow_of = |of: &Weights| of.flow(&reading).unwrap().unwrap_or(point.t.ones_like());
            let data_of = |of: &Weights| of.data(&point).unwrap().unwrap_or(point.t.ones_like());
            assert_eq!(plain.means(), (1.0, 1.0));
            case.close(&format!("{name} flow"), &flow_of(&plain), &golden["flow"]);
            case.close(&format!("{name} data"), &data_of(&plain), &golden["recon_reg"]);
            let normal = weights(name, true, &case.path, &*case.objective);
            let (flow, data) = normal.means();
            case.close(&format!("{name} mean"), &Tensor::from(flow), &golden["mean_flow"]);
            case.close(&format!("{name} mean"), &Tensor::from(data), &golden["mean_recon_reg"]);
            let expected = values(&(flow_of(&plain) / flow));
            assert_close(&case.what, &flow_of(&normal), &expected, 1e-12);
            let expected = values(&(data_of(&plain) / data));
            assert_close(&case.what, &data_of(&normal), &expected, 1e-12);
        }
    }
}

#[test]
fn batch_losses_and_totals_meet_the_golden_numbers() {
    let file = file();
    let weight = |name: &str| file["inputs"]["weights"][name].as_f64().unwrap();
    for case in Case::all(&file) {
        let point = case.point();
        let reading = Reading::new(&*case.objective, &point).unwrap();
        for (reduction_name, reduction) in REDUCTIONS {
            let terms = case.terms(reduction);
            let term = |name: &str| &terms.iter().find(|(n, _)| n == name).unwrap().1;
            for kind_name in KINDS {
                for (suffix, normalise) in [("", false), ("_normalized", true)] {
                    let golden =
                        &case.golden["losses"][reduction_name][format!("{kind_name}{suffix}")];
                    let weights = weights(kind_name, normalise, &case.path, &*case.objective);
                    let one = || point.t.ones_like();
                    let of_flow = weights.flow(&reading).unwrap().unwrap_or_else(one);
                    let of_data = weights.data(&point).unwrap().unwrap_or_else(one);
                    let check = |name: String, ours: &Tensor| {
                        let what = format!("{reduction_name} {kind_name}{suffix} {name}");
                        case.close(&what, ours, &golden[name]);
                    };
                    let flow = (term("flow") * of_flow).mean(None);
                    let reg = (term("reg") * &of_data).mean(None);
                    let kl = term("kl").mean(None);
                    check("flow_loss".into(), &flow);
                    check("reg_loss".into(), &reg);
                    check("kl_loss".into(), &kl);
                    for (name, _) in RECONS {
                        let recon = (term(&format!("recon_{name}")) * &of_data).mean(None);
                        let vae = term(&format!("vae_{name}")).mean(None);
                        check(format!("recon_loss_{name}"), &recon);
                        check(format!("vae_loss_{name}"), &vae);
                        let total = &flow
                            + recon * weight("recon_weight")
                            + &reg * weight("reg_weight")
                            + vae * weight("vae_weight")
                            + &kl * weight("kl_weight");
                        check(format!("total_{name}"), &total);
                    }
                }
            }
        }
    }
}

#[test]
fn elbo_field_min_snr_and_sigmoid_weigh_an_error_alike_in_every_space() {
    let file = file();
    for case in Case::all(&file) {
        let point = case.point();
        let own = Reading::new(&*case.objective, &point).unwrap();
        let (z, output) = (case.z(&point), case.input("model_output"));
        let (data, noise) = (own.data(&z, &output), own.noise(&z, &output));
        for kind in ["elbo", "field", "min_snr", "sigmoid"] {
            let losses = OBJECTIVES.map(|name| {
                let objective = objective(name);
                let reading = Reading::new(&*objective, &point).unwrap();
                let weights = weights(kind, false, &case.path, &*objective);
                let target = reading.target(&case.input("z_1"), &case.input("eps"));
                let error =
                    squared_error(&reading.target(&data, &noise), &target, Reduction::Sum, None);
                error * weights.flow(&reading).unwrap().unwrap()
            });
            for (loss, name) in losses.iter().zip(OBJECTIVES) {
                // On the straight path the weight is capped, separately for each kind of output.
                if !case.path.bounded() && name != "flow_matching" {
                    let excess = (loss - &losses[0]).max().double_value(&[]);
                    assert!(excess < 1e-9, "{} {name}: {excess}", case.what);
                } else {
                    assert_close(&case.what, loss, &values(&losses[0]), 1e-9);
                }
            }
            if kind == "elbo" && case.path.bounded() {
                case.close("elbo", &losses[0], &case.golden["elbo_integrand_all_spaces"]);
            }
            if kind == "field" {
                // The error of dz/ds in log-SNR, squared and times γ'; on the straight path in
                // time.
                let (clock, rate) = match case.path.bounded() {
                    false => (Clock::Time, point.t.ones_like()),
                    true => (Clock::Gamma, point.gamma_prime().unwrap()),
                };
                let ideal = own.target(&case.input("z_1"), &case.input("eps"));
                let error = own.derivative(&z, &output, clock).unwrap()
                    - own.derivative(&z, &ideal, clock).unwrap();
                let expected = values(&(reduce(&error.square(), Reduction::Sum, None) * rate));
                assert_close(&case.what, &losses[0], &expected, 1e-9);
            }
        }
    }
}

#[test]
fn kl_of_normal_and_deterministic_encoders_meets_the_golden_vectors() {
    let file = file();
    let encoders = &file["encoders"];
    let (mean, log_variance) = (tensor(&encoders["mu"]), tensor(&encoders["logvar"]));
    let z_1 = &mean + (&log_variance * 0.5).exp() * tensor(&encoders["xi"]);
    assert_close("z_1", &z_1, &numbers(&encoders["z_1"]), 1e-10);
    let normal = Posterior { mean, log_variance: Some(log_variance) };
    let point = Posterior { mean: tensor(&file["inputs"]["z_1"]), log_variance: None };
    let cases = list(&encoders["cases"]);
    assert_eq!(cases.len(), 10);
    for case in cases {
        let alpha_bar_0 = path(case).at(&Tensor::from_slice(&[0.0])).unwrap().alpha_bar();
        assert_close(&label(case), &alpha_bar_0, &numbers(&case["alpha_bar_0"]), 1e-10);
        for (posterior, name) in
            [(&normal, "kl_normal_encoder"), (&point, "kl_deterministic_encoder_z1")]
        {
            let what = format!("{} {name}", label(case));
            let expected = numbers(&case[name]);
            assert!(expected.iter().all(|v| *v > 0.0));
            // The file has sums; the mean divides them by the dimension.
            assert_close(
                &what,
                &kl(posterior, &alpha_bar_0, Reduction::Sum, None),
                &expected,
                1e-10,
            );
            let mean: Vec<f64> = expected.iter().map(|v| v / 3.0).collect();
            assert_close(&what, &kl(posterior, &alpha_bar_0, Reduction::Mean, None), &mean, 1e-10);
        }
    }
}

#[test]
fn a_draw_of_a_normal_encoder_has_its_mean_and_deviation() {
    let _stream = seed_torch(3, Purpose::Data, 0);
    let ones = Tensor::ones([200_000, 2], (Kind::Double, Device::Cpu));
    let mean = &ones * Tensor::from_slice(&[1.5, -2.0]);
    let log_variance = &ones * Tensor::from_slice(&[0.8, -1.0]);
    let draw = Posterior { mean, log_variance: Some(log_variance) }.sample();
    assert_within(
        "mean",
        &draw.mean_dim([0].as_slice(), false, Kind::Double),
        &[1.5, -2.0],
        0.02,
        1.0,
    );
    let variance = draw.var_dim([0].as_slice(), true, false);
    assert_within("variance", &variance, &[0.8_f64.exp(), (-1.0_f64).exp()], 0.02, 1.0);
}
