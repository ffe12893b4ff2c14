use triflow::prelude::*;

triflow::component! {
    /// Log-SNRs uniform between their ends, with the weight divided by that density: the loss of
    /// uniform times, with less variance where errors are even over log-SNR.
    ///
    /// γ = γ(0) + u·(γ(1) - γ(0)), stratified, and errors times (γ(1) - γ(0))/γ'(t). Needs a path
    /// whose log-SNR is finite at both ends.
    #[reference = "Kingma et al. 2021, arXiv 2107.00630, section 5.2"]
    pub struct Importance: TimeSampler = "importance" {}
}

impl Spec<dyn TimeSampler> for Importance {
    fn build(&self, (): &()) -> Result<Box<dyn TimeSampler>> {
        Ok(Box::new(self.clone()))
    }
}

impl TimeSampler for Importance {
    fn quantiles(&self, u: &Tensor, ends: &Tensor) -> Result<Quantiles> {
        let range = ends.get(1) - ends.get(0);
        Ok(Quantiles::with_slope(u * &range + ends.get(0), range))
    }

    fn clock(&self) -> Result<Clock> {
        Ok(Clock::Gamma)
    }

    fn needs_finite_ends(&self) -> Result<bool> {
        Ok(true)
    }
}
