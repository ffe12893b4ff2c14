//! The end of an epoch: mean losses on the training and the validation rows.

use super::step::with_known_cells;
use super::{Epoch, Trainer};
use crate::component::Pass;
use crate::error::Result;
use crate::loss::BatchRows;
use crate::rng::{Purpose, seed_torch};
use tch::{Device, Kind, Tensor};

impl Trainer {
    /// Adds the epoch that ends with this step to the history.
    pub(super) fn end_epoch(&mut self, epoch: u64) -> Result<Epoch> {
        let val = self.validate()?;
        let norm = means(self.course.norms());
        let done = Epoch {
            epoch,
            step: self.step,
            train: means(self.course.terms()),
            val: means(&val),
            gradient_norm: norm.first().copied().flatten(),
        };
        self.course.zero();
        let lost = |losses: &[Option<f64>]| losses.first() == Some(&None);
        let lost_val = !self.data.val.is_empty() && lost(&done.val);
        if lost_val && !self.history.epochs.last().is_some_and(|before| lost(&before.val)) {
            log::warn!("{}", self.about_validation(epoch)?);
        }
        self.history.epochs.push(done.clone());
        Ok(done)
    }

    /// Warning that only the loss on the validation rows is not finite, which is no failure of the
    /// training.
    fn about_validation(&self, epoch: u64) -> Result<String> {
        let (val, batch) = (&self.data.val, self.experiment().training.batch_size);
        let size = |t: &Tensor| t.abs().max().to_kind(Kind::Double).double_value(&[]);
        let mut largest: f64 = 0.0;
        for from in (0..val.len()).step_by(batch as usize) {
            let rows = val.take(from..val.len().min(from + batch))?;
            let condition = rows.condition.as_ref().map_or(0.0, size);
            largest = largest.max(size(&rows.target)).max(condition);
        }
        Ok(format!(
            "the loss on the validation rows is not finite in epoch {epoch}, although the parameters \
             and the loss on the training rows are: the largest value among the {} validation rows \
             is {:.1e} in the units of the model; look for outliers. Training continues without it",
            val.len(),
            largest
        ))
    }

    /// Sums of the loss terms over the validation rows, with the same draws in every epoch. They
    /// are taken in blocks as long as a part of a batch, which the ranks of a group take in turn.
    fn validate(&self) -> Result<Tensor> {
        let (config, model) = (&self.experiment().training, &self.trained.model);
        let (mut sums, mut block) = (self.course.terms().zeros_like(), None);
        let size = config.batch_size / config.parts.unwrap_or(1);
        tch::no_grad(|| -> Result<()> {
            let n = self.data.val.len();
            let blocks = (0..n).step_by(size as usize).enumerate();
            let (rank, ranks) = (self.group.rank(), self.group.size());
            for (i, from) in blocks.filter(|(i, _)| i % ranks == rank) {
                let rows = size.min(n - from);
                let batch = self.data.val.take(from..from + rows)?;
                let z0 = match &self.paired_val {
                    Some(pairs) => Some(pairs.z0(model, &mut block, (from, rows))?),
                    None => batch.z0.as_ref().map(Tensor::shallow_clone),
                };
                let _stream = seed_torch(config.seed, Purpose::Validate, i as u64);
                let condition = with_known_cells(model, config, &batch.target, batch.condition());
                let terms = model.losses_from(
                    (z0, BatchRows::whole(rows)),
                    &batch.target,
                    condition.as_ref(),
                    Pass::EVAL.masked(batch.mask.as_ref()),
                    true,
                )?;
                terms.add_to(&mut sums, rows);
            }
            Ok(())
        })?;
        self.group.sum(&mut [&mut sums])?;
        Ok(sums)
    }
}

/// Divides sums by the last of them, their number of rows or steps; `None` for what is not finite.
fn means(sums: &Tensor) -> Vec<Option<f64>> {
    let sums: Vec<f64> = Vec::try_from(sums.to_device(Device::Cpu)).unwrap_or_default();
    let Some((n, sums)) = sums.split_last() else { return Vec::new() };
    sums.iter().map(|sum| Some(sum / n).filter(|mean| mean.is_finite())).collect()
}
