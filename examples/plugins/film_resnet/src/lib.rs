//! A plugin with one component, a network.

use triflow::prelude::*;
use triflow::tch::nn::Module as _;

triflow::plugin!();

triflow::component! {
    /// Residual blocks with features scaled and shifted by time and condition (FiLM).
    ///
    /// Each block is h + W2·act(W1·(norm(h)·(1 + scale) + shift)) and starts as the identity; the
    /// last layer starts at zero.
    #[reference = "Perez et al. 2018, arXiv 1709.07871; Peebles & Xie 2023, arXiv 2212.09748"]
    pub struct FilmResnet: Network = "film_resnet" {
        /// Width of the residual stream.
        #[range(min = 1)]
        pub width: i64 = 128,
        /// Number of blocks.
        #[range(min = 1)]
        pub blocks: i64 = 3,
        /// Dropout inside each block.
        #[range(min = 0, below = 1)]
        pub dropout: f64 = 0.0,
    }
}

impl Spec<dyn Network> for FilmResnet {
    fn build(&self, ctx: &NetworkContext) -> Result<Box<dyn Network>> {
        let numel = |shape: &[i64]| shape.iter().product::<i64>();
        let zero = nn::LinearConfig { ws_init: nn::Init::Const(0.0), ..Default::default() };
        let linear = |name: String, inputs, outputs, config| {
            nn::linear(&ctx.vars / name, inputs, outputs, config)
        };
        let context = ctx.time_features + ctx.condition_shape.as_deref().map_or(0, numel);
        let block = |i| Block {
            film: linear(format!("film_{i}"), self.width, 2 * self.width, zero),
            inner: linear(format!("inner_{i}"), self.width, self.width, Default::default()),
            outer: linear(format!("outer_{i}"), self.width, self.width, zero),
        };
        Ok(Box::new(Net {
            enter: linear("enter".into(), numel(&ctx.z_shape), self.width, Default::default()),
            context: linear("context".into(), context, self.width, Default::default()),
            blocks: (0..self.blocks).map(block).collect(),
            leave: linear("leave".into(), self.width, numel(&ctx.output_shape), zero),
            conditional: ctx.condition_shape.is_some(),
            output_shape: ctx.output_shape.clone(),
            dropout: self.dropout,
        }))
    }
}

struct Block {
    film: nn::Linear,
    inner: nn::Linear,
    outer: nn::Linear,
}

struct Net {
    enter: nn::Linear,
    context: nn::Linear,
    blocks: Vec<Block>,
    leave: nn::Linear,
    conditional: bool,
    output_shape: Vec<i64>,
    dropout: f64,
}

impl Network for Net {
    fn forward(&self, input: &NetworkInput<'_>, pass: Pass) -> Result<Tensor> {
        let mut context = vec![input.time.shallow_clone()];
        if let (true, Some(condition)) = (self.conditional, input.condition) {
            let value = condition.value.flatten(1, -1);
            context.push(match &condition.present {
                Some(present) => value * present.view([-1, 1]),
                None => value,
            });
        }
        let context = self.context.forward(&Tensor::cat(&context, 1)).silu();
        let mut h = self.enter.forward(&input.z.flatten(1, -1));
        for block in &self.blocks {
            let film = block.film.forward(&context).chunk(2, 1);
            let normal = h.layer_norm(&h.size()[1..], None::<Tensor>, None::<Tensor>, 1e-5, false);
            let inner = block.inner.forward(&(normal * (&film[0] + 1.0) + &film[1])).silu();
            h = &h + block.outer.forward(&inner.dropout(self.dropout, pass.dropout));
        }
        let out = self.leave.forward(&h);
        Ok(out.view([&[input.z.size()[0]], &self.output_shape[..]].concat().as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::FilmResnet;

    #[test]
    fn conforms() {
        triflow::testing::conforms(FilmResnet::default());
        triflow::testing::conforms(FilmResnet { width: 16, blocks: 1, dropout: 0.2 });
    }
}
