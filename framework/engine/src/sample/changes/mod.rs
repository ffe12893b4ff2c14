//! Changes of a prediction while sampling: a force on the score, known entries, a projection of the
//! data. A change says by how much score or data differ; its effect on the output is the same for
//! all.

mod observed;
mod projected;
mod steered;

pub use observed::{Given, Observed};
pub use projected::{Projected, Space};
pub use steered::Steered;

use super::{Conditioned, Predictor};
use crate::component::{Guidance, Objective, Projection};
use crate::error::Result;
use crate::path::{Path, Reading, rows};
use tch::{Device, Tensor};

/// A change of predictions.
pub trait Change {
    /// The difference that the change makes to a prediction.
    ///
    /// # Errors
    /// Those of a component, and of LibTorch where a derivative is not defined.
    fn shift(&self, prediction: &Prediction<'_>) -> Result<Shift>;

    /// True if [`shift`](Self::shift) needs derivatives of the predicted data by the state.
    fn differentiates(&self) -> bool {
        false
    }

    /// The data at the end of a path, `[batch, …z_shape]`, given those without the change.
    ///
    /// # Errors
    /// Those of a component.
    fn finished(&self, data: Tensor) -> Result<Tensor> {
        Ok(data)
    }
}

/// A prediction at a state of a path.
pub struct Prediction<'a> {
    /// The state z `[batch, …z_shape]`; where the change differentiates, a leaf of the graph to
    /// `data`.
    pub z: Tensor,
    /// The meaning of the output at the state's point of the path.
    pub reading: &'a Reading<'a>,
    /// Output of the predictor, in the shape of z, without a graph.
    pub output: Tensor,
    /// Predicted data, in shape and precision of z.
    pub data: Tensor,
}

impl<'a> Prediction<'a> {
    /// The prediction at `z` with the output that `of` returns for a state.
    fn at(
        z: &Tensor,
        reading: &'a Reading<'a>,
        differentiable: bool,
        of: impl Fn(&Tensor) -> Result<Tensor>,
    ) -> Result<Self> {
        let read = |z: &Tensor, output: &Tensor| reading.data(z, output).to_kind(z.kind());
        if !differentiable {
            let output = of(z)?;
            return Ok(Self { data: read(z, &output), z: z.shallow_clone(), reading, output });
        }
        let z = z.detach().set_requires_grad(true);
        tch::with_grad(|| {
            let output = of(&z)?;
            Ok(Self { data: read(&z, &output), reading, output: output.detach(), z })
        })
    }
}

/// Difference of a prediction at a state, `[batch, …z_shape]`.
///
/// The state stays as it is, so data that change by δ change the noise by −(a/b)·δ, and with it the
/// output p·data + q·noise by −(D/b)·δ. A score that changes by g does so to the data by b²/a·g.
#[derive(Debug)]
pub enum Shift {
    /// Difference of the data. Where the state holds no noise (b = 0), it alone determines the
    /// data, and nothing changes.
    Data(Tensor),
    /// Difference of the score ∇ log p_t(z). Where the state holds no data (a = 0), nothing
    /// changes.
    Score(Tensor),
}

impl Shift {
    /// The `output` at a point of the path after the shift.
    fn applied(&self, output: Tensor, reading: &Reading<'_>) -> Tensor {
        let point = reading.point();
        let (shift, gain, acts) = match self {
            Self::Data(shift) => (shift, reading.determinant() / &point.b, point.b.gt(0.0)),
            Self::Score(shift) => {
                (shift, &point.b * reading.determinant() / &point.a, point.a.gt(0.0))
            }
        };
        let gain = gain.where_scalarother(&acts, 0.0).to_kind(output.kind());
        let gain = rows(&gain, &output);
        output - gain * shift
    }
}

/// A predictor with changes, each of what those before it made.
pub struct Changed<'c, P> {
    predictor: P,
    changes: Vec<Box<dyn Change + 'c>>,
}

impl<'c, P: Predictor> Changed<'c, P> {
    /// `predictor` without changes.
    pub fn new(predictor: P) -> Self {
        Self { predictor, changes: Vec::new() }
    }

    /// This predictor with a further change.
    #[must_use]
    pub fn with(mut self, change: impl Change + 'c) -> Self {
        self.changes.push(Box::new(change));
        self
    }

    /// Output after the first of the changes.
    fn after(
        &self,
        changes: &[Box<dyn Change + 'c>],
        z: &Tensor,
        reading: &Reading<'_>,
    ) -> Result<Tensor> {
        let Some((last, before)) = changes.split_last() else {
            return self.predictor.output(z, reading);
        };
        let of = |z: &Tensor| self.after(before, z, reading);
        let prediction = Prediction::at(z, reading, last.differentiates(), of)?;
        let shift = last.shift(&prediction)?;
        Ok(shift.applied(prediction.output, reading))
    }
}

impl<P: Predictor> Predictor for Changed<'_, P> {
    fn path(&self) -> &Path {
        self.predictor.path()
    }

    fn objective(&self) -> &dyn Objective {
        self.predictor.objective()
    }

    fn output(&self, z: &Tensor, reading: &Reading<'_>) -> Result<Tensor> {
        self.after(&self.changes, z, reading)
    }

    fn finished(&self, data: Tensor) -> Result<Tensor> {
        let data = self.predictor.finished(data);
        self.changes.iter().fold(data, |data, change| change.finished(data?))
    }

    fn further_evaluations(&self) -> usize {
        self.predictor.further_evaluations()
    }

    fn gaussian(&self) -> bool {
        self.predictor.gaussian()
    }

    fn device(&self) -> Device {
        self.predictor.device()
    }
}

/// Changes of a model's prediction while sampling, in their order.
#[derive(Default)]
pub struct Changes<'a> {
    /// A force that is added to the score.
    pub force: Option<&'a dyn Guidance>,
    /// Known entries of the data.
    pub given: Option<&'a Given>,
    /// A projection of the predicted data, and the data that it has.
    pub projection: Option<(&'a dyn Projection, Space<'a>)>,
}

impl Changes<'_> {
    /// The changed prediction of a model.
    pub(super) fn of<'s>(&'s self, predictor: Conditioned<'s>) -> Changed<'s, Conditioned<'s>> {
        let condition = predictor.condition;
        let mut changed = Changed::new(predictor);
        if let Some(force) = self.force {
            changed = changed.with(Steered { force, condition });
        }
        if let Some(given) = self.given {
            changed = changed.with(Observed { given });
        }
        if let Some((projection, space)) = self.projection {
            changed = changed.with(Projected { projection, space });
        }
        changed
    }
}
