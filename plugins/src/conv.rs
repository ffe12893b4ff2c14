//! What networks over images share: convolutions, group norm, residual blocks, attention, and the features of
//! time and condition that reach every block.

use crate::layers::{Linear, Start, dropout, flat, flatten};
use triflow::prelude::*;

/// An image's channels, height and width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image {
    /// Channels.
    pub channels: i64,
    /// Rows.
    pub height: i64,
    /// Columns.
    pub width: i64,
}

impl Image {
    /// Of a shape `[C, H, W]`.
    pub fn of(shape: &[i64]) -> Option<Self> {
        match *shape {
            [channels, height, width] => Some(Self { channels, height, width }),
            _ => None,
        }
    }

    /// The same, or an error that names what needs it.
    pub fn needed(shape: &[i64], who: &str, what: &str) -> Result<Self> {
        Self::of(shape).ok_or_else(|| {
            let message = format!(
                "`{who}` needs images: {what} has shape {}, not [channels, height, width]",
                shape_text(shape)
            );
            Error::config("", message).help("use `mlp` or `resnet` for vectors")
        })
    }

    /// Whether both have the same height and width.
    pub fn lies_on(self, other: Self) -> bool {
        (self.height, self.width) == (other.height, other.width)
    }
}

/// A convolution with a square kernel that keeps height and width, or halves them (rounded up).
#[derive(Debug)]
pub struct Conv {
    weight: Tensor,
    bias: Tensor,
    stride: i64,
}

impl Conv {
    /// `kernel` is odd; variables are `weight` `[outputs, inputs, kernel, kernel]` and `bias` `[outputs]`.
    pub fn new(vars: &nn::Path, inputs: i64, outputs: i64, kernel: i64, start: Start) -> Self {
        let bound = match start {
            Start::Usual => (3.0 / (inputs * kernel * kernel) as f64).sqrt(),
            Start::Small => (1.0 / (inputs * kernel * kernel) as f64).sqrt(),
            Start::Zero => 0.0,
        };
        let law = match start {
            Start::Zero => nn::Init::Const(0.0),
            _ => nn::Init::Uniform { lo: -bound, up: bound },
        };
        Self {
            weight: vars.var("weight", &[outputs, inputs, kernel, kernel], law),
            bias: vars.zeros("bias", &[outputs]),
            stride: 1,
        }
    }

    /// One of kernel 3 that halves height and width.
    pub fn halving(vars: &nn::Path, inputs: i64, outputs: i64) -> Self {
        Self { stride: 2, ..Self::new(vars, inputs, outputs, 3, Start::Usual) }
    }

    /// `[batch, inputs, H, W]` → `[batch, outputs, H, W]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let (pad, stride) = (self.weight.size()[2] / 2, self.stride);
        x.conv2d(&self.weight, Some(&self.bias), [stride, stride], [pad, pad], [1, 1], 1)
    }
}

/// Group norm over groups of at least four channels, at most 32 groups.
#[derive(Debug)]
pub struct GroupNorm {
    groups: i64,
    weight: Tensor,
    bias: Tensor,
}

impl GroupNorm {
    /// Variables are `weight` and `bias`, `[channels]`.
    pub fn new(vars: &nn::Path, channels: i64) -> Self {
        let groups = (1..=(channels / 4).clamp(1, 32)).rev().find(|g| channels % g == 0);
        Self {
            groups: groups.unwrap_or(1),
            weight: vars.ones("weight", &[channels]),
            bias: vars.zeros("bias", &[channels]),
        }
    }

    /// `[batch, channels, H, W]`, same shape.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.group_norm(self.groups, Some(&self.weight), Some(&self.bias), 1e-5, false)
    }
}

/// x + conv(act(norm(conv(act(norm x))))): the second norm is scaled and shifted by features of time and
/// condition, where there are any; the last convolution starts at zero.
#[derive(Debug)]
pub struct ResBlock {
    norms: [GroupNorm; 2],
    convs: [Conv; 2],
    /// To scale and shift of the second norm.
    adapt: Option<Linear>,
    /// Where inputs and outputs differ in number.
    skip: Option<Conv>,
    dropout: f64,
}

impl ResBlock {
    /// From `inputs` to `outputs` channels; `features` of time and condition, 0 for none.
    pub fn new(vars: &nn::Path, inputs: i64, outputs: i64, features: i64, dropout: f64) -> Self {
        let conv =
            |name: &str, a, b, kernel, start| Conv::new(&vars.sub(name), a, b, kernel, start);
        Self {
            norms: [
                GroupNorm::new(&vars.sub("norm_0"), inputs),
                GroupNorm::new(&vars.sub("norm_1"), outputs),
            ],
            convs: [
                conv("conv_0", inputs, outputs, 3, Start::Usual),
                conv("conv_1", outputs, outputs, 3, Start::Zero),
            ],
            adapt: (features > 0)
                .then(|| Linear::new(&vars.sub("adapt"), features, 2 * outputs, Start::Small)),
            skip: (inputs != outputs).then(|| conv("skip", inputs, outputs, 1, Start::Usual)),
            dropout,
        }
    }

    /// `[batch, inputs, H, W]` → `[batch, outputs, H, W]`; `features` `[batch, features]`.
    pub fn forward(&self, x: &Tensor, features: Option<&Tensor>, pass: Pass) -> Tensor {
        let h = self.convs[0].forward(&self.norms[0].forward(x).silu());
        let mut h = self.norms[1].forward(&h);
        if let (Some(adapt), Some(features)) = (&self.adapt, features) {
            let both = adapt.forward(features).unsqueeze(-1).unsqueeze(-1).chunk(2, 1);
            h = &h * (&both[0] + 1.0) + &both[1];
        }
        let h = self.convs[1].forward(&dropout(h.silu(), self.dropout, pass));
        match &self.skip {
            Some(skip) => skip.forward(x) + h,
            None => x + h,
        }
    }
}

/// Attention of every pixel to all others, added to what comes in; it starts at zero.
#[derive(Debug)]
pub struct Attention {
    norm: GroupNorm,
    qkv: Tensor,
    out: Conv,
    heads: i64,
}

impl Attention {
    /// An error where the channels cannot be shared out among the heads.
    pub fn new(vars: &nn::Path, channels: i64, heads: i64) -> Result<Self> {
        if heads < 1 || channels % heads != 0 {
            let message = format!("{channels} channels cannot be shared out among {heads} heads");
            return Err(Error::config("heads", message));
        }
        let bound = (3.0 / channels as f64).sqrt();
        Ok(Self {
            norm: GroupNorm::new(&vars.sub("norm"), channels),
            // Without a bias: that of the keys would change nothing.
            qkv: vars.var(
                "qkv",
                &[3 * channels, channels, 1, 1],
                nn::Init::Uniform { lo: -bound, up: bound },
            ),
            out: Conv::new(&vars.sub("out"), channels, channels, 1, Start::Zero),
            heads,
        })
    }

    /// `[batch, channels, H, W]`, same shape.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let size = x.size();
        let (batch, channels, pixels) = (size[0], size[1], size[2] * size[3]);
        let qkv =
            self.norm.forward(x).conv2d(&self.qkv, None::<&Tensor>, [1, 1], [0, 0], [1, 1], 1);
        let qkv = qkv.view([batch, 3, self.heads, channels / self.heads, pixels]).transpose(3, 4);
        let h = attend(&qkv.select(1, 0), &qkv.select(1, 1), &qkv.select(1, 2));
        x + self.out.forward(&h.transpose(2, 3).reshape(size.as_slice()))
    }
}

/// softmax(q·kᵀ/√d)·v over the last two axes, `[batch, heads, tokens, d]`.
pub fn attend(q: &Tensor, k: &Tensor, v: &Tensor) -> Tensor {
    Tensor::scaled_dot_product_attention(q, k, v, None::<&Tensor>, 0.0, false, None::<f64>, false)
}

/// A condition that is an image over the same pixels as z joins it as further channels; any other one (a label,
/// a vector) is embedded by a linear map, to which time is added: for one-hot labels, a learned vector a class.
#[derive(Debug)]
pub struct Inputs {
    time: Linear,
    /// `[features, entries]`.
    embedding: Option<Linear>,
    out: Linear,
    /// Channels that join z.
    joined: i64,
}

impl Inputs {
    /// `features` numbers about time and condition; variables are `time`, `condition` and `features`.
    pub fn new(ctx: &NetworkContext, z: Image, features: i64) -> Self {
        let image = ctx.condition_shape.as_deref().and_then(Image::of).filter(|c| c.lies_on(z));
        let linear = |name: &str, inputs, outputs, start, biased| {
            Linear::with_bias(&ctx.vars.sub(name), inputs, outputs, start, biased)
        };
        let vector = ctx.condition_shape.as_deref().filter(|_| image.is_none()).map(flat);
        Self {
            time: linear("time", ctx.time_features, features, Start::Usual, true),
            embedding: vector
                .map(|entries| linear("condition", entries, features, Start::Usual, false)),
            out: linear("features", features, features, Start::Usual, true),
            joined: image.map_or(0, |image| image.channels),
        }
    }

    /// Channels of z and what joins it.
    pub fn channels(&self, z: Image) -> i64 {
        z.channels + self.joined
    }

    /// z and what joins it, `[batch, channels, H, W]`; features of time and condition, `[batch, features]`. Where
    /// a row's condition is absent, zeros take its place.
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

/// Refuses a network of images where a derivative of it is used, or where it should give something else than z.
pub fn check_image(ctx: &NetworkContext, who: &str) -> Result<Image> {
    let z = Image::needed(&ctx.z_shape, who, "z")?;
    if *ctx.derivatives.end() > 0 || ctx.output_shape != ctx.z_shape {
        let message =
            format!("`{who}` gives an image, not the scalar whose derivatives are used here");
        return Err(Error::config("", message).help("use it under `crn: { type: vanilla }`"));
    }
    Ok(z)
}

/// Doubles height and width by repeating pixels, cut to those of `like`.
pub fn enlarge(x: &Tensor, like: &[i64]) -> Tensor {
    x.upsample_nearest2d(like, None, None)
}
