//! A metric: a measure of samples or predictions on held-out rows.

use triflow::prelude::*;

triflow::component! {
    /// Difference between a high quantile of the norm of generated points and that of held-out
    /// ones.
    pub struct MyComponent: Metric = "my_component" {
        /// Level of the quantile.
        #[range(above = 0, below = 1)]
        pub level: f64 = 0.95,
    }
}

impl Spec<dyn Metric> for MyComponent {
    /// Builds what runs: here the spec itself.
    fn build(&self, _: &MetricContext) -> Result<Box<dyn Metric>> {
        Ok(Box::new(self.clone()))
    }
}

impl MyComponent {
    /// Quantile of the norm of points.
    fn quantile(&self, points: Points<'_>) -> f64 {
        let norm = |row: &[f64]| row.iter().map(|v| v * v).sum::<f64>().sqrt();
        let mut norms: Vec<f64> = points.rows().map(norm).collect();
        norms.sort_by(f64::total_cmp);
        norms[(self.level * (norms.len() - 1) as f64).round() as usize]
    }
}

impl Metric for MyComponent {
    /// Title in tables, direction, tasks, and the inputs that `measure` gets.
    fn info(&self) -> Result<MetricInfo> {
        Ok(MetricInfo::of_samples("tail error", Better::Less))
    }

    /// The value for generated points beside held-out ones; it is called once a draw.
    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        let samples = input.samples()?;
        let (made, real) = (samples.generated, samples.held_out.points());
        Ok(Some((self.quantile(made) - self.quantile(real)).abs()))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn conforms() {
        triflow::testing::conforms(super::MyComponent::default());
    }
}
