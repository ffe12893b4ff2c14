use triflow::prelude::*;

triflow::component! {
    /// Equal steps of σ^(1/ρ) with σ = b/a = e^(−γ/2), stepped in log-SNR: the larger ρ, the more
    /// steps near the data.
    #[reference = "Karras et al. 2022, arXiv 2206.00364, eq. 5"]
    pub struct Karras: StepGrid = "karras" {
        /// ρ: the larger, the more steps near the data.
        #[range(above = 0)]
        pub rho: f64 = 7.0,
    }
}

impl Spec<dyn StepGrid> for Karras {
    fn build(&self, (): &()) -> Result<Box<dyn StepGrid>> {
        Ok(Box::new(self.clone()))
    }
}

impl StepGrid for Karras {
    fn nodes(&self, start: f64, end: f64, steps: usize) -> Result<Grid> {
        let mut grid = Grid::uniform(start, end, steps);
        let root = |gamma: f64| (-gamma / (2.0 * self.rho)).exp();
        let (from, to) = (root(start), root(end));
        for (i, node) in grid.nodes.iter_mut().enumerate().take(steps).skip(1) {
            *node = -2.0 * self.rho * (from + (to - from) * i as f64 / steps as f64).ln();
        }
        Ok(grid)
    }
}
