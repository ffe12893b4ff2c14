use super::interval;
use triflow::prelude::*;

triflow::component! {
    /// Each row cut off at a quantile of its own distances from the centre of an interval, and
    /// shrunk into the interval: strong guidance then saturates fewer pixels than with `clamp`.
    ///
    /// With u = (data − centre) / half the width and s = max(1, quantile of |u| over the row), u
    /// becomes clip(u, −s, s) / s. The interval is in the data's own units where the encoder is the
    /// identity, such as 0 to 1 for images from bytes, and otherwise in those of the latent.
    #[reference = "Saharia et al. 2022, arXiv 2205.11487, section 2.3"]
    pub struct DynamicThreshold: Projection = "dynamic_threshold" {
        /// Quantile; 1 shrinks without cutting off.
        #[range(above = 0, max = 1)]
        pub quantile: f64 = 0.995,
        /// Lower end of the interval.
        pub low: f64 = 0.0,
        /// Upper end, above the lower.
        pub high: f64 = 1.0,
    }
}

impl Spec<dyn Projection> for DynamicThreshold {
    fn build(&self, (): &()) -> Result<Box<dyn Projection>> {
        interval(self.low, self.high)?;
        let half = 0.5 * self.high - 0.5 * self.low;
        Ok(Box::new(Threshold { quantile: self.quantile, centre: self.low + half, half }))
    }
}

struct Threshold {
    quantile: f64,
    centre: f64,
    half: f64,
}

impl Projection for Threshold {
    fn project(&self, data: &Tensor) -> Result<Tensor> {
        let u = (data - self.centre) / self.half;
        let size = u.abs().flatten(1, -1);
        let quantile = size.quantile_scalar(self.quantile, 1, false, "linear");
        let s = rows(&quantile.clamp_min(1.0), data);
        // A row within the interval stays as it is, to the bit.
        let inside = rows(&size.amax([1].as_slice(), false).le(1.0), data);
        let shrunk = u.minimum(&s).maximum(&s.neg()) / s * self.half + self.centre;
        Ok(data.where_self(&inside, &shrunk))
    }
}
