//! Samples for metrics and pictures, and the description of how they were made.

use crate::data::Batch;
use crate::error::{DIVERGED, Error, Result};
use crate::group::Group;
use crate::inference::{Block, Rows, Start};
use crate::model::Model;
use crate::plot::Scatter;
use crate::rng::Streams;
use crate::sample::{Sampled, SamplingPlan, Trajectory};
use crate::trained::Trained;
use serde_json::{Value, json};
use std::time::Instant;
use tch::{Device, Kind, Tensor};

/// Number of states of a path that are kept, at most.
const STATES: usize = 257;
/// Number of entries of all kept states of all paths, at most.
const ENTRIES: i64 = 1 << 26;

/// Cost of drawing samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Number of samples or predictions of all draws.
    pub samples: i64,
    /// Wall-clock time of all draws, in seconds.
    pub seconds: f64,
    /// Solver steps of the first draw.
    pub steps: usize,
    /// Network evaluations a sample of the first draw.
    pub nfe: usize,
}

impl Cost {
    /// Wall-clock time in seconds for 1,000 samples.
    pub fn seconds_per_1000_samples(&self) -> f64 {
        1000.0 * self.seconds / self.samples.max(1) as f64
    }
}

/// Draws a sample for every row, in the data's own units (probabilities for logits), and adds to
/// `cost`. `seed` is the seed of z_0 and the number of the draw; z_0 = 0 with `None`. The processes
/// of `group` draw a share of the rows each.
pub(super) fn draw(
    model: &mut Trained,
    rows: &Batch,
    seed: Option<(u64, u64)>,
    group: &Group,
    cost: &mut Cost,
) -> Result<(Sampled, Tensor)> {
    let began = Instant::now();
    let n = rows.len();
    let own = group.share(n);
    let share = rows.narrow(own.start, own.end - own.start);
    let (sampled, drawn) = draw_from(model, &share, seed, own.start)?;
    let sampled = Sampled { z: group.gather(sampled.z, n)?, ..sampled };
    // The check reads a number of the tensor, so that an accelerator has finished when the time is
    // taken.
    let drawn = finite(group.gather(drawn, n)?)?;
    if cost.samples == 0 {
        (cost.steps, cost.nfe) = (sampled.steps, sampled.nfe);
    }
    cost.samples += rows.len();
    cost.seconds += began.elapsed().as_secs_f64();
    Ok((sampled, drawn))
}

/// Draws latents for normalised rows, and their values in the data's own units. `steps` and `nfe`
/// are the largest of any block.
pub(crate) fn draw_rows(
    model: &mut Trained,
    rows: &Batch,
    seed: Option<(u64, u64)>,
) -> Result<(Sampled, Tensor)> {
    draw_from(model, rows, seed, 0)
}

/// Draws as [`draw_rows`] does, for rows of which the first is number `first` of the draw.
fn draw_from(
    model: &mut Trained,
    rows: &Batch,
    seed: Option<(u64, u64)>,
    first: i64,
) -> Result<(Sampled, Tensor)> {
    let streams = seed.map(|(seed, draw)| Streams::new(seed, draw).from(first));
    let (condition, plan) = (rows.condition(), model.plan());
    let plan = SamplingPlan { streams: plan.streams.from(first), ..plan };
    let request = Rows {
        n: rows.len(),
        streams: streams.as_ref(),
        condition: &|_, from, n| Ok(condition.as_ref().map(|all| all.narrow(from, n))),
        mask: rows.mask.as_ref(),
        start: Start::Noise,
    };
    let (mut latents, mut values) = (Vec::new(), Vec::new());
    let (mut nfe, mut steps, mut denoised) = (0, 0, false);
    model.sample_blocks(&request, &plan, &mut |Block { sampled, values: new }| {
        (nfe, steps) = (nfe.max(sampled.nfe), steps.max(sampled.steps));
        denoised = sampled.denoised;
        latents.push(sampled.z);
        values.push(new);
        Ok(())
    })?;
    let z = Tensor::cat(&latents, 0);
    Ok((Sampled { z, nfe, steps, denoised }, Tensor::cat(&values, 0)))
}

/// Draws latents for normalised rows, and keeps up to [`STATES`] states of their paths.
pub(crate) fn draw_paths(
    model: &mut Trained,
    rows: &Batch,
    seed: (u64, u64),
    plan: SamplingPlan,
) -> Result<(Sampled, Trajectory)> {
    let streams = Streams::new(seed.0, seed.1);
    let z0 = model.z0(rows.len(), Some(&streams))?;
    let (condition, mask) = (rows.condition(), rows.mask.as_ref());
    let mut trajectory = Trajectory::of_at_most(STATES);
    let plan = SamplingPlan { streams, ..plan };
    let sampled = model.sample_sequences(&z0, mask, condition.as_ref(), &plan, &mut trajectory)?;
    Ok((sampled, trajectory))
}

/// Factors by which states at these times are drawn, relative to that at t = 1: those of the
/// network's input, so that states are visible on a path on which their size varies; `None` if all
/// are 1.
pub(crate) fn drawn_scales(model: &Model, times: &[f64]) -> Result<Option<Vec<f64>>> {
    let times: Vec<f64> = times.iter().copied().chain([1.0]).collect();
    let t = Tensor::from_slice(&times).to_kind(model.vars.kind()).to_device(model.vars.device());
    let Some(scales) = tch::no_grad(|| model.path().at(&t)?.input_scale())? else {
        return Ok(None);
    };
    let mut scales = Vec::<f64>::try_from(scales.to_kind(Kind::Double).to_device(Device::Cpu))?;
    let end = scales.pop().unwrap_or(1.0);
    Ok(Some(scales.into_iter().map(|scale| scale / end).collect()))
}

/// Number of rows, at most `most`, whose paths fit into [`ENTRIES`]; at least 16 if `most` allows.
pub(crate) fn rows_of_paths(model: &Trained, most: i64) -> i64 {
    let entries = model.model().latent_shape().iter().product::<i64>().max(1);
    most.min((ENTRIES / (STATES as i64 * entries)).max(16))
}

/// Checks that all of `drawn` is finite.
pub(crate) fn finite(drawn: Tensor) -> Result<Tensor> {
    match drawn.isfinite().all().int64_value(&[]) {
        1 => Ok(drawn),
        _ => Err(Error::runtime(format!("the model's output is not finite\n  {DIVERGED}"))),
    }
}

/// The description in JSON of how samples of a metric or picture were made; `seed` is `None` for
/// z_0 = 0.
pub(crate) fn how(model: &Trained, sampled: &Sampled, n: i64, seed: Option<u64>) -> Value {
    let e = model.experiment();
    json!({
        "n": n,
        "solver": e.sampling.solver.name(),
        "steps": sampled.steps,
        "grid": grid_text(model),
        "nfe": sampled.nfe,
        "final_denoise": sampled.denoised,
        "ema": e.sampling.use_ema && e.training.ema.is_some(),
        "precision": e.training.precision,
        "guidance": e.sampling.guidance,
        "source": e.source.name(),
        "noise": seed.map_or(json!("zero"), |_| json!(e.sampling.noise)),
        "seed": seed.unwrap_or(e.seed()),
    })
}

/// Name of the step grid, with its parameters in brackets; the clock where steps are equal in it by
/// default.
fn grid_text(model: &Trained) -> Value {
    let Some(grid) = &model.experiment().sampling.grid else { return json!(model.clock().ok()) };
    let written = serde_json::to_value(grid).unwrap_or_default();
    let keys = written.as_object().into_iter().flatten().filter(|(key, _)| *key != "type");
    // 7 rather than 7.0.
    let text = |value: &Value| value.as_f64().map_or_else(|| value.to_string(), |x| x.to_string());
    let values: Vec<String> = keys.map(|(_, value)| text(value)).collect();
    match values.is_empty() {
        true => json!(grid.name()),
        false => json!(format!("{}({})", grid.name(), values.join(", "))),
    }
}

/// Points from a tensor `[n, …]`, whose rows are flattened.
pub(crate) fn points(tensor: &Tensor) -> Result<Scatter> {
    let dim = (tensor.numel() as i64 / tensor.size()[0].max(1)) as usize;
    let values = tensor.detach().to_device(Device::Cpu).to_kind(Kind::Double).reshape([-1]);
    Ok(Scatter::new(Vec::try_from(values)?, dim))
}

/// Labels of one-hot rows `[n, classes]`.
pub(crate) fn labels(one_hot: &Tensor) -> Result<Vec<usize>> {
    let labels: Vec<i64> = Vec::try_from(one_hot.argmax(-1, false).to_device(Device::Cpu))?;
    Ok(labels.into_iter().map(|l| l as usize).collect())
}
