//! Linear layers, activations, dropout and flattening, shared by several networks.

pub use triflow::kernels::Activation;
use triflow::kernels::{Affine, End, chain};
use triflow::prelude::*;

/// Initial distribution of a layer's weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightInit {
    /// Uniform with variance 1/inputs, which keeps the variance of the input (LeCun et al. 1998).
    LeCun,
    /// Uniform with variance 1/(3·inputs), biases of linear layers too.
    Small,
    /// All zero: the output starts at 0.
    Zero,
}

/// y = W x + b.
#[derive(Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// A layer whose variables are `weight` `[outputs, inputs]` and `bias` `[outputs]`.
    pub fn new(vars: &nn::Path, inputs: i64, outputs: i64, start: WeightInit) -> Self {
        Self::with_bias(vars, inputs, outputs, start, true)
    }

    /// Like [`Linear::new`], but without the bias (b = 0) where `biased` is false.
    pub fn with_bias(
        vars: &nn::Path,
        inputs: i64,
        outputs: i64,
        start: WeightInit,
        biased: bool,
    ) -> Self {
        let uniform = |bound: f64| nn::Init::Uniform { lo: -bound, up: bound };
        let inverse = 1.0 / inputs.max(1) as f64;
        let (weight, bias) = match start {
            WeightInit::LeCun => (uniform((3.0 * inverse).sqrt()), nn::Init::Const(0.0)),
            WeightInit::Small => (uniform(inverse.sqrt()), uniform(inverse.sqrt())),
            WeightInit::Zero => (nn::Init::Const(0.0), nn::Init::Const(0.0)),
        };
        Self {
            weight: vars.var("weight", &[outputs, inputs], weight),
            bias: biased.then(|| vars.var("bias", &[outputs], bias)),
        }
    }

    /// A layer over several concatenated inputs, given by their widths. Each starts with an equal
    /// share of the output's variance, so that a wide one (time features) does not drown a narrow
    /// one (z).
    pub fn joined(vars: &nn::Path, widths: &[i64], outputs: i64) -> Self {
        let blocks: Vec<Tensor> = widths
            .iter()
            .map(|&width| {
                let bound = (3.0 / (width.max(1) * widths.len() as i64) as f64).sqrt();
                let block = Tensor::zeros([outputs, width], (vars.kind(), vars.device()));
                block.uniform(-bound, bound)
            })
            .collect();
        let weight = vars.var_copy("weight", &Tensor::cat(&blocks, 1));
        Self { weight, bias: Some(vars.zeros("bias", &[outputs])) }
    }

    /// A layer of factors: its outputs start around 1.
    pub fn around_one(vars: &nn::Path, inputs: i64, outputs: i64) -> Self {
        let layer = Self::new(vars, inputs, outputs, WeightInit::LeCun);
        if let Some(bias) = &layer.bias {
            let _ = triflow::tch::no_grad(|| bias.shallow_clone().fill_(1.0));
        }
        layer
    }

    /// `[…, inputs]` → `[…, outputs]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        along_last(x, &[self.affine()], Activation::Swish)
    }

    /// The layer as part of a [`chain`].
    pub fn affine(&self) -> Affine<'_> {
        Affine { weight: &self.weight, bias: self.bias.as_ref() }
    }

    /// Weights of the `count` inputs from `first` on, `[outputs, count]`.
    pub fn columns(&self, first: i64, count: i64) -> Tensor {
        self.weight.narrow(1, first, count)
    }
}

/// Linear layers with an activation between them over the last axis: `[…, inputs]` →
/// `[…, outputs]`.
pub fn along_last(x: &Tensor, layers: &[Affine<'_>], activation: Activation) -> Tensor {
    let mut size = x.size();
    let inputs = size.last().copied().unwrap_or(1);
    let y = chain(&[&x.reshape([-1, inputs])], None, layers, activation, End::Linear);
    if let (Some(last), Some(outputs)) = (size.last_mut(), y.size().last()) {
        *last = *outputs;
    }
    if size.len() == 2 { y } else { y.reshape(size) }
}

/// x·(1 + scale) + shift, of factors and shifts that broadcast over the positions of `x`.
pub fn modulate(x: &Tensor, scale: &Tensor, shift: &Tensor) -> Tensor {
    shift.addcmul(x, &(scale + 1.0))
}

/// Dropout at `rate` where the pass asks for it.
pub fn dropout(x: Tensor, rate: f64, pass: Pass) -> Tensor {
    if rate > 0.0 && pass.dropout { x.dropout(rate, true) } else { x }
}

/// Number of entries of one row of `shape`.
pub fn numel(shape: &[i64]) -> i64 {
    shape.iter().product()
}

/// `[batch, …]` → `[batch, entries]`.
pub fn flatten(x: &Tensor) -> Tensor {
    if x.dim() == 2 { x.shallow_clone() } else { x.view([x.size()[0], -1]) }
}

/// `[batch, entries]` → `[batch, …shape]`.
pub fn unflatten(x: Tensor, shape: &[i64]) -> Tensor {
    if shape.len() == 1 {
        return x;
    }
    let mut size = vec![x.size()[0]];
    size.extend_from_slice(shape);
    x.view(size.as_slice())
}

/// Largest number of layers or blocks of a network; more are taken for a mistake.
pub const MAX_LAYERS: i64 = 1000;

/// Largest number of features of a layer: a product of two still fits into an `i64`. Memory sets a
/// narrower bound.
pub const MAX_FEATURES: i64 = 1 << 30;

/// Linear layers with an activation (and dropout) after each.
#[derive(Debug)]
pub struct Mlp {
    layers: Vec<Linear>,
    activation: Activation,
    dropout: f64,
}

impl Mlp {
    /// Layers of the given widths; their variables are below `layer_0`, `layer_1`, ….
    ///
    /// # Errors
    /// `widths` or `dropout` is out of range.
    pub fn new(
        vars: &nn::Path,
        inputs: i64,
        widths: &[i64],
        activation: Activation,
        dropout: f64,
    ) -> Result<Self> {
        let mut previous = inputs;
        let layers = widths
            .iter()
            .enumerate()
            .map(|(i, &width)| {
                Linear::new(
                    &vars.sub(format!("layer_{i}")),
                    std::mem::replace(&mut previous, width),
                    width,
                    WeightInit::LeCun,
                )
            })
            .collect();
        Ok(Self { layers, activation, dropout })
    }

    /// `[batch, inputs]` → `[batch, last width]`.
    pub fn forward(&self, x: &Tensor, pass: Pass) -> Tensor {
        if self.dropout == 0.0 || !pass.dropout {
            let layers: Vec<Affine<'_>> = self.affine().collect();
            return chain(&[x], None, &layers, self.activation, End::Activated);
        }
        let mut h = x.shallow_clone();
        for layer in &self.layers {
            h = dropout(self.activation.apply(&layer.forward(&h)), self.dropout, pass);
        }
        h
    }

    /// The layers as parts of a [`chain`].
    pub fn affine(&self) -> impl Iterator<Item = Affine<'_>> {
        self.layers.iter().map(Linear::affine)
    }
}

/// Residual blocks h + W2·act(W1·norm(h)) after a linear entry; each block keeps its width.
#[derive(Debug)]
pub struct ResNet {
    entry: Linear,
    blocks: Vec<(Linear, Linear)>,
    width: i64,
    activation: Activation,
    dropout: f64,
}

impl ResNet {
    /// `blocks` blocks of `width` over `inputs` features; the variables are below `entry`,
    /// `block_0`, ….
    ///
    /// # Errors
    /// `width`, `blocks` or `dropout` is out of range.
    pub fn new(
        vars: &nn::Path,
        inputs: i64,
        width: i64,
        blocks: i64,
        activation: Activation,
        dropout: f64,
    ) -> Result<Self> {
        let entry = Linear::new(&vars.sub("entry"), inputs, width, WeightInit::LeCun);
        let blocks = (0..blocks)
            .map(|i| {
                let vars = vars.sub(format!("block_{i}"));
                (
                    Linear::new(&vars.sub("in"), width, width, WeightInit::LeCun),
                    Linear::new(&vars.sub("out"), width, width, WeightInit::LeCun),
                )
            })
            .collect();
        Ok(Self { entry, blocks, width, activation, dropout })
    }

    /// `[batch, inputs]` → `[batch, width]`.
    pub fn forward(&self, x: &Tensor, pass: Pass) -> Tensor {
        let mut h = self.entry.forward(x);
        for (inner, outer) in &self.blocks {
            let normed = h.layer_norm([self.width], None::<&Tensor>, None::<&Tensor>, 1e-5, false);
            let hidden =
                dropout(self.activation.apply(&inner.forward(&normed)), self.dropout, pass);
            // Not in place: autograd needs the input of the norm.
            h = &h + outer.forward(&hidden);
        }
        h
    }
}
