use super::expect::{close, ensure, finite, layout};
use super::parameters::{Built, gradients, perturb, reaches, saved_and_loaded, trainable};
use super::seeds::{KIT, repeatable, seeded};
use super::{Check, Conformance, Kit};
use crate::component::{BuildContext, NoiseSchedule};
use crate::error::Result;
use crate::registry::Component;
use crate::table::Block;
use tch::{Device, Kind as DType, Tensor, nn};

inventory::submit!(Kit::of::<dyn NoiseSchedule>());

impl Conformance for dyn NoiseSchedule {
    const CHECKS: &'static [Check<Self>] = &[
        Check {
            name: "shape",
            about: "gamma, gamma_prime and time_of keep shape, precision and device of their argument",
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
        Check { name: "inverse", about: "time_of is the inverse of gamma", run: inverse },
        Check {
            name: "gradients",
            about: "every trainable variable gets a gradient, and those of gamma and gamma_prime agree \
                    with finite differences",
            run: variables_learn,
        },
        Check {
            name: "save_load",
            about: "its variables, saved and loaded into one built with another seed, give the same \
                    log-SNR bit for bit",
            run: |component| {
                saved_and_loaded(|| build(component, DType::Double), |s| both(s, &times()))
            },
        },
        Check {
            name: "same_seed",
            about: "built twice with one seed, it is the same bit for bit",
            run: |component| repeatable(|| both(&build(component, DType::Float)?.1, &times())),
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
        target_blocks: Block::numbers(&[2]),
        condition_shape: None,
        latent_shape: Some(vec![2]),
    })?;
    Ok((vars, schedule))
}

/// Builds the schedule in float64, with the kit's seed.
fn precise(component: &Component<dyn NoiseSchedule>) -> Result<Built<Schedule>> {
    seeded(KIT, || build(component, DType::Double))
}

/// Times inside (0, 1), away from round numbers, where a schedule may have a kink.
fn times() -> Tensor {
    (Tensor::arange(37, (DType::Double, Device::Cpu)) + 0.37) / 37.0
}

/// Times at which the model checks a schedule before training.
fn all_times() -> Tensor {
    Tensor::linspace(0.0, 1.0, 1001, (DType::Double, Device::Cpu))
}

fn both(schedule: &Schedule, t: &Tensor) -> Result<Vec<Tensor>> {
    Ok(vec![schedule.gamma(t)?, schedule.gamma_prime(t)?])
}

fn shape(component: &Component<dyn NoiseSchedule>) -> Result<()> {
    // Precision of variables and of times: samplers ask in float64 for a model of any precision.
    for (vars, times) in [
        (DType::Float, DType::Float),
        (DType::Float, DType::Double),
        (DType::Double, DType::Double),
    ] {
        let (_vars, schedule) = build(component, vars)?;
        for batch in [1, 7] {
            let t = Tensor::linspace(0.1, 0.9, batch, (times, Device::Cpu));
            let gamma = schedule.gamma(&t)?;
            layout("gamma", &gamma, &[batch], &t)?;
            layout("gamma_prime", &schedule.gamma_prime(&t)?, &[batch], &t)?;
            layout("time_of", &schedule.time_of(&gamma.detach())?, &[batch], &t)?;
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
        format!("log-SNR ranges from {low:.3} to {high:.3}, expected within ±{BOUND}")
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
    // Where log-SNR is constant, it does not determine the time.
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
    let loss = |index: usize| both(&schedule, &t).map(|mut v| weighted(v.swap_remove(index)));
    reaches(&(loss(0)? + loss(1)?), &named)?;
    for (index, what) in ["gamma", "gamma_prime"].iter().enumerate() {
        let tensors: Vec<&Tensor> = named.iter().map(|(_, v)| v).collect();
        let gradients = gradients(&loss(index)?, &tensors)?;
        for ((name, variable), gradient) in named.iter().zip(gradients) {
            // Compared along one random direction.
            let (direction, step) = (variable.randn_like().detach(), 1e-5);
            let exact =
                gradient.map_or(0.0, |g| (g * &direction).sum(DType::Double).double_value(&[]));
            let mut variable = variable.shallow_clone();
            let mut shift = |length: f64| tch::no_grad(|| variable.g_add_(&(&direction * length)));
            let _ = shift(step);
            let above = loss(index)?.double_value(&[]);
            let _ = shift(-2.0 * step);
            let below = loss(index)?.double_value(&[]);
            let _ = shift(step);
            let difference = (above - below) / (2.0 * step);
            ensure((exact - difference).abs() <= 1e-4 * difference.abs().max(1.0), || {
                format!(
                    "the gradient of {what} for `{name}` is {exact:.5e}, but differences give \
                     {difference:.5e}"
                )
            })?;
        }
    }
    Ok(())
}
