//! Convolutional bodies of encoders and decoders: residual blocks between halvings or doublings of
//! an image.

use crate::conv::{Conv, GroupNorm, Image, ResBlock, upsample};
use crate::layers::{Linear, WeightInit, flatten};
use triflow::kernels::channels_last;
use triflow::prelude::*;

/// Sizes of an image and of the latent that halving it leads to.
#[derive(Clone, Copy, Debug)]
pub struct Pyramid {
    /// The image.
    pub image: Image,
    /// The latent; or, of a latent that is a vector, the image that is flattened.
    pub low: Image,
    /// Number of halvings of height and width.
    pub halvings: u32,
    /// `true` if the latent is a vector.
    pub vector: bool,
}

impl Pyramid {
    /// The sizes for targets and latents of these shapes; `component` is named in errors. For a
    /// latent that is a vector, the image is halved while its sides are even and above 4.
    ///
    /// # Errors
    /// The target is not an image, or no number of halvings leads from it to the latent.
    pub fn new(target: &[i64], latent: &[i64], width: i64, component: &str) -> Result<Self> {
        let image = Image::require(target, component, "the target")?;
        let Some(low) = Image::from_shape(latent) else {
            let mut halvings = 0;
            let mut side = (image.height, image.width);
            while side.0 % 2 == 0 && side.1 % 2 == 0 && side.0.min(side.1) > 4 {
                (side, halvings) = ((side.0 / 2, side.1 / 2), halvings + 1);
            }
            let low = Image { channels: width, height: side.0, width: side.1 };
            return Ok(Self { image, low, halvings, vector: true });
        };
        let fits = |k: &u32| (low.height << k, low.width << k) == (image.height, image.width);
        let halvings = (0..16).find(fits).ok_or_else(|| {
            let message = format!(
                "no number of halvings leads to {} from images of {} rows and {} columns",
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
        Ok(Self { image, low, halvings, vector: false })
    }

    /// Number of channels after `halvings`: doubled by each of the first two.
    pub fn channels(width: i64, halvings: u32) -> i64 {
        width << halvings.min(2)
    }
}

/// Checks the width of a convolutional encoder or decoder.
///
/// # Errors
/// It is not a multiple of 4.
pub fn check_width(width: i64) -> Result<()> {
    match width % 4 {
        0 => Ok(()),
        _ => Err(Error::config("width", format!("needs a multiple of 4, got {width}"))),
    }
}

/// Body of an encoder: from images down to latents.
#[derive(Debug)]
pub struct Down {
    entry: Conv,
    levels: Vec<(Vec<ResBlock>, Option<Conv>)>,
    norm: GroupNorm,
    out: Conv,
    /// Linear layer to a latent that is a vector.
    head: Option<Linear>,
}

impl Down {
    /// A body with `outputs` channels, or entries where the latent is a vector.
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
        let channels = if shape.vector { shape.low.channels } else { outputs };
        let entries = channels * shape.low.height * shape.low.width;
        Self {
            entry: Conv::new(&vars.sub("entry"), shape.image.channels, width, 3, WeightInit::LeCun),
            levels,
            norm: GroupNorm::new(&vars.sub("norm"), now),
            out: Conv::new(&vars.sub("out"), now, channels, 3, WeightInit::LeCun),
            head: shape
                .vector
                .then(|| Linear::new(&vars.sub("head"), entries, outputs, WeightInit::LeCun)),
        }
    }

    /// `[batch, C, H, W]` → `[batch, outputs, h, w]` or `[batch, outputs]`.
    pub fn forward(&self, x: &Tensor, pass: Pass) -> Tensor {
        let mut h = self.entry.forward(&channels_last(x));
        for (blocks, halve) in &self.levels {
            for block in blocks {
                h = block.forward(&h, None, pass);
            }
            if let Some(halve) = halve {
                h = halve.forward(&h);
            }
        }
        let h = self.out.forward(&self.norm.swish(&h, None)).contiguous();
        match &self.head {
            Some(head) => head.forward(&flatten(&h)),
            None => h,
        }
    }
}

/// Body of a decoder: from latents up to images.
#[derive(Debug)]
pub struct Up {
    /// Linear layer from a latent that is a vector.
    head: Option<Linear>,
    low: Image,
    entry: Conv,
    levels: Vec<(Option<Conv>, Vec<ResBlock>)>,
    norm: GroupNorm,
    out: Conv,
}

impl Up {
    /// A body for latents of `shape`; `inputs` are the entries of a latent that is a vector.
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
        let entry = Conv::new(&vars.sub("entry"), low.channels, now, 3, WeightInit::LeCun);
        let levels = (0..=shape.halvings)
            .rev()
            .map(|i| {
                let vars = vars.sub(format!("level_{i}"));
                let smooth = (i < shape.halvings).then(|| {
                    let next = Pyramid::channels(width, i);
                    let from = std::mem::replace(&mut now, next);
                    Conv::new(&vars.sub("double"), from, next, 3, WeightInit::LeCun)
                });
                let stages = (0..blocks)
                    .map(|k| ResBlock::new(&vars.sub(format!("block_{k}")), now, now, 0, dropout))
                    .collect();
                (smooth, stages)
            })
            .collect();
        Self {
            head: shape
                .vector
                .then(|| Linear::new(&vars.sub("head"), inputs, entries, WeightInit::LeCun)),
            low,
            entry,
            levels,
            norm: GroupNorm::new(&vars.sub("norm"), now),
            out: Conv::new(&vars.sub("out"), now, shape.image.channels, 3, WeightInit::LeCun),
        }
    }

    /// `[batch, …latent]` → `[batch, C, H, W]`.
    pub fn forward(&self, z: &Tensor, pass: Pass) -> Tensor {
        let Image { channels, height, width } = self.low;
        let z = match &self.head {
            Some(head) => head.forward(z).view([-1, channels, height, width]),
            None => z.shallow_clone(),
        };
        let mut h = self.entry.forward(&channels_last(&z));
        for (smooth, blocks) in &self.levels {
            if let Some(smooth) = smooth {
                let size = h.size();
                h = smooth.forward(&upsample(&h, &[2 * size[2], 2 * size[3]]));
            }
            for block in blocks {
                h = block.forward(&h, None, pass);
            }
        }
        self.out.forward(&self.norm.swish(&h, None)).contiguous()
    }
}
