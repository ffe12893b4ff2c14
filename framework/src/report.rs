//! What is measured and drawn at the end of a run. Distances are in the data's own units.

use crate::component::{Condition, Pass};
use crate::config::Task;
use crate::data::files::array;
use crate::data::{Data, HeldOut, Set, Units};
use crate::error::{Error, Result};
use crate::loss::TERMS;
use crate::metrics;
use crate::plot::{
    self, DataView, LossTrends, Points, Predicted, PredictionView, SampleView, Term, TrajectoryView,
};
use crate::rng::{Purpose, stream_seed};
use crate::run::Run;
use crate::sample::{ModelField, Plan, Sampled, Trajectory};
use crate::train::{DIVERGED, History};
use crate::trained::Trained;
use serde_json::{Value, json};
use tch::{Kind, Tensor};

/// Points of an exact Wasserstein distance, unless more are asked for.
pub const EXACT_POINTS: i64 = 2000;
/// Samples in a picture.
const DRAWN: i64 = 1000;

/// How the samples of a metric or picture were made; from z_0 = 0 without a seed.
fn how(model: &Trained, sampled: &Sampled, n: i64, seed: Option<u64>) -> Value {
    let e = model.experiment();
    json!({
        "n": n,
        "solver": e.sampling.solver.name(),
        "steps": sampled.steps,
        "grid": e.sampling.grid.map(|grid| grid.to_string()),
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

fn caption(how: &Value) -> String {
    let text = |k: &str| how[k].as_str().map_or_else(|| how[k].to_string(), str::to_owned);
    let ema = if how["ema"] == true { "EMA weights" } else { "last weights" };
    let denoised = if how["final_denoise"] == true { ", final denoising" } else { "" };
    format!(
        "{} x {} steps in {}{denoised}, {} network evaluations, {ema}, n = {}, z_0: {}",
        text("solver"),
        text("steps"),
        text("grid"),
        text("nfe"),
        text("n"),
        text("noise"),
    )
}

fn values(tensor: &Tensor) -> Result<Vec<f64>> {
    Ok(Vec::try_from(
        tensor.detach().to_device(tch::Device::Cpu).to_kind(Kind::Double).reshape([-1]),
    )?)
}

pub(crate) fn points(tensor: &Tensor) -> Result<Points> {
    let dim = (tensor.numel() as i64 / tensor.size()[0].max(1)) as usize;
    Ok(Points::new(values(tensor)?, dim))
}

pub(crate) fn labels(one_hot: &Tensor) -> Result<Vec<usize>> {
    let labels: Vec<i64> = Vec::try_from(one_hot.argmax(-1, false).to_device(tch::Device::Cpu))?;
    Ok(labels.into_iter().map(|l| l as usize).collect())
}

/// Draws latents for normalised conditions (or `n` without), returns them with their trajectory.
pub(crate) fn draw_latents(
    model: &mut Trained,
    rows: &Set,
    seed: Option<(u64, u64)>,
    plan: Plan,
) -> Result<(Sampled, Trajectory)> {
    let z0 = model.z0(rows.len(), seed)?;
    let plan = Plan { stream: seed.unwrap_or(plan.stream), ..plan };
    let condition = rows.condition.as_ref();
    let condition =
        condition.map(|value| Condition { value: value.shallow_clone(), present: None });
    let mut seen = Trajectory::default();
    let sampled = model.sample_latents(&z0, condition.as_ref(), plan, &mut seen)?;
    Ok((sampled, seen))
}

/// An error if something that was drawn is not finite.
pub(crate) fn finite(drawn: Tensor) -> Result<Tensor> {
    match drawn.isfinite().all().int64_value(&[]) {
        1 => Ok(drawn),
        _ => Err(Error::runtime(format!("the model's output is not finite\n  {DIVERGED}"))),
    }
}

/// Metrics, and the arrays that they were measured on.
#[derive(Debug)]
pub struct Evaluation {
    /// As `metrics.json`.
    pub metrics: Value,
    /// Name and values: generated and real samples, or nothing.
    pub arrays: Vec<(String, Tensor)>,
}

/// What an evaluation draws.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// Seed of z_0. Without one, generation takes the experiment's and regression starts from z_0 = 0.
    pub seed: Option<u64>,
    /// How often everything is drawn anew: metrics are means over the draws, beside their deviations.
    pub draws: u64,
}

impl Default for Ask {
    fn default() -> Self {
        Self { seed: None, draws: 5 }
    }
}

/// The same metrics of several draws.
#[derive(Default)]
struct Draws(Vec<(&'static str, Vec<f64>)>);

impl Draws {
    fn add(&mut self, name: &'static str, value: f64) {
        match self.0.iter_mut().find(|(n, _)| *n == name) {
            Some((_, values)) => values.push(value),
            None => self.0.push((name, vec![value])),
        }
    }

    /// Adds the distances between two sets of points.
    fn add_distances(&mut self, a: &Points, b: &Points, seed: u64) -> Result<()> {
        let (a, b) =
            (metrics::Points::new(&a.values, a.dim)?, metrics::Points::new(&b.values, b.dim)?);
        self.add("w2", metrics::wasserstein2(a, b)?);
        self.add("sliced_w2", metrics::sliced_wasserstein2_drawn(a, b, 256, seed)?);
        if a.len() > 1 && b.len() > 1 {
            self.add("energy_distance", metrics::energy_distance(a, b)?.v);
        }
        Ok(())
    }

    /// Writes each metric's mean into `object`, and `…_deviation` where there are several draws.
    fn write(&self, object: &mut Value) {
        for (name, values) in &self.0 {
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            object[*name] = json!(mean);
            if values.len() > 1 {
                let squares = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
                object[format!("{name}_deviation")] = json!((squares / (n - 1.0)).sqrt());
            }
        }
    }
}

/// The metrics of a trained model on held-out rows.
pub fn evaluate(model: &mut Trained, held: &HeldOut<'_>, ask: &Ask) -> Result<Evaluation> {
    let regression = model.experiment().task == Some(Task::Regression);
    let asked = ask.seed.unwrap_or_else(|| model.experiment().seed());
    let seed = stream_seed(asked, Purpose::Report, 0);
    let from_zero = regression && ask.seed.is_none();
    let draws = if from_zero { 1 } else { ask.draws.max(1) };
    let real = model.units().target.undo(&held.rows.target);
    let mut found = Draws::default();
    let mut arrays = Vec::new();
    let mut result = json!({ "set": held.name });
    for draw in 0..draws {
        let at = (!from_zero).then_some((seed, draw));
        let (sampled, _) = draw_latents(model, &held.rows, at, model.plan())?;
        let drawn = finite(model.present(&sampled.z)?)?;
        if regression {
            add_prediction(&mut found, model.units(), &real, &drawn)?;
        } else {
            found.add_distances(&points(&drawn)?, &points(&real)?, seed)?;
        }
        if draw == 0 {
            result["sampling"] =
                how(model, &sampled, held.rows.len(), (!from_zero).then_some(asked));
            result["sampling"]["draws"] = json!(draws);
            arrays.push(("samples".to_owned(), drawn));
        }
    }
    found.write(&mut result);
    if regression {
        return Ok(Evaluation { metrics: result, arrays: Vec::new() });
    }
    // What a perfect model would score: real rows against real rows, labels matched.
    let mut floor = Draws::default();
    if let Some(train) = held.train {
        for index in alike(train, &held.rows, model.units().condition_is_label, draws)? {
            let other = model.units().target.undo(&train.target.index_select(0, &index));
            floor.add_distances(&points(&other)?, &points(&real)?, seed)?;
        }
    }
    if !floor.0.is_empty() {
        result["floor"] = json!({
            "of": "training rows, with the same labels if any, against the same held-out rows",
        });
        floor.write(&mut result["floor"]);
    }
    arrays.push(("real".to_owned(), real));
    let condition = held.rows.condition.as_ref();
    arrays.extend(condition.map(|c| ("condition".to_owned(), model.units().condition.undo(c))));
    Ok(Evaluation { metrics: result, arrays })
}

/// Adds what one prediction of `truth` scores.
fn add_prediction(
    found: &mut Draws,
    units: &Units,
    truth: &Tensor,
    predicted: &Tensor,
) -> Result<()> {
    let (t, p) = (points(truth)?, points(predicted)?);
    let (t, p) = (metrics::Points::new(&t.values, t.dim)?, metrics::Points::new(&p.values, p.dim)?);
    found.add("mse", metrics::mse(t, p)?);
    if units.target_is_label {
        let truth: Vec<i64> = labels(truth)?.into_iter().map(|l| l as i64).collect();
        found.add("accuracy", metrics::accuracy(p, &truth)?);
    } else if truth.size()[0] > 1
        && let Some(explained) = metrics::variance_explained(t, p)?.uniform_average
    {
        found.add("variance_explained_percent", explained);
    }
    Ok(())
}

/// Up to `sets` disjoint sets of training rows to compare held-out rows with: of the same labels, where the
/// condition is a label.
fn alike(train: &Set, held: &Set, labelled: bool, sets: u64) -> Result<Vec<Tensor>> {
    let (n, device) = (held.len(), train.target.device());
    let (Some(wanted), Some(all), true) = (&held.condition, &train.condition, labelled) else {
        let whole = (train.len() / n.max(1)).min(sets as i64);
        return Ok((0..whole)
            .map(|i| Tensor::arange_start(i * n, (i + 1) * n, (Kind::Int64, device)))
            .collect());
    };
    let mut unused: Vec<Vec<i64>> = vec![Vec::new(); wanted.size()[1] as usize];
    for (row, label) in labels(all)?.into_iter().enumerate().rev() {
        unused[label].push(row as i64);
    }
    let wanted = labels(wanted)?;
    let next = || -> Option<Vec<i64>> { wanted.iter().map(|label| unused[*label].pop()).collect() };
    let found = std::iter::repeat_with(next).take(sets as usize).map_while(|index| index);
    Ok(found.map(|index| Tensor::from_slice(&index).to_device(device)).collect())
}

/// Writes float32 arrays into a run's .npz file.
pub fn write_npz(run: &Run, name: &str, arrays: &[(String, Tensor)]) -> Result<()> {
    let arrays = arrays.iter().map(|(name, tensor)| array(name, tensor));
    crate::io::npz::write_npz(&run.file(name), &arrays.collect::<Result<Vec<_>>>()?)
}

/// Draws every picture of a run.
pub fn draw(model: &mut Trained, data: &Data, history: &History, run: &Run) -> Result<()> {
    draw_losses(model, history, run)?;
    draw_data(model, data, run)?;
    if model.experiment().task == Some(Task::Regression) {
        draw_predictions(model, data, run)?
    } else {
        draw_samples(model, data, run)?
    }
    draw_trajectories(model, data, run)
}

fn draw_losses(model: &Trained, history: &History, run: &Run) -> Result<()> {
    let epochs = &history.epochs;
    let terms = TERMS
        .iter()
        .enumerate()
        .map(|(i, name)| Term {
            name: (*name).to_owned(),
            train: epochs.iter().map(|e| e.train.get(i).copied().flatten()).collect(),
            val: epochs.iter().map(|e| e.val.get(i).copied().flatten()).collect(),
        })
        .collect();
    let title = format!("Loss terms, {}", model.experiment().objective.name());
    plot::loss_trends(&run.file("loss_trends.png"), &LossTrends { title, terms })
}

fn draw_data(model: &Trained, data: &Data, run: &Run) -> Result<()> {
    let units = model.units();
    let n = data.train.len().min(5000);
    let target = units.target.undo(&data.train.target.narrow(0, 0, n));
    let condition = data.train.condition.as_ref().map(|c| c.narrow(0, 0, n));
    let (mut view_target, mut view_condition, mut view_labels) = (points(&target)?, None, None);
    match condition {
        Some(c) if units.condition_is_label => view_labels = Some(labels(&c)?),
        Some(c) if units.target_is_label => {
            view_labels = Some(labels(&target)?);
            view_target = points(&units.condition.undo(&c))?;
        }
        // y over x, whichever is learned.
        Some(c) => {
            let condition = points(&units.condition.undo(&c))?;
            let regression = model.experiment().task == Some(Task::Regression);
            view_condition = Some(if regression {
                condition
            } else {
                std::mem::replace(&mut view_target, condition)
            });
        }
        None => {}
    }
    plot::data_visualization(
        &run.file("data_visualization.png"),
        &DataView {
            title: format!("Data: {}", model.experiment().data.name()),
            condition: view_condition,
            target: view_target,
            labels: view_labels,
            label_names: Vec::new(),
            split_name: format!("training data, {n} of {} points", data.train.len()),
        },
    )
}

fn draw_samples(model: &mut Trained, data: &Data, run: &Run) -> Result<()> {
    let seed = stream_seed(model.experiment().seed(), Purpose::Report, 1);
    let HeldOut { name: set, rows, .. } = data.held_out(DRAWN);
    let (sampled, _) = draw_latents(model, &rows, Some((seed, 0)), model.plan())?;
    let generated = model.present(&sampled.z)?;
    let (n, condition, units) = (rows.len(), &rows.condition, model.units());
    let label = match &condition {
        Some(c) if units.condition_is_label => Some((labels(c)?, labels(c)?)),
        _ => None,
    };
    let name = if condition.is_some() {
        "conditional_generation.png"
    } else {
        "unconditional_generation.png"
    };
    plot::samples(
        &run.file(name),
        &SampleView {
            title: format!("{}: generated beside {set} data", model.experiment().objective.name()),
            subtitle: caption(&how(model, &sampled, n, Some(model.experiment().seed()))),
            generated: points(&generated)?,
            real: points(&units.target.undo(&rows.target))?,
            labels: label,
            label_names: Vec::new(),
        },
    )
}

fn draw_predictions(model: &mut Trained, data: &Data, run: &Run) -> Result<()> {
    let HeldOut { name: set, rows, .. } = data.held_out(5000);
    let (sampled, _) = draw_latents(model, &rows, None, model.plan())?;
    let predicted = model.present(&sampled.z)?;
    let (n, units) = (rows.len(), model.units());
    let truth = units.target.undo(&rows.target);
    write_npz(
        run,
        "predictions.npz",
        &[
            ("predictions".into(), predicted.shallow_clone()),
            ("truth".into(), truth.shallow_clone()),
        ],
    )?;
    let x = rows.condition.map(|c| points(&units.condition.undo(&c))).transpose()?;
    let shown = if units.target_is_label {
        Predicted::Classes {
            truth: labels(&truth)?,
            predicted: labels(&predicted)?,
            names: Vec::new(),
        }
    } else {
        Predicted::Values {
            truth: points(&truth)?,
            predicted: points(&predicted)?,
            names: Vec::new(),
        }
    };
    plot::predictions(
        &run.file("predictions.png"),
        &PredictionView {
            title: format!("{}: predictions on {set} data", model.experiment().objective.name()),
            subtitle: caption(&how(model, &sampled, n, None)),
            x,
            predicted: shown,
        },
    )
}

fn draw_trajectories(model: &mut Trained, data: &Data, run: &Run) -> Result<()> {
    let seed = stream_seed(model.experiment().seed(), Purpose::Report, 2);
    let rows = data.held_out(DRAWN).rows;
    let n = rows.len();
    // The way itself: its end as the solver leaves it.
    let plan = Plan { final_denoise: Some(false), ..model.plan() };
    let (sampled, seen) = draw_latents(model, &rows, Some((seed, 0)), plan)?;
    let grid = plan.grid;
    let (times, real) = model.sampling(|model, _| {
        let field = ModelField::new(model, None, grid);
        // An end that was found by bracketing is shown as 0 or 1.
        let time = |s: &f64| Ok((field.time(*s)? * 1e9).round() / 1e9);
        let times = seen.clock.iter().map(time).collect::<Result<Vec<_>>>()?;
        let real = tch::no_grad(|| model.encode(&rows.target, Pass::EVAL))?.mean;
        Ok((times, real))
    })?;
    let units = model.units();
    let same_space = real.size() == sampled.z.size();
    let by_label = match &rows.condition {
        Some(c) if units.condition_is_label => Some(labels(c)?),
        _ if units.target_is_label => Some(labels(&rows.target)?),
        _ => None,
    };
    let view = TrajectoryView {
        title: format!("{}: from noise to data", model.experiment().objective.name()),
        subtitle: caption(&how(model, &sampled, n, Some(model.experiment().seed())))
            + ", latent units",
        times,
        states: seen.states.iter().map(points).collect::<Result<Vec<_>>>()?,
        real: if same_space { Some(points(&real)?) } else { None },
        labels: by_label,
        label_names: Vec::new(),
    };
    plot::trajectories(&run.file("trajectories.png"), &view)?;
    plot::trajectory_diagnostics(&run.file("trajectory_diagnostics.png"), &view)?;
    plot::latent_trajectories(&run.file("latent_trajectories.png"), &view)
}

/// Names of the pictures of a run, with what each shows.
pub fn pictures(run: &Run) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(&run.path).map_err(Error::io("read", &run.path))?;
    let mut names: Vec<String> = entries
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .filter(|n| n.ends_with(".png"))
        .collect();
    names.sort();
    Ok(names)
}
