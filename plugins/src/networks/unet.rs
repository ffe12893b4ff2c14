use crate::conv::{Attention, Conv, GroupNorm, Inputs, ResBlock, check_image, upsample};
use crate::layers::WeightInit;
use triflow::kernels::channels_last;
use triflow::prelude::*;

triflow::component! {
    /// A U-Net over images: residual blocks down to lower resolutions and up again.
    ///
    /// Each level's outputs on the way down are inputs of the same level on the way up. Features of
    /// time and condition scale and shift the second group norm of every block. A condition that is
    /// an image of the height and width of z is concatenated to z as further channels; labels and
    /// vectors are embedded. The last layer starts at zero. Heights and widths are halved, rounded
    /// up.
    #[reference = "Ronneberger et al. 2015, arXiv 1505.04597; \
                   Dhariwal and Nichol 2021, arXiv 2105.05233"]
    pub struct Unet: Network = "unet" {
        /// Number of channels of each level, from full resolution down: multiples of 4.
        #[range(min = 4, max = crate::layers::MAX_FEATURES)]
        #[length(min = 1)]
        pub channels: Vec<i64> = vec![32, 64, 64],
        /// Number of residual blocks a level, on the way down and on the way up.
        #[range(min = 1, max = crate::layers::MAX_LAYERS)]
        pub blocks: i64 = 1,
        /// Heights (rows of pixels) of the levels with self-attention between pixels.
        pub attention: Vec<i64> = vec![4, 7, 8],
        /// Number of attention heads.
        #[range(min = 1, max = crate::layers::MAX_FEATURES)]
        pub heads: i64 = 4,
        /// Number of features of time and condition.
        #[range(min = 1, max = crate::layers::MAX_FEATURES)]
        pub features: i64 = 128,
        /// Dropout inside each block.
        #[range(min = 0, below = 1)]
        pub dropout: f64 = 0.0,
    }
}

impl Spec<dyn Network> for Unet {
    fn build(&self, ctx: &NetworkContext) -> Result<Box<dyn Network>> {
        let z = check_image(ctx, "unet")?;
        if let Some(channels) = self.channels.iter().find(|channels| **channels % 4 != 0) {
            let message = format!("needs multiples of 4, got {channels}");
            return Err(Error::config("channels", message));
        }
        let inputs = Inputs::new(ctx, z, self.features);
        let vars = &ctx.vars;
        let stage = |name: String, from, to, height: i64| -> Result<Stage> {
            let vars = vars.sub(name);
            let attends = self.attention.contains(&height);
            Ok(Stage {
                block: ResBlock::new(&vars.sub("block"), from, to, self.features, self.dropout),
                attention: attends
                    .then(|| Attention::new(&vars.sub("attention"), to, self.heads))
                    .transpose()?,
            })
        };
        let first = self.channels[0];
        let entry = Conv::new(&vars.sub("entry"), inputs.channels(z), first, 3, WeightInit::LeCun);
        let (mut now, mut height) = (first, z.height);
        let mut heights = Vec::new();
        let mut down = Vec::new();
        for (i, &channels) in self.channels.iter().enumerate() {
            let halve = (i > 0).then(|| {
                height = (height + 1) / 2;
                Conv::halving(&vars.sub(format!("down_{i}")), now, now)
            });
            let mut stages = Vec::new();
            for k in 0..self.blocks {
                stages.push(stage(format!("down_{i}_{k}"), now, channels, height)?);
                now = channels;
            }
            heights.push(height);
            down.push((halve, stages));
        }
        let middle = [
            stage("middle_0".to_owned(), now, now, height)?,
            stage("middle_1".to_owned(), now, now, 0)?,
        ];
        let mut up = Vec::new();
        for (i, (&channels, &height)) in self.channels.iter().zip(&heights).enumerate().rev() {
            let mut stages = Vec::new();
            for k in 0..self.blocks {
                stages.push(stage(format!("up_{i}_{k}"), now + channels, channels, height)?);
                now = channels;
            }
            let smooth = (i > 0)
                .then(|| Conv::new(&vars.sub(format!("up_{i}")), now, now, 3, WeightInit::LeCun));
            up.push((stages, smooth));
        }
        Ok(Box::new(UnetNetwork {
            inputs,
            entry,
            down,
            middle,
            up,
            norm: GroupNorm::new(&vars.sub("norm"), now),
            out: Conv::new(&vars.sub("out"), now, z.channels, 3, WeightInit::Zero),
        }))
    }
}

/// A residual block, and the attention after it.
struct Stage {
    block: ResBlock,
    attention: Option<Attention>,
}

impl Stage {
    fn forward(&self, x: &Tensor, features: &Tensor, pass: Pass) -> Tensor {
        let h = self.block.forward(x, Some(features), pass);
        match &self.attention {
            Some(attention) => attention.forward(&h),
            None => h,
        }
    }
}

struct UnetNetwork {
    inputs: Inputs,
    entry: Conv,
    /// Halving, then the blocks of a level.
    down: Vec<(Option<Conv>, Vec<Stage>)>,
    middle: [Stage; 2],
    /// The blocks of a level, then the convolution after the doubling; from the lowest level up.
    up: Vec<(Vec<Stage>, Option<Conv>)>,
    norm: GroupNorm,
    out: Conv,
}

impl Network for UnetNetwork {
    fn forward(&self, input: &NetworkInput<'_>, pass: Pass) -> Result<Tensor> {
        let (z, features) = self.inputs.forward(input);
        let mut h = self.entry.forward(&channels_last(&z));
        let mut skips = Vec::new();
        for (halve, stages) in &self.down {
            if let Some(halve) = halve {
                h = halve.forward(&h);
            }
            for stage in stages {
                h = stage.forward(&h, &features, pass);
                skips.push(h.shallow_clone());
            }
        }
        for stage in &self.middle {
            h = stage.forward(&h, &features, pass);
        }
        for (stages, smooth) in &self.up {
            for stage in stages {
                if let Some(skip) = skips.pop() {
                    h = stage.forward(&Tensor::cat(&[h, skip], 1), &features, pass);
                }
            }
            if let (Some(smooth), Some(next)) = (smooth, skips.last()) {
                h = smooth.forward(&upsample(&h, &next.size()[2..]));
            }
        }
        Ok(self.out.forward(&self.norm.swish(&h, None)).contiguous())
    }
}
