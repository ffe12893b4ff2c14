//! Inputs of exported files.

use super::Exported;
use crate::component::{Condition, Likelihood};
use crate::error::Result;
use crate::sequence;
use crate::trained::Trained;
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

/// Meaning of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// A state z, or z_0.
    State,
    /// A time t in \[0, 1\].
    Time,
    /// The number of a class, of so many.
    Label(i64),
    /// A condition in the data's own units.
    Condition,
    /// 1 if a row has a condition, else 0.
    Present,
    /// The length of a target that is a sequence, of so many positions at most.
    Length(i64),
    /// The length of a condition that is a sequence.
    ConditionLength(i64),
}

/// An input of an exported file, with one entry for each row of a batch.
#[derive(Clone, Debug)]
pub(super) struct Input {
    pub name: &'static str,
    meaning: Meaning,
    /// Shape without the batch axis.
    shape: Vec<i64>,
    kind: Kind,
}

/// The inputs of a file, in their order; the first is the state.
pub(super) fn inputs_of(model: &Trained, what: Exported) -> Vec<Input> {
    let (units, kind) = (model.units(), model.model().vars.kind());
    let mut all = Vec::new();
    let mut push = |name, meaning, shape: &[i64], kind| {
        all.push(Input { name, meaning, shape: shape.to_vec(), kind });
    };
    let latent = model.model().latent_shape();
    match what {
        Exported::Sampler => push("z0", Meaning::State, latent, kind),
        Exported::Network => {
            push("z", Meaning::State, latent, kind);
            push("t", Meaning::Time, &[], kind);
        }
    }
    let sequence = |shape: &[i64]| match (model.experiment().task().is_sequence(), shape) {
        (true, &[steps, _]) => Some(steps),
        _ => None,
    };
    if let Some(shape) = &units.shapes.condition {
        match (units.condition_is_label, &shape[..]) {
            (true, &[classes]) => push("label", Meaning::Label(classes), &[], Kind::Int64),
            _ => push("condition", Meaning::Condition, shape, units.condition.mean.kind()),
        }
        if what == Exported::Network && model.experiment().training.condition_dropout > 0.0 {
            push("present", Meaning::Present, &[], kind);
        }
        if let Some(steps) = sequence(shape) {
            push("condition_length", Meaning::ConditionLength(steps), &[], Kind::Int64);
        }
    }
    if let Some(steps) = sequence(&units.shapes.target) {
        push("length", Meaning::Length(steps), &[], Kind::Int64);
    }
    all
}

/// State, time, condition and mask of targets of a batch, read from the inputs of a file.
pub(super) struct Given {
    pub state: Tensor,
    pub time: Option<Tensor>,
    pub condition: Option<Condition>,
    pub mask: Option<Tensor>,
}

impl Given {
    /// The meaning of `values`, one tensor for each of `inputs`.
    ///
    /// # Errors
    /// Those of [`Trained::condition`].
    pub fn of(model: &Trained, inputs: &[Input], values: &[Tensor]) -> Result<Self> {
        let kind = model.model().vars.kind();
        let find = |wanted: &dyn Fn(Meaning) -> bool| {
            inputs.iter().zip(values).find(|(input, _)| wanted(input.meaning)).map(|(_, t)| t)
        };
        let mask = |length: Option<i64>, values: Option<&Tensor>| {
            length.zip(values).map(|(steps, values)| sequence::mask_of(values, steps, kind))
        };
        let steps = |wanted: fn(Meaning) -> Option<i64>| {
            inputs.iter().find_map(|input| wanted(input.meaning))
        };
        let own = steps(|m| if let Meaning::Length(n) = m { Some(n) } else { None });
        let other = steps(|m| if let Meaning::ConditionLength(n) = m { Some(n) } else { None });
        let rows = find(&|m| matches!(m, Meaning::Label(_) | Meaning::Condition));
        let condition = match rows {
            None => None,
            Some(rows) => {
                let (condition, _) = model.condition(rows)?;
                let mask = mask(other, find(&|m| matches!(m, Meaning::ConditionLength(_))));
                let value = sequence::keep(&condition.value, mask.as_ref());
                let present = find(&|m| m == Meaning::Present).map(Tensor::shallow_clone);
                Some(Condition::new(value).with(present, mask))
            }
        };
        let state = find(&|m| m == Meaning::State).map(Tensor::shallow_clone);
        Ok(Self {
            state: state.unwrap_or_default(),
            time: find(&|m| m == Meaning::Time).map(Tensor::shallow_clone),
            condition,
            mask: mask(own, find(&|m| matches!(m, Meaning::Length(_)))),
        })
    }
}

impl Input {
    /// Values for `n` rows, others for each `draw`.
    pub fn example(&self, model: &Trained, n: i64, draw: i64) -> Tensor {
        let shape = [&[n], &self.shape[..]].concat();
        let count: i64 = shape.iter().product();
        let options = (Kind::Double, Device::Cpu);
        let wave =
            || ((Tensor::arange(count, options) * 1.7 + draw as f64).sin() * 1.2).view(&shape[..]);
        let whole = |n: i64, from: i64| {
            (Tensor::arange(count, (Kind::Int64, Device::Cpu)) * 3 + draw).remainder(n) + from
        };
        let values = match self.meaning {
            Meaning::State => wave(),
            Meaning::Time => wave() * 0.35 + 0.5,
            Meaning::Label(classes) => whole(classes, 0),
            Meaning::Condition => {
                model.units().condition.undo(&wave().to_kind(model.units().condition.kind()))
            }
            Meaning::Present => whole(2, 0),
            Meaning::Length(steps) | Meaning::ConditionLength(steps) => whole(steps, 1),
        };
        values.to_kind(self.kind).to_device(model.device())
    }

    /// Description for programs.
    pub fn about(&self) -> Value {
        let meaning = match self.meaning {
            Meaning::State if self.name == "z0" => "noise that the path begins at".to_owned(),
            Meaning::State => "state of the path".to_owned(),
            Meaning::Time => "time from 0 (noise) to 1 (data)".to_owned(),
            Meaning::Label(classes) => format!("class, from 0 to {}", classes - 1),
            Meaning::Condition => "condition in the units of the data".to_owned(),
            Meaning::Present => "1 if the row has a condition, else 0".to_owned(),
            Meaning::Length(steps) => format!("positions of the sequence, from 1 to {steps}"),
            Meaning::ConditionLength(steps) => {
                format!("positions of the condition, from 1 to {steps}")
            }
        };
        json!({
            "name": self.name,
            "shape": shape_of(&self.shape),
            "type": type_of(self.kind),
            "meaning": meaning,
        })
    }
}

/// `["batch", …shape]`.
pub(super) fn shape_of(shape: &[i64]) -> Value {
    let axes = std::iter::once(json!("batch")).chain(shape.iter().map(|n| json!(n)));
    Value::Array(axes.collect())
}

/// Name of a type of numbers.
pub(super) fn type_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Double => "float64",
        Kind::Int64 => "int64",
        _ => "float32",
    }
}

/// Meaning of the output of a sampler.
pub(super) fn sampled(model: &Trained) -> &'static str {
    let probabilities = model.model().likelihood() == Likelihood::Categorical;
    match (probabilities, model.experiment().task().predicts()) {
        (true, _) => "probabilities of the classes",
        (false, true) => "predictions in the units of the data",
        (false, false) => "samples in the units of the data",
    }
}
