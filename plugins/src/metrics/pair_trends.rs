use triflow::metrics::table::{column_pairs, mean_of_defined, pair_trends};
use triflow::prelude::*;

/// Number of pairs that are compared, at most: those of 200 columns.
const MOST_PAIRS: usize = 19_900;

triflow::component! {
    /// Mean over the pairs of columns of a table, one of them generated, of 1 − half the difference
    /// of the correlations of two numbers, or 1 − the total variation distance of both columns.
    ///
    /// A number beside a category is put into ten bins; a missing cell is a category of its own.
    /// These are the column pair trends of `sdmetrics`, of all pairs, or of 19,900 that are drawn
    /// with the metric's seed if there are more.
    #[reference = "sdmetrics: ColumnPairTrends"]
    pub struct PairTrends: Metric = "pair_trends" {}
}

impl Spec<dyn Metric> for PairTrends {
    fn build(&self, _: &MetricContext) -> Result<Box<dyn Metric>> {
        Ok(Box::new(self.clone()))
    }
}

impl Metric for PairTrends {
    fn info(&self) -> Result<MetricInfo> {
        Ok(MetricInfo::of_tables("pair trends", Better::More).ranked(103))
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        let table = input.table()?;
        let width = table.held_out.columns.len();
        let pairs = column_pairs(width, table.generated_columns, MOST_PAIRS, input.seed);
        let trends = pair_trends(table.held_out, table.generated, &pairs)?;
        Ok(mean_of_defined(trends.into_iter().map(|trend| trend.similarity)))
    }
}
