use super::expect::{ensure, finite, identical, layout};
use super::seeds::repeatable;
use super::{Check, Conformance, Kit};
use crate::component::{Optimizer, OptimizerState};
use crate::error::Result;
use crate::registry::Component;
use tch::{Kind as DType, Tensor};

inventory::submit!(Kit::of::<dyn Optimizer>());

impl Conformance for dyn Optimizer {
    const CHECKS: &'static [Check<Self>] = &[
        Check {
            name: "descends",
            about: "100 steps at its own learning rate reduce a quadratic loss, in float32 and float64",
            run: descends,
        },
        Check {
            name: "in_place",
            about: "a step changes the parameters in place, and does not change the gradient",
            run: in_place,
        },
        Check {
            name: "zero_rate",
            about: "a learning rate of 0 does not change the parameters",
            run: zero_rate,
        },
        Check {
            name: "moments",
            about: "the state keeps as many moments as are named, each `[parameters]` and finite",
            run: moments,
        },
        Check {
            name: "resumes",
            about: "20 steps are 10 steps, state saved and given to a new optimizer, and 10 more, bit for bit",
            run: resumes,
        },
        Check {
            name: "same_seed",
            about: "built and run twice with one seed, it gives the same result bit for bit",
            run: |component| {
                repeatable(|| {
                    let mut descent = Descent::new(component, DType::Float)?;
                    descent.run(5, None)?;
                    Ok(vec![descent.parameters])
                })
            },
        },
    ];
    const STARTER: &'static str = include_str!("starters/optimizer.rs");

    fn try_build(component: &Component<Self>) -> Result<()> {
        let rate = component.build(&())?.learning_rate()?;
        ensure(rate.is_finite() && rate > 0.0, || {
            format!("learning_rate() is {rate}, expected a number above 0")
        })
    }
}

/// Descent on the loss ½·Σ k·x², which is ten times as steep in one direction as in another.
struct Descent {
    optimizer: Box<dyn Optimizer>,
    steepness: Tensor,
    parameters: Tensor,
    state: OptimizerState,
}

impl Descent {
    fn new(component: &Component<dyn Optimizer>, kind: DType) -> Result<Self> {
        let optimizer = component.build(&())?;
        let parameters = Tensor::from_slice(&[1.0, -2.0, 0.5, 3.0]).to_kind(kind);
        let state = OptimizerState::start(&*optimizer, &parameters)?;
        Ok(Self {
            optimizer,
            steepness: Tensor::from_slice(&[0.1, 0.3, 0.6, 1.0]).to_kind(kind),
            parameters,
            state,
        })
    }

    fn gradient(&self) -> Tensor {
        &self.parameters * &self.steepness
    }

    fn loss(&self) -> f64 {
        (self.gradient() * &self.parameters).sum(DType::Double).double_value(&[]) / 2.0
    }

    /// Takes `steps` steps, at `rate` or else the optimizer's own learning rate.
    fn run(&mut self, steps: usize, rate: Option<f64>) -> Result<()> {
        for _ in 0..steps {
            self.step(&self.gradient(), rate)?;
        }
        Ok(())
    }

    fn step(&mut self, gradient: &Tensor, rate: Option<f64>) -> Result<()> {
        let rate = rate.map_or_else(|| self.optimizer.learning_rate(), Ok)?;
        let rate = self.state.step.full_like(rate);
        self.state.step += 1;
        self.optimizer.step(&mut self.parameters, gradient, &mut self.state, &rate)
    }
}

fn descends(component: &Component<dyn Optimizer>) -> Result<()> {
    for kind in [DType::Float, DType::Double] {
        let mut descent = Descent::new(component, kind)?;
        let before = descent.loss();
        let like = descent.parameters.copy();
        descent.run(100, None)?;
        layout("the parameters after 100 steps", &descent.parameters, &like.size(), &like)?;
        finite("the parameters after 100 steps", &descent.parameters)?;
        let after = descent.loss();
        ensure(after < before, || {
            format!("the loss goes from {before:.6} to {after:.6} in 100 steps, expected to fall")
        })?;
    }
    Ok(())
}

fn in_place(component: &Component<dyn Optimizer>) -> Result<()> {
    let mut descent = Descent::new(component, DType::Float)?;
    // A view, as the variables of the model are of the flat parameters.
    let view = descent.parameters.shallow_clone();
    let before = view.copy();
    let gradient = descent.gradient();
    let given = gradient.copy();
    descent.step(&gradient, None)?;
    ensure(identical(&gradient, &given), || "the gradient was changed by the step".to_owned())?;
    // The first step may be zero.
    descent.run(2, None)?;
    ensure(identical(&view, &descent.parameters) && !identical(&view, &before), || {
        "the step does not change the parameters in place, so the model would not change; use \
         operations in place, such as `*parameters += …`"
            .to_owned()
    })
}

fn zero_rate(component: &Component<dyn Optimizer>) -> Result<()> {
    let mut descent = Descent::new(component, DType::Float)?;
    let before = descent.parameters.copy();
    descent.run(3, Some(0.0))?;
    ensure(identical(&descent.parameters, &before), || {
        "the parameters moved at a learning rate of 0".to_owned()
    })
}

fn moments(component: &Component<dyn Optimizer>) -> Result<()> {
    let mut descent = Descent::new(component, DType::Float)?;
    let named = descent.optimizer.moments()?;
    let mut names: Vec<&str> = named.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    ensure(names.len() == named.len() && !names.contains(&""), || {
        format!("the moments are called {named:?}, expected different names")
    })?;
    descent.run(5, None)?;
    let kept = &descent.state.moments;
    ensure(kept.len() == named.len(), || {
        format!("{} moments are named, but the state has {} after 5 steps", named.len(), kept.len())
    })?;
    for ((name, _), moment) in named.iter().zip(kept) {
        let what = format!("the moment `{name}` after 5 steps");
        layout(&what, moment, &descent.parameters.size(), &descent.parameters)?;
        finite(&what, moment)?;
    }
    Ok(())
}

fn resumes(component: &Component<dyn Optimizer>) -> Result<()> {
    let mut uninterrupted = Descent::new(component, DType::Float)?;
    uninterrupted.run(20, None)?;
    let mut half = Descent::new(component, DType::Float)?;
    half.run(10, None)?;
    let mut rest = Descent::new(component, DType::Float)?;
    rest.parameters = half.parameters.copy();
    rest.state = OptimizerState {
        step: half.state.step.copy(),
        moments: half.state.moments.iter().map(Tensor::copy).collect(),
    };
    rest.run(10, None)?;
    ensure(identical(&uninterrupted.parameters, &rest.parameters), || {
        "after saving and loading the state the steps differ; everything kept between steps belongs \
         to the state"
            .to_owned()
    })
}
