use super::parameter::{Parameter, Transform, require, softplus_inverse};
use triflow::prelude::*;
use triflow::tch::Kind;

triflow::component! {
    /// Log-SNR as a monotone network of time, whose shape can be learned.
    ///
    /// γ(t) = gamma_min + (gamma_max − gamma_min)·(N(t) − N(0)) / (N(1) − N(0)), where N has
    /// positive weights, sigmoid layers and a linear skip connection, so that N' > 0 everywhere. γ'
    /// comes from the same pass.
    #[reference = "Kingma et al. 2021, arXiv 2107.00630, appendix H (deepened)"]
    #[aliases("learnable", "network")]
    pub struct MonotonicNn: NoiseSchedule = "monotonic_nn" {
        /// Log-SNR at t = 0.
        pub gamma_min: f64 = -4.0,
        /// Log-SNR at t = 1, above gamma_min.
        pub gamma_max: f64 = 4.0,
        /// Widths of the hidden layers.
        #[range(min = 1, max = crate::layers::MAX_FEATURES)]
        #[length(min = 1, max = crate::layers::MAX_LAYERS)]
        pub hidden_dims: Vec<i64> = vec![64, 64],
        /// Learn the network with the model; otherwise γ stays at its initial curve.
        pub learnable: bool = false,
    }
}

impl Spec<dyn NoiseSchedule> for MonotonicNn {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        require(self.gamma_min < self.gamma_max, "gamma_min", "needs gamma_min < gamma_max")?;
        let mut layers = Vec::new();
        let mut width = 1;
        for (i, &units) in self.hidden_dims.iter().enumerate() {
            let vars = ctx.vars.sub(format!("layer_{i}"));
            // Steepness 8 and spread centres: the hidden units start as steps spread over [0, 1].
            let weight = softplus_inverse(8.0);
            let bias = Tensor::linspace(0.0, -8.0, units, (vars.kind(), vars.device()));
            let raw =
                vars.var("weight", &[units, width], nn::Init::Randn { mean: weight, stdev: 0.1 });
            let bias = vars.var_copy("bias", &bias);
            layers.push((self.trainable(raw), self.trainable(bias)));
            width = units;
        }
        let out = ctx.vars.var("out", &[width], nn::Init::Const(softplus_inverse(0.5)));
        let skip = ctx.vars.var("skip", &[], nn::Init::Const(softplus_inverse(1.0)));
        Ok(Box::new(Monotone {
            start: Parameter::new(
                ctx,
                "gamma_min",
                self.gamma_min,
                Transform::Free,
                self.learnable,
            )?,
            range: Parameter::new(
                ctx,
                "gamma_range",
                self.gamma_max - self.gamma_min,
                Transform::Above(0.0),
                self.learnable,
            )?,
            layers,
            out: self.trainable(out),
            skip: self.trainable(skip),
        }))
    }
}

impl MonotonicNn {
    /// The variable as it is, or without gradient if the schedule is fixed.
    fn trainable(&self, variable: Tensor) -> Tensor {
        if self.learnable { variable } else { variable.set_requires_grad(false) }
    }
}

#[derive(Debug)]
struct Monotone {
    start: Parameter,
    range: Parameter,
    /// Weight before its softplus `[out, in]` and bias `[out]` of each layer.
    layers: Vec<(Tensor, Tensor)>,
    out: Tensor,
    skip: Tensor,
}

impl Monotone {
    /// N(t) and N'(t), `[batch]`, by forward-mode differentiation.
    fn network(&self, t: &Tensor) -> (Tensor, Tensor) {
        let kind = t.kind();
        let cast = |p: &Tensor| p.to_kind(kind);
        let mut h = t.view([-1, 1]);
        let mut slope = h.ones_like();
        for (raw, bias) in &self.layers {
            let weight = (cast(raw).softplus() / raw.size()[1] as f64).tr();
            h = (h.matmul(&weight) + cast(bias)).sigmoid();
            slope = &h * (h.neg() + 1.0) * slope.matmul(&weight);
        }
        let out = cast(&self.out).softplus() / self.out.size()[0] as f64;
        let skip = cast(&self.skip).softplus();
        (t * &skip + h.matmul(&out), slope.matmul(&out) + skip)
    }

    /// (γ, γ') at `t` `[batch]`.
    fn gamma_and_slope(&self, t: &Tensor) -> (Tensor, Tensor) {
        let kind = if t.kind() == Kind::Double { Kind::Double } else { self.out.kind() };
        let t = t.to_kind(kind);
        let ends = t.new_zeros([2], (kind, t.device()));
        let _ = ends.get(1).fill_(1.0);
        let (ends, _) = self.network(&ends);
        let (n, slope) = self.network(&t);
        let scale = self.range.value() / (ends.get(1) - ends.get(0));
        ((n - ends.get(0)) * &scale + self.start.value(), slope * scale)
    }
}

impl NoiseSchedule for Monotone {
    fn gamma(&self, t: &Tensor) -> Result<Tensor> {
        Ok(self.gamma_and_slope(t).0)
    }

    fn gamma_prime(&self, t: &Tensor) -> Result<Tensor> {
        Ok(self.gamma_and_slope(t).1)
    }
}
