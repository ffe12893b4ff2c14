//! A step grid: the spacing of a solver's steps.

use triflow::prelude::*;

triflow::component! {
    /// Steps in time that shrink towards the data.
    #[reference = "Song et al. 2021, arXiv 2010.02502, appendix D.2"]
    pub struct MyComponent: StepGrid = "my_component" {
        /// Power of the remaining time: 1 for equal steps, the larger the more steps near the data.
        #[range(above = 0)]
        pub power: f64 = 2.0,
    }
}

impl Spec<dyn StepGrid> for MyComponent {
    fn build(&self, (): &()) -> Result<Box<dyn StepGrid>> {
        Ok(Box::new(self.clone()))
    }
}

impl StepGrid for MyComponent {
    /// Nodes from `start` to `end`; computed from both, so that the ends are exact.
    fn nodes(&self, start: f64, end: f64, steps: usize) -> Result<Grid> {
        let node = |i: usize| match i {
            0 => start,
            i if i == steps => end,
            i => end - (end - start) * (1.0 - i as f64 / steps as f64).powf(self.power),
        };
        Ok(Grid { nodes: (0..=steps).map(node).collect() })
    }

    /// Nodes are times t in [0, 1]; `Clock::Gamma`, the default, means log-SNR.
    fn clock(&self) -> Result<Clock> {
        Ok(Clock::Time)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn conforms() {
        triflow::testing::conforms(super::MyComponent::default());
    }
}
