//! A noise schedule around another one, its time bent by one learned parameter.

use triflow::prelude::*;

triflow::plugin!();

triflow::component! {
    /// Another schedule whose time is bent by one parameter w, learned with the network.
    ///
    /// γ(t) = inner.γ(u(t)) with logit u = logit t + w: u(0) = 0 and u(1) = 1 whatever w is, so that the
    /// ends of the inner schedule stay. Above 0 it passes the noisy part faster.
    pub struct Warped: NoiseSchedule, NoiseScheduleSpec = "warped" {
        /// The schedule that is bent.
        pub inner: Component<dyn NoiseSchedule> = Component::default_of("cosine"),
        /// w at the start of training.
        pub shift: f64 = 0.0,
        /// Learn w.
        pub learnable: bool = true,
    }
}

impl Spec<dyn NoiseSchedule> for Warped {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        let shift = match self.learnable {
            true => ctx.vars.var("shift", &[], nn::Init::Const(self.shift)),
            false => Tensor::from(self.shift),
        };
        Ok(Box::new(Bent { inner: self.inner.build(&ctx.sub("inner"))?, shift }))
    }
}

struct Bent {
    inner: Box<dyn NoiseSchedule>,
    shift: Tensor,
}

impl NoiseSchedule for Bent {
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
