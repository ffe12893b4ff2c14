//! Convolutions over the positions of a sequence, further and further apart.

use super::tokens::{Placement, Tokens};
use crate::layers::{Activation, Linear, WeightInit, check_dropout, dropout};
use triflow::prelude::*;
use triflow::sequence::keep;

triflow::component! {
    /// Residual convolutions over the positions of a sequence, from block to block twice as far apart.
    ///
    /// h + W·act(conv(act(norm(h)·(1 + scale) + shift))) at each position, where scale and shift are linear in
    /// features of time and a summary of the condition. After b blocks a position has seen
    /// (kernel − 1)·(2^b − 1)/2 others on each side, or twice as many before it where `causal`.
    #[reference = "Bai, Kolter and Koltun 2018, arXiv 1803.01271"]
    #[aliases("tcn")]
    pub struct TemporalConv: Network, NetworkSpec = "temporal_conv" {
        /// Features at each position.
        pub width: i64 = 64,
        /// Number of blocks.
        pub blocks: i64 = 6,
        /// Positions that one convolution joins: odd, at least 3 (any number from 2 where `causal`).
        pub kernel: i64 = 3,
        /// Whether the output at a position depends on z and a condition beside it up to there alone (and on
        /// a summary of the condition).
        pub causal: bool = false,
        /// How the condition lies to z; null: beside where it has as many positions or a single one, else before.
        pub condition: Option<Placement> = None,
        /// Activation.
        pub activation: Activation = Activation::Swish,
        /// Dropout inside each block, in [0, 1).
        pub dropout: f64 = 0.0,
    }
}

impl Spec<dyn Network> for TemporalConv {
    fn build(&self, ctx: &NetworkContext) -> Result<Box<dyn Network>> {
        let (tokens, outputs) = Tokens::new(ctx, self.width, self.condition)?;
        check_dropout(self.dropout)?;
        if !(1..=20).contains(&self.blocks) {
            let message = format!("needs 1 to 20 blocks, got {}", self.blocks);
            return Err(Error::config("blocks", message));
        }
        let fits =
            if self.causal { self.kernel >= 2 } else { self.kernel >= 3 && self.kernel % 2 == 1 };
        if !fits {
            let needed = if self.causal { "at least 2" } else { "an odd number of at least 3" };
            return Err(Error::config("kernel", format!("needs {needed}, got {}", self.kernel)));
        }
        let width = self.width;
        let blocks = (0..self.blocks).map(|i| {
            let vars = ctx.vars.sub(format!("block_{i}"));
            let bound = (3.0 / (width * self.kernel) as f64).sqrt();
            Block {
                modulation: Linear::new(
                    &vars.sub("modulation"),
                    width,
                    2 * width,
                    WeightInit::Zero,
                ),
                weight: vars.var(
                    "weight",
                    &[width, width, self.kernel],
                    nn::Init::Uniform { lo: -bound, up: bound },
                ),
                bias: vars.zeros("bias", &[width]),
                out: Linear::new(&vars.sub("out"), width, width, WeightInit::LeCun),
                dilation: 1 << i,
            }
        });
        Ok(Box::new(Stack {
            tokens,
            blocks: blocks.collect(),
            out: Linear::new(&ctx.vars.sub("out"), width, outputs, WeightInit::Zero),
            spec: self.clone(),
        }))
    }
}

struct Block {
    modulation: Linear,
    weight: Tensor,
    bias: Tensor,
    out: Linear,
    dilation: i64,
}

struct Stack {
    tokens: Tokens,
    blocks: Vec<Block>,
    out: Linear,
    spec: TemporalConv,
}

impl Network for Stack {
    fn forward(&self, input: &NetworkInput<'_>, pass: Pass) -> Result<Tensor> {
        let row = self.tokens.row(input, pass);
        let act = self.spec.activation;
        let mut h = row.tokens;
        for block in &self.blocks {
            let modulation = block.modulation.forward(&row.said).unsqueeze(1).chunk(2, -1);
            let normed = norm(&h, self.spec.width) * (&modulation[0] + 1.0) + &modulation[1];
            // Padding is zero for a convolution, as what lies outside is.
            let seen = keep(&act.apply(&normed), row.mask.as_ref()).transpose(1, 2);
            let reach = block.dilation * (self.spec.kernel - 1);
            let before = if self.spec.causal { reach } else { reach / 2 };
            let seen = seen.constant_pad_nd([before, reach - before]);
            let bias = Some(&block.bias);
            let seen = seen.conv1d(&block.weight, bias, [1], [0], [block.dilation], 1);
            let seen = dropout(act.apply(&seen.transpose(1, 2)), self.spec.dropout, pass);
            h = &h + block.out.forward(&seen);
        }
        let h = norm(&self.tokens.of_z(&h), self.spec.width);
        Ok(self.out.forward(&h))
    }
}

/// Mean 0 and deviation 1 over the features of each position.
pub(super) fn norm(h: &Tensor, width: i64) -> Tensor {
    h.layer_norm([width], None::<&Tensor>, None::<&Tensor>, 1e-5, false)
}
