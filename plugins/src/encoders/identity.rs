use triflow::prelude::*;

triflow::component! {
    /// The target itself as the latent.
    pub struct Identity: Encoder = "identity" {}
}

impl Spec<dyn Encoder> for Identity {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn Encoder>> {
        let shape = ctx.target_shape.clone();
        match &ctx.latent_shape {
            Some(given) if *given != shape => Err(Error::config(
                "latent_shape",
                format!(
                    "encoder `identity` keeps the target's shape {}, but latent_shape is {}",
                    shape_text(&shape),
                    shape_text(given)
                ),
            )
            .help("leave latent_shape out, or choose another encoder, such as `linear`")),
            _ => Ok(Box::new(IdentityEncoder { latent: shape })),
        }
    }
}

struct IdentityEncoder {
    latent: Vec<i64>,
}

impl Encoder for IdentityEncoder {
    fn latent_shape(&self) -> Result<Vec<i64>> {
        Ok(self.latent.clone())
    }

    fn encode(&self, target: &Tensor, _: Pass) -> Result<Posterior> {
        Ok(Posterior { mean: target.shallow_clone(), log_variance: None })
    }

    fn is_identity(&self) -> Result<bool> {
        Ok(true)
    }
}
