//! `describe --eval` and `--plot`: noise schedules and paths as functions of time.

use std::path::Path;
use triflow::config::Layers;
use triflow::plot::{FunctionView, Quantity, functions};
use triflow::prelude::BuildContext;
use triflow::registry::registry;
use triflow::table::Block;
use triflow::tch::{Device, Kind, Tensor, nn};
use triflow::{Error, Experiment, Result, path};

/// Times of a curve in a picture.
const POINTS: i64 = 401;

/// Prints a noise schedule's values as CSV.
pub fn eval(kind: &str, name: &str, points: i64, set: &[String]) -> Result<()> {
    let kind = registry().check_kind(kind)?;
    if kind != "noise_schedule" {
        return Err(Error::config("", "--eval is for noise schedules")
            .help("triflow describe noise_schedule cosine --eval"));
    }
    let columns = schedule_values(name, points, set)?;
    if columns.iter().flatten().any(|v| !v.is_finite()) {
        let message = "the values are not finite everywhere on [0, 1] with these parameters";
        return Err(Error::config("noise_schedule", message));
    }
    println!("t,alpha_bar,gamma,gamma_prime,snr_prime");
    for i in 0..columns[0].len() {
        println!("{}", columns.iter().map(|c| format!("{:?}", c[i])).collect::<Vec<_>>().join(","));
    }
    Ok(())
}

/// Draws noise schedules or paths, whose names are separated by commas.
pub fn plot(kind: &str, names: &str, set: &[String], out: &Path) -> Result<()> {
    crate::out::check(out, &["png"])?;
    let kind = registry().check_kind(kind)?;
    let names: Vec<String> = names.split(',').map(|name| name.trim().to_owned()).collect();
    let (quantities, subtitle) = match kind {
        "noise_schedule" => (
            [
                ("log-SNR γ", None),
                ("alpha_bar = σ(γ)", Some((0.0, 1.0))),
                ("slope dγ/dt", Some((0.0, 50.0))),
            ],
            "log-SNR over time; alpha_bar is the share of the data in the variance of z_t",
        ),
        "path" => (
            [
                ("log-SNR γ", Some((-12.0, 12.0))),
                ("a, factor of the data", Some((0.0, 1.0))),
                ("b, factor of the noise", Some((0.0, 1.0))),
            ],
            "z_t = a·data + b·noise; a path that follows a noise schedule is drawn with the default",
        ),
        _ => {
            return Err(Error::config("", "--plot is for noise schedules and paths")
                .help("triflow describe path rectified --plot --out path.png"));
        }
    };
    let mut quantities = quantities.map(|(name, range)| Quantity {
        name: name.to_owned(),
        range,
        curves: Vec::new(),
    });
    for name in &names {
        let (t, values) = if kind == "path" {
            let [t, values @ ..] = path_values(name, set)?;
            (t, values)
        } else {
            let [t, alpha_bar, gamma, gamma_prime, _] = schedule_values(name, POINTS, set)?;
            (t, [gamma, alpha_bar, gamma_prime])
        };
        for (quantity, values) in quantities.iter_mut().zip(values) {
            quantity.curves.push(t.iter().copied().zip(values).collect());
        }
    }
    let view = FunctionView {
        title: format!("{kind} · {}", names.join(", ")),
        subtitle: subtitle.to_owned(),
        names,
        quantities: quantities.into(),
    };
    functions(out, &view)?;
    println!("{}", out.display());
    Ok(())
}

/// The experiment with this component, and where its keys come from.
fn with(kind: &'static str, name: &str, set: &[String]) -> Result<(Layers, Experiment)> {
    let mut layers = Layers::new()?;
    layers.set(kind, registry().find(kind, name)?.info.name.into(), "the command")?;
    super::set_under(&mut layers, kind, set, "s=0.02")?;
    let experiment = layers.finish()?;
    Ok((layers, experiment))
}

/// Builds the noise schedule of an experiment and passes it on, before its parameters end.
fn built<T>(
    (layers, experiment): &(Layers, Experiment),
    used: impl FnOnce(Box<dyn triflow::component::NoiseSchedule>) -> Result<T>,
) -> Result<T> {
    let mut vars = nn::VarStore::new(Device::Cpu);
    vars.set_kind(Kind::Double);
    let context = BuildContext {
        vars: vars.root(),
        target_shape: vec![1],
        target_blocks: Block::numbers(&[1]),
        condition_shape: None,
        latent_shape: Some(vec![1]),
    };
    let schedule = experiment.noise_schedule.build(&context);
    used(schedule.map_err(|e| layers.locate(e.under("noise_schedule")))?)
}

fn times(points: i64) -> Tensor {
    Tensor::linspace(0.0, 1.0, points, (Kind::Double, Device::Cpu))
}

fn numbers<const N: usize>(columns: [Tensor; N]) -> Result<[Vec<f64>; N]> {
    let mut all = [const { Vec::new() }; N];
    for (numbers, column) in all.iter_mut().zip(columns) {
        *numbers = Vec::try_from(column.detach())?;
    }
    Ok(all)
}

/// t, alpha_bar, γ, dγ/dt and dSNR/dt of a noise schedule at equally spaced times.
fn schedule_values(name: &str, points: i64, set: &[String]) -> Result<[Vec<f64>; 5]> {
    built(&with("noise_schedule", name, set)?, |schedule| {
        let t = times(points);
        let (gamma, gamma_prime) = (schedule.gamma(&t)?, schedule.gamma_prime(&t)?);
        let snr_prime = gamma.exp() * &gamma_prime;
        numbers([t, gamma.sigmoid(), gamma, gamma_prime, snr_prime])
    })
}

/// t, γ, a and b of a path.
fn path_values(name: &str, set: &[String]) -> Result<[Vec<f64>; 4]> {
    let all = with("path", name, set)?;
    let Some(component) = all.1.path.clone() else { return Err(Error::runtime("no path is set")) };
    built(&all, |schedule| {
        let path = path::Path::build(&component, Some(schedule), Device::Cpu);
        let path = path.map_err(|e| all.0.locate(e.under("path")))?;
        let t = times(POINTS);
        let point = path.at(&t)?;
        numbers([t, point.gamma(), point.a, point.b])
    })
}
