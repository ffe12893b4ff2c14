//! Between images and latents: residual blocks and convolutions that halve an image, or double it.

use crate::conv::{Conv, GroupNorm, Image, ResBlock, enlarge};
use crate::layers::{Linear, Start, flatten};
use triflow::prelude::*;

/// How an image becomes a latent by halving it, and a latent an image.
#[derive(Clone, Copy, Debug)]
pub struct Pyramid {
    /// The image.
    pub image: Image,
    /// The latent, or what is flattened into it.
    pub low: Image,
    /// How often height and width are halved.
    pub halvings: u32,
    /// Whether the latent is a vector.
    pub flat: bool,
}

impl Pyramid {
    /// Between images of shape `target` and latents of shape `latent`; `who` asks. A latent that is a vector comes
    /// from as few pixels as halving gives, at least 4 a side.
    pub fn new(target: &[i64], latent: &[i64], width: i64, who: &str) -> Result<Self> {
        let image = Image::needed(target, who, "the target")?;
        let Some(low) = Image::of(latent) else {
            let mut halvings = 0;
            let mut side = (image.height, image.width);
            while side.0 % 2 == 0 && side.1 % 2 == 0 && side.0.min(side.1) > 4 {
                (side, halvings) = ((side.0 / 2, side.1 / 2), halvings + 1);
            }
            let low = Image { channels: width, height: side.0, width: side.1 };
            return Ok(Self { image, low, halvings, flat: true });
        };
        let fits = |k: &u32| (low.height << k, low.width << k) == (image.height, image.width);
        let halvings = (0..16).find(fits).ok_or_else(|| {
            let message = format!(
                "{} is not what halving gives of images of {} rows and {} columns",
                shape_text(latent),
                image.height,
                image.width
            );
            let channels = low.channels;
            let (height, width) = (image.height / 2, image.width / 2);
            Error::config("latent_shape", message).help(format!(
                "such as `latent_shape: [{channels}, {height}, {width}]`, or a vector `[{channels}]`"
            ))
        })?;
        Ok(Self { image, low, halvings, flat: false })
    }

    /// Channels after `halvings`: twice as many each time, at most four times.
    pub fn channels(width: i64, halvings: u32) -> i64 {
        width << halvings.min(2)
    }
}

/// What encoders and decoders that convolve have in common.
pub fn check_pyramid(width: i64, blocks: i64, dropout: f64) -> Result<()> {
    if width < 4 || width % 4 != 0 {
        return Err(Error::config("width", format!("needs a multiple of 4, got {width}")));
    }
    crate::layers::check_features("width", width)?;
    crate::layers::check_layers("blocks", blocks)?;
    crate::layers::check_dropout(dropout)
}

/// From images down to features of latents.
#[derive(Debug)]
pub struct Down {
    entry: Conv,
    levels: Vec<(Vec<ResBlock>, Option<Conv>)>,
    norm: GroupNorm,
    out: Conv,
    /// For a vector.
    head: Option<Linear>,
}

impl Down {
    /// `outputs`: channels, or entries of a vector.
    pub fn new(
        vars: &nn::Path,
        shape: Pyramid,
        width: i64,
        blocks: i64,
        dropout: f64,
        outputs: i64,
    ) -> Self {
        let mut now = width;
        let levels = (0..=shape.halvings)
            .map(|i| {
                let vars = vars.sub(format!("level_{i}"));
                let stages = (0..blocks)
                    .map(|k| ResBlock::new(&vars.sub(format!("block_{k}")), now, now, 0, dropout))
                    .collect();
                let halve = (i < shape.halvings).then(|| {
                    let next = Pyramid::channels(width, i + 1);
                    Conv::halving(&vars.sub("halve"), std::mem::replace(&mut now, next), next)
                });
                (stages, halve)
            })
            .collect();
        let channels = if shape.flat { shape.low.channels } else { outputs };
        let entries = channels * shape.low.height * shape.low.width;
        Self {
            entry: Conv::new(&vars.sub("entry"), shape.image.channels, width, 3, Start::Usual),
            levels,
            norm: GroupNorm::new(&vars.sub("norm"), now),
            out: Conv::new(&vars.sub("out"), now, channels, 3, Start::Usual),
            head: shape
                .flat
                .then(|| Linear::new(&vars.sub("head"), entries, outputs, Start::Usual)),
        }
    }

    /// `[batch, C, H, W]` → `[batch, outputs, h, w]` or `[batch, outputs]`.
    pub fn forward(&self, x: &Tensor, pass: Pass) -> Tensor {
        let mut h = self.entry.forward(x);
        for (blocks, halve) in &self.levels {
            for block in blocks {
                h = block.forward(&h, None, pass);
            }
            if let Some(halve) = halve {
                h = halve.forward(&h);
            }
        }
        let h = self.out.forward(&self.norm.forward(&h).silu());
        match &self.head {
            Some(head) => head.forward(&flatten(&h)),
            None => h,
        }
    }
}

/// From latents up to images.
#[derive(Debug)]
pub struct Up {
    /// For a vector.
    head: Option<Linear>,
    low: Image,
    entry: Conv,
    levels: Vec<(Option<Conv>, Vec<ResBlock>)>,
    norm: GroupNorm,
    out: Conv,
}

impl Up {
    /// `inputs`: entries of a vector; the channels of an image are the shape's.
    pub fn new(
        vars: &nn::Path,
        shape: Pyramid,
        width: i64,
        blocks: i64,
        dropout: f64,
        inputs: i64,
    ) -> Self {
        let low = shape.low;
        let entries = low.channels * low.height * low.width;
        let mut now = Pyramid::channels(width, shape.halvings);
        let entry = Conv::new(&vars.sub("entry"), low.channels, now, 3, Start::Usual);
        let levels = (0..=shape.halvings)
            .rev()
            .map(|i| {
                let vars = vars.sub(format!("level_{i}"));
                let smooth = (i < shape.halvings).then(|| {
                    let next = Pyramid::channels(width, i);
                    let from = std::mem::replace(&mut now, next);
                    Conv::new(&vars.sub("double"), from, next, 3, Start::Usual)
                });
                let stages = (0..blocks)
                    .map(|k| ResBlock::new(&vars.sub(format!("block_{k}")), now, now, 0, dropout))
                    .collect();
                (smooth, stages)
            })
            .collect();
        Self {
            head: shape.flat.then(|| Linear::new(&vars.sub("head"), inputs, entries, Start::Usual)),
            low,
            entry,
            levels,
            norm: GroupNorm::new(&vars.sub("norm"), now),
            out: Conv::new(&vars.sub("out"), now, shape.image.channels, 3, Start::Usual),
        }
    }

    /// `[batch, …latent]` → `[batch, C, H, W]`.
    pub fn forward(&self, z: &Tensor, pass: Pass) -> Tensor {
        let Image { channels, height, width } = self.low;
        let z = match &self.head {
            Some(head) => head.forward(z).view([-1, channels, height, width]),
            None => z.shallow_clone(),
        };
        let mut h = self.entry.forward(&z);
        for (smooth, blocks) in &self.levels {
            if let Some(smooth) = smooth {
                let size = h.size();
                h = smooth.forward(&enlarge(&h, &[2 * size[2], 2 * size[3]]));
            }
            for block in blocks {
                h = block.forward(&h, None, pass);
            }
        }
        self.out.forward(&self.norm.forward(&h).silu())
    }
}
