use super::temporal_conv::norm;
use super::tokens::{Placement, Tokens};
use crate::layers::{Activation, Linear, WeightInit, along_last, dropout, modulate};
use triflow::kernels::attention;
use triflow::prelude::*;
use triflow::tch::{Device, Kind};

triflow::component! {
    /// A transformer over the positions of a sequence, with rotary position embeddings.
    ///
    /// Each block is h + gate·attention(norm(h)·(1 + scale) + shift), followed by a network of one
    /// hidden layer at each position in place of the attention. Gates, scales and shifts are linear
    /// in features of time and a summary of the condition, and start at zero.
    #[reference = "Peebles and Xie 2023, arXiv 2212.09748; Su et al. 2021, arXiv 2104.09864"]
    pub struct Transformer: Network = "transformer" {
        /// Features at each position: a multiple of twice `heads`.
        #[range(min = 1, max = crate::layers::MAX_FEATURES)]
        pub width: i64 = 64,
        /// Number of blocks.
        #[range(min = 1, max = crate::layers::MAX_LAYERS)]
        pub blocks: i64 = 4,
        /// Number of attention heads.
        #[range(min = 1, max = crate::layers::MAX_FEATURES)]
        pub heads: i64 = 4,
        /// Width of each block's hidden layer, as a multiple of `width`.
        #[range(min = 1, max = crate::layers::MAX_FEATURES)]
        pub expansion: i64 = 4,
        /// Let a position attend only to positions up to it.
        pub causal: bool = false,
        /// Place of the condition; null: beside z if it has as many positions or a single one, else
        /// before.
        pub condition: Option<Placement> = None,
        /// Dropout after each block's attention and network.
        #[range(min = 0, below = 1)]
        pub dropout: f64 = 0.0,
    }
}

/// Limit of the rotation rates, in radians a position; the fastest is 1.
const SLOWEST: f64 = 1e-4;

impl Spec<dyn Network> for Transformer {
    fn build(&self, ctx: &NetworkContext) -> Result<Box<dyn Network>> {
        let (tokens, outputs) = Tokens::new(ctx, self.width, self.condition)?;
        if self.width % (2 * self.heads) != 0 {
            let message = format!(
                "needs a multiple of twice the heads, {}, got {}",
                2 * self.heads,
                self.width
            );
            return Err(Error::config("width", message));
        }
        let (width, hidden) = (self.width, self.width * self.expansion);
        let blocks = (0..self.blocks).map(|i| {
            let vars = ctx.vars.sub(format!("block_{i}"));
            let linear =
                |name: &str, from, to| Linear::new(&vars.sub(name), from, to, WeightInit::LeCun);
            Block {
                modulation: Linear::new(
                    &vars.sub("modulation"),
                    width,
                    6 * width,
                    WeightInit::Zero,
                ),
                // No bias: a shift of all keys would leave the attention as it is.
                queries: linear("queries", width, width),
                keys: Linear::with_bias(&vars.sub("keys"), width, width, WeightInit::LeCun, false),
                values: linear("values", width, width),
                joined: linear("joined", width, width),
                inner: linear("inner", width, hidden),
                outer: linear("outer", hidden, width),
            }
        });
        let half = width / self.heads / 2;
        let rates: Vec<f64> = (0..half).map(|i| SLOWEST.powf(i as f64 / half as f64)).collect();
        Ok(Box::new(SequenceTransformer {
            tokens,
            blocks: blocks.collect(),
            last: Linear::new(&ctx.vars.sub("last"), width, 2 * width, WeightInit::Zero),
            out: Linear::new(&ctx.vars.sub("out"), width, outputs, WeightInit::Zero),
            rates: Tensor::from_slice(&rates).to_device(ctx.vars.device()),
            spec: self.clone(),
        }))
    }
}

struct Block {
    modulation: Linear,
    queries: Linear,
    keys: Linear,
    values: Linear,
    joined: Linear,
    inner: Linear,
    outer: Linear,
}

struct SequenceTransformer {
    tokens: Tokens,
    blocks: Vec<Block>,
    last: Linear,
    out: Linear,
    rates: Tensor,
    spec: Transformer,
}

impl Network for SequenceTransformer {
    fn forward(&self, input: &NetworkInput<'_>, pass: Pass) -> Result<Tensor> {
        let row = self.tokens.row(input, pass);
        let (mut h, width) = (row.tokens, self.spec.width);
        let n = h.size()[1];
        let rotations = self.rotations(n, (h.kind(), h.device()));
        let bias = self.attention_bias(row.mask.as_ref(), n, (h.kind(), h.device()));
        for block in &self.blocks {
            let m = block.modulation.forward(&row.context).unsqueeze(1).chunk(6, -1);
            let normed = modulate(&norm(&h, width), &m[0], &m[1]);
            let attended = self.attend(block, &normed, &rotations, bias.as_ref());
            h = h.addcmul(&dropout(attended, self.spec.dropout, pass), &m[2]);
            let normed = modulate(&norm(&h, width), &m[3], &m[4]);
            let layers = [block.inner.affine(), block.outer.affine()];
            let widened = along_last(&normed, &layers, Activation::Gelu);
            h = h.addcmul(&dropout(widened, self.spec.dropout, pass), &m[5]);
        }
        let m = self.last.forward(&row.context).unsqueeze(1).chunk(2, -1);
        let h = modulate(&norm(&self.tokens.z_tokens(&h), width), &m[0], &m[1]);
        Ok(self.out.forward(&h))
    }
}

impl SequenceTransformer {
    /// Multi-head attention of a block over `h` `[batch, n, width]`.
    fn attend(
        &self,
        block: &Block,
        h: &Tensor,
        rotations: &[Tensor; 2],
        bias: Option<&Tensor>,
    ) -> Tensor {
        let size = h.size();
        let heads = |t: Tensor| t.view([size[0], size[1], self.spec.heads, -1]);
        let rotated = |layer: &Linear| rotate(&heads(layer.forward(h)), rotations);
        let (queries, keys) = (rotated(&block.queries), rotated(&block.keys));
        let values = heads(block.values.forward(h));
        let attended = attention(&[&queries, &keys, &values], bias);
        block.joined.forward(&attended.reshape(size.as_slice()))
    }

    /// Cosines and sines of the rotation angles at each position, `[n, 1, features of a head / 2]`.
    fn rotations(&self, n: i64, (kind, device): (Kind, Device)) -> [Tensor; 2] {
        let angles = Tensor::arange(n, (Kind::Double, device)).unsqueeze(1) * &self.rates;
        let angles = angles.unsqueeze(1);
        [angles.cos().to_kind(kind), angles.sin().to_kind(kind)]
    }

    /// Bias of the attention's logits that excludes padding and, if `causal`, later positions:
    /// `[batch or 1, 1, n or 1, n]`; `None` where nothing is excluded.
    fn attention_bias(
        &self,
        mask: Option<&Tensor>,
        n: i64,
        options: (Kind, Device),
    ) -> Option<Tensor> {
        // Finite, so that a row of nothing but padding does not become NaN.
        const NEVER: f64 = -1e9;
        let padding = mask.map(|mask| (mask.to_kind(options.0) - 1.0) * -NEVER);
        let padding = padding.map(|p| p.unsqueeze(1).unsqueeze(1));
        let later = self
            .spec
            .causal
            .then(|| (Tensor::ones([n, n], options).triu(1) * NEVER).unsqueeze(0).unsqueeze(0));
        match (padding, later) {
            (Some(padding), Some(later)) => Some((padding + later).clamp_min(NEVER)),
            (padding, later) => padding.or(later),
        }
    }
}

/// Rotates pairs of features by the angles of their positions.
fn rotate(x: &Tensor, [cos, sin]: &[Tensor; 2]) -> Tensor {
    let halves = x.chunk(2, -1);
    let (a, b) = (&halves[0], &halves[1]);
    Tensor::cat(&[a * cos - b * sin, a * sin + b * cos], -1)
}
