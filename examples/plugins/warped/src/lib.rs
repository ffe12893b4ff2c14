//! A plugin with one component, a noise schedule that wraps another one.

use triflow::prelude::*;

triflow::plugin!();

triflow::component! {
    /// Another schedule with its time warped by a learnable parameter w.
    ///
    /// γ(t) = inner.γ(u(t)) with logit u = logit t + w. For every w, u(0) = 0 and u(1) = 1, so that
    /// the ends of the inner schedule stay. With w above 0 the noisy part takes less time.
    pub struct Warped: NoiseSchedule = "warped" {
        /// Schedule that is warped.
        pub inner: Component<dyn NoiseSchedule> = Component::default_of("cosine"),
        /// Initial value of w.
        pub shift: f64 = 0.0,
        /// Learn w with the model.
        pub learnable: bool = true,
    }
}

impl Spec<dyn NoiseSchedule> for Warped {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        let shift = match self.learnable {
            true => ctx.vars.var("shift", &[], nn::Init::Const(self.shift)),
            false => Tensor::from(self.shift),
        };
        Ok(Box::new(WarpedSchedule { inner: self.inner.build(&ctx.sub("inner"))?, shift }))
    }
}

struct WarpedSchedule {
    inner: Box<dyn NoiseSchedule>,
    shift: Tensor,
}

impl NoiseSchedule for WarpedSchedule {
    fn gamma(&self, t: &Tensor) -> Result<Tensor> {
        let rest = (1.0 - t) * (-&self.shift.to_kind(t.kind())).exp();
        self.inner.gamma(&(t / (t + rest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conforms() {
        triflow_plugins::link();
        triflow::testing::conforms(Warped::default());
        triflow::testing::conforms(Warped { shift: 1.5, learnable: false, ..Warped::default() });
    }
}
