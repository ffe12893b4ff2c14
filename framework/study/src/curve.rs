//! Sample quality of a trained model against the number of network evaluations (NFE) a sample.

use crate::component::Solver;
use crate::config::Sampling;
use crate::data::HeldOut;
use crate::error::{Error, Result};
use crate::measure::{self, Goal, draw_rows};
use crate::registry::Component;
use crate::trained::Trained;
use serde::{Deserialize, Serialize};

/// The solvers, budgets and metric of a curve.
#[derive(Clone, Debug)]
pub struct Options {
    /// The solvers.
    pub solvers: Vec<Component<dyn Solver>>,
    /// Budgets in network evaluations a sample; a fixed-step solver takes as many steps as fit into
    /// each.
    pub evaluations: Vec<usize>,
    /// Name of the metric; `None` for the primary one of the model's task.
    pub metric: Option<String>,
    /// Number of draws that the metric is averaged over.
    pub draws: u64,
    /// Seed of z_0; `None` for the experiment's.
    pub seed: Option<u64>,
}

/// The metric of one solver at one number of steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// The solver's name.
    pub solver: String,
    /// `true` if the solver chooses its own steps.
    pub adaptive: bool,
    /// Steps taken; of an adaptive solver, those that it chose.
    pub steps: usize,
    /// Network evaluations a sample.
    pub nfe: usize,
    /// Mean of the metric over the draws, in the metric's own unit.
    pub value: f64,
    /// Standard deviation (n − 1) over the draws; `None` for a single one.
    pub deviation: Option<f64>,
}

/// Name of the primary metric of the model's task, which its curve shows. Less is better.
///
/// # Errors
/// Those of [`measure::primary`].
pub fn metric(model: &Trained) -> Result<String> {
    measure::primary(model)
}

/// Measures a model on held-out rows: each fixed-step solver once a budget that it can keep to, an
/// adaptive solver once. `observer` gets each point as soon as it is measured. The model's own
/// sampling is restored afterwards, also after an error.
///
/// # Errors
/// If a solver cannot be built or cannot sample this model, if a sample is not finite, if the
/// metric cannot be measured on these rows, and if no budget admits a single step of any solver.
pub fn measure(
    model: &mut Trained,
    held: &HeldOut<'_>,
    options: &Options,
    observer: &mut dyn FnMut(&CurvePoint),
) -> Result<Vec<CurvePoint>> {
    let own = model.experiment().sampling.clone();
    let points = measure_all(model, held, options, &own, observer);
    model.set_sampling(own)?;
    points
}

fn measure_all(
    model: &mut Trained,
    held: &HeldOut<'_>,
    options: &Options,
    own: &Sampling,
    observer: &mut dyn FnMut(&CurvePoint),
) -> Result<Vec<CurvePoint>> {
    let mut points = Vec::new();
    for solver in &options.solvers {
        let (all, adaptive) = steps_of(model, held, solver, own, &options.evaluations)?;
        for steps in all {
            model.set_sampling(Sampling { solver: solver.clone(), steps, ..own.clone() })?;
            let point = point(model, held, options, adaptive)?;
            observer(&point);
            points.push(point);
        }
    }
    if points.is_empty() {
        let budgets = &options.evaluations;
        let message = format!("no solver can sample with {budgets:?} network evaluations");
        return Err(Error::config("", message).help("allow more of them"));
    }
    Ok(points)
}

/// The largest number of steps for each budget, and `true` for an adaptive solver, whose single
/// number of steps has no effect.
fn steps_of(
    model: &mut Trained,
    held: &HeldOut<'_>,
    solver: &Component<dyn Solver>,
    own: &Sampling,
    evaluations: &[usize],
) -> Result<(Vec<usize>, bool)> {
    let few = held.rows.first(2);
    let mut used = |steps: usize| -> Result<usize> {
        model.set_sampling(Sampling { solver: solver.clone(), steps, ..own.clone() })?;
        Ok(draw_rows(model, &few, Some((0, 0)))?.0.nfe)
    };
    // Past the first steps, which may differ, every step costs the same.
    let (two, three) = (used(2)?, used(3)?);
    if two == three {
        return Ok((vec![own.steps], true));
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
    Ok((steps, false))
}

fn point(
    model: &mut Trained,
    held: &HeldOut<'_>,
    options: &Options,
    adaptive: bool,
) -> Result<CurvePoint> {
    let metric = options.metric.clone().map_or_else(|| metric(model), Ok)?;
    let only = Some(metric.clone());
    let options = match measure::goal(model) {
        Goal::Generation => measure::Options {
            seed: options.seed,
            draws: options.draws,
            only,
            ..measure::Options::default()
        },
        // Predictions start from z_0 = 0: one draw is all.
        _ => measure::Options { seed: None, draws: 1, only, ..measure::Options::default() },
    };
    // Without training rows no floor is measured, which a curve does not show.
    let held = HeldOut {
        name: held.name.clone(),
        rows: held.rows.first(held.rows.len()),
        others: held.others,
        train: None,
    };
    let evaluation = measure::evaluate(model, &held, &options)?;
    let score = evaluation.scores.get(&metric).ok_or_else(|| {
        let why = evaluation.failed.iter().find(|(name, _)| *name == metric);
        let why = why.map_or_else(String::new, |(_, why)| format!(": {why}"));
        Error::runtime(format!("{metric} could not be measured on these rows{why}"))
    })?;
    Ok(CurvePoint {
        solver: model.experiment().sampling.solver.name().to_owned(),
        adaptive,
        steps: evaluation.cost.steps,
        nfe: evaluation.cost.nfe,
        value: score.mean,
        deviation: score.deviation,
    })
}
