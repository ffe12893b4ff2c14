//! A coupling: the pairing of z_0 with z_1 in training.

use triflow::prelude::*;

triflow::component! {
    /// Pairs rows in the order of their projections on one axis, which is optimal along that axis.
    pub struct MyComponent: Coupling = "my_component" {
        /// Entry of a row whose values give the order, counted from 0.
        pub entry: usize = 0,
    }
}

impl Spec<dyn Coupling> for MyComponent {
    /// Checks the parameters against the shape of a row.
    fn build(&self, ctx: &CouplingContext) -> Result<Box<dyn Coupling>> {
        let entries: i64 = ctx.z_shape.iter().product();
        if (self.entry as u64) < entries.unsigned_abs() {
            return Ok(Box::new(self.clone()));
        }
        Err(Error::config("entry", format!("needs at most {}, got {}", entries - 1, self.entry)))
    }
}

impl MyComponent {
    /// Row numbers by increasing value of the entry.
    fn order(&self, points: Points<'_>) -> Vec<usize> {
        let mut order: Vec<usize> = (0..points.len()).collect();
        order.sort_by(|a, b| points.row(*a)[self.entry].total_cmp(&points.row(*b)[self.entry]));
        order
    }
}

impl Coupling for MyComponent {
    /// Pairs the k-th row of the target with the k-th row of the source.
    fn pair(&self, rows: &Pairing<'_>) -> Result<Vec<usize>> {
        let mut pairs = vec![0; rows.len()];
        for (target, source) in self.order(rows.target).into_iter().zip(self.order(rows.source)) {
            pairs[target] = source;
        }
        Ok(pairs)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn conforms() {
        triflow::testing::conforms(super::MyComponent::default());
    }
}
