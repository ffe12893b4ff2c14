use triflow::prelude::*;

triflow::component! {
    /// Steps in time whose noise share n = 1 − t is shifted to shift·n/(1 + (shift − 1)·n): above 1
    /// more steps near the noise, below 1 more near the data, at 1 equal steps.
    ///
    /// Images of more pixels need more noise to be hidden as well: Esser et al. shift by the root
    /// of the ratio of the numbers of pixels, and by 3 for Stable Diffusion 3. Equal steps are
    /// those of the share before the shift, also between ends other than 0 and 1.
    #[reference = "Esser et al. 2024, arXiv 2403.03206, eq. 23"]
    pub struct Shifted: StepGrid = "shifted" {
        /// The shift.
        #[range(above = 0)]
        pub shift: f64 = 3.0,
    }
}

impl Spec<dyn StepGrid> for Shifted {
    fn build(&self, (): &()) -> Result<Box<dyn StepGrid>> {
        Ok(Box::new(self.clone()))
    }
}

/// Time whose noise share is that of `t`, shifted; the inverse has the shift 1/`shift`.
fn shifted(t: f64, shift: f64) -> f64 {
    t / (t + shift * (1.0 - t))
}

impl StepGrid for Shifted {
    fn nodes(&self, start: f64, end: f64, steps: usize) -> Result<Grid> {
        let [from, to] = [start, end].map(|t| shifted(t, 1.0 / self.shift));
        let mut grid = Grid::uniform(from, to, steps);
        for node in &mut grid.nodes {
            *node = shifted(*node, self.shift);
        }
        (grid.nodes[0], grid.nodes[steps]) = (start, end);
        Ok(grid)
    }

    fn clock(&self) -> Result<Clock> {
        Ok(Clock::Time)
    }
}
