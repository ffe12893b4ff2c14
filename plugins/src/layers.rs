//! What several networks share: linear layers, activations, dropout, flattening.

pub use triflow::kernels::Activation;
use triflow::kernels::{Affine, End, chain};
use triflow::prelude::*;

/// How a layer's weights start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Uniform with variance 1/inputs, so that the output varies as the input does (LeCun et al. 1998).
    Usual,
    /// Uniform with variance 1/(3·inputs), the bias too.
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
    pub fn new(vars: &nn::Path, inputs: i64, outputs: i64, start: Start) -> Self {
        Self::with_bias(vars, inputs, outputs, start, true)
    }

    /// The same, without the bias where `biased` is false (b = 0).
    pub fn with_bias(
        vars: &nn::Path,
        inputs: i64,
        outputs: i64,
        start: Start,
        biased: bool,
    ) -> Self {
        let within = |bound: f64| nn::Init::Uniform { lo: -bound, up: bound };
        let inverse = 1.0 / inputs.max(1) as f64;
        let (weight, bias) = match start {
            Start::Usual => (within((3.0 * inverse).sqrt()), nn::Init::Const(0.0)),
            Start::Small => (within(inverse.sqrt()), within(inverse.sqrt())),
            Start::Zero => (nn::Init::Const(0.0), nn::Init::Const(0.0)),
        };
        Self {
            weight: vars.var("weight", &[outputs, inputs], weight),
            bias: biased.then(|| vars.var("bias", &[outputs], bias)),
        }
    }

    /// A layer over several joined inputs, given by their widths. Each starts with an equal share in the
    /// output's variance, so that a wide one (time features) does not drown a narrow one (z).
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

    /// A layer whose outputs start around 1: factors.
    pub fn around_one(vars: &nn::Path, inputs: i64, outputs: i64) -> Self {
        let layer = Self::new(vars, inputs, outputs, Start::Usual);
        if let Some(bias) = &layer.bias {
            let _ = triflow::tch::no_grad(|| bias.shallow_clone().fill_(1.0));
        }
        layer
    }

    /// `[batch, inputs]` → `[batch, outputs]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.linear(&self.weight, self.bias.as_ref())
    }

    /// As a layer of a chain.
    pub fn affine(&self) -> Affine<'_> {
        Affine { weight: &self.weight, bias: self.bias.as_ref() }
    }

    /// The weights of `count` inputs from `first` on, `[outputs, count]`.
    pub fn columns(&self, first: i64, count: i64) -> Tensor {
        self.weight.narrow(1, first, count)
    }
}

/// Dropout at `rate` where the pass asks for it.
pub fn dropout(x: Tensor, rate: f64, pass: Pass) -> Tensor {
    if rate > 0.0 && pass.dropout { x.dropout(rate, true) } else { x }
}

/// Refuses a rate outside [0, 1).
pub fn check_dropout(rate: f64) -> Result<()> {
    if (0.0..1.0).contains(&rate) {
        Ok(())
    } else {
        Err(Error::config("dropout", format!("needs 0 <= dropout < 1, got {rate}")))
    }
}

/// Entries of one row of `shape`.
pub fn flat(shape: &[i64]) -> i64 {
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

/// Layers or blocks of a network; more are taken for a mistake.
pub const MOST_LAYERS: i64 = 1000;

/// Features of a layer, so that products of two can be counted. Memory sets a narrower bound.
pub const MOST_FEATURES: i64 = 1 << 30;

/// An error if the parameter `key` is no number of layers or blocks.
pub fn check_layers(key: &str, n: i64) -> Result<()> {
    within(key, n, MOST_LAYERS)
}

/// An error if the parameter `key` is no number of features, heads or the like.
pub fn check_features(key: &str, n: i64) -> Result<()> {
    within(key, n, MOST_FEATURES)
}

/// An error if these are no widths of layers one behind the other.
pub fn check_widths(widths: &[i64]) -> Result<()> {
    let key = "hidden_dims";
    if widths.is_empty() || widths.iter().any(|w| *w < 1) {
        return Err(Error::config(key, "needs at least one positive width"));
    }
    if widths.len() as i64 > MOST_LAYERS {
        let message = format!("needs at most {MOST_LAYERS} layers, got {}", widths.len());
        return Err(Error::config(key, message));
    }
    widths.iter().try_for_each(|width| check_features(key, *width))
}

fn within(key: &str, n: i64, most: i64) -> Result<()> {
    match n {
        ..1 => Err(Error::config(key, format!("needs at least 1, got {n}"))),
        _ if n > most => Err(Error::config(key, format!("needs at most {most}, got {n}"))),
        _ => Ok(()),
    }
}

/// Layers with an activation (and dropout) after each.
#[derive(Debug)]
pub struct Mlp {
    layers: Vec<Linear>,
    activation: Activation,
    dropout: f64,
}

impl Mlp {
    /// Layers `layer_0` … of the given widths.
    pub fn new(
        vars: &nn::Path,
        inputs: i64,
        widths: &[i64],
        activation: Activation,
        dropout: f64,
    ) -> Result<Self> {
        check_dropout(dropout)?;
        check_widths(widths)?;
        let mut from = inputs;
        let layers = widths
            .iter()
            .enumerate()
            .map(|(i, &to)| {
                Linear::new(
                    &vars.sub(format!("layer_{i}")),
                    std::mem::replace(&mut from, to),
                    to,
                    Start::Usual,
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

    /// Its layers, as those of a chain.
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
    /// `blocks` blocks of `width` over `inputs` features.
    pub fn new(
        vars: &nn::Path,
        inputs: i64,
        width: i64,
        blocks: i64,
        activation: Activation,
        dropout: f64,
    ) -> Result<Self> {
        check_dropout(dropout)?;
        check_features("width", width)?;
        check_layers("blocks", blocks)?;
        let entry = Linear::new(&vars.sub("entry"), inputs, width, Start::Usual);
        let blocks = (0..blocks)
            .map(|i| {
                let vars = vars.sub(format!("block_{i}"));
                (
                    Linear::new(&vars.sub("in"), width, width, Start::Usual),
                    Linear::new(&vars.sub("out"), width, width, Start::Usual),
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
            // A new tensor: the norm has kept the old one for its gradient.
            h = &h + outer.forward(&hidden);
        }
        h
    }
}
