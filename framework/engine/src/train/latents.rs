//! Latents and conditions, on the CPU, of the rows that z_0 is paired with.

use crate::component::{CouplingContext, Pass};
use crate::data::{Column, Rows, Side};
use crate::error::Result;
use crate::memory;
use crate::metrics::Points;
use crate::model::Model;
use std::collections::HashSet;
use tch::{Device, Kind, Tensor};
use xxhash_rust::xxh3::xxh3_128;

/// Number of values that are encoded or compared at once.
const NUMBERS: i64 = 1 << 22;

/// z_1 and conditions of all rows, for a thread that takes some of them; it reads rows that stay in
/// a file.
#[derive(Debug)]
pub(super) struct Sides {
    latent: Column,
    condition: Option<Column>,
}

impl Sides {
    /// z_1 and conditions of `rows`. If the encoder is not the identity, all rows are encoded, in
    /// blocks, and their latents stay in memory.
    ///
    /// # Errors
    /// The latents do not fit into memory, rows of a file cannot be read, or the encoder fails.
    pub fn new(model: &Model, rows: &Rows) -> Result<Self> {
        let on_cpu = |side: &Side| side.column.to_device(Device::Cpu);
        let latent = match model.latent_is_target() {
            true => on_cpu(&rows.target),
            false => Column::held(encode_all(model, &rows.target.column)?, model.vars.kind()),
        };
        Ok(Self { latent, condition: rows.condition.as_ref().map(on_cpu) })
    }

    /// Context in which a coupling is built, without properties of the rows.
    pub fn context(&self, model: &Model) -> CouplingContext {
        CouplingContext {
            z_shape: model.latent_shape().to_vec(),
            condition_shape: self.condition.as_ref().map(|c| c.shape().to_vec()),
            conditions_repeat: None,
        }
    }

    /// True if any two rows have the same condition; `None` without conditions.
    pub fn conditions_repeat(&self) -> Result<Option<bool>> {
        self.condition.as_ref().map(has_equal_rows).transpose()
    }

    /// z_1 and conditions of the rows at `index`, flat.
    pub fn rows(&self, index: &Tensor) -> Result<(Flat, Option<Flat>)> {
        let flat = |column: &Column| Flat::new(&column.take(index)?);
        Ok((flat(&self.latent)?, self.condition.as_ref().map(flat).transpose()?))
    }
}

/// Encodes all rows to latents `[n, …z_shape]` on the CPU.
fn encode_all(model: &Model, targets: &Column) -> Result<Tensor> {
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

/// True if any two rows are equal.
fn has_equal_rows(column: &Column) -> Result<bool> {
    let n = column.len();
    let block = rows_of_block(column.shape().iter().product());
    // Digests of 128 bits are compared, which do not collide by chance.
    let mut seen = HashSet::new();
    for from in (0..n).step_by(block as usize) {
        let rows = Flat::new(&column.take(from..n.min(from + block))?)?;
        for row in rows.values.chunks(rows.dim.max(1)) {
            // Turns −0 into 0, which is equal.
            let bytes: Vec<u8> =
                row.iter().flat_map(|v| (v + 0.0).to_bits().to_le_bytes()).collect();
            if !seen.insert(xxh3_128(&bytes)) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Flattened rows, which can be sent to another thread.
pub(super) struct Flat {
    values: Vec<f64>,
    dim: usize,
}

impl Flat {
    /// Copies rows `[n, …]`.
    pub fn new(t: &Tensor) -> Result<Self> {
        let dim = t.numel() / t.size()[0].max(1) as usize;
        Ok(Self { values: Vec::try_from(t.to_kind(Kind::Double).reshape([-1]))?, dim })
    }

    /// The rows as points, which couplings take.
    pub fn points(&self) -> Result<Points<'_>> {
        Points::new(&self.values, self.dim)
    }
}
