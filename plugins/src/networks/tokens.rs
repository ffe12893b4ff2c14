//! Tokens of the networks over sequences: z and the condition as a row of tokens, and a context
//! vector of time and a summary of the condition.

use crate::layers::{Activation, Linear, WeightInit};
use triflow::prelude::*;
use triflow::sequence::{keep, spread};
use triflow::tch::Kind;

triflow::choices! {
    /// Place of a condition that is a sequence, relative to z.
    pub enum Placement {
        /// At the positions of z: it has as many, or a single one for all of them.
        Beside = "beside",
        /// Before z: it ends where z begins, such as earlier observations.
        Before = "before",
    }
}

/// Tokens of a batch and their context.
pub struct Row {
    /// `[batch, tokens, width]`.
    pub tokens: Tensor,
    /// `[batch, tokens]`: 1 for a token, 0 for padding; `None`: no padding.
    pub mask: Option<Tensor>,
    /// Vector that modulates all tokens of a row, of time and condition, `[batch, width]`.
    pub context: Tensor,
}

/// Embedding of z, time and condition as tokens.
pub struct Tokens {
    z: Linear,
    time: Linear,
    condition: Option<ConditionTokens>,
    /// Positions of z.
    steps: i64,
}

/// Embedding of the condition.
struct ConditionTokens {
    tokens: Linear,
    features: Linear,
    summary: Linear,
    placement: Placement,
    /// Positions and features of a condition.
    shape: [i64; 2],
}

impl Tokens {
    /// Tokens of `width` features, and the number of output features at a position. `placement` of
    /// the condition; `None`: as the shapes allow.
    ///
    /// # Errors
    /// z and the output are not sequences `[T, features]` of the same length, `width` is out of
    /// range, or a condition beside z has another number of positions.
    pub fn new(
        ctx: &NetworkContext,
        width: i64,
        placement: Option<Placement>,
    ) -> Result<(Self, i64)> {
        let (&[steps, features], &[output_steps, outputs]) =
            (ctx.z_shape.as_slice(), ctx.output_shape.as_slice())
        else {
            return Err(not_sequences(ctx));
        };
        if output_steps != steps {
            return Err(not_sequences(ctx));
        }
        let linear =
            |name: &str, inputs| Linear::new(&ctx.vars.sub(name), inputs, width, WeightInit::LeCun);
        let condition = match &ctx.condition_shape {
            None => None,
            Some(shape) => {
                let shape = match shape[..] {
                    [steps, features] => [steps, features],
                    _ => [1, shape.iter().product()],
                };
                let fits = shape[0] == steps || shape[0] == 1;
                let placement =
                    placement.unwrap_or(if fits { Placement::Beside } else { Placement::Before });
                if placement == Placement::Beside && !fits {
                    let message = format!(
                        "a condition beside z needs as many positions as z, {steps}, not {}",
                        shape[0]
                    );
                    return Err(Error::config("condition", message)
                        .help("use `condition: before` for a condition that precedes z"));
                }
                Some(ConditionTokens {
                    tokens: linear("condition", shape[1]),
                    features: linear("features", shape[1]),
                    summary: linear("summary", width),
                    placement,
                    shape,
                })
            }
        };
        let (z, time) = (linear("z", features), linear("time", ctx.time_features));
        Ok((Self { z, time, condition, steps }, outputs))
    }

    /// Tokens and context of an input; the tokens of z are the last ones.
    pub fn row(&self, input: &NetworkInput<'_>, pass: Pass) -> Row {
        let z = keep(&self.z.forward(input.z), pass.mask);
        let time = self.time.forward(input.time);
        let (Some(embedding), Some(condition)) = (&self.condition, input.condition) else {
            return Row {
                tokens: z,
                mask: pass.mask.map(Tensor::shallow_clone),
                context: Activation::Swish.apply(&time),
            };
        };
        let batch = input.z.size()[0];
        let value = condition.value.reshape([batch, embedding.shape[0], embedding.shape[1]]);
        // 1 for a position of the condition, 0 for padding and in rows without a condition.
        let valid = match (&condition.present, &condition.mask) {
            (None, None) => None,
            (Some(present), None) => {
                Some(present.unsqueeze(1).expand([batch, embedding.shape[0]], false))
            }
            (None, Some(mask)) => Some(mask.shallow_clone()),
            (Some(present), Some(mask)) => Some(mask * present.unsqueeze(1)),
        };
        let context =
            Activation::Swish.apply(&(time + embedding.summarise(&value, valid.as_ref())));
        let tokens = keep(&embedding.tokens.forward(&value), valid.as_ref());
        match embedding.placement {
            Placement::Beside => Row {
                tokens: keep(&(z + tokens), pass.mask),
                mask: pass.mask.map(Tensor::shallow_clone),
                context,
            },
            Placement::Before => {
                let (tokens, valid) = match &condition.mask {
                    Some(mask) => align_right(&tokens, valid.as_ref().unwrap_or(mask), mask),
                    None => (tokens, valid),
                };
                let mask = match (valid, pass.mask) {
                    (None, None) => None,
                    (valid, mask) => {
                        let all = |n| Tensor::ones([batch, n], (z.kind(), z.device()));
                        let valid = valid.unwrap_or_else(|| all(embedding.shape[0]));
                        let mask = mask.map_or_else(|| all(self.steps), Tensor::shallow_clone);
                        Some(Tensor::cat(&[valid, mask.to_kind(z.kind())], 1))
                    }
                };
                Row { tokens: Tensor::cat(&[tokens, z], 1), mask, context }
            }
        }
    }

    /// The tokens of z among `tokens` `[batch, tokens, width]`, `[batch, T, width]`.
    pub fn z_tokens(&self, tokens: &Tensor) -> Tensor {
        tokens.narrow(1, tokens.size()[1] - self.steps, self.steps)
    }
}

impl ConditionTokens {
    /// Summary of a condition `[batch, positions, features]`, `[batch, width]`: linear in the mean
    /// of features over the `valid` positions (`[batch, positions]` of 1 and 0), zero where there
    /// are none.
    fn summarise(&self, value: &Tensor, valid: Option<&Tensor>) -> Tensor {
        let features = Activation::Swish.apply(&self.features.forward(value));
        let mean = match valid {
            None => features.mean_dim([1].as_slice(), false, features.kind()),
            Some(valid) => {
                let n = valid.sum_dim_intlist([1].as_slice(), true, valid.kind()).clamp_min(1.0);
                keep(&features, Some(valid)).sum_dim_intlist([1].as_slice(), false, features.kind())
                    / n
            }
        };
        let any = valid.map(|valid| valid.amax([1].as_slice(), true));
        let summary = self.summary.forward(&mean);
        match any {
            Some(any) => summary * any,
            None => summary,
        }
    }
}

/// `tokens` and their `valid` with each row's padding (0 in `mask`) moved from its end to its
/// start.
fn align_right(tokens: &Tensor, valid: &Tensor, mask: &Tensor) -> (Tensor, Option<Tensor>) {
    let steps = mask.size()[1];
    let lengths = mask.sum_dim_intlist([1].as_slice(), true, Kind::Int64);
    let at = Tensor::arange(steps, (Kind::Int64, mask.device())).unsqueeze(0);
    let from = (at + lengths).remainder(steps);
    let tokens = tokens.gather(1, &from.unsqueeze(-1).expand_as(tokens), false);
    let valid = valid.gather(1, &from, false);
    (&tokens * spread(&valid, &tokens), Some(valid))
}

fn not_sequences(ctx: &NetworkContext) -> Error {
    let message = format!(
        "maps sequences to sequences, [T, features] to [T, features], not z of {} to {}",
        shape_text(&ctx.z_shape),
        shape_text(&ctx.output_shape)
    );
    Error::config("", message)
        .help("use it under `vanilla`, with a task or latents that are sequences; or take `mlp`")
}
