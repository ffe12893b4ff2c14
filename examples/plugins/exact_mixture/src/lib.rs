//! A plugin with one component, a conditional residual network (CRN) without parameters: the exact
//! prediction for a mixture of Gaussians.

triflow::plugin!();

mod mixture;
pub use mixture::ExactMixture;

#[cfg(test)]
mod tests {
    #[test]
    fn conforms() {
        triflow::testing::conforms(super::ExactMixture::default());
    }
}
