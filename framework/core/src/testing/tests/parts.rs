//! Twins of encoders, decoders, conditional residual networks (CRNs) and networks, with one
//! implementation of the faults.

use super::Fault;
use crate::prelude::*;
use std::cell::Cell;
use tch::Kind as DType;

/// A linear map of the flattened input, unless it has a fault.
struct Body {
    fault: Fault,
    weight: Tensor,
    outside: Tensor,
    output: Vec<i64>,
    /// Numbers and categories of the output of a decoder.
    blocks: Vec<Block>,
    calls: Cell<f64>,
}

fn flat(shape: &[i64]) -> i64 {
    shape.iter().product()
}

impl Body {
    fn new(fault: &Fault, vars: &nn::Path, inputs: i64, output: &[i64]) -> Result<Self> {
        if fault.is("builds") {
            return Err(Error::runtime("nothing is built"));
        }
        if fault.is("float64_alone") && vars.kind() != DType::Double {
            return Err(Error::runtime("float64 alone"));
        }
        let init = nn::Init::Randn { mean: 0.0, stdev: 0.1 };
        let weight = vars.var("weight", &[inputs, flat(output)], init);
        if fault.is("unused_variable") {
            let _ = vars.var("unused", &[2], init);
        }
        let drawn = Tensor::randn([1], (vars.kind(), vars.device()));
        let outside = drawn * fault.choose("save_load", 1.0, 0.0) + fault.drift();
        Ok(Self {
            fault: fault.clone(),
            weight,
            outside,
            output: output.to_vec(),
            blocks: Vec::new(),
            calls: 0.0.into(),
        })
    }

    fn run(&self, x: &Tensor) -> Tensor {
        let x = if self.fault.is("deaf") { x.detach() } else { x.shallow_clone() };
        let h = x.flatten(1, -1).matmul(&self.weight) + &self.outside;
        let h = match () {
            () if self.fault.is("rows_independent") => {
                &h - h.mean_dim([0].as_slice(), true, h.kind())
            }
            () if self.fault.is("deterministic") => {
                self.calls.set(self.calls.get() + 1.0);
                h + self.calls.get()
            }
            () if self.fault.is("gradients") => h.detach(),
            () if self.fault.is("widens") => h.to_kind(DType::Double),
            () => h,
        };
        let h = h.reshape([&[-1], self.output.as_slice()].concat());
        if self.fault.is("shape") { h.unsqueeze(0) } else { h }
    }

    /// Concatenates z, time and condition.
    fn join(&self, z: &Tensor, time: &Tensor, condition: Option<&Condition>) -> Tensor {
        let mut parts = vec![z.flatten(1, -1), time.shallow_clone()];
        if let Some(condition) = condition {
            let value = condition.value.flatten(1, -1);
            parts.push(match &condition.present {
                Some(present) if !self.fault.is("absent_condition") => value * present.unsqueeze(1),
                _ => value,
            });
        }
        self.run(&Tensor::cat(&parts, 1))
    }
}

/// Number of entries of z, condition and time.
fn inputs(z: &[i64], condition: Option<&Vec<i64>>, time: i64) -> i64 {
    flat(z) + condition.map_or(0, |shape| flat(shape)) + time
}

triflow::component! {
    /// A linear encoder, unless it has a fault.
    pub struct EncoderTwin: Encoder = "twin" {
        /// The fault.
        pub fault: Fault = Fault::default(),
    }
}

impl Spec<dyn Encoder> for EncoderTwin {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn Encoder>> {
        Ok(Box::new(Body::new(&self.fault, &ctx.vars, flat(&ctx.target_shape), ctx.latent()?)?))
    }
}

impl Encoder for Body {
    fn latent_shape(&self) -> Result<Vec<i64>> {
        Ok(self.output.clone())
    }

    fn encode(&self, target: &Tensor, _: Pass) -> Result<Posterior> {
        let mean = self.run(target);
        let wide = &mean * 3.0;
        let bounded = if self.fault.is("log_variance") { wide } else { wide.clamp(-20.0, 10.0) };
        Ok(Posterior { mean, log_variance: Some(bounded) })
    }

    fn is_identity(&self) -> Result<bool> {
        Ok(self.fault.is("identity"))
    }

    fn origins(&self) -> Result<Option<Vec<i64>>> {
        Ok(self.fault.is("origins").then(|| vec![-1; self.output.iter().product::<i64>() as usize]))
    }
}

triflow::component! {
    /// A linear decoder, unless it has a fault.
    pub struct DecoderTwin: Decoder = "twin" {
        /// The fault.
        pub fault: Fault = Fault::default(),
    }
}

impl Spec<dyn Decoder> for DecoderTwin {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn Decoder>> {
        let body = Body::new(&self.fault, &ctx.vars, flat(ctx.latent()?), &ctx.target_shape)?;
        Ok(Box::new(Body { blocks: ctx.target_blocks.clone(), ..body }))
    }
}

impl Decoder for Body {
    fn decode(&self, z: &Tensor, _: Pass) -> Result<Tensor> {
        let values = self.run(z);
        Ok(match () {
            () if self.fault.is("logits") => values.softmax(-1, values.kind()),
            () if self.fault.is("block_logits") && values.dim() == 2 => {
                Segments::new(&self.blocks, values.device()).probabilities(&values)
            }
            () => values,
        })
    }

    fn likelihood(&self) -> Result<Likelihood> {
        let blocks = self.fault.is("block_logits");
        Ok(if blocks { Likelihood::Blocks } else { Likelihood::Categorical })
    }
}

triflow::component! {
    /// A linear CRN, unless it has a fault.
    pub struct CrnTwin: Crn = "twin" {
        /// The fault.
        pub fault: Fault = Fault::default(),
    }
}

impl Spec<dyn Crn> for CrnTwin {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn Crn>> {
        let z = ctx.latent()?;
        let inputs = inputs(z, ctx.condition_shape.as_ref(), 1);
        Ok(Box::new(Body::new(&self.fault, &ctx.vars, inputs, z)?))
    }
}

impl Crn for Body {
    fn forward(&self, input: &CrnInput<'_>, _: Pass) -> Result<Tensor> {
        let output = self.join(input.z, &input.time.unsqueeze(1), input.condition);
        // Like a gradient that `no_grad` has made zero.
        let lost = self.fault.is("sampling") && !output.requires_grad();
        Ok(if lost { output * 0.0 } else { output })
    }
}

triflow::component! {
    /// A linear network, unless it has a fault.
    pub struct NetworkTwin: Network = "twin" {
        /// The fault.
        pub fault: Fault = Fault::default(),
    }
}

impl Spec<dyn Network> for NetworkTwin {
    fn build(&self, ctx: &NetworkContext) -> Result<Box<dyn Network>> {
        if *ctx.derivatives.end() > 0 && !self.fault.is("derivatives") {
            return Err(Error::runtime("a linear network has no second derivative"));
        }
        let inputs = inputs(&ctx.z_shape, ctx.condition_shape.as_ref(), ctx.time_features);
        Ok(Box::new(Body::new(&self.fault, &ctx.vars, inputs, &ctx.output_shape)?))
    }
}

impl Network for Body {
    fn forward(&self, input: &NetworkInput<'_>, _: Pass) -> Result<Tensor> {
        let output = self.join(input.z, input.time, input.condition);
        Ok(if self.fault.is("convex") { output.square().neg() } else { output })
    }

    fn is_convex(&self) -> Result<bool> {
        Ok(true)
    }
}
