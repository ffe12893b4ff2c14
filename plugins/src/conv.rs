//! Convolutions, group norm, residual blocks, attention, and features of time and condition, shared
//! by the networks over images.
//!
//! All take images in any layout of memory and keep it; with channels side by side
//! ([`kernels::channels_last`]) they are faster on a CPU.

use crate::layers::{Linear, WeightInit, dropout, flatten, numel};
use triflow::kernels::{self, attention, group_norm};
use triflow::prelude::*;

/// Channels, height and width of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image {
    /// Number of channels.
    pub channels: i64,
    /// Rows of pixels.
    pub height: i64,
    /// Columns of pixels.
    pub width: i64,
}

impl Image {
    /// The image of a shape `[C, H, W]`; `None` for any other shape.
    pub fn from_shape(shape: &[i64]) -> Option<Self> {
        match *shape {
            [channels, height, width] => Some(Self { channels, height, width }),
            _ => None,
        }
    }

    /// The image of `shape`, the shape of `part` (such as "the target") in a `component` over
    /// images.
    ///
    /// # Errors
    /// `shape` has not three axes.
    pub fn require(shape: &[i64], component: &str, part: &str) -> Result<Self> {
        Self::from_shape(shape).ok_or_else(|| {
            let message = format!(
                "`{component}` needs images: {part} has shape {}, not [channels, height, width]",
                shape_text(shape)
            );
            Error::config("", message).help("use `mlp` or `resnet` for vectors")
        })
    }

    /// `true` where both have the same height and width.
    pub fn same_size(self, other: Self) -> bool {
        (self.height, self.width) == (other.height, other.width)
    }
}

/// Convolution with a square kernel that keeps height and width, or halves them (rounded up).
#[derive(Debug)]
pub struct Conv {
    weight: Tensor,
    bias: Tensor,
    stride: i64,
}

impl Conv {
    /// A convolution that keeps height and width. `kernel` is odd; the variables are `weight`
    /// `[outputs, inputs, kernel, kernel]` and `bias` `[outputs]`.
    pub fn new(vars: &nn::Path, inputs: i64, outputs: i64, kernel: i64, start: WeightInit) -> Self {
        let bound = match start {
            WeightInit::LeCun => (3.0 / (inputs * kernel * kernel) as f64).sqrt(),
            WeightInit::Small => (1.0 / (inputs * kernel * kernel) as f64).sqrt(),
            WeightInit::Zero => 0.0,
        };
        let init = match start {
            WeightInit::Zero => nn::Init::Const(0.0),
            _ => nn::Init::Uniform { lo: -bound, up: bound },
        };
        Self {
            weight: vars.var("weight", &[outputs, inputs, kernel, kernel], init),
            bias: vars.zeros("bias", &[outputs]),
            stride: 1,
        }
    }

    /// A convolution of kernel 3 that halves height and width.
    pub fn halving(vars: &nn::Path, inputs: i64, outputs: i64) -> Self {
        Self { stride: 2, ..Self::new(vars, inputs, outputs, 3, WeightInit::LeCun) }
    }

    /// `[batch, inputs, H, W]` → `[batch, outputs, H, W]`, or half of H and W, rounded up.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let (pad, stride) = (self.weight.size()[2] / 2, self.stride);
        x.conv2d(&self.weight, Some(&self.bias), [stride, stride], [pad, pad], [1, 1], 1)
    }
}

/// Group norm with at most 32 groups of at least four channels each.
#[derive(Debug)]
pub struct GroupNorm {
    groups: i64,
    weight: Tensor,
    bias: Tensor,
}

impl GroupNorm {
    /// Group norm of `channels` channels; its variables are `weight` and `bias`, `[channels]`.
    pub fn new(vars: &nn::Path, channels: i64) -> Self {
        let groups = (1..=(channels / 4).clamp(1, 32)).rev().find(|g| channels % g == 0);
        Self {
            groups: groups.unwrap_or(1),
            weight: vars.ones("weight", &[channels]),
            bias: vars.zeros("bias", &[channels]),
        }
    }

    /// `[batch, channels, H, W]` → the same shape.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        self.apply(x, None, false)
    }

    /// The norm and then swish; `modulation`, `[batch, 2·channels]`, scales (by one more) and
    /// shifts the channels in between.
    pub fn swish(&self, x: &Tensor, modulation: Option<&Tensor>) -> Tensor {
        self.apply(x, modulation, true)
    }

    fn apply(&self, x: &Tensor, modulation: Option<&Tensor>, swish: bool) -> Tensor {
        let (groups, weight, bias) = (self.groups, &self.weight, &self.bias);
        group_norm(x, kernels::GroupNorm { groups, weight, bias, modulation, swish })
    }
}

/// Residual block x + conv(act(norm(conv(act(norm x))))).
///
/// The second norm is scaled and shifted by features of time and condition, where there are any;
/// the last convolution starts at zero.
#[derive(Debug)]
pub struct ResBlock {
    norms: [GroupNorm; 2],
    convs: [Conv; 2],
    /// Scale and shift of the second norm, from the features.
    adapt: Option<Linear>,
    /// 1 × 1 convolution of the input, where the numbers of channels differ.
    skip: Option<Conv>,
    dropout: f64,
}

impl ResBlock {
    /// A block from `inputs` to `outputs` channels, with `features` features of time and condition
    /// (0: none).
    pub fn new(vars: &nn::Path, inputs: i64, outputs: i64, features: i64, dropout: f64) -> Self {
        let conv =
            |name: &str, a, b, kernel, start| Conv::new(&vars.sub(name), a, b, kernel, start);
        Self {
            norms: [
                GroupNorm::new(&vars.sub("norm_0"), inputs),
                GroupNorm::new(&vars.sub("norm_1"), outputs),
            ],
            convs: [
                conv("conv_0", inputs, outputs, 3, WeightInit::LeCun),
                conv("conv_1", outputs, outputs, 3, WeightInit::Zero),
            ],
            adapt: (features > 0)
                .then(|| Linear::new(&vars.sub("adapt"), features, 2 * outputs, WeightInit::Small)),
            skip: (inputs != outputs).then(|| conv("skip", inputs, outputs, 1, WeightInit::LeCun)),
            dropout,
        }
    }

    /// `[batch, inputs, H, W]` → `[batch, outputs, H, W]`; `features` are `[batch, features]`.
    pub fn forward(&self, x: &Tensor, features: Option<&Tensor>, pass: Pass) -> Tensor {
        let h = self.convs[0].forward(&self.norms[0].swish(x, None));
        let adapt = self.adapt.as_ref().zip(features).map(|(adapt, of)| adapt.forward(of));
        let h = self.norms[1].swish(&h, adapt.as_ref());
        let h = self.convs[1].forward(&dropout(h, self.dropout, pass));
        match &self.skip {
            Some(skip) => skip.forward(x) + h,
            None => x + h,
        }
    }
}

/// Residual self-attention between the pixels of an image; it starts at zero.
#[derive(Debug)]
pub struct Attention {
    norm: GroupNorm,
    qkv: Tensor,
    out: Conv,
    heads: i64,
}

impl Attention {
    /// Attention over `channels` channels with `heads` heads; its variables are `norm`, `qkv` and
    /// `out`.
    ///
    /// # Errors
    /// `heads` is below 1 or does not divide `channels`.
    pub fn new(vars: &nn::Path, channels: i64, heads: i64) -> Result<Self> {
        if heads < 1 || channels % heads != 0 {
            let message = format!("{channels} channels cannot be divided among {heads} heads");
            return Err(Error::config("heads", message));
        }
        let bound = (3.0 / channels as f64).sqrt();
        Ok(Self {
            norm: GroupNorm::new(&vars.sub("norm"), channels),
            // No bias: one of the keys would leave the attention as it is.
            qkv: vars.var(
                "qkv",
                &[3 * channels, channels, 1, 1],
                nn::Init::Uniform { lo: -bound, up: bound },
            ),
            out: Conv::new(&vars.sub("out"), channels, channels, 1, WeightInit::Zero),
            heads,
        })
    }

    /// `[batch, channels, H, W]` → the same shape.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let size = x.size();
        let (batch, channels, pixels) = (size[0], size[1], size[2] * size[3]);
        let qkv =
            self.norm.forward(x).conv2d(&self.qkv, None::<&Tensor>, [1, 1], [0, 0], [1, 1], 1);
        let qkv = qkv.flatten(2, 3).transpose(1, 2);
        let qkv = qkv.view([batch, pixels, 3, self.heads, channels / self.heads]);
        let h = attention(&[&qkv], None).reshape([batch, pixels, channels]).transpose(1, 2);
        x + self.out.forward(&h.view(size.as_slice()))
    }
}

/// Inputs of a network over images: z with its condition, and features of time and condition.
///
/// A condition that is an image of the height and width of z is concatenated to z as further
/// channels. Any other one (a label, a vector) is embedded by a linear map (for one-hot labels a
/// learned vector a class) and added to the embedding of time.
#[derive(Debug)]
pub struct Inputs {
    time: Linear,
    /// Embedding of a condition that is not such an image.
    embedding: Option<Linear>,
    out: Linear,
    /// Channels of the condition that are concatenated to z.
    condition_channels: i64,
}

impl Inputs {
    /// Inputs with `features` features of time and condition; the variables are below `time`,
    /// `condition` and `features`.
    pub fn new(ctx: &NetworkContext, z: Image, features: i64) -> Self {
        let image =
            ctx.condition_shape.as_deref().and_then(Image::from_shape).filter(|c| c.same_size(z));
        let linear = |name: &str, inputs, outputs, start, biased| {
            Linear::with_bias(&ctx.vars.sub(name), inputs, outputs, start, biased)
        };
        let vector = ctx.condition_shape.as_deref().filter(|_| image.is_none()).map(numel);
        Self {
            time: linear("time", ctx.time_features, features, WeightInit::LeCun, true),
            embedding: vector
                .map(|entries| linear("condition", entries, features, WeightInit::LeCun, false)),
            out: linear("features", features, features, WeightInit::LeCun, true),
            condition_channels: image.map_or(0, |image| image.channels),
        }
    }

    /// Number of channels of z and its condition.
    pub fn channels(&self, z: Image) -> i64 {
        z.channels + self.condition_channels
    }

    /// z with its condition, `[batch, channels, H, W]`, and the features of time and condition,
    /// `[batch, features]`. The condition of a row that has none is zero.
    pub fn forward(&self, input: &NetworkInput<'_>) -> (Tensor, Tensor) {
        let mut features = self.time.forward(input.time);
        let mut z = input.z.shallow_clone();
        if let Some(condition) = input.condition {
            let masked = |value: Tensor| match &condition.present {
                Some(present) => {
                    let mut size = vec![1; value.dim()];
                    size[0] = -1;
                    value * present.view(size.as_slice())
                }
                None => value,
            };
            match &self.embedding {
                Some(embedding) => {
                    features += masked(embedding.forward(&flatten(&condition.value)));
                }
                None => z = Tensor::cat(&[z, masked(condition.value.shallow_clone())], 1),
            }
        }
        (z, self.out.forward(&features.silu()).silu())
    }
}

/// Checks that a `network` over images fits its context, and returns the image z.
///
/// # Errors
/// z is not an image, a derivative of the network is used, or its output has not the shape of z.
pub fn check_image(ctx: &NetworkContext, network: &str) -> Result<Image> {
    let z = Image::require(&ctx.z_shape, network, "z")?;
    if *ctx.derivatives.end() > 0 || ctx.output_shape != ctx.z_shape {
        let message =
            format!("`{network}` gives an image, not the scalar whose derivatives are used here");
        return Err(Error::config("", message).help("use it under `crn: { type: vanilla }`"));
    }
    Ok(z)
}

/// Nearest-neighbour upsampling of `[batch, C, h, w]` to `size`, `[H, W]`.
pub fn upsample(x: &Tensor, size: &[i64]) -> Tensor {
    x.upsample_nearest2d(size, None, None)
}
