//! What every noise schedule promises.

use super::expect::{close, ensure, finite, form};
use super::parameters::{Built, gradients, perturb, reaches, survive_saving, trainable};
use super::seeds::{KIT, same_again, seeded};
use super::{Check, Conformance, Kit};
use crate::component::{BuildContext, NoiseSchedule};
use crate::error::Result;
use crate::registry::Component;
use tch::{Device, Kind as DType, Tensor, nn};

inventory::submit!(Kit::of::<dyn NoiseSchedule>());

impl Conformance for dyn NoiseSchedule {
    const CHECKS: &'static [Check<Self>] = &[
        Check {
            name: "shape",
            about: "gamma, gamma_prime and time_of keep shape, precision and device of what is asked",
            run: shape,
        },
        Check { name: "increasing", about: "log-SNR rises from t = 0 to t = 1", run: increasing },
        Check {
            name: "finite_ends",
            about: "log-SNR stays within ±80 and its derivative is finite, both ends included",
            run: finite_ends,
        },
        Check {
            name: "derivative",
            about: "gamma_prime is the slope of gamma, and nowhere below 0",
            run: derivative,
        },
        Check {
            name: "inverse",
            about: "time_of gives the time back of which gamma gave the log-SNR",
            run: inverse,
        },
        Check {
            name: "gradients",
            about: "every trainable variable gets a gradient, and gamma and gamma_prime both give the \
                    one that small changes of the variable show",
            run: variables_learn,
        },
        Check {
            name: "save_load",
            about: "its variables saved and loaded into another one, built under another seed, give the \
                    same log-SNR bit for bit",
            run: |component| {
                survive_saving(|| build(component, DType::Double), |s| both(s, &times()))
            },
        },
        Check {
            name: "same_seed",
            about: "built twice under one seed, it is the same bit for bit",
            run: |component| same_again(|| both(&build(component, DType::Float)?.1, &times())),
        },
    ];
    const STARTER: &'static str = include_str!("starters/noise_schedule.rs");

    fn try_build(component: &Component<Self>) -> Result<()> {
        build(component, DType::Float).map(|_| ())
    }
}

type Schedule = Box<dyn NoiseSchedule>;

/// Largest |γ| that the model accepts.
const BOUND: f64 = 80.0;

fn build(component: &Component<dyn NoiseSchedule>, kind: DType) -> Result<Built<Schedule>> {
    let mut vars = nn::VarStore::new(Device::Cpu);
    vars.set_kind(kind);
    let schedule = component.build(&BuildContext {
        vars: vars.root(),
        target_shape: vec![2],
        condition_shape: None,
        latent_shape: Some(vec![2]),
    })?;
    Ok((vars, schedule))
}

/// In float64, from the kit's own seed.
fn precise(component: &Component<dyn NoiseSchedule>) -> Result<Built<Schedule>> {
    seeded(KIT, || build(component, DType::Double))
}

/// Times inside (0, 1), away from round ones, where a schedule may have a kink.
fn times() -> Tensor {
    (Tensor::arange(37, (DType::Double, Device::Cpu)) + 0.37) / 37.0
}

/// The times at which a model looks before it is trained.
fn all_times() -> Tensor {
    Tensor::linspace(0.0, 1.0, 1001, (DType::Double, Device::Cpu))
}

fn both(schedule: &Schedule, t: &Tensor) -> Result<Vec<Tensor>> {
    Ok(vec![schedule.gamma(t)?, schedule.gamma_prime(t)?])
}

fn shape(component: &Component<dyn NoiseSchedule>) -> Result<()> {
    // Of the variables and of the times: samplers ask in float64 whatever the model's precision.
    for (vars, asked) in [
        (DType::Float, DType::Float),
        (DType::Float, DType::Double),
        (DType::Double, DType::Double),
    ] {
        let (_vars, schedule) = build(component, vars)?;
        for batch in [1, 7] {
            let t = Tensor::linspace(0.1, 0.9, batch, (asked, Device::Cpu));
            let gamma = schedule.gamma(&t)?;
            form("gamma", &gamma, &[batch], &t)?;
            form("gamma_prime", &schedule.gamma_prime(&t)?, &[batch], &t)?;
            form("time_of", &schedule.time_of(&gamma.detach())?, &[batch], &t)?;
        }
    }
    Ok(())
}

fn increasing(component: &Component<dyn NoiseSchedule>) -> Result<()> {
    let (_vars, schedule) = precise(component)?;
    let gamma = schedule.gamma(&all_times())?;
    let (first, last) = (gamma.double_value(&[0]), gamma.double_value(&[-1]));
    ensure(first < last, || {
        format!("log-SNR is {first:.4} at t = 0 and {last:.4} at t = 1, expected to rise")
    })?;
    let steps = gamma.diff::<Tensor>(1, -1, None, None);
    let at = steps.argmin(None, false).int64_value(&[]);
    let deepest = steps.min().double_value(&[]);
    ensure(deepest >= -1e-9, || {
        format!("log-SNR falls by {:.2e} just after t = {:.3}", -deepest, at as f64 / 1000.0)
    })
}

fn finite_ends(component: &Component<dyn NoiseSchedule>) -> Result<()> {
    let (_vars, schedule) = precise(component)?;
    let t = all_times();
    let gamma = schedule.gamma(&t)?;
    finite("log-SNR on [0, 1]", &gamma)?;
    let (low, high) = (gamma.min().double_value(&[]), gamma.max().double_value(&[]));
    ensure(low >= -BOUND && high <= BOUND, || {
        format!("log-SNR goes from {low:.3} to {high:.3}, expected within ±{BOUND}")
    })?;
    finite("gamma_prime on [0, 1]", &schedule.gamma_prime(&t)?)
}

fn derivative(component: &Component<dyn NoiseSchedule>) -> Result<()> {
    let (_vars, schedule) = precise(component)?;
    let (t, h) = (times(), 1e-5);
    let slope = (schedule.gamma(&(&t + h))? - schedule.gamma(&(&t - h))?) / (2.0 * h);
    let prime = schedule.gamma_prime(&t)?;
    close("gamma_prime, against the slope of gamma,", &prime, &slope, 1e-5)?;
    let lowest = prime.min().double_value(&[]);
    ensure(lowest >= 0.0, || format!("gamma_prime is {lowest:.3e} somewhere, expected 0 or above"))
}

fn inverse(component: &Component<dyn NoiseSchedule>) -> Result<()> {
    let (_vars, schedule) = precise(component)?;
    let t = times();
    // Where log-SNR stands still, no time can be told from it.
    let rises = schedule.gamma_prime(&t)?.gt(1e-3);
    let t = t.masked_select(&rises);
    let back = schedule.time_of(&schedule.gamma(&t)?.detach())?;
    close("time_of(gamma(t)), against t,", &back, &t, 1e-6)
}

fn variables_learn(component: &Component<dyn NoiseSchedule>) -> Result<()> {
    let (vars, schedule) = precise(component)?;
    perturb(&vars);
    let t = times();
    let weights = t.randn_like();
    let weighted = |values: Tensor| (values * &weights).sum(DType::Double);
    let named = trainable(&vars);
    let loss = |of: usize| both(&schedule, &t).map(|mut v| weighted(v.swap_remove(of)));
    reaches(&(loss(0)? + loss(1)?), &named)?;
    for (of, what) in ["gamma", "gamma_prime"].iter().enumerate() {
        let tensors: Vec<&Tensor> = named.iter().map(|(_, v)| v).collect();
        let gradients = gradients(&loss(of)?, &tensors)?;
        for ((name, variable), gradient) in named.iter().zip(gradients) {
            // Along one random direction.
            let (direction, step) = (variable.randn_like().detach(), 1e-5);
            let told =
                gradient.map_or(0.0, |g| (g * &direction).sum(DType::Double).double_value(&[]));
            let mut variable = variable.shallow_clone();
            let mut shift = |by: f64| tch::no_grad(|| variable.g_add_(&(&direction * by)));
            let _ = shift(step);
            let above = loss(of)?.double_value(&[]);
            let _ = shift(-2.0 * step);
            let below = loss(of)?.double_value(&[]);
            let _ = shift(step);
            let shown = (above - below) / (2.0 * step);
            ensure((told - shown).abs() <= 1e-4 * shown.abs().max(1.0), || {
                format!(
                    "the gradient of {what} for `{name}` is {told:.5e}, but small changes of it show \
                     {shown:.5e}"
                )
            })?;
        }
    }
    Ok(())
}
