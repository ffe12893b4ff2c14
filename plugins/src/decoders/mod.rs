//! Decoders: from the latent back to the target. A decoder is a body and a head.

mod conv;
mod identity;
mod mlp;
mod resnet;

pub use conv::Conv;
pub use identity::Identity;
pub use mlp::Mlp;
pub use resnet::Resnet;

use crate::layers::{Linear, WeightInit, flatten, numel, unflatten};
use triflow::prelude::*;

/// What stands at the end of a decoder.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    triflow::serde::Serialize,
    triflow::serde::Deserialize,
    triflow::schemars::JsonSchema,
)]
#[serde(crate = "triflow::serde", rename_all = "snake_case")]
#[schemars(crate = "triflow::schemars")]
pub enum Head {
    /// A linear layer to the target's shape.
    Linear,
    /// A linear layer to logits; shown through a softmax, compared by cross-entropy.
    Softmax,
    /// Nothing: the body's output is the target.
    None,
}

/// Body and head of any decoder here.
struct Headed<F> {
    body: F,
    head: Option<Linear>,
    likelihood: Likelihood,
    target: Vec<i64>,
}

impl<F: Fn(&Tensor, Pass) -> Tensor> Decoder for Headed<F> {
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

/// Puts `head` behind a body of `width` features.
fn headed<F>(
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
        return Err(Error::config(
            "head",
            format!("decoder `{name}` with head `none` gives {width} values, but the target {} has {entries}", shape_text(&target)),
        )
        .help("use head `linear` or `softmax`, or make the shapes agree"));
    }
    let likelihood =
        if head == Head::Softmax { Likelihood::Categorical } else { Likelihood::Gaussian };
    let head = (head != Head::None)
        .then(|| Linear::new(&ctx.vars.sub("head"), width, entries, WeightInit::LeCun));
    Ok(Box::new(Headed { body, head, likelihood, target }))
}
