use triflow::metrics::table::{mean_of_defined, missing_cells};
use triflow::prelude::*;

triflow::component! {
    /// Mean of |share of missing cells generated − held-out| over the generated columns of a table
    /// that may have missing cells.
    pub struct MissingCells: Metric = "missing_cells" {}
}

impl Spec<dyn Metric> for MissingCells {
    fn build(&self, _: &MetricContext) -> Result<Box<dyn Metric>> {
        Ok(Box::new(self.clone()))
    }
}

impl Metric for MissingCells {
    fn info(&self) -> Result<MetricInfo> {
        Ok(MetricInfo::of_tables("missing cells", Better::Less).ranked(102))
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        let table = input.table()?;
        let shares = missing_cells(table.held_out, table.generated)?;
        let all = shares.into_iter().zip(table.held_out.columns).take(table.generated_columns);
        let error = |((real, made), column): ((f64, f64), &TableColumn)| {
            column.missing.then_some((real - made).abs())
        };
        Ok(mean_of_defined(all.map(error)))
    }
}
