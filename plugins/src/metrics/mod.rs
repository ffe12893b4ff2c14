//! Metrics of samples and predictions: the arithmetic is in [`triflow::metrics`].

mod accuracy;
mod class_shares;
mod classifier_agreement;
mod coverage;
mod coverage_50;
mod coverage_90;
mod cross_entropy;
mod crps;
mod density;
mod ece;
mod energy_distance;
mod error_rate;
mod features;
mod frechet_distance;
mod mae;
mod mmd2;
mod mse;
mod nll;
mod nll_bound;
mod precision;
mod recall;
mod sliced_w2;
mod variance_explained_percent;
mod variance_explained_pooled_percent;
mod w2;

pub use accuracy::Accuracy;
pub use class_shares::ClassShares;
pub use classifier_agreement::ClassifierAgreement;
pub use coverage::Coverage;
pub use coverage_50::HalfCoverage;
pub use coverage_90::BandCoverage;
pub use cross_entropy::CrossEntropy;
pub use crps::CrpsScore;
pub use density::Density;
pub use ece::Ece;
pub use energy_distance::EnergyDistance;
pub use error_rate::ErrorRate;
pub use features::{Features, Layer};
pub use frechet_distance::{FrechetDistance, Gaussian};
pub use mae::Mae;
pub use mmd2::Mmd2;
pub use mse::Mse;
pub use nll::Nll;
pub use nll_bound::NllBound;
pub use precision::Precision;
pub use recall::Recall;
pub use sliced_w2::SlicedW2;
pub use variance_explained_percent::VarianceExplained;
pub use variance_explained_pooled_percent::VarianceExplainedPooled;
pub use w2::W2;

use triflow::metrics::{QuantileRule, interval_coverage};
use triflow::prelude::*;

/// Percentage of true values in the central `level` of all random draws. The draws of a row and its
/// true value are exchangeable for a perfect model; of sequences, whose draws are fewer, the ends
/// are those of the band in pictures.
fn within_band(input: &MetricInput<'_>, level: f64) -> Result<Option<f64>> {
    let RandomDraws { truth, draws } = input.ensemble()?;
    let quantiles = match input.goal {
        Goal::Sequences => QuantileRule::Linear,
        _ => QuantileRule::Exchangeable,
    };
    Ok(Some(100.0 * interval_coverage(truth, draws, level, quantiles)?))
}
