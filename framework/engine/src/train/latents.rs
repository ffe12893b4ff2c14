//! Latents and conditions of the rows that z_0 is paired with, off the device.

use crate::component::{CouplingContext, Pass};
use crate::data::{Column, Rows, Side};
use crate::error::Result;
use crate::memory;
use crate::metrics::Points;
use crate::model::Model;
use std::collections::HashSet;
use tch::{Device, Kind, Tensor};
use xxhash_rust::xxh3::xxh3_128;

/// Numbers that are encoded or compared at once.
const NUMBERS: i64 = 1 << 22;

/// z_1 and conditions of all rows, for a thread that takes some of them. What stays in a file is read by it.
#[derive(Debug)]
pub(super) struct Sides {
    latent: Column,
    condition: Option<Column>,
}

impl Sides {
    /// Those of `rows`. Where the latents are not the targets, all rows are encoded, some at a time, and their latents
    /// held.
    ///
    /// # Errors
    /// Latents that memory cannot hold; rows of a file that cannot be read.
    pub fn of(model: &Model, rows: &Rows) -> Result<Self> {
        let here = |side: &Side| side.column.to_device(Device::Cpu);
        let latent = match model.latent_is_target() {
            true => here(&rows.target),
            false => Column::held(encoded(model, &rows.target.column)?, model.vars.kind()),
        };
        Ok(Self { latent, condition: rows.condition.as_ref().map(here) })
    }

    /// What a coupling is built from; nothing of the rows themselves.
    pub fn context(&self, model: &Model) -> CouplingContext {
        CouplingContext {
            z_shape: model.latent_shape().to_vec(),
            condition_shape: self.condition.as_ref().map(|c| c.shape().to_vec()),
            conditions_repeat: None,
        }
    }

    /// Whether any two of all rows have the same condition; none without conditions.
    pub fn conditions_repeat(&self) -> Result<Option<bool>> {
        self.condition.as_ref().map(repeats).transpose()
    }

    /// z_1 and conditions of the rows at `index`, flat.
    pub fn rows(&self, index: &Tensor) -> Result<(Flat, Option<Flat>)> {
        let flat = |column: &Column| Flat::of(&column.take(index)?);
        Ok((flat(&self.latent)?, self.condition.as_ref().map(flat).transpose()?))
    }
}

/// The latents of all rows, `[n, …z_shape]` on the CPU.
fn encoded(model: &Model, targets: &Column) -> Result<Tensor> {
    let (n, kind) = (targets.len(), model.vars.kind());
    let width = model.latent_shape().iter().product::<i64>();
    let what = "the latents of all rows, which the coupling pairs with z_0,";
    memory::check_count(what, n as u64, width as u64 * kind.elt_size_in_bytes() as u64)?;
    let shape = [&[n], model.latent_shape()].concat();
    let all = Tensor::empty(shape.as_slice(), (kind, Device::Cpu));
    let block = rows_of_block(targets.shape().iter().product::<i64>().max(width));
    for from in (0..n).step_by(block as usize) {
        let target = targets.take(from..n.min(from + block))?;
        let latents = tch::no_grad(|| model.encode(&target, Pass::EVAL))?.mean;
        all.narrow(0, from, latents.size()[0]).copy_(&latents);
    }
    Ok(all)
}

fn rows_of_block(width: i64) -> i64 {
    (NUMBERS / width.max(1)).max(1)
}

/// Whether two rows are equal.
fn repeats(column: &Column) -> Result<bool> {
    let n = column.len();
    let block = rows_of_block(column.shape().iter().product());
    // By digests of 128 bits: no two rows that differ are met by chance.
    let mut seen = HashSet::new();
    for from in (0..n).step_by(block as usize) {
        let rows = Flat::of(&column.take(from..n.min(from + block))?)?;
        for row in rows.values.chunks(rows.dim.max(1)) {
            // −0 and 0 are one number.
            let bytes: Vec<u8> =
                row.iter().flat_map(|v| (v + 0.0).to_bits().to_le_bytes()).collect();
            if !seen.insert(xxh3_128(&bytes)) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Flat rows that cross to a worker.
pub(super) struct Flat {
    values: Vec<f64>,
    dim: usize,
}

impl Flat {
    /// Rows `[n, …]`.
    pub fn of(t: &Tensor) -> Result<Self> {
        let dim = t.numel() / t.size()[0].max(1) as usize;
        Ok(Self { values: Vec::try_from(t.to_kind(Kind::Double).reshape([-1]))?, dim })
    }

    /// As couplings take them.
    pub fn points(&self) -> Result<Points<'_>> {
        Points::new(&self.values, self.dim)
    }
}
