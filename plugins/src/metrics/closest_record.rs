use triflow::metrics::mean;
use triflow::metrics::table::{DrawnRows, closest_distances};
use triflow::prelude::*;

triflow::component! {
    /// Mean distance of generated rows of a table to their closest training rows, in units of that
    /// of held-out rows: near 1 for new rows, below it for copies.
    ///
    /// Numbers are in units of their deviation, categories one-hot. The rows are drawn with the
    /// metric's seed.
    #[reference = "Zhao et al. 2021, arXiv 2102.08369"]
    pub struct ClosestRecord: Metric = "closest_record" {
        /// Number of generated and of held-out rows, at most.
        #[range(min = 1)]
        pub rows: usize = 2000,
        /// Level of a quantile of the distances to take in place of the mean.
        #[range(min = 0, max = 1)]
        pub quantile: Option<f64> = None,
    }
}

impl Spec<dyn Metric> for ClosestRecord {
    fn build(&self, _: &MetricContext) -> Result<Box<dyn Metric>> {
        Ok(Box::new(self.clone()))
    }
}

impl Metric for ClosestRecord {
    fn info(&self) -> Result<MetricInfo> {
        let info = MetricInfo::of_tables("closest record", Better::None).ranked(107);
        Ok(MetricInfo { needs: vec![Need::Table, Need::Train], ..info })
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        let table = input.table()?;
        let Some(train) = table.train else { return Ok(None) };
        let distance = |rows| -> Result<Option<f64>> {
            let rows = DrawnRows::new(rows, self.rows, input.seed);
            let mut all = closest_distances(rows.rows(), train)?;
            all.sort_unstable_by(f64::total_cmp);
            let level = |level: f64| (level * (all.len().max(1) - 1) as f64).round() as usize;
            Ok(match self.quantile.map(level) {
                Some(place) => all.get(place).copied(),
                None => (!all.is_empty()).then(|| mean(&all)),
            })
        };
        let (generated, real) = (distance(table.generated)?, distance(table.held_out)?);
        let both = generated.zip(real.filter(|real| *real > 0.0));
        Ok(both.map(|(generated, real)| generated / real))
    }
}
