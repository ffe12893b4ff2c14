use triflow::metrics::table::{column_shapes, mean_of_defined};
use triflow::prelude::*;

triflow::component! {
    /// Mean over the generated columns of a table of 1 − the Kolmogorov-Smirnov statistic of
    /// numbers and times, or 1 − the total variation distance of categories.
    ///
    /// Missing cells do not count. These are the column shapes of `sdmetrics`.
    #[reference = "sdmetrics: ColumnShapes"]
    pub struct ColumnShapes: Metric = "column_shapes" {}
}

impl Spec<dyn Metric> for ColumnShapes {
    fn build(&self, _: &MetricContext) -> Result<Box<dyn Metric>> {
        Ok(Box::new(self.clone()))
    }
}

impl Metric for ColumnShapes {
    fn info(&self) -> Result<MetricInfo> {
        Ok(MetricInfo::of_tables("column shapes", Better::More).ranked(101))
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        let table = input.table()?;
        let shapes = column_shapes(table.held_out, table.generated)?;
        Ok(mean_of_defined(shapes.into_iter().take(table.generated_columns)))
    }
}
