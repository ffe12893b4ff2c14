//! Decoders: maps from the latent z_1 to the target, each a body and a head.

mod conv;
mod identity;
mod mixed;
mod mlp;
mod one_hot;
mod resnet;

pub use conv::Conv;
pub use identity::Identity;
pub use mixed::Mixed;
pub use mlp::Mlp;
pub use one_hot::OneHot;
pub use resnet::Resnet;

use crate::layers::{Linear, WeightInit, flatten, numel, unflatten};
use triflow::prelude::*;

triflow::choices! {
    /// Last layer of a decoder.
    pub enum Head {
        /// A linear layer to the target's shape.
        Linear = "linear",
        /// A linear layer to logits: the output is their softmax, the loss the cross-entropy.
        Softmax = "softmax",
        /// A linear layer to the rows of a table: numbers, and logits of each category, with a
        /// softmax and a cross-entropy of its own.
        Blocks = "blocks",
        /// None: the output of the body is the target.
        None = "none",
    }
}

/// Decoder of a body over the flattened latent and a head.
struct WithHead<F> {
    body: F,
    head: Option<Linear>,
    likelihood: Likelihood,
    target: Vec<i64>,
}

impl<F: Fn(&Tensor, Pass) -> Tensor> Decoder for WithHead<F> {
    fn decode(&self, z: &Tensor, pass: Pass) -> Result<Tensor> {
        let h = (self.body)(&flatten(z), pass);
        let out = match &self.head {
            Some(head) => head.forward(&h),
            None => h,
        };
        Ok(unflatten(out, &self.target))
    }

    fn likelihood(&self) -> Result<Likelihood> {
        Ok(self.likelihood)
    }
}

/// The decoder `name` of a `body` of `width` output features and a head.
///
/// # Errors
/// There is no head, and `width` is not the number of entries of the target.
fn with_head<F>(
    ctx: &BuildContext,
    name: &str,
    width: i64,
    head: Head,
    body: F,
) -> Result<Box<dyn Decoder>>
where
    F: Fn(&Tensor, Pass) -> Tensor + 'static,
{
    let target = ctx.target_shape.clone();
    let entries = numel(&target);
    if head == Head::None && width != entries {
        let message = format!(
            "decoder `{name}` with head `none` gives {width} values, but the target {} has \
             {entries}",
            shape_text(&target)
        );
        return Err(Error::config("head", message)
            .help("use head `linear` or `softmax`, or make the shapes agree"));
    }
    let likelihood = match head {
        Head::Softmax => Likelihood::Categorical,
        Head::Blocks => Likelihood::Blocks,
        Head::Linear | Head::None => Likelihood::Gaussian,
    };
    let head = (head != Head::None)
        .then(|| Linear::new(&ctx.vars.sub("head"), width, entries, WeightInit::LeCun));
    Ok(Box::new(WithHead { body, head, likelihood, target }))
}
