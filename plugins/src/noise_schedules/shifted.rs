use super::parameter::{Parameter, Transform};
use triflow::prelude::*;

triflow::component! {
    /// Another schedule with a constant added to its log-SNR, as for images of another size.
    ///
    /// γ(t) = inner.γ(t) + shift. Images of d × d pixels average noise away: a schedule that was
    /// chosen at 64 × 64 is shifted by 2·ln(64/d).
    #[reference = "Hoogeboom et al. 2023, arXiv 2301.11093, section 3.1"]
    pub struct Shifted: NoiseSchedule = "shifted" {
        /// Schedule that is shifted.
        pub inner: Component<dyn NoiseSchedule> = Component::default_of("cosine"),
        /// Constant that is added to the log-SNR: below 0 more noise, above 0 less.
        pub shift: f64 = -2.0 * std::f64::consts::LN_2,
        /// Learn the shift with the model.
        pub learnable: bool = false,
    }
}

impl Spec<dyn NoiseSchedule> for Shifted {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        let shift = Parameter::new(ctx, "shift", self.shift, Transform::Free, self.learnable)?;
        Ok(Box::new(Shift { inner: self.inner.build(&ctx.sub("inner"))?, shift }))
    }
}

struct Shift {
    inner: Box<dyn NoiseSchedule>,
    shift: Parameter,
}

impl NoiseSchedule for Shift {
    fn gamma(&self, t: &Tensor) -> Result<Tensor> {
        Ok(self.inner.gamma(t)? + self.shift.value())
    }

    fn gamma_prime(&self, t: &Tensor) -> Result<Tensor> {
        self.inner.gamma_prime(t)
    }

    fn time_of(&self, gamma: &Tensor) -> Result<Tensor> {
        self.inner.time_of(&(gamma - self.shift.value().detach()))
    }
}
