//! Exact optimal transport within a batch.

use triflow::metrics::optimal_matching;
use triflow::prelude::*;

triflow::component! {
    /// One to one within a batch, so that the sum of |z_1 − z_0|² is least: optimal transport between the
    /// two samples.
    ///
    /// Paths get straighter, so that few steps suffice. The cost is about n³ at worst for a batch of n.
    #[reference = "Tong et al. 2023, arXiv 2302.00482; Pooladian et al. 2023, arXiv 2304.14772"]
    #[aliases("ot")]
    pub struct OtExact: Coupling, CouplingSpec = "ot_exact" {}
}

impl Spec<dyn Coupling> for OtExact {
    fn build(&self, _: &CouplingContext) -> Result<Box<dyn Coupling>> {
        Ok(Box::new(self.clone()))
    }
}

impl Coupling for OtExact {
    fn pair(&self, rows: &Pairing<'_>) -> Result<Vec<usize>> {
        optimal_matching(rows.target, rows.source)
    }
}
