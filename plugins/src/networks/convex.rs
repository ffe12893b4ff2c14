use crate::layers::{self, Activation, Linear, WeightInit, flatten, numel, unflatten};
use triflow::prelude::*;

triflow::component! {
    /// An input-convex network: V(z | condition, time) is convex in z for all parameters.
    ///
    /// h_1 = act(A_0 z + B_0 c), h_(l+1) = act(softplus(W_l) h_l + A_l z + B_l c), and
    /// V = softplus(w)·h_L + q·z + μ/2·|z|². The features c of time and condition are
    /// unconstrained: a linear layer (`join`) over the features of time and those of the condition,
    /// in this order, the activation swish, and the other hidden layers. An output of several
    /// entries has one V for each, over the same hidden layers.
    #[reference = "Amos, Xu and Kolter 2017, arXiv 1609.07152"]
    #[aliases("icnn")]
    pub struct Convex: Network = "convex" {
        /// Widths of the hidden layers, and of the layers that give c.
        #[range(min = 1, max = crate::layers::MAX_FEATURES)]
        #[length(min = 1, max = crate::layers::MAX_LAYERS)]
        pub hidden_dims: Vec<i64> = vec![64, 64, 64],
        /// Activation after each hidden layer: convex and non-decreasing, softplus or relu.
        pub activation: Activation = Activation::Softplus,
        /// Strong convexity μ: a lower bound of the second derivative in any direction.
        #[range(min = 0)]
        pub mu: f64 = 0.05,
    }
}

/// Activation in the features of condition and time, in which V need not be convex.
const CONTEXT_ACTIVATION: Activation = Activation::Swish;

impl Spec<dyn Network> for Convex {
    fn build(&self, ctx: &NetworkContext) -> Result<Box<dyn Network>> {
        if !self.activation.is_convex_and_rising() {
            return Err(Error::config(
                "activation",
                "a convex network needs an activation that is convex and non-decreasing",
            )
            .help("use `softplus`, or leave it out"));
        }
        self.activation.check_derivatives(&ctx.derivatives)?;
        Ok(Box::new(ConvexNetwork {
            context: Context::new(ctx, &self.hidden_dims)?,
            body: Body::new(ctx, &self.hidden_dims, self.activation, self.mu),
            shape: ctx.output_shape.clone(),
        }))
    }
}

struct ConvexNetwork {
    context: Context,
    body: Body,
    shape: Vec<i64>,
}

impl Network for ConvexNetwork {
    fn forward(&self, input: &NetworkInput<'_>, pass: Pass) -> Result<Tensor> {
        let context = self.context.forward(input, pass);
        Ok(unflatten(self.body.forward(&flatten(input.z), &context), &self.shape))
    }

    fn is_convex(&self) -> Result<bool> {
        Ok(true)
    }
}

/// Network of the features c of condition and time, `[batch, last width]`.
struct Context {
    condition: Option<layers::Mlp>,
    join: Linear,
    body: Option<layers::Mlp>,
}

impl Context {
    fn new(ctx: &NetworkContext, widths: &[i64]) -> Result<Self> {
        let mlp = |name: &str, inputs, widths: &[i64]| {
            layers::Mlp::new(&ctx.vars.sub(name), inputs, widths, CONTEXT_ACTIVATION, 0.0)
        };
        let condition = match &ctx.condition_shape {
            Some(shape) => Some(mlp("condition", numel(shape), widths)?),
            None => None,
        };
        let (Some(&first), Some(&last)) = (widths.first(), widths.last()) else {
            return Err(Error::config("hidden_dims", "needs at least one positive width"));
        };
        let mut inputs = vec![ctx.time_features];
        inputs.extend(condition.as_ref().map(|_| last));
        Ok(Self {
            condition,
            join: Linear::joined(&ctx.vars.sub("join"), &inputs, first),
            body: if widths.len() > 1 { Some(mlp("body", first, &widths[1..])?) } else { None },
        })
    }

    fn forward(&self, input: &NetworkInput<'_>, pass: Pass) -> Tensor {
        let mut parts = vec![input.time.shallow_clone()];
        if let (Some(net), Some(condition)) = (&self.condition, input.condition) {
            let features = net.forward(&flatten(&condition.value), pass);
            parts.push(match &condition.present {
                Some(present) => features * present.view([-1, 1]),
                None => features,
            });
        }
        let h = CONTEXT_ACTIVATION.apply(&self.join.forward(&Tensor::cat(&parts, 1)));
        match &self.body {
            Some(body) => body.forward(&h, pass),
            None => h,
        }
    }
}

/// Network V of z `[batch, d]` and c `[batch, features]`.
struct Body {
    /// A_l, over z, and B_l with a bias, over c.
    free: Vec<(Linear, Linear)>,
    /// W_1, … and w before their softplus.
    raised: Vec<Tensor>,
    /// q, where a value or gradient of V is used (a Hessian does not depend on it); with a bias
    /// where the value is used.
    line: Option<Linear>,
    activation: Activation,
    mu: f64,
}

impl Body {
    fn new(ctx: &NetworkContext, widths: &[i64], activation: Activation, mu: f64) -> Self {
        let (d, outputs) = (numel(&ctx.z_shape), numel(&ctx.output_shape));
        let features = widths.last().copied().unwrap_or_default();
        let free = widths.iter().enumerate().map(|(l, &width)| {
            let linear = |name: &str, inputs, biased| {
                let vars = ctx.vars.sub(format!("{name}_{l}"));
                Linear::with_bias(&vars, inputs, width, WeightInit::LeCun, biased)
            };
            (linear("z", d, false), linear("context", features, true))
        });
        let raised = widths.iter().enumerate().map(|(l, &from)| {
            let to = widths.get(l + 1).copied().unwrap_or(outputs);
            // softplus(raw) is about 1/from, so that a unit starts with the mean of the layer
            // before.
            let raw = (1.0 / from as f64).exp_m1().ln();
            let init = nn::Init::Uniform { lo: raw - 0.5, up: raw + 0.5 };
            ctx.vars.sub(format!("raised_{l}")).var("weight", &[to, from], init)
        });
        let orders = &ctx.derivatives;
        let line = orders.contains(&0) || orders.contains(&1);
        let line = line.then(|| {
            let vars = ctx.vars.sub("line");
            Linear::with_bias(&vars, d, outputs, WeightInit::Zero, orders.contains(&0))
        });
        Self { free: free.collect(), raised: raised.collect(), line, activation, mu }
    }

    fn forward(&self, z: &Tensor, context: &Tensor) -> Tensor {
        let mut h: Option<Tensor> = None;
        for ((z_layer, context_layer), raised) in self.free.iter().zip(&self.raised) {
            let mut sum = z_layer.forward(z) + context_layer.forward(context);
            if let Some(before) = h {
                sum += before;
            }
            let raised = raised.softplus();
            h = Some(self.activation.apply(&sum).linear(&raised, None::<&Tensor>));
        }
        let square = z.square().sum_dim_intlist([1].as_slice(), true, z.kind()) * (0.5 * self.mu);
        let mut sum = match &self.line {
            Some(line) => line.forward(z) + square,
            None => square,
        };
        if let Some(top) = h {
            sum = top + sum;
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use triflow::tch::{Device, Kind, no_grad};

    fn tensor(value: &serde_json::Value) -> Tensor {
        let rows: Vec<Vec<f64>> = serde_json::from_value(value.clone()).unwrap();
        Tensor::from_slice2(&rows)
    }

    fn vector(value: &serde_json::Value) -> Tensor {
        Tensor::from_slice(&serde_json::from_value::<Vec<f64>>(value.clone()).unwrap())
    }

    /// Origin of the vectors: an independent numpy script, see `tests/golden`.
    #[test]
    fn the_body_equals_the_golden_vectors() {
        let golden: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/golden/networks.json")).unwrap();
        let g = &golden["icnn"];
        let mut vs = nn::VarStore::new(Device::Cpu);
        vs.set_kind(Kind::Double);
        let context = NetworkContext {
            vars: vs.root(),
            z_shape: vec![2],
            condition_shape: None,
            time_features: 1,
            output_shape: vec![1],
            derivatives: 1..=1,
        };
        let body = Body::new(&context, &[4, 3], Activation::Softplus, g["mu"].as_f64().unwrap());
        let variables = vs.variables();
        let set = |name: &str, value: &Tensor| {
            no_grad(|| variables[name].shallow_clone().copy_(&value.view_as(&variables[name])));
        };
        for (name, key) in [
            ("z_0.weight", "A0"),
            ("z_1.weight", "A1"),
            ("context_0.weight", "C0"),
            ("context_1.weight", "C1"),
            ("raised_0.weight", "W1_raw"),
        ] {
            set(name, &tensor(&g[key]));
        }
        set("raised_1.weight", &vector(&g["w_raw"]));
        set("line.weight", &vector(&g["a"]));
        let z = tensor(&g["z"]);
        let c = vector(&g["u"]).unsqueeze(0).expand([z.size()[0], 3], false);
        let close = |actual: &Tensor, expected: &Tensor| {
            let off = (actual.view_as(expected) - expected).abs().max().double_value(&[]);
            assert!(off < 1e-10, "{actual} {expected}");
        };
        close(&no_grad(|| body.forward(&z, &c)), &vector(&g["V"]));
        let slope = differentiate(&z, |z| z.gradient(&body.forward(z.value(), &c), false));
        close(&slope.unwrap(), &tensor(&g["grad"]));
    }
}
