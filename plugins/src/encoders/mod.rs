//! Encoders: maps from the target to the latent z_1, or to a normal distribution of it.

mod conv;
mod conv_normal;
mod identity;
mod linear;
mod mixed;
mod mlp;
mod mlp_normal;
mod one_hot;
mod resnet;
mod resnet_normal;

pub use conv::Conv;
pub use conv_normal::ConvNormal;
pub use identity::Identity;
pub use linear::Linear;
pub use mixed::Mixed;
pub use mlp::Mlp;
pub use mlp_normal::MlpNormal;
pub use one_hot::OneHot;
pub use resnet::Resnet;
pub use resnet_normal::ResnetNormal;

use crate::layers::{flatten, numel, unflatten};
use crate::pyramid::{Down, Pyramid, check_width};
use triflow::prelude::*;

/// Encoder of the features of a network: the latent; or mean and log-variance of a normal one.
struct FeatureEncoder<F> {
    latent: Vec<i64>,
    normal: bool,
    features: F,
}

impl<F: Fn(&Tensor, Pass) -> Tensor> Encoder for FeatureEncoder<F> {
    fn latent_shape(&self) -> Result<Vec<i64>> {
        Ok(self.latent.clone())
    }

    fn encode(&self, target: &Tensor, pass: Pass) -> Result<Posterior> {
        let out = (self.features)(&flatten(target), pass);
        if !self.normal {
            return Ok(Posterior { mean: unflatten(out, &self.latent), log_variance: None });
        }
        let d = numel(&self.latent);
        let mean = out.narrow(1, 0, d).contiguous();
        let log_variance = out.narrow(1, d, d).contiguous().clamp(-20.0, 10.0);
        Ok(Posterior {
            mean: unflatten(mean, &self.latent),
            log_variance: Some(unflatten(log_variance, &self.latent)),
        })
    }
}

/// Number of output features: the entries of the latent, twice as many for a normal encoder.
fn outputs(latent: &[i64], normal: bool) -> i64 {
    numel(latent) * if normal { 2 } else { 1 }
}

/// Convolutional encoder of images.
struct ConvEncoder {
    latent: Vec<i64>,
    normal: bool,
    body: Down,
}

impl ConvEncoder {
    /// The encoder `name` of the parameters (width, blocks, dropout).
    ///
    /// # Errors
    /// A parameter is out of range, the target is not an image, or no number of halvings leads to
    /// the latent's shape.
    fn build(
        ctx: &BuildContext,
        name: &str,
        (width, blocks, dropout): (i64, i64, f64),
        normal: bool,
    ) -> Result<Box<dyn Encoder>> {
        check_width(width)?;
        let latent = ctx.latent()?.to_vec();
        let shape = Pyramid::new(&ctx.target_shape, &latent, width, name)?;
        let outputs = latent[0] * if normal { 2 } else { 1 };
        let body = Down::new(&ctx.vars, shape, width, blocks, dropout, outputs);
        Ok(Box::new(Self { latent, normal, body }))
    }
}

impl Encoder for ConvEncoder {
    fn latent_shape(&self) -> Result<Vec<i64>> {
        Ok(self.latent.clone())
    }

    fn encode(&self, target: &Tensor, pass: Pass) -> Result<Posterior> {
        let out = self.body.forward(target, pass);
        if !self.normal {
            return Ok(Posterior { mean: out, log_variance: None });
        }
        let halves = out.chunk(2, 1);
        let log_variance = halves[1].contiguous().clamp(-20.0, 10.0);
        Ok(Posterior { mean: halves[0].contiguous(), log_variance: Some(log_variance) })
    }
}
