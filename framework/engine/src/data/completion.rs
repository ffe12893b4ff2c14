//! Known cells of a row as a part of its condition, so that a model fills in the others.

use super::Units;
use crate::component::Condition;
use tch::{Device, Kind, Tensor};

/// Form of the conditions of a model that is trained with `training.mask_columns`: the condition of
/// the data, the entries of the known cells (0 in place of the others), and for each cell 1 if it
/// is known. A cell that may be missing is two: if it is there, and its value.
#[derive(Debug)]
pub(crate) struct Completion {
    /// Number of the cell that each entry belongs to, `[entries]` int64.
    cell: Tensor,
    /// For each cell the one that is known wherever it is, `[cells]` int64.
    before: Tensor,
    /// Number of entries of the condition of the data.
    condition: i64,
}

/// Cells of rows that are known.
#[derive(Debug)]
pub struct Known {
    /// Rows `[n, entries]`, normalised; anything in the entries of other cells.
    pub(crate) values: Tensor,
    /// 1 for each known cell and 0 for the others, `[n, cells]`.
    pub(crate) cells: Tensor,
}

impl Known {
    /// The rows from `from` on.
    pub(crate) fn narrow(&self, from: i64, n: i64) -> Self {
        let part = |t: &Tensor| t.narrow(0, from, n);
        Self { values: part(&self.values), cells: part(&self.cells) }
    }
}

impl Completion {
    /// The form of conditions for flat targets in these units.
    pub fn new(units: &Units, device: Device) -> Self {
        let (mut cell, mut before) = (Vec::new(), Vec::new());
        for entries in units.cells() {
            // The value of a cell is known only if it is known to be there, which comes second.
            let first = before.len() as i64;
            let last = first + entries.len() as i64 - 1;
            before.extend(entries.iter().map(|_| last));
            for (entries, i) in entries.into_iter().zip(first..) {
                cell.extend((0..entries).map(|_| i));
            }
        }
        let index = |all: &[i64]| Tensor::from_slice(all).to_device(device);
        let condition = units.shapes.condition.as_ref().map_or(0, |shape| shape.iter().product());
        Self { cell: index(&cell), before: index(&before), condition }
    }

    /// Number of entries of a condition.
    pub fn width(&self) -> i64 {
        self.condition + self.cell.numel() as i64 + self.before.numel() as i64
    }

    /// Random known cells of targets `[n, entries]`: a row has some with probability `share`, each
    /// with a probability that is uniform in \[0, 1\] and the row's own.
    pub fn random(&self, target: &Tensor, share: f64) -> Known {
        let (n, cells) = (target.size()[0], self.before.numel() as i64);
        let uniform = |width| Tensor::rand([n, width], (target.kind(), target.device()));
        let level = uniform(1) * uniform(1).lt(share);
        let known = uniform(cells).lt_tensor(&level).to_kind(target.kind());
        let cells = &known * known.index_select(1, &self.before);
        Known { values: target.shallow_clone(), cells }
    }

    /// The condition of rows whose known cells are given; none are with `None`.
    pub fn condition(
        &self,
        condition: Option<&Condition>,
        known: Option<&Known>,
        n: i64,
        options: (Kind, Device),
    ) -> Condition {
        let entries = self.cell.numel() as i64;
        let mut parts = Vec::new();
        parts.extend(condition.map(|own| own.value.view([n, -1])));
        match known {
            Some(Known { values, cells }) => {
                parts.push(values * cells.index_select(1, &self.cell));
                parts.push(cells.shallow_clone());
            }
            None => parts.push(Tensor::zeros([n, self.width() - self.condition], options)),
        }
        debug_assert!(known.is_none_or(|known| known.values.size() == [n, entries]));
        let same = |t: &Tensor| t.shallow_clone();
        let present = condition.and_then(|own| own.present.as_ref().map(same));
        Condition::new(Tensor::cat(&parts, 1)).with(present, None)
    }

    /// True if a condition has the known cells of its rows already.
    pub fn is_complete(&self, condition: Option<&Condition>) -> bool {
        condition.is_some_and(|own| own.value.size()[1..] == [self.width()])
    }
}
