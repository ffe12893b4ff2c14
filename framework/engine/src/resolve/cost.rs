//! Arithmetic that a model's forward pass takes.

use super::parts::Parts;
use crate::component::{Condition, CrnInput, Pass};
use crate::data::Units;
use crate::error::Result;
use crate::kernels::count::multiply_adds;
use crate::path::Reading;
use tch::Tensor;

/// Multiply-adds of a forward pass for one row: encoder, CRN and decoder. The parts are evaluated
/// at zeros.
///
/// # Errors
/// Errors of the components.
pub(super) fn of_row(parts: &Parts, units: &Units) -> Result<i64> {
    // Some layers treat a single row as a case of its own.
    const ROWS: i64 = 2;
    let options = (parts.vars.kind(), parts.vars.device());
    let zeros = |shape: &[i64]| Tensor::zeros([&[ROWS], shape].concat(), options);
    let given = match &parts.completion {
        Some(completion) => Some(vec![completion.width()]),
        None => units.shapes.condition.clone(),
    };
    let condition = given.map(|shape| Condition::new(zeros(&shape)));
    let (z, time) = (zeros(&parts.latent_shape), Tensor::full([ROWS], 0.5, options));
    let (result, count) = tch::no_grad(|| {
        multiply_adds(|| -> Result<()> {
            let point = parts.path.at(&time)?;
            let reading = Reading::new(&*parts.objective, &point)?;
            let condition = condition.as_ref();
            let input = CrnInput { z: &z, state: &z, time: &time, condition, reading: &reading };
            let _ = parts.crn.forward(&input, Pass::EVAL)?;
            parts.encoder.encode(&zeros(&units.shapes.target), Pass::EVAL)?;
            parts.decoder.decode(&z, Pass::EVAL).map(drop)
        })
    });
    result.map(|()| count / ROWS)
}
