//! States on the paths of rows of data, and known entries of rows: where samples may begin.

use super::{Rows, Start};
use crate::component::{Pass, shape_text};
use crate::data::{Batch, own_units};
use crate::error::{Error, Result};
use crate::path::rows;
use crate::rng::Streams;
use crate::sample::{Given, SamplingPlan};
use crate::sequence;
use crate::trained::Trained;
use tch::Tensor;

impl Trained {
    /// Checks that states or known entries are as many as the rows, and fit the model.
    pub(super) fn check_start(&self, rows: &Rows<'_>) -> Result<()> {
        let (what, z) = match rows.start {
            Start::Noise => return Ok(()),
            Start::States { z, .. } => ("the states", z),
            Start::Given(given) => ("the known entries", &given.values),
        };
        let (n, found) = (rows.n, rows.start.rows().unwrap_or(0));
        if found != n {
            return Err(Error::config("", format!("{what} have {found} rows, for {n} conditions")));
        }
        let (found, expected) = (&z.size()[1..], self.model.latent_shape());
        if found == expected {
            return Ok(());
        }
        let (found, expected) = (shape_text(found), shape_text(expected));
        Err(Error::config("", format!("{what} have shape {found}, the model's {expected}")))
    }

    /// Latents `[n, …z_shape]` of rows, the mean where the encoder gives a distribution.
    fn latents(&mut self, batch: &Batch) -> Result<Tensor> {
        self.sampling(|model, _| {
            let pass = Pass::EVAL.masked(batch.mask.as_ref());
            Ok(tch::no_grad(|| model.encode(&batch.target, pass))?.mean)
        })
    }

    /// Computes the states `[n, …z_shape]` at time `at` (`None`: z_0) that the ODE leads from to
    /// rows of data, under their conditions: sampled from there, they come back within the error of
    /// the solver. Where noise is left at the end of the path, the rows count as states without it.
    ///
    /// # Errors
    /// Those of [`invert_latents`](Self::invert_latents) and of the encoder.
    pub fn invert(&mut self, batch: &Batch, at: Option<f64>) -> Result<Tensor> {
        let plan = SamplingPlan { from: at, ..self.plan() };
        self.states_of(batch, |model, block, _| {
            let (z, condition) = (model.latents(block)?, block.condition());
            let state = model.invert_latents(&z, block.mask.as_ref(), condition.as_ref(), &plan)?;
            Ok(state.z)
        })
    }

    /// Adds noise to rows of data: their states a·z_1 + b·z_0 `[n, …z_shape]` at time `at`, with
    /// z_0 from the rows' random streams (Meng et al. 2022, arXiv 2108.01073).
    ///
    /// # Errors
    /// [`Error::Config`]: `at` is not in \[0, 1). [`Error::Component`]: a component fails.
    pub fn noised(&mut self, batch: &Batch, at: f64, streams: &Streams) -> Result<Tensor> {
        if !(0.0..1.0).contains(&at) {
            let message = format!("sampling begins at a time t with 0 <= t < 1, got {at}");
            return Err(Error::config("", message));
        }
        self.states_of(batch, |model, block, from| {
            let z1 = model.latents(block)?;
            let z0 = model.z0(block.len(), Some(&streams.from(from)))?;
            model.sampling(|model, _| {
                tch::no_grad(|| {
                    let t = Tensor::from_slice(&[at]).to_device(z1.device());
                    let point = model.path().at(&t)?;
                    let scaled = |c: &Tensor, z: &Tensor| rows(&c.to_kind(z.kind()), z) * z;
                    let state = scaled(&point.a, &z1) + scaled(&point.b, &z0);
                    Ok(sequence::keep(&state, model.latent_mask(block.mask.as_ref())))
                })
            })
        })
    }

    /// Calls `each` on blocks of rows, with the number of the first, and joins the states.
    fn states_of(
        &mut self,
        batch: &Batch,
        each: impl Fn(&mut Self, &Batch, i64) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let (size, n) = (self.block(), batch.len());
        let mut all = Vec::new();
        let mut from = 0;
        while from == 0 || from < n {
            let block = batch.narrow(from, size.min(n - from));
            all.push(each(self, &block, from)?);
            self.row_observer.sampled(block.len())?;
            from += size;
        }
        Ok(Tensor::cat(&all, 0))
    }

    /// The known entries of `targets` in the data's own units, NaN where they are not known:
    /// `[n, …target_shape]`, or cells `[n, columns]` of a table.
    ///
    /// # Errors
    /// [`Error::Config`]: the model cannot be conditioned on entries: targets are labels, the
    /// latents are not the targets, or z_0 is not N(0, I) or depends on the data; the targets have
    /// another shape, or infinite entries.
    pub fn given(&self, targets: &Tensor) -> Result<Given> {
        self.takes_given()?;
        let shape = &self.units.shapes.target;
        let targets = match self.units.entries_of_cells(targets) {
            Some(entries) => entries,
            None => own_units(targets, self.units.target.kind()),
        };
        let targets = match (self.experiment.task().is_sequence(), targets.dim()) {
            (true, 2..) => sequence::rows(targets, "the targets")?,
            (false, 1) if shape[..] == [1] => targets.unsqueeze(1),
            _ => targets,
        };
        let found = targets.size().get(1..).unwrap_or_default().to_vec();
        if found != *shape {
            let (found, shape) = (shape_text(&found), shape_text(shape));
            let message = format!("rows have shape {found}, the model's have {shape}");
            return Err(Error::config("", message));
        }
        let targets = targets.to_device(self.device());
        if targets.isinf().any().int64_value(&[]) != 0 {
            return Err(Error::config("", "an entry is infinite"));
        }
        let unknown = targets.isnan();
        let values = self.units.target.apply(&targets).masked_fill(&unknown, 0.0);
        let known = unknown.logical_not().to_kind(values.kind());
        Ok(Given { values, known })
    }

    /// Checks that the model can sample targets some of whose entries are given.
    ///
    /// # Errors
    /// [`Error::Config`]: targets are labels, the latents are not the targets, or z_0 is not
    /// N(0, I) or depends on the data.
    pub fn takes_given(&self) -> Result<()> {
        let refuse = |key: &str, why: String, help: &str| {
            let message = format!("no samples with given entries: {why}");
            Err(Error::config(key, message).help(help))
        };
        if self.units.target_is_label {
            let help = "a label has no entries of its own: it is known or not";
            return refuse("", "the targets are labels".into(), help);
        }
        if !self.model.latent_is_target() {
            let name = self.experiment.encoder.name();
            let help = "this needs a model whose latents are the targets: `encoder: identity`; rows \
                        of a table can also be filled in by `triflow impute`, if the model was \
                        trained with `training.mask_columns: 0.5`";
            return refuse("encoder", format!("the encoder `{name}` changes the targets"), help);
        }
        if !self.model.gaussian() {
            let help = "this needs a model trained with Gaussian noise and without a coupling";
            return refuse("", "z_0 is not N(0, I), or depends on the data".into(), help);
        }
        Ok(())
    }
}
