use crate::conv::{Image, Inputs, check_image};
use crate::layers::{Activation, Linear, WeightInit, along_last, dropout, modulate};
use triflow::kernels::attention;
use triflow::prelude::*;

triflow::component! {
    /// A transformer over patches of images, modulated by time and condition (adaLN-zero).
    ///
    /// Features of time and condition scale and shift the layer norms and gate the branches of each
    /// block. Positions are sines and cosines of row and column. A condition that is an image of
    /// the height and width of z is concatenated to z as further channels; labels and vectors are
    /// embedded. Every block starts as the identity, the last layer at zero.
    #[reference = "Peebles and Xie 2023, arXiv 2212.09748"]
    pub struct Dit: Network = "dit" {
        /// Side of a patch in pixels; it divides height and width.
        #[range(min = 1, max = crate::layers::MAX_FEATURES)]
        pub patch: i64 = 2,
        /// Features of a token: a multiple of 4 and of `heads`.
        #[range(min = 1, max = crate::layers::MAX_FEATURES)]
        pub width: i64 = 128,
        /// Number of blocks.
        #[range(min = 1, max = crate::layers::MAX_LAYERS)]
        pub blocks: i64 = 4,
        /// Number of attention heads.
        #[range(min = 1, max = crate::layers::MAX_FEATURES)]
        pub heads: i64 = 4,
        /// Width of each block's hidden layer, as a multiple of `width`.
        #[range(min = 1, max = crate::layers::MAX_FEATURES)]
        pub ratio: i64 = 4,
        /// Dropout after each block's hidden layer.
        #[range(min = 0, below = 1)]
        pub dropout: f64 = 0.0,
    }
}

impl Spec<dyn Network> for Dit {
    fn build(&self, ctx: &NetworkContext) -> Result<Box<dyn Network>> {
        let z = check_image(ctx, "dit")?;
        let Self { patch, width, blocks, heads, ratio, dropout } = *self;
        if z.height % patch != 0 || z.width % patch != 0 {
            let message = format!(
                "images of {} rows and {} columns cannot be cut into patches of {patch}",
                z.height, z.width
            );
            return Err(Error::config("patch", message));
        }
        if width % 4 != 0 || width % heads != 0 {
            let message = format!("needs a multiple of 4 and of {heads} heads, got {width}");
            return Err(Error::config("width", message));
        }
        let inputs = Inputs::new(ctx, z, width);
        let linear =
            |vars: &nn::Path, name: &str, a, b, start| Linear::new(&vars.sub(name), a, b, start);
        let blocks = (0..blocks)
            .map(|i| {
                let vars = ctx.vars.sub(format!("block_{i}"));
                Block {
                    adapt: linear(&vars, "adapt", width, 6 * width, WeightInit::Zero),
                    qkv: Linear::with_bias(
                        &vars.sub("qkv"),
                        width,
                        3 * width,
                        WeightInit::LeCun,
                        false,
                    ),
                    out: linear(&vars, "out", width, width, WeightInit::LeCun),
                    wide: linear(&vars, "wide", width, ratio * width, WeightInit::LeCun),
                    narrow: linear(&vars, "narrow", ratio * width, width, WeightInit::LeCun),
                    heads,
                    width,
                    dropout,
                }
            })
            .collect();
        let (vars, area) = (&ctx.vars, patch * patch);
        Ok(Box::new(DitNetwork {
            entry: linear(vars, "entry", inputs.channels(z) * area, width, WeightInit::LeCun),
            inputs,
            positions: positions(z.height / patch, z.width / patch, width, vars),
            blocks,
            adapt: linear(vars, "adapt", width, 2 * width, WeightInit::Zero),
            out: linear(vars, "out", width, z.channels * area, WeightInit::Zero),
            image: z,
            patch,
            width,
        }))
    }
}

/// Position embedding of the patches, `[rows·columns, width]`: half of the features for the row,
/// half for the column.
fn positions(rows: i64, columns: i64, width: i64, vars: &nn::Path) -> Tensor {
    let quarter = width / 4;
    let axis = |is_row: bool| -> Vec<f64> {
        (0..rows * columns)
            .flat_map(|token| {
                let at = if is_row { token / columns } else { token % columns };
                (0..quarter).map(move |i| at as f64 * 1e4_f64.powf(-(i as f64) / quarter as f64))
            })
            .collect()
    };
    let angle = |is_row| Tensor::from_slice(&axis(is_row)).view([-1, quarter]);
    let (row, column) = (angle(true), angle(false));
    Tensor::cat(&[row.sin(), row.cos(), column.sin(), column.cos()], 1)
        .to_kind(vars.kind())
        .to_device(vars.device())
}

struct Block {
    adapt: Linear,
    qkv: Linear,
    out: Linear,
    wide: Linear,
    narrow: Linear,
    heads: i64,
    width: i64,
    dropout: f64,
}

/// Layer norm of tokens `[batch, tokens, width]`, scaled and shifted.
fn norm(x: &Tensor, width: i64, scale: &Tensor, shift: &Tensor) -> Tensor {
    let normed = x.layer_norm([width], None::<&Tensor>, None::<&Tensor>, 1e-6, false);
    modulate(&normed, scale, shift)
}

impl Block {
    fn forward(&self, x: &Tensor, features: &Tensor, pass: Pass) -> Tensor {
        let modulation = self.adapt.forward(features).unsqueeze(1).chunk(6, 2);
        let (batch, tokens) = (x.size()[0], x.size()[1]);
        let qkv = self.qkv.forward(&norm(x, self.width, &modulation[0], &modulation[1]));
        let qkv = qkv.view([batch, tokens, 3, self.heads, self.width / self.heads]);
        let h = attention(&[&qkv], None).reshape([batch, tokens, self.width]);
        let x = x.addcmul(&self.out.forward(&h), &modulation[2]);
        let normed = norm(&x, self.width, &modulation[3], &modulation[4]);
        let h = if self.dropout > 0.0 && pass.dropout {
            let h = Activation::GeluTanh.apply(&self.wide.forward(&normed));
            self.narrow.forward(&dropout(h, self.dropout, pass))
        } else {
            let layers = [self.wide.affine(), self.narrow.affine()];
            along_last(&normed, &layers, Activation::GeluTanh)
        };
        x.addcmul(&h, &modulation[5])
    }
}

struct DitNetwork {
    inputs: Inputs,
    entry: Linear,
    positions: Tensor,
    blocks: Vec<Block>,
    adapt: Linear,
    out: Linear,
    image: Image,
    patch: i64,
    width: i64,
}

impl Network for DitNetwork {
    fn forward(&self, input: &NetworkInput<'_>, pass: Pass) -> Result<Tensor> {
        let (z, features) = self.inputs.forward(input);
        let (p, Image { channels, height, width }) = (self.patch, self.image);
        let (rows, columns, batch) = (height / p, width / p, z.size()[0]);
        let patches = z.view([batch, -1, rows, p, columns, p]).permute([0, 2, 4, 1, 3, 5]);
        let patches = patches.reshape([batch, rows * columns, -1]);
        let mut h = self.entry.forward(&patches) + &self.positions;
        for block in &self.blocks {
            h = block.forward(&h, &features, pass);
        }
        let modulation = self.adapt.forward(&features).unsqueeze(1).chunk(2, 2);
        let out = self.out.forward(&norm(&h, self.width, &modulation[0], &modulation[1]));
        let out = out.view([batch, rows, columns, channels, p, p]).permute([0, 3, 1, 4, 2, 5]);
        Ok(out.reshape([batch, channels, height, width]))
    }
}
