//! What the networks over sequences share: z and the condition as one row of tokens, and what is said to all
//! of them: time, and a summary of the condition.

use crate::layers::{Activation, Linear, WeightInit, check_features};
use triflow::prelude::*;
use triflow::sequence::{keep, spread};
use triflow::tch::Kind;

/// How a condition that is a sequence lies to z.
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
pub enum Placement {
    /// Its positions are those of z, as many of them; or it has a single one, for all.
    Beside,
    /// It ends where z begins, as what was observed before.
    Before,
}

/// Rows of tokens.
pub struct Row {
    /// `[batch, tokens, width]`.
    pub tokens: Tensor,
    /// `[batch, tokens]` of 1 and 0: tokens that are there; `None`: all.
    pub mask: Option<Tensor>,
    /// What is said to all tokens of a row, `[batch, width]`.
    pub said: Tensor,
}

/// Makes rows of tokens.
pub struct Tokens {
    z: Linear,
    time: Linear,
    condition: Option<Observed>,
    steps: i64,
}

struct Observed {
    tokens: Linear,
    features: Linear,
    summary: Linear,
    placement: Placement,
    /// Positions and features of a condition.
    shape: [i64; 2],
}

impl Tokens {
    /// Tokens of `width` features; and the features of an output. `placement`: none for what the shapes tell.
    pub fn new(
        ctx: &NetworkContext,
        width: i64,
        placement: Option<Placement>,
    ) -> Result<(Self, i64)> {
        let (&[steps, features], &[outputs_at, outputs]) =
            (ctx.z_shape.as_slice(), ctx.output_shape.as_slice())
        else {
            return Err(refused(ctx));
        };
        if outputs_at != steps {
            return Err(refused(ctx));
        }
        check_features("width", width)?;
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
                        .help("use `condition: before` where it was observed before"));
                }
                Some(Observed {
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

    /// The tokens; those of z are the last ones.
    pub fn row(&self, input: &NetworkInput<'_>, pass: Pass) -> Row {
        let z = keep(&self.z.forward(input.z), pass.mask);
        let time = self.time.forward(input.time);
        let (Some(observed), Some(condition)) = (&self.condition, input.condition) else {
            return Row {
                tokens: z,
                mask: pass.mask.map(Tensor::shallow_clone),
                said: Activation::Swish.apply(&time),
            };
        };
        let batch = input.z.size()[0];
        let value = condition.value.reshape([batch, observed.shape[0], observed.shape[1]]);
        // Positions that are there: none of an absent condition.
        let there = match (&condition.present, &condition.mask) {
            (None, None) => None,
            (Some(present), None) => {
                Some(present.unsqueeze(1).expand([batch, observed.shape[0]], false))
            }
            (None, Some(mask)) => Some(mask.shallow_clone()),
            (Some(present), Some(mask)) => Some(mask * present.unsqueeze(1)),
        };
        let said = Activation::Swish.apply(&(time + observed.said(&value, there.as_ref())));
        let tokens = keep(&observed.tokens.forward(&value), there.as_ref());
        match observed.placement {
            Placement::Beside => Row {
                tokens: keep(&(z + tokens), pass.mask),
                mask: pass.mask.map(Tensor::shallow_clone),
                said,
            },
            Placement::Before => {
                let (tokens, there) = match &condition.mask {
                    Some(mask) => aligned(&tokens, there.as_ref().unwrap_or(mask), mask),
                    None => (tokens, there),
                };
                let mask = match (there, pass.mask) {
                    (None, None) => None,
                    (there, mask) => {
                        let all = |n| Tensor::ones([batch, n], (z.kind(), z.device()));
                        let there = there.unwrap_or_else(|| all(observed.shape[0]));
                        let mask = mask.map_or_else(|| all(self.steps), Tensor::shallow_clone);
                        Some(Tensor::cat(&[there, mask.to_kind(z.kind())], 1))
                    }
                };
                Row { tokens: Tensor::cat(&[tokens, z], 1), mask, said }
            }
        }
    }

    /// The tokens of z among those of a row.
    pub fn of_z(&self, tokens: &Tensor) -> Tensor {
        tokens.narrow(1, tokens.size()[1] - self.steps, self.steps)
    }
}

impl Observed {
    /// A summary: linear in the mean of features over the positions that are there; zero where there are none.
    fn said(&self, value: &Tensor, there: Option<&Tensor>) -> Tensor {
        let features = Activation::Swish.apply(&self.features.forward(value));
        let mean = match there {
            None => features.mean_dim([1].as_slice(), false, features.kind()),
            Some(there) => {
                let n = there.sum_dim_intlist([1].as_slice(), true, there.kind()).clamp_min(1.0);
                keep(&features, Some(there)).sum_dim_intlist([1].as_slice(), false, features.kind())
                    / n
            }
        };
        let any = there.map(|there| there.amax([1].as_slice(), true));
        let summary = self.summary.forward(&mean);
        match any {
            Some(any) => summary * any,
            None => summary,
        }
    }
}

/// Moves what `mask` says is there to the end of each row, with `there` beside it.
fn aligned(tokens: &Tensor, there: &Tensor, mask: &Tensor) -> (Tensor, Option<Tensor>) {
    let steps = mask.size()[1];
    let lengths = mask.sum_dim_intlist([1].as_slice(), true, Kind::Int64);
    let at = Tensor::arange(steps, (Kind::Int64, mask.device())).unsqueeze(0);
    let from = (at + lengths).remainder(steps);
    let tokens = tokens.gather(1, &from.unsqueeze(-1).expand_as(tokens), false);
    let there = there.gather(1, &from, false);
    (&tokens * spread(&there, &tokens), Some(there))
}

fn refused(ctx: &NetworkContext) -> Error {
    let message = format!(
        "maps sequences to sequences, [T, features] to [T, features], not z of {} to {}",
        shape_text(&ctx.z_shape),
        shape_text(&ctx.output_shape)
    );
    Error::config("", message)
        .help("use it under `vanilla`, with a task or latents that are sequences; or take `mlp`")
}
