//! Sampling of any model with any solver, in time or in log-SNR.

mod backward;
mod changes;
mod field;
mod guided;
pub mod likelihood;
pub mod noise;
mod plan;
mod predictor;
mod repeated;
mod trajectory;

pub use changes::{
    Change, Changed, Changes, Given, Observed, Prediction, Projected, Shift, Space, Steered,
};
pub use field::{ModelField, PredictorField};
pub use guided::ClassifierFree;
pub use plan::{Sampled, SamplingPlan};
pub use predictor::{Conditioned, Predictor};
pub use trajectory::Trajectory;

use crate::component::{Condition, Observer, Solver, StepGrid};
use crate::error::Result;
use crate::rng::{Purpose, seed_torch};
use tch::Tensor;

/// The changed prediction of a model as a field on the grid of a plan.
fn field_of<'a>(
    predictor: Conditioned<'a>,
    changes: &'a Changes<'_>,
    plan: &SamplingPlan,
) -> Result<PredictorField<Changed<'a, Conditioned<'a>>>> {
    let grid: Box<dyn StepGrid> = match &plan.grid {
        Some(grid) => grid.build(&()).map_err(|e| e.under("sampling.grid"))?,
        None => Box::new(predictor.path().natural_clock(predictor.objective())?),
    };
    let field = PredictorField::on(changes.of(predictor), grid)?;
    Ok(field.starting_at(plan.from).repeating(plan.repeats))
}

/// Integrates a model from latents `data` `[n, …z_shape]` back to the time that `plan` begins at,
/// as [`PredictorField::invert`] does.
///
/// # Errors
/// Those of [`PredictorField::invert`] and of the `changes`.
pub fn invert(
    predictor: Conditioned<'_>,
    solver: &dyn Solver,
    plan: &SamplingPlan,
    data: &Tensor,
    changes: &Changes<'_>,
) -> Result<Sampled> {
    let _reduced = predictor.model.reduced();
    let _memo = predictor.condition.map(Condition::keep_what_is_made);
    field_of(predictor, changes, plan)?.invert(solver, plan.steps, data)
}

/// Samples a model from `z0` `[n, …z_shape]`, or from states at the time that `plan` begins at,
/// without recording gradients. `observer` gets every state.
///
/// # Errors
/// Those of [`PredictorField::sample`] and of the `changes`.
pub fn sample(
    predictor: Conditioned<'_>,
    solver: &dyn Solver,
    plan: &SamplingPlan,
    z0: &Tensor,
    changes: &Changes<'_>,
    observer: &mut dyn Observer,
) -> Result<Sampled> {
    let (first, streams) = (plan.streams.at(0)?, plan.streams.clone());
    // Some solvers draw from LibTorch's generator and not from the streams.
    let _stream = seed_torch(first.seed, Purpose::Path, first.draw);
    let _reduced = predictor.model.reduced();
    let _memo = predictor.condition.map(Condition::keep_what_is_made);
    field_of(predictor, changes, plan)?.with_streams(streams).sample(
        solver,
        plan.steps,
        plan.final_denoise,
        z0,
        observer,
    )
}
