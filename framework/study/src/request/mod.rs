//! Requests to a trained run, as the command and other programs make them: how it is sampled, the
//! samples and predictions of files, labels or rows in memory, samples from other beginnings than
//! noise, missing cells and metrics, what is written of them, and files of the model itself.

mod conditions;
mod evaluation;
mod export;
mod impute;
mod options;
mod origin;
mod output;
mod predictions;
mod samples;
mod seeds;
mod start;
mod together;
mod written;

pub use conditions::{Conditions, Inputs, check_rows, check_values, conditions, read, rows_of};
pub use evaluation::{Evaluation, EvaluationRequest, evaluate};
pub use export::export;
pub use impute::{Filled, ImputeRequest, impute};
pub use options::{Options, load, open};
pub use output::Output;
pub use predictions::{
    PredictionPlan, PredictionRequest, Predictions, check_predicts, plan_predictions, predict,
};
pub use samples::{SamplePlan, SampleRequest, Samples, check_shape, generate, plan_samples};
pub use seeds::Seeds;
pub use start::{Beginning, StartRequest, States, invert, start};
pub use together::Planned;
pub use written::generate_to;

use crate::data::files::array;
use crate::error::Result;
use crate::io::NamedArray;
use crate::trained::Trained;
use tch::Tensor;

/// A function that is called before the sampling with the model, the number of rows and their name,
/// such as "samples"; it may observe the rows of the model.
pub type Begin<'f> = dyn FnMut(&mut Trained, i64, &'static str) + 'f;

/// A number of things: `1 sample`, `2 samples`.
pub fn counted(n: i64, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// The array `rows` of the rows that are used; `None` if all are.
///
/// # Errors
/// [`Error::Runtime`](crate::Error::Runtime): the numbers cannot be copied.
pub fn row_array(kept: &[i64]) -> Result<Option<NamedArray>> {
    (!kept.is_empty()).then(|| array("rows", &Tensor::from_slice(kept))).transpose()
}
