use super::{check_target, target_column};
use triflow::metrics::PAIR_POINTS;
use triflow::metrics::table::{DrawnRows, TableLearner, efficacy};
use triflow::prelude::*;

triflow::component! {
    /// Macro F1 of classes, or R² of numbers, of a predictor that is trained on generated rows of a
    /// table and predicts a column of held-out ones from the others.
    ///
    /// The floor is the score of real training rows. At most 5,000 rows are used, drawn with the
    /// metric's seed. Of more than 100 classes the most frequent held-out ones are told apart, and
    /// the others are one.
    #[reference = "Esteban et al. 2017, arXiv 1706.02633"]
    pub struct Efficacy: Metric = "efficacy" {
        /// Name of the predicted column; null: the condition's if it is one, else it is not
        /// measured.
        pub target: Option<String> = None,
        /// Predictor.
        pub learner: TableLearner = TableLearner::Linear,
    }
}

impl Spec<dyn Metric> for Efficacy {
    fn build(&self, ctx: &MetricContext) -> Result<Box<dyn Metric>> {
        check_target(ctx, self.target.as_deref())?;
        Ok(Box::new(self.clone()))
    }
}

impl Metric for Efficacy {
    fn info(&self) -> Result<MetricInfo> {
        Ok(MetricInfo::of_tables("efficacy", Better::More).ranked(105))
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        let table = input.table()?;
        let Some(target) = target_column(&table, self.target.as_deref())? else { return Ok(None) };
        let generated = DrawnRows::new(table.generated, PAIR_POINTS, input.seed);
        efficacy(generated.rows(), table.held_out, target, self.learner)
    }
}
