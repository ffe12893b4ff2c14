//! Measurements of a trained model: of its samples with one cell's sampling, and those that do not
//! depend on the sampling.

use super::job::{Measured, Nll, Sampled};
use super::plan::Plan;
use super::results::{Cloud, Losses, Paths, Schedule};
use crate::component::{Condition, MetricInput};
use crate::curve;
use crate::data::Data;
use crate::error::{Error, Result};
use crate::measure::likelihood;
use crate::measure::{self, Catalogue, Goal, draw_paths, draw_rows, drawn_scales, labels};
use crate::rng::{Purpose, stream_seed};
use crate::run::Run;
use crate::sample::ModelField;
use crate::trained::Trained;
use std::collections::BTreeMap;
use std::time::Instant;
use tch::{Kind, Tensor};

/// Number of rows of a likelihood, at most.
const LIKELY: i64 = 1000;
/// Number of points in a picture, at most.
const SHOWN: i64 = 400;

/// Values of the metrics that need likelihoods, given −ln p of each row and its bound, in nats.
pub(super) fn of_likelihoods(
    catalogue: &Catalogue,
    goal: Goal,
    (exact, bound): (&[f64], Option<&[f64]>),
) -> BTreeMap<String, f64> {
    let likelihood = Some(exact);
    let input = MetricInput { likelihood, bound, ..MetricInput::new(goal, &[], 0) };
    let mut found = BTreeMap::new();
    for metric in catalogue.iter().filter(|metric| metric.is_of_likelihood()) {
        match metric.value(&input) {
            Ok(value) => found.extend(value.map(|value| (metric.name().to_owned(), value))),
            Err(e) => log::warn!("the metric `{}` could not be measured: {e}", metric.name()),
        }
    }
    found
}

/// Measures the model with its present sampling, without rows for the report.
pub(super) fn sample(model: &mut Trained, data: &Data, plan: &Plan) -> Result<Sampled> {
    let held = data.held_out(plan.points)?;
    let options = measure::Options { draws: plan.draws, ..measure::Options::default() };
    let metrics = measure::evaluate(model, &held, &options)?.to_json();
    let rows = held.rows.spread(1000);
    let mut best = f64::INFINITY;
    for draw in 0..3 {
        let began = Instant::now();
        let (_, drawn) = draw_rows(model, &rows, Some((0, draw)))?;
        // Reading a number waits for the device.
        let _ = drawn.sum(Kind::Float).double_value(&[]);
        best = best.min(began.elapsed().as_secs_f64());
    }
    Ok(Sampled {
        metrics,
        seconds_per_1000_samples: best * 1000.0 / rows.len() as f64,
        paths: paths(model, data)?,
        rows: None,
    })
}

/// Measures what does not depend on the sampling of a cell.
pub(super) fn measure(
    model: &mut Trained,
    data: &Data,
    run: &Run,
    plan: &Plan,
) -> Result<Measured> {
    let reason = |e: Error| e.to_string().lines().next().unwrap_or("").to_owned();
    let mut curves = Vec::new();
    if let Some(asked) = &plan.curve {
        let metric = plan.metric.clone();
        let held = data.held_out(asked.points)?;
        for solver in &asked.solvers {
            let options = curve::Options {
                solvers: vec![solver.clone()],
                evaluations: asked.nfe.clone(),
                metric: metric.clone(),
                draws: asked.draws,
                seed: None,
            };
            let found = curve::measure(model, &held, &options, &mut |_| {});
            curves.push((solver.name().to_owned(), found.map_err(reason)));
        }
    }
    let likelihood = plan.likelihood.as_ref().map(|solver| {
        let options = likelihood::Options {
            solver,
            steps: model.experiment().sampling.steps,
            probes: likelihood::PROBES,
            draws: likelihood::DRAWS,
            seed: model.experiment().seed(),
        };
        let held = data.held_out(LIKELY);
        let found = held.and_then(|held| likelihood::measure(model, &held.rows, &options));
        let nll = found.and_then(|found| {
            let rows = (&found.rows.nll[..], found.rows.bound.as_deref());
            let catalogue = Catalogue::of_model(model)?;
            Ok(Nll {
                exact: found.density.nats,
                bound: found.bound.map(|b| b.nats),
                metrics: Some(of_likelihoods(&catalogue, measure::goal(model), rows)),
            })
        });
        nll.map_err(reason)
    });
    let history = run.history()?;
    let total = |of: &dyn Fn(&crate::train::Epoch) -> Option<f64>| {
        history.epochs.iter().map(of).collect::<Vec<_>>()
    };
    let losses = Losses {
        train: total(&|e| e.train.first().copied().flatten()),
        val: total(&|e| e.val.first().copied().flatten()),
        gradient_norm: total(&|e| e.gradient_norm),
        stopped: run.stopped(),
    };
    let real = match data.held_out(SHOWN)?.rows {
        rows if plane(model) => Some(Cloud {
            points: in_plane(&model.units().target.undo(&rows.target))?,
            labels: labels_of(model, rows.condition.as_ref())?,
            names: model.units().names.classes.clone(),
        }),
        _ => None,
    };
    Ok(Measured { losses, schedule: schedule(model)?, real, curves, likelihood, seconds: 0.0 })
}

/// `true` if targets and latents are points in a plane.
fn plane(model: &Trained) -> bool {
    let target = &model.units().shapes.target;
    target == &[2] && model.model().latent_shape() == [2] && !model.units().target_is_label
}

fn in_plane(points: &Tensor) -> Result<Vec<[f32; 2]>> {
    let flat: Vec<f32> =
        Vec::try_from(points.to_device(tch::Device::Cpu).to_kind(Kind::Float).reshape([-1]))?;
    Ok(flat.chunks_exact(2).map(|p| [p[0], p[1]]).collect())
}

fn labels_of(model: &Trained, condition: Option<&Tensor>) -> Result<Option<Vec<usize>>> {
    match condition {
        Some(c) if model.units().condition_is_label => Ok(Some(labels(c)?)),
        _ => Ok(None),
    }
}

/// Paths of samples at up to a few dozen times; `None` unless they are in a plane.
fn paths(model: &mut Trained, data: &Data) -> Result<Option<Paths>> {
    if !plane(model) {
        return Ok(None);
    }
    const TIMES: usize = 33;
    let rows = data.held_out(SHOWN)?.rows;
    let seed = stream_seed(model.experiment().seed(), Purpose::Report, 2);
    let plan = model.plan();
    let clock = model.clock()?;
    let (sampled, seen) = draw_paths(model, &rows, (seed, 0), plan)?;
    let mut times = model.sampling(|model, _| {
        let field = ModelField::new(model, None::<&Condition>, clock);
        seen.clock.iter().map(|s| Ok(field.time(*s)?.clamp(0.0, 1.0))).collect::<Result<Vec<_>>>()
    })?;
    let mut states: Vec<Tensor> = seen.states;
    // The final denoising follows the last state of the path.
    if sampled.denoised {
        times.push(1.0);
        states.push(sampled.z);
    }
    if let Some(scales) = model.sampling(|model, _| drawn_scales(model, &times))? {
        states.iter_mut().zip(scales).for_each(|(z, scale)| *z = &*z * scale);
    }
    let stride = states.len().div_ceil(TIMES).max(1);
    let keep = |i: usize| i.is_multiple_of(stride) || i + 1 == times.len();
    let kept: Vec<usize> = (0..states.len()).filter(|i| keep(*i)).collect();
    let states = kept.iter().map(|i| in_plane(&model.present(&states[*i])?));
    Ok(Some(Paths {
        states: states.collect::<Result<_>>()?,
        times: kept.iter().map(|i| times[*i]).collect(),
        labels: labels_of(model, rows.condition.as_ref())?,
    }))
}

fn schedule(model: &mut Trained) -> Result<Option<Schedule>> {
    const TIMES: i64 = 101;
    model.sampling(|model, _| {
        if !model.path().scheduled() {
            return Ok(None);
        }
        let device = model.vars.device();
        let t = Tensor::linspace(0.0, 1.0, TIMES, (Kind::Double, device));
        let point = model.path().at(&t.to_kind(model.vars.kind()))?;
        let list = |t: &Tensor| -> Result<Vec<f64>> {
            let t = t.detach().to_device(tch::Device::Cpu).to_kind(Kind::Double);
            Ok(Vec::try_from(t.reshape([-1]))?)
        };
        Ok(Some(Schedule {
            t: list(&t)?,
            gamma: list(&point.gamma())?,
            alpha_bar: list(&point.alpha_bar())?,
        }))
    })
}
