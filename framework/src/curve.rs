//! Quality against network evaluations: what a trained model gives for how much work.

use crate::component::Solver;
use crate::config::{Sampling, Task};
use crate::data::HeldOut;
use crate::error::{Error, Result};
use crate::metrics;
use crate::registry::Component;
use crate::report::{draw_latents, finite, labels, points};
use crate::rng::{Purpose, stream_seed};
use crate::trained::Trained;
use serde::{Deserialize, Serialize};

/// What is measured.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The solvers.
    pub solvers: Vec<Component<dyn Solver>>,
    /// Network evaluations a sample that a fixed-step solver may use: it takes as many steps as they allow.
    pub evaluations: Vec<usize>,
    /// Draws, over which quality is averaged.
    pub draws: u64,
    /// Seed of z_0; none: the experiment's.
    pub seed: Option<u64>,
}

/// One way to sample, measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// The solver's name.
    pub solver: String,
    /// Steps taken, those that an adaptive solver chose included.
    pub steps: usize,
    /// Network evaluations a sample.
    pub nfe: usize,
    /// The [`metric`], mean over the draws.
    pub value: f64,
    /// Standard deviation over the draws; none for a single one.
    pub deviation: Option<f64>,
}

/// The metric of a model's curve; less is better.
pub fn metric(model: &Trained) -> &'static str {
    match model.experiment().task {
        Some(Task::Regression) if model.units().target_is_label => "error_rate",
        Some(Task::Regression) => "mse",
        _ => "w2",
    }
}

/// Measures a model on held-out rows, for each solver at every number of evaluations that it can hit; an
/// adaptive solver once. The model's own sampling is unchanged afterwards.
pub fn measure(
    model: &mut Trained,
    held: &HeldOut<'_>,
    ask: &Ask,
    seen: &mut dyn FnMut(&CurvePoint),
) -> Result<Vec<CurvePoint>> {
    let own = model.experiment().sampling.clone();
    let found = all(model, held, ask, &own, seen);
    model.set_sampling(own)?;
    found
}

fn all(
    model: &mut Trained,
    held: &HeldOut<'_>,
    ask: &Ask,
    own: &Sampling,
    seen: &mut dyn FnMut(&CurvePoint),
) -> Result<Vec<CurvePoint>> {
    let mut found = Vec::new();
    for solver in &ask.solvers {
        for steps in steps_of(model, held, solver, own, &ask.evaluations)? {
            model.set_sampling(Sampling { solver: solver.clone(), steps, ..own.clone() })?;
            let point = point(model, held, ask)?;
            seen(&point);
            found.push(point);
        }
    }
    if found.is_empty() {
        let message = format!("no solver can do with {:?} evaluations", ask.evaluations);
        return Err(Error::config("", message).help("allow more of them"));
    }
    Ok(found)
}

/// The numbers of steps that use at most so many evaluations; one that says nothing for a solver that
/// chooses its own.
fn steps_of(
    model: &mut Trained,
    held: &HeldOut<'_>,
    solver: &Component<dyn Solver>,
    own: &Sampling,
    evaluations: &[usize],
) -> Result<Vec<usize>> {
    let few = held.rows.first(2);
    let mut used = |steps: usize| -> Result<usize> {
        model.set_sampling(Sampling { solver: solver.clone(), steps, ..own.clone() })?;
        Ok(draw_latents(model, &few, Some((0, 0)), model.plan())?.0.nfe)
    };
    // Past the first steps, which may differ, every step costs the same.
    let (two, three) = (used(2)?, used(3)?);
    if two == three {
        return Ok(vec![own.steps]);
    }
    let mut steps = Vec::new();
    for budget in evaluations {
        let more = (*budget as i64 - two as i64).div_euclid((three - two) as i64);
        let fits = match 2 + more {
            ..1 => None,
            1 => (used(1)? <= *budget).then_some(1),
            n => Some(n as usize),
        };
        steps.extend(fits.filter(|n| steps.last() != Some(n)));
    }
    Ok(steps)
}

fn point(model: &mut Trained, held: &HeldOut<'_>, ask: &Ask) -> Result<CurvePoint> {
    let metric = metric(model);
    let seed =
        stream_seed(ask.seed.unwrap_or_else(|| model.experiment().seed()), Purpose::Report, 0);
    let real = points(&model.units().target.undo(&held.rows.target))?;
    let truth = metrics::Points::new(&real.values, real.dim)?;
    let mut values = Vec::new();
    let (mut nfe, mut steps) = (0, 0);
    // Predictions start from z_0 = 0: one draw is all.
    let draws = if metric == "w2" { ask.draws.max(1) } else { 1 };
    for draw in 0..draws {
        let at = (metric == "w2").then_some((seed, draw));
        let sampled = draw_latents(model, &held.rows, at, model.plan())?.0;
        (nfe, steps) = (sampled.nfe, sampled.steps);
        let drawn = points(&finite(model.present(&sampled.z)?)?)?;
        let drawn = metrics::Points::new(&drawn.values, drawn.dim)?;
        values.push(match metric {
            "w2" => metrics::wasserstein2(drawn, truth)?,
            "mse" => metrics::mse(truth, drawn)?,
            _ => {
                let truth = labels(&held.rows.target)?.into_iter().map(|l| l as i64);
                1.0 - metrics::accuracy(drawn, &truth.collect::<Vec<_>>())?
            }
        });
    }
    let n = values.len() as f64;
    let value = values.iter().sum::<f64>() / n;
    let squares = values.iter().map(|v| (v - value).powi(2)).sum::<f64>();
    let deviation = (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt());
    let solver = model.experiment().sampling.solver.name().to_owned();
    Ok(CurvePoint { solver, steps, nfe, value, deviation })
}
