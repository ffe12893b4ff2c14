//! Samples of a trained run, with their conditions.

use super::seeds::{SampleSeeds, Seeds};
use super::together::{Draw, Planned, check_limit, parts};
use super::{
    Begin, Conditions, Inputs, Output, check_rows, check_values, conditions, counted, row_array,
    rows_of,
};
use crate::data::Table;
use crate::data::files::array;
use crate::error::{Error, Result};
use crate::inference::Lengths;
use crate::io::{NamedArray, table};
use crate::memory;
use crate::rng::Streams;
use crate::trained::{Trained, Trajectories};
use std::path::Path;
use tch::Tensor;

/// A request for samples.
#[derive(Debug)]
pub struct SampleRequest<'a> {
    /// Number of samples of each condition; `None`: one for each row of conditions, or 100.
    pub n: Option<i64>,
    /// Seed of z_0; `None`: the run's.
    pub seed: Option<u64>,
    /// A seed for each sample, in place of `n` and `seed`.
    pub seeds: Option<Seeds>,
    /// Conditions of the samples.
    pub conditions: Conditions<'a>,
    /// Keep the z_0 of each sample.
    pub save_z0: bool,
    /// Keep the states along the path of each sample.
    pub trajectories: bool,
    /// Largest number of samples; `None`: as many as memory holds.
    pub limit: Option<i64>,
}

/// Samples with their conditions and the lengths of both.
#[derive(Debug)]
pub struct Samples {
    /// Samples `[n, …target_shape]` in the data's own units.
    pub samples: Tensor,
    /// Labels or values of the conditions; `None` for unconditional samples.
    pub conditions: Option<Tensor>,
    /// Lengths of samples and conditions that are sequences.
    pub lengths: Lengths,
    /// The z_0 of each sample, if it was asked for.
    pub z0: Option<Tensor>,
    /// The states along the path of each sample, if they were asked for.
    pub trajectories: Option<Trajectories>,
    /// Numbers of the condition file's rows that are used; empty if all are.
    pub kept: Vec<i64>,
    /// Description of the seeds for readers, such as `seed 1`.
    pub origin: String,
}

/// A request for samples whose conditions and random streams are known.
#[derive(Debug)]
pub struct SamplePlan {
    draw: Draw,
    save_z0: bool,
    trajectories: bool,
    /// Conditions as they are written.
    conditions: Option<Tensor>,
    kept: Vec<i64>,
    origin: String,
}

/// Draws samples from noise.
///
/// # Errors
/// Those of [`plan_samples`] and [`Trained::generate_sequences`].
pub fn generate(
    model: &mut Trained,
    request: SampleRequest<'_>,
    begin: &mut Begin<'_>,
) -> Result<Samples> {
    let plan = plan_samples(model, request)?;
    begin(model, plan.rows(), "samples");
    let drawn = SamplePlan::draw_all(&[&plan], model)?.pop();
    drawn.ok_or_else(|| Error::runtime("nothing was sampled"))
}

/// Checks a request for samples, and finds their conditions and random streams.
///
/// # Errors
/// [`Error::Config`]: the model takes no condition and one is given, or needs one, or there is to
/// be no sample. [`Error::Runtime`]: memory does not hold the samples. Those of [`conditions`].
pub fn plan_samples(model: &Trained, request: SampleRequest<'_>) -> Result<SamplePlan> {
    let (save_z0, trajectories) = (request.save_z0, request.trajectories);
    let wanted = Wanted::of(model, request)?;
    let latents = i64::from(save_z0) + latents_of(trajectories, model);
    check_memory(model, wanted.each, wanted.conditions(), latents)?;
    let Wanted { inputs, rows, each: n, streams, origin } = wanted;
    let each = |t: &Tensor| t.repeat_interleave_self_int(n, 0, None::<i64>);
    let streams = Some(streams);
    let (Some(Inputs { values, mut lengths, kept }), Some(rows)) = (inputs, rows) else {
        let lengths = Lengths::default();
        let draw = Draw { n, conditions: None, lengths, streams, draws: 1 };
        let kept = Vec::new();
        return Ok(SamplePlan { draw, save_z0, trajectories, conditions: None, kept, origin });
    };
    for side in [&mut lengths.condition, &mut lengths.target] {
        *side = side.as_ref().map(each);
    }
    let (values, rows) = (each(&values), each(&rows));
    let kept = kept.into_iter().flat_map(|row| vec![row; n as usize]).collect();
    let draw = Draw { n: values.size()[0], conditions: Some(rows), lengths, streams, draws: 1 };
    Ok(SamplePlan { draw, save_z0, trajectories, conditions: Some(values), kept, origin })
}

/// A checked request: conditions, number of samples and their random streams.
pub(super) struct Wanted {
    /// The conditions; `None` for unconditional samples.
    pub inputs: Option<Inputs>,
    /// The conditions in the form that the model takes.
    pub rows: Option<Tensor>,
    /// Number of samples of each.
    pub each: i64,
    /// Random streams of all samples, grouped by condition.
    pub streams: Streams,
    /// Description of the seeds for readers.
    pub origin: String,
}

impl Wanted {
    pub fn of(model: &Trained, request: SampleRequest<'_>) -> Result<Self> {
        let SampleRequest { n, seed, seeds, conditions: given, limit, .. } = request;
        let file = given.origin();
        let wanted = match seeds {
            Some(seeds) => SampleSeeds::Seeds(seeds.values),
            None => {
                let n = n.unwrap_or(if file.is_some() { 1 } else { 100 });
                if n < 1 {
                    return Err(Error::config("", format!("--n {n}: needs at least 1")));
                }
                SampleSeeds::Samples { n, seed: seed.unwrap_or_else(|| model.experiment().seed()) }
            }
        };
        if matches!(given, Conditions::Labels(_)) && model.units().shapes.condition.is_none() {
            return Err(Error::config("", "this run takes no labels").help("leave --labels out"));
        }
        let (each, origin) = (wanted.len(), wanted.origin());
        let inputs = conditions(model, given)?;
        let count = inputs.as_ref().and_then(|inputs| inputs.values.size().first().copied());
        check_limit(each.saturating_mul(count.unwrap_or(1)), limit, "samples")?;
        let (rows, streams) = match (&inputs, file) {
            (None, None) => (None, wanted.streams()),
            (None, Some(_)) => {
                let message = "this run takes no condition";
                return Err(Error::config("", message).help("leave --condition out"));
            }
            (Some(inputs), _) => {
                let rows = rows_of(model, &inputs.values)?;
                check_rows(model, &rows, file)?;
                check_values(model, &rows, inputs.lengths.condition.as_ref(), file)?;
                (Some(rows), wanted.streams_of(&inputs.values, file.is_some())?)
            }
        };
        Ok(Self { inputs, rows, each, streams, origin })
    }

    /// Number of conditions; 1 without any.
    pub fn conditions(&self) -> i64 {
        self.rows.as_ref().and_then(|rows| rows.size().first().copied()).unwrap_or(1)
    }
}

impl Planned for SamplePlan {
    type Drawn = Samples;

    fn rows(&self) -> i64 {
        self.draw.n
    }

    fn joins(&self, other: &Self, model: &Trained) -> Result<bool> {
        self.draw.joins(&other.draw, model)
    }

    fn draw_all(all: &[&Self], model: &mut Trained) -> Result<Vec<Samples>> {
        let draws: Vec<&Draw> = all.iter().map(|plan| &plan.draw).collect();
        let joined = Draw::joined(&draws)?;
        let keep = all.iter().any(|plan| plan.trajectories);
        let (samples, trajectories) = along(model, keep, |model| joined.samples(model))?;
        let parts = parts(draws.into_iter());
        let own = |(plan, (from, n)): (&&Self, (i64, i64))| {
            let SamplePlan { draw, save_z0, conditions, kept, origin, .. } = plan;
            let narrow = |t: &Tensor| t.narrow(0, from, n);
            let path = trajectories.as_ref().filter(|_| plan.trajectories);
            let path = path.map(|path| Trajectories {
                times: path.times.clone(),
                states: narrow(&path.states),
            });
            Ok(Samples {
                samples: narrow(&samples),
                conditions: conditions.as_ref().map(Tensor::shallow_clone),
                z0: save_z0.then(|| model.z0(n, draw.streams.as_ref())).transpose()?,
                lengths: draw.lengths(),
                trajectories: path,
                kept: kept.clone(),
                origin: origin.clone(),
            })
        };
        all.iter().zip(parts).map(own).collect()
    }
}

impl Output for Samples {
    fn table(&self, model: &Trained) -> Result<Table> {
        let learns_y = model.experiment().task().learns_y();
        let table = model.units().samples(&self.samples, self.conditions.as_ref(), learns_y)?;
        Ok(table.numbered(&self.kept))
    }

    /// `samples`, `labels` or `conditions`, `lengths`, `condition_lengths`, `z0`, `trajectories`
    /// with their `times`, and `rows`, those that there are.
    fn arrays(&self, model: &Trained) -> Result<Vec<NamedArray>> {
        let mut arrays = vec![array("samples", &self.samples)?];
        arrays.extend(condition_array(self.conditions.as_ref(), model)?);
        arrays.extend(length_arrays(&self.lengths)?);
        arrays.extend(self.z0.as_ref().map(|all| array("z0", all)).transpose()?);
        if let Some(Trajectories { times, states }) = &self.trajectories {
            arrays.push(array("trajectories", states)?);
            arrays.push(array("times", &Tensor::from_slice(times))?);
        }
        arrays.extend(row_array(&self.kept)?);
        Ok(arrays)
    }
}

/// The array of conditions, `labels` or `conditions`; `None` without any.
pub(super) fn condition_array(
    conditions: Option<&Tensor>,
    model: &Trained,
) -> Result<Option<NamedArray>> {
    let name = if model.units().condition_is_label { "labels" } else { "conditions" };
    conditions.map(|all| array(name, all)).transpose()
}

/// The arrays of the lengths of targets and conditions.
///
/// # Errors
/// [`Error::Runtime`]: a tensor cannot be copied from its device.
pub(super) fn length_arrays(lengths: &Lengths) -> Result<Vec<NamedArray>> {
    let both = [("lengths", &lengths.target), ("condition_lengths", &lengths.condition)];
    let both = both.into_iter().filter_map(|(name, all)| Some(array(name, all.as_ref()?)));
    both.collect()
}

/// Draws samples, and their trajectories if `keep`.
pub(super) fn along(
    model: &mut Trained,
    keep: bool,
    draw: impl FnOnce(&mut Trained) -> Result<Tensor>,
) -> Result<(Tensor, Option<Trajectories>)> {
    if keep {
        model.keep_trajectories();
    }
    let drawn = draw(model);
    let trajectories = model.take_trajectories();
    Ok((drawn?, trajectories?))
}

/// Number of latents of a sample that its trajectory takes.
pub(super) fn latents_of(trajectories: bool, model: &Trained) -> i64 {
    if trajectories { 1 + model.experiment().sampling.steps as i64 } else { 0 }
}

/// Checks that memory holds `n` samples of each condition, and the arrays that are written of them,
/// with `latents` latents of each sample.
///
/// # Errors
/// [`Error::Runtime`] with both numbers where it does not.
pub(super) fn check_memory(model: &Trained, n: i64, conditions: i64, latents: i64) -> Result<()> {
    let entries = |shape: &[i64]| shape.iter().product::<i64>().max(1) as u64;
    let units = model.units();
    let condition = match &units.shapes.condition {
        Some(shape) if !units.condition_is_label => entries(shape),
        _ => 1,
    };
    let latent = entries(model.model().latent_shape()).saturating_mul(latents as u64);
    // Each number as sampled and as written, 8 bytes at most; and the row's random stream.
    let row = entries(&units.shapes.target).saturating_add(condition).saturating_add(latent);
    let row = row.saturating_mul(16).saturating_add(48);
    let rows = (n as u64).saturating_mul(conditions as u64);
    memory::check_count(&format!("a file of {rows} samples"), rows, row)
}

/// Checks that `out` can hold the targets of a model, before any work is done: a table holds one
/// vector a row.
///
/// # Errors
/// [`Error::Config`]: `out` is a table, and the targets are sequences or images.
pub fn check_shape(out: &Path, model: &Trained) -> Result<()> {
    let shape = &model.units().shapes.target;
    if !table::is_table(out) || shape.len() < 2 {
        return Ok(());
    }
    let what = if model.experiment().task().is_sequence() { "sequences" } else { "images" };
    let message = format!("--out {}: a table holds no {what} {shape:?}", out.display());
    Err(Error::config("", message).help("give --out a name that ends in .npz"))
}

/// Description of a number of samples for readers.
impl std::fmt::Display for Samples {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {}", counted(self.samples.size()[0], "sample"), self.origin)
    }
}
