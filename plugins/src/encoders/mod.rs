//! Encoders: from the target to the latent.

mod identity;
mod linear;
mod mlp;
mod mlp_normal;
mod resnet;
mod resnet_normal;

pub use identity::Identity;
pub use linear::Linear;
pub use mlp::Mlp;
pub use mlp_normal::MlpNormal;
pub use resnet::Resnet;
pub use resnet_normal::ResnetNormal;

use crate::layers::{flat, flatten, unflatten};
use triflow::prelude::*;

/// An encoder from its features: mean, and log-variance for a normal one.
struct Learned<F> {
    latent: Vec<i64>,
    normal: bool,
    features: F,
}

impl<F: Fn(&Tensor, Pass) -> Tensor> Encoder for Learned<F> {
    fn latent_shape(&self) -> Result<Vec<i64>> {
        Ok(self.latent.clone())
    }

    fn encode(&self, target: &Tensor, pass: Pass) -> Result<Posterior> {
        let out = (self.features)(&flatten(target), pass);
        if !self.normal {
            return Ok(Posterior { mean: unflatten(out, &self.latent), log_variance: None });
        }
        let d = flat(&self.latent);
        let mean = out.narrow(1, 0, d).contiguous();
        let log_variance = out.narrow(1, d, d).contiguous().clamp(-20.0, 10.0);
        Ok(Posterior {
            mean: unflatten(mean, &self.latent),
            log_variance: Some(unflatten(log_variance, &self.latent)),
        })
    }
}

/// Output features of an encoder: twice the latent's entries for a normal one.
fn outputs(latent: &[i64], normal: bool) -> i64 {
    flat(latent) * if normal { 2 } else { 1 }
}
