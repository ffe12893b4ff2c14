use super::{check_target, target_column};
use triflow::metrics::PAIR_POINTS;
use triflow::metrics::table::{DrawnRows, TableLearner, efficacy};
use triflow::prelude::*;

triflow::component! {
    /// Score of a predictor that is trained on real rows of a table − that of one trained on as
    /// many generated rows, both on held-out rows: 0 if generated rows teach as much.
    ///
    /// Predictors and scores are those of `efficacy`. At most 5,000 rows are used, drawn with the
    /// metric's seed.
    #[reference = "Esteban et al. 2017, arXiv 1706.02633"]
    pub struct EfficacyGap: Metric = "efficacy_gap" {
        /// Name of the predicted column; null: the condition's if it is one, else it is not
        /// measured.
        pub target: Option<String> = None,
        /// Predictor.
        pub learner: TableLearner = TableLearner::Linear,
    }
}

impl Spec<dyn Metric> for EfficacyGap {
    fn build(&self, ctx: &MetricContext) -> Result<Box<dyn Metric>> {
        check_target(ctx, self.target.as_deref())?;
        Ok(Box::new(self.clone()))
    }
}

impl Metric for EfficacyGap {
    fn info(&self) -> Result<MetricInfo> {
        Ok(MetricInfo::of_tables("efficacy gap", Better::Less).ranked(106))
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        let table = input.table()?;
        let target = target_column(&table, self.target.as_deref())?;
        let (Some(target), Some(train)) = (target, table.train) else { return Ok(None) };
        let most = PAIR_POINTS.min(train.len()).min(table.generated.len());
        let score = |rows| {
            let rows = DrawnRows::new(rows, most, input.seed);
            efficacy(rows.rows(), table.held_out, target, self.learner)
        };
        let (real, generated) = (score(train)?, score(table.generated)?);
        Ok(real.zip(generated).map(|(real, generated)| real - generated))
    }
}
