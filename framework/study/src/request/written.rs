//! Samples that are written while they are drawn, so that memory does not grow with their number.

use super::samples::{SampleRequest, Wanted, generate};
use super::{Begin, Inputs, Output, counted};
use crate::data::files::array;
use crate::error::{Error, Result};
use crate::inference::{Rows, Start};
use crate::io::npz_blocks::{Blocks, write_npz_blocks};
use crate::io::{check_space, table};
use crate::trained::Trained;
use std::path::Path;
use tch::{Device, Kind, Tensor};

/// Rows that are written at once where nothing is sampled.
const BLOCK: i64 = 1 << 16;

/// Draws samples from noise into a file, and describes them. An `.npz` or a text table is written
/// block by block, with the bytes that [`generate`] and [`Output::write`] make; sequences,
/// trajectories and other tables are drawn before they are written.
///
/// # Errors
/// Those of [`generate`] and [`Output::write`].
pub fn generate_to(
    model: &mut Trained,
    request: SampleRequest<'_>,
    out: &Path,
    begin: &mut Begin<'_>,
) -> Result<String> {
    let is_table = table::is_table(out);
    let in_blocks = (!is_table || table::is_text(out))
        && !request.trajectories
        && !model.experiment().task().is_sequence();
    if !in_blocks {
        let samples = generate(model, request, begin)?;
        samples.write(out, model)?;
        return Ok(samples.to_string());
    }
    let save_z0 = request.save_z0;
    let wanted = Wanted::of(model, request)?;
    let n = wanted.each.checked_mul(wanted.conditions());
    let n = n.ok_or_else(|| Error::runtime("there are more samples than can be counted"))?;
    // Numbers take two bytes or more, packed or as text.
    let bytes = model
        .units()
        .shapes
        .target
        .iter()
        .fold(2 * n as u64, |all, n| all.saturating_mul(*n as u64));
    check_space(out, &format!("a file of {n} samples"), bytes)?;
    begin(model, n, "samples");
    match is_table {
        true => write_table(model, &wanted, n, out)?,
        false => write_arrays(model, &wanted, (n, save_z0), out)?,
    }
    Ok(format!("{}, {}", counted(n, "sample"), wanted.origin))
}

fn write_table(model: &mut Trained, wanted: &Wanted, n: i64, out: &Path) -> Result<()> {
    let learns_y = model.experiment().task().learns_y();
    let none = {
        let target: Vec<i64> = [&[0], &model.units().shapes.target[..]].concat();
        let target = Tensor::zeros(target.as_slice(), (model.model().vars.kind(), Device::Cpu));
        let conditions = wanted.inputs.as_ref().map(|inputs| inputs.values.narrow(0, 0, 0));
        model.units().samples(&target, conditions.as_ref(), learns_y)?
    };
    let numbered = wanted.inputs.as_ref().is_some_and(|inputs| !inputs.kept.is_empty());
    // A first column of numbers, if there are any.
    let none = none.numbered(if numbered { &[0] } else { &[] });
    let units = model.units().clone();
    none.write_blocks(out, |each| {
        sampled(model, wanted, n, &mut |from, values| {
            let conditions = wanted.inputs.as_ref().map(|inputs| {
                inputs.values.index_select(0, &wanted.numbers(from, values.size()[0]))
            });
            let block = units.samples(values, conditions.as_ref(), learns_y)?;
            each(&block.numbered(&wanted.kept(from, values.size()[0])?))
        })
    })
}

fn write_arrays(
    model: &mut Trained,
    wanted: &Wanted,
    (n, save_z0): (i64, bool),
    out: &Path,
) -> Result<()> {
    let rows = usize::try_from(n).unwrap_or(0);
    write_npz_blocks(out, |archive| {
        archive.array("samples", rows, |each| {
            sampled(model, wanted, n, &mut |_, values| each(&array("samples", values)?))
        })?;
        if let Some(inputs) = &wanted.inputs {
            let name = if model.units().condition_is_label { "labels" } else { "conditions" };
            archive.array(name, rows, |each| {
                blocks(n, &mut |from, n| {
                    each(&array(name, &inputs.values.index_select(0, &wanted.numbers(from, n)))?)
                })
            })?;
        }
        if save_z0 {
            archive.array("z0", rows, |each: &mut Blocks<'_>| {
                blocks(n, &mut |from, n| {
                    let z0 = model.z0(n, Some(&wanted.streams.from(from)))?;
                    each(&array("z0", &z0)?)
                })
            })?;
        }
        if wanted.inputs.as_ref().is_some_and(|inputs| !inputs.kept.is_empty()) {
            archive.array("rows", rows, |each| {
                blocks(n, &mut |from, n| {
                    each(&array("rows", &Tensor::from_slice(&wanted.kept(from, n)?))?)
                })
            })?;
        }
        archive.texts(&model.units().texts())
    })
}

/// Draws the samples and calls `each` on the number of the first row and the values of every block.
fn sampled(
    model: &mut Trained,
    wanted: &Wanted,
    n: i64,
    each: &mut dyn FnMut(i64, &Tensor) -> Result<()>,
) -> Result<()> {
    let plan = model.plan();
    let condition = |model: &Trained, from: i64, n: i64| {
        let rows = wanted.rows.as_ref().map(|rows| {
            let rows = rows.index_select(0, &wanted.numbers(from, n));
            model.condition(&rows).map(|(condition, _)| condition)
        });
        rows.transpose()
    };
    let rows = Rows {
        n,
        streams: Some(&wanted.streams),
        condition: &condition,
        mask: None,
        start: Start::Noise,
    };
    let mut from = 0;
    model.sample_blocks(&rows, &plan, &mut |block| {
        each(from, &block.values)?;
        from += block.values.size()[0];
        Ok(())
    })
}

/// Calls `each` on the first row and the number of rows of each block of `n` rows.
fn blocks(n: i64, each: &mut dyn FnMut(i64, i64) -> Result<()>) -> Result<()> {
    let mut from = 0;
    while from < n {
        let rows = BLOCK.min(n - from);
        each(from, rows)?;
        from += rows;
    }
    Ok(())
}

impl Wanted {
    /// Numbers of the conditions of `n` samples from sample `from` on.
    fn numbers(&self, from: i64, n: i64) -> Tensor {
        let rows = Tensor::arange_start(from, from + n, (Kind::Int64, Device::Cpu));
        rows.divide_scalar_mode(self.each, "floor")
    }

    /// Numbers of these conditions in their file; none if all of it is used.
    fn kept(&self, from: i64, n: i64) -> Result<Vec<i64>> {
        match &self.inputs {
            Some(Inputs { kept, .. }) if !kept.is_empty() => {
                let numbers = Vec::<i64>::try_from(self.numbers(from, n))?;
                Ok(numbers.into_iter().map(|i| kept[i as usize]).collect())
            }
            _ => Ok(Vec::new()),
        }
    }
}
