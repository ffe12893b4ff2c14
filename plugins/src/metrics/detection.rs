use triflow::metrics::PAIR_POINTS;
use triflow::metrics::table::{DrawnRows, TableLearner, detection};
use triflow::prelude::*;

triflow::component! {
    /// Mean of 1 − (2·max(½, A) − 1) over three parts of a table, with the area A under the ROC
    /// curve of a classifier that tells generated from held-out rows: 1 if it cannot.
    ///
    /// Each part is judged by a classifier of the other two. The linear one is that of
    /// `LogisticDetection` of `sdmetrics`; parts and rows are drawn with the metric's seed.
    #[reference = "Lopez-Paz and Oquab 2017, arXiv 1610.06545"]
    pub struct Detection: Metric = "detection" {
        /// Number of rows of either side, at most.
        #[range(min = 3)]
        pub rows: usize = PAIR_POINTS,
        /// Classifier.
        pub learner: TableLearner = TableLearner::Linear,
    }
}

impl Spec<dyn Metric> for Detection {
    fn build(&self, _: &MetricContext) -> Result<Box<dyn Metric>> {
        Ok(Box::new(self.clone()))
    }
}

impl Metric for Detection {
    fn info(&self) -> Result<MetricInfo> {
        Ok(MetricInfo::of_tables("detection", Better::More).ranked(104))
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        let table = input.table()?;
        let drawn = |rows| DrawnRows::new(rows, self.rows, input.seed);
        let (real, generated) = (drawn(table.held_out), drawn(table.generated));
        Ok(detection(real.rows(), generated.rows(), self.learner)?.map(|found| found.score()))
    }
}
