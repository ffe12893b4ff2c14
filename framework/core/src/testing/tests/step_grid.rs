use super::Fault;
use crate::prelude::*;

triflow::component! {
    /// Equal steps in log-SNR, unless it has a fault.
    pub struct Twin: StepGrid = "twin" {
        /// The fault.
        pub fault: Fault = Fault::default(),
    }
}

struct Even {
    fault: Fault,
    drift: f64,
}

impl Spec<dyn StepGrid> for Twin {
    fn build(&self, (): &()) -> Result<Box<dyn StepGrid>> {
        if self.fault.is("builds") {
            return Err(Error::runtime("nothing is built"));
        }
        Ok(Box::new(Even { fault: self.fault.clone(), drift: self.fault.drift() }))
    }
}

impl StepGrid for Even {
    fn nodes(&self, start: f64, end: f64, steps: usize) -> Result<Grid> {
        let steps = if self.fault.is("nodes") { steps + 1 } else { steps };
        let mut grid = Grid::uniform(start, end, steps);
        match () {
            () if self.fault.is("no_nodes") => grid.nodes.clear(),
            () if self.fault.is("not_finite") && steps > 1 => grid.nodes[1] = f64::NAN,
            () if self.fault.is("ends") => grid.nodes[steps] -= 1e-12,
            () if self.fault.is("increasing") && steps > 2 => grid.nodes.swap(1, 2),
            () if self.fault.is("repeats_a_node") && steps > 2 => grid.nodes[2] = grid.nodes[1],
            () if steps > 1 => grid.nodes[1] += self.drift * 1e-9,
            () => (),
        }
        Ok(grid)
    }
}
