//! The sum of a gradient over a group, piece by piece while the backward pass goes on.

use super::Parameters;
use crate::error::Result;
use crate::group::{Group, Sums};
use std::ops::Range;
use tch::{Device, Tensor};

/// Smallest size of a piece, in bytes: sums of smaller ones have held training up for longer.
const LEAST: i64 = 4 << 20;

/// Receives the flat gradient and the number of a variable whose gradient is complete.
type Arrived<'a> = dyn FnMut(&mut Tensor, usize) + 'a;

/// Ranges of the flat gradient that are summed one by one, each as soon as the gradients of its
/// variables are complete. All processes begin their sums in one order: that in which the ranges
/// were complete in rank 0's first step.
#[derive(Debug)]
pub(crate) struct Pieces {
    ranges: Vec<Range<i64>>,
    /// Number of the piece of each variable.
    of_variable: Vec<usize>,
    /// Numbers of the pieces in the order of their sums; `None` before the first step.
    order: Option<Vec<usize>>,
}

impl Pieces {
    /// Pieces of the gradient of `parameters`: one without a group, and on a GPU, where the whole
    /// gradient arrives at once.
    pub fn new(parameters: &Parameters, group: &Group) -> Self {
        let flat = &parameters.flat;
        let least = match flat.device() {
            Device::Cpu if !group.is_alone() => LEAST / flat.kind().elt_size_in_bytes() as i64,
            _ => i64::MAX,
        };
        Self::of(&parameters.sizes(), least)
    }

    /// Pieces of whole variables, with at least `least` values each.
    fn of(sizes: &[i64], least: i64) -> Self {
        let (mut ranges, mut of_variable) = (Vec::<Range<i64>>::new(), Vec::new());
        let (mut from, mut to) = (0, 0);
        let mut left: i64 = sizes.iter().sum();
        for (i, size) in sizes.iter().enumerate() {
            of_variable.push(ranges.len());
            (to, left) = (to + size, left - size);
            // Fewer values than a piece needs belong to the one before them.
            if i + 1 == sizes.len() || (to - from >= least && left >= least) {
                ranges.push(from..to);
                from = to;
            }
        }
        let order = (ranges.len() == 1).then(|| vec![0]);
        Self { ranges, of_variable, order }
    }

    /// Begins the `sums` of the pieces of the gradient that `compute` computes and returns.
    /// `compute` calls what it is given for each variable; `prepare` then changes each complete
    /// range of the gradient before it is summed. The gradient must not be used before the sums are
    /// finished.
    ///
    /// # Errors
    /// Those of `compute`. [`Error::Runtime`](crate::error::Error::Runtime): another process is
    /// lost.
    pub fn sum(
        &mut self,
        group: &Group,
        sums: &mut Sums<'_>,
        prepare: &mut dyn FnMut(&mut Tensor, Range<i64>),
        compute: impl FnOnce(&mut Arrived<'_>) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let Self { ranges, of_variable, order } = self;
        let mut missing = vec![0; ranges.len()];
        of_variable.iter().for_each(|piece| missing[*piece] += 1);
        let (mut complete, mut begun, mut failure) = (Vec::new(), 0, None);
        let cut = |flat: &Tensor, at: &Range<i64>| flat.narrow(0, at.start, at.end - at.start);
        let gradient = compute(&mut |flat, variable| {
            let piece = of_variable[variable];
            missing[piece] -= 1;
            if missing[piece] > 0 || failure.is_some() {
                return;
            }
            complete.push(piece);
            prepare(&mut cut(flat, &ranges[piece]), ranges[piece].clone());
            let order = order.as_deref().unwrap_or_default();
            while let Some(piece) = order.get(begun).filter(|piece| missing[**piece] == 0) {
                begun += 1;
                failure = sums.begin(&mut cut(flat, &ranges[*piece])).err();
                if failure.is_some() {
                    return;
                }
            }
        })?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        if order.is_none() {
            let numbers: Vec<i64> = complete.into_iter().map(|piece| piece as i64).collect();
            let mut numbers = Tensor::from_slice(&numbers);
            group.broadcast(&mut numbers)?;
            let numbers = Vec::<i64>::try_from(numbers)?.into_iter();
            let order = order.insert(numbers.map(|piece| piece as usize).collect());
            for piece in order {
                sums.begin(&mut cut(&gradient, &ranges[*piece]))?;
            }
        }
        Ok(gradient)
    }
}

#[cfg(test)]
mod tests;
