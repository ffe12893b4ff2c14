use super::tokens::{Placement, Tokens};
use crate::layers::{Activation, Linear, WeightInit, along_last, dropout, modulate};
use triflow::kernels::Affine;
use triflow::prelude::*;
use triflow::sequence::keep;

triflow::component! {
    /// Dilated residual convolutions over the positions of a sequence (TCN).
    ///
    /// Each block is h + W·act(conv(act(norm(h)·(1 + scale) + shift))) at each position, where
    /// scale and shift are linear in features of time and a summary of the condition. The dilation
    /// doubles from block to block: the receptive field of b blocks is (kernel − 1)·(2^b − 1)/2
    /// positions on each side, or twice as many before a position if `causal`.
    #[reference = "Bai, Kolter and Koltun 2018, arXiv 1803.01271"]
    #[aliases("tcn")]
    pub struct TemporalConv: Network = "temporal_conv" {
        /// Features at each position.
        #[range(min = 1, max = crate::layers::MAX_FEATURES)]
        pub width: i64 = 64,
        /// Number of blocks.
        #[range(min = 1, max = 20)]
        pub blocks: i64 = 6,
        /// Positions under the kernel of a convolution: odd, at least 3 (any number from 2 if
        /// `causal`).
        #[range(min = 2)]
        pub kernel: i64 = 3,
        /// Let the output at a position depend only on positions up to it, of z and of a condition
        /// beside it (and on a summary of the condition).
        pub causal: bool = false,
        /// Place of the condition; null: beside z if it has as many positions or a single one, else
        /// before.
        pub condition: Option<Placement> = None,
        /// Activation inside each block.
        pub activation: Activation = Activation::Swish,
        /// Dropout inside each block.
        #[range(min = 0, below = 1)]
        pub dropout: f64 = 0.0,
    }
}

impl Spec<dyn Network> for TemporalConv {
    fn build(&self, ctx: &NetworkContext) -> Result<Box<dyn Network>> {
        let (tokens, outputs) = Tokens::new(ctx, self.width, self.condition)?;
        if !self.causal && self.kernel % 2 == 0 {
            let message = format!("needs an odd number, got {}", self.kernel);
            return Err(Error::config("kernel", message).help("or `causal: true`"));
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
            let modulation = block.modulation.forward(&row.context).unsqueeze(1).chunk(2, -1);
            let normed = modulate(&norm(&h, self.spec.width), &modulation[0], &modulation[1]);
            // Positions in the padding are zero, like those outside the sequence.
            let inner = keep(&act.apply(&normed), row.mask.as_ref());
            h = &h + self.convolve(block, &inner, pass);
        }
        let h = norm(&self.tokens.z_tokens(&h), self.spec.width);
        Ok(self.out.forward(&h))
    }
}

impl Stack {
    /// The dilated convolution of a block and the layer after it, over `h` `[batch, n, width]`:
    /// linear layers at each position, over the features of those that the kernel sees.
    fn convolve(&self, block: &Block, h: &Tensor, pass: Pass) -> Tensor {
        let Self { spec, .. } = self;
        let (width, kernel, act) = (spec.width, spec.kernel, spec.activation);
        let reach = block.dilation * (kernel - 1);
        let before = if spec.causal { reach } else { reach / 2 };
        let padded = h.constant_pad_nd([0, 0, before, reach - before]);
        let n = h.size()[1];
        let seen: Vec<Tensor> =
            (0..kernel).map(|i| padded.narrow(1, i * block.dilation, n)).collect();
        let seen = Tensor::cat(&seen, 2);
        let weight = block.weight.transpose(1, 2).reshape([width, kernel * width]);
        let convolution = Affine { weight: &weight, bias: Some(&block.bias) };
        if spec.dropout > 0.0 && pass.dropout {
            let inner = act.apply(&along_last(&seen, &[convolution], act));
            return block.out.forward(&dropout(inner, spec.dropout, pass));
        }
        along_last(&seen, &[convolution, block.out.affine()], act)
    }
}

/// Layer norm over the features of each position: mean 0 and deviation 1.
pub(super) fn norm(h: &Tensor, width: i64) -> Tensor {
    h.layer_norm([width], None::<&Tensor>, None::<&Tensor>, 1e-5, false)
}
