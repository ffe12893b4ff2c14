//! Quality against network evaluations: what a trained model gives for how much work.

use crate::component::Solver;
use crate::config::Sampling;
use crate::data::{HeldOut, Rows};
use crate::error::{Error, Result};
use crate::measure::{self, Goal, Metric, MetricInfo, draw_rows};
use crate::registry::Component;
use crate::trained::Trained;
use serde::{Deserialize, Serialize};

/// What is measured.
#[derive(Clone, Debug)]
pub struct Options {
    /// The solvers.
    pub solvers: Vec<Component<dyn Solver>>,
    /// Network evaluations a sample that a fixed-step solver may use: it takes as many steps as they allow.
    pub evaluations: Vec<usize>,
    /// The metric; none: the one that decides.
    pub metric: Option<Metric>,
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
    /// Whether the solver chooses its own steps.
    pub adaptive: bool,
    /// Steps taken, those that an adaptive solver chose included.
    pub steps: usize,
    /// Network evaluations a sample.
    pub nfe: usize,
    /// The metric, mean over the draws.
    pub value: f64,
    /// Standard deviation over the draws; none for a single one.
    pub deviation: Option<f64>,
}

/// The metric of a model's curve: the one that decides. Less is better.
pub fn metric(model: &Trained) -> &'static MetricInfo {
    measure::primary(model)
}

/// Measures a model on held-out rows, for each solver at every number of evaluations that it can hit; an
/// adaptive solver once. The model's own sampling is unchanged afterwards.
pub fn measure(
    model: &mut Trained,
    held: &HeldOut<'_>,
    options: &Options,
    seen: &mut dyn FnMut(&CurvePoint),
) -> Result<Vec<CurvePoint>> {
    let own = model.experiment().sampling.clone();
    let found = all(model, held, options, &own, seen);
    model.set_sampling(own)?;
    found
}

fn all(
    model: &mut Trained,
    held: &HeldOut<'_>,
    options: &Options,
    own: &Sampling,
    seen: &mut dyn FnMut(&CurvePoint),
) -> Result<Vec<CurvePoint>> {
    let mut found = Vec::new();
    for solver in &options.solvers {
        let (all, adaptive) = steps_of(model, held, solver, own, &options.evaluations)?;
        for steps in all {
            model.set_sampling(Sampling { solver: solver.clone(), steps, ..own.clone() })?;
            let point = point(model, held, options, adaptive)?;
            seen(&point);
            found.push(point);
        }
    }
    if found.is_empty() {
        let message = format!("no solver can do with {:?} evaluations", options.evaluations);
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
    let metric = options.metric.unwrap_or(metric(model).metric);
    let only = Some(metric);
    let options = match Goal::of(model) {
        Goal::Generation => measure::Options { seed: options.seed, draws: options.draws, only },
        // Predictions start from z_0 = 0: one draw is all.
        _ => measure::Options { seed: None, draws: 1, only },
    };
    // Its floor is no part of a curve.
    let whole = |rows: &Rows| rows.part(0, rows.len());
    let held = HeldOut {
        name: held.name.clone(),
        rows: held.rows.first(held.rows.len()),
        others: held.others.iter().map(whole).collect(),
        train: None,
    };
    let found = measure::evaluate(model, &held, &options)?;
    let score = found.scores.get(metric).ok_or_else(|| {
        Error::runtime(format!("{} could not be measured on these rows", metric.name()))
    })?;
    Ok(CurvePoint {
        solver: model.experiment().sampling.solver.name().to_owned(),
        adaptive,
        steps: found.cost.steps,
        nfe: found.cost.nfe,
        value: score.mean,
        deviation: score.deviation,
    })
}
