//! A plugin with one component, a time sampler with a density that is above 0 on the whole path.

use std::f64::consts::{FRAC_PI_2, PI};
use triflow::prelude::*;

triflow::plugin!();

triflow::component! {
    /// Times denser in the middle of the path, or at its ends, with a density above 0 everywhere.
    ///
    /// t = u + scale·(cos²(πu/2) - 1 + u), whose density is 1/(1 + scale·(1 - (π/2)·sin πu)). The
    /// loss is that of this distribution, unless `keep_loss` is true.
    #[reference = "Esser et al. 2024, arXiv 2403.03206, equation 20 (time runs the other way there)"]
    pub struct ModeTimes: TimeSampler = "mode_times" {
        /// Preference for the middle, below 2/(π - 2): below 0 for the ends, at 0 times are
        /// uniform.
        #[range(min = -1, below = 1.7519)]
        pub scale: f64 = 1.29,
        /// True to divide errors by the density, so that the expected loss is that of uniform
        /// times.
        pub keep_loss: bool = false,
    }
}

impl Spec<dyn TimeSampler> for ModeTimes {
    fn build(&self, (): &()) -> Result<Box<dyn TimeSampler>> {
        Ok(Box::new(self.clone()))
    }
}

impl TimeSampler for ModeTimes {
    fn quantiles(&self, u: &Tensor, _: &Tensor) -> Result<Quantiles> {
        let bend = (u * FRAC_PI_2).cos().square() - 1.0 + u;
        let slope = ((u * PI).sin() * -FRAC_PI_2 + 1.0) * self.scale + 1.0;
        Ok(Quantiles { at: u + bend * self.scale, slope: self.keep_loss.then_some(slope) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conforms() {
        triflow::testing::conforms(ModeTimes::default());
        triflow::testing::conforms(ModeTimes { scale: -0.9, keep_loss: true });
        triflow::testing::conforms(ModeTimes { scale: 1.0, keep_loss: true });
    }
}
