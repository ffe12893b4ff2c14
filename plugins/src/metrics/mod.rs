//! Metrics of samples and predictions: the arithmetic is in [`triflow::metrics`].

mod accuracy;
mod class_shares;
mod classifier_agreement;
mod closest_record;
mod column_shapes;
mod coverage;
mod coverage_50;
mod coverage_90;
mod cross_entropy;
mod crps;
mod density;
mod detection;
mod ece;
mod efficacy;
mod efficacy_gap;
mod energy_distance;
mod error_rate;
mod features;
mod frechet_distance;
mod mae;
mod missing_cells;
mod mmd2;
mod mse;
mod nll;
mod nll_bound;
mod pair_trends;
mod precision;
mod recall;
mod sliced_w2;
mod variance_explained_percent;
mod variance_explained_pooled_percent;
mod w2;

pub use accuracy::Accuracy;
pub use class_shares::ClassShares;
pub use classifier_agreement::ClassifierAgreement;
pub use closest_record::ClosestRecord;
pub use column_shapes::ColumnShapes;
pub use coverage::Coverage;
pub use coverage_50::HalfCoverage;
pub use coverage_90::BandCoverage;
pub use cross_entropy::CrossEntropy;
pub use crps::CrpsScore;
pub use density::Density;
pub use detection::Detection;
pub use ece::Ece;
pub use efficacy::Efficacy;
pub use efficacy_gap::EfficacyGap;
pub use energy_distance::EnergyDistance;
pub use error_rate::ErrorRate;
pub use features::{Features, Layer};
pub use frechet_distance::{FrechetDistance, Gaussian};
pub use mae::Mae;
pub use missing_cells::MissingCells;
pub use mmd2::Mmd2;
pub use mse::Mse;
pub use nll::Nll;
pub use nll_bound::NllBound;
pub use pair_trends::PairTrends;
pub use precision::Precision;
pub use recall::Recall;
pub use sliced_w2::SlicedW2;
pub use variance_explained_percent::VarianceExplained;
pub use variance_explained_pooled_percent::VarianceExplainedPooled;
pub use w2::W2;

use triflow::error::suggestion;
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

/// Number of the column of a table called `name` or, without a name, of the condition's column;
/// `None` if the condition is not one column.
fn target_column(table: &Tables<'_>, name: Option<&str>) -> Result<Option<usize>> {
    column_of(table.held_out.columns, table.generated_columns, name)
}

/// Checks that there is a [column](target_column) to predict, where the columns are known.
fn check_target(ctx: &MetricContext, name: Option<&str>) -> Result<()> {
    let Some(MetricColumns { columns, generated }) = &ctx.columns else { return Ok(()) };
    match column_of(columns, *generated, name)? {
        Some(_) => Ok(()),
        None => {
            let message = "no column to predict is named, and the condition is not one column";
            let first = columns.first().map_or("", |column| &column.name);
            Err(Error::config("target", message).help(format!("such as `target: {first}`")))
        }
    }
}

fn column_of(
    columns: &[TableColumn],
    generated: usize,
    name: Option<&str>,
) -> Result<Option<usize>> {
    let Some(name) = name else {
        return Ok((generated + 1 == columns.len()).then_some(generated));
    };
    let place = columns.iter().position(|column| column.name == name);
    place.map(Some).ok_or_else(|| {
        let known = columns.iter().map(|column| column.name.as_str());
        let unknown = Error::config("target", format!("there is no column `{name}`"));
        unknown.help(suggestion(name, "columns", known))
    })
}
