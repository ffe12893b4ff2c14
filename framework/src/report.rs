//! What is measured and drawn at the end of a run. Distances are in the data's own units.

use crate::component::Condition;
use crate::config::Task;
use crate::error::{Error, Result};
use crate::loss::TERMS;
use crate::metrics;
use crate::plot::{
    self, DataView, LossTrends, Points, Predicted, PredictionView, SampleView, Term, TrajectoryView,
};
use crate::rng::{Purpose, stream_seed};
use crate::run::Run;
use crate::sample::{ModelField, Sampled, Trajectory};
use crate::train::{DIVERGED, Trainer};
use serde_json::{Value, json};
use tch::{Kind, Tensor};

/// Most points of an exact Wasserstein distance.
const EXACT_POINTS: i64 = 2000;
/// Samples in a picture.
const DRAWN: i64 = 1000;

/// How the samples of a metric or picture were made.
fn how(trainer: &Trainer, sampled: &Sampled, n: i64, seed: u64) -> Value {
    let e = trainer.experiment();
    json!({
        "n": n,
        "solver": e.sampling.solver.name(),
        "steps": e.sampling.steps,
        "grid": e.sampling.grid,
        "nfe": sampled.nfe,
        "final_denoise": sampled.denoised,
        "ema": e.sampling.use_ema && e.training.ema.is_some(),
        "precision": e.training.precision,
        "seed": seed,
    })
}

fn caption(how: &Value) -> String {
    let text = |k: &str| how[k].as_str().map_or_else(|| how[k].to_string(), str::to_owned);
    let ema = if how["ema"] == true { "EMA weights" } else { "last weights" };
    format!(
        "{} x {} steps in {}, {} network evaluations, {ema}, n = {}",
        text("solver"),
        text("steps"),
        text("grid"),
        text("nfe"),
        text("n")
    )
}

fn values(tensor: &Tensor) -> Result<Vec<f64>> {
    Ok(Vec::try_from(
        tensor.detach().to_device(tch::Device::Cpu).to_kind(Kind::Double).reshape([-1]),
    )?)
}

fn points(tensor: &Tensor) -> Result<Points> {
    let dim = (tensor.numel() as i64 / tensor.size()[0].max(1)) as usize;
    Ok(Points::new(values(tensor)?, dim))
}

fn labels(one_hot: &Tensor) -> Result<Vec<usize>> {
    let labels: Vec<i64> = Vec::try_from(one_hot.argmax(-1, false).to_device(tch::Device::Cpu))?;
    Ok(labels.into_iter().map(|l| l as usize).collect())
}

/// The first `n` held-out rows: (target, condition), normalised; test rows, else validation, else training.
fn held_out(trainer: &Trainer, n: i64) -> (&'static str, Tensor, Option<Tensor>) {
    let data = trainer.data();
    let (name, set) = [("test", &data.test), ("validation", &data.val)]
        .into_iter()
        .find(|(_, s)| !s.is_empty())
        .unwrap_or(("training", &data.train));
    let n = n.min(set.len());
    (name, set.target.narrow(0, 0, n), set.condition.as_ref().map(|c| c.narrow(0, 0, n)))
}

/// Draws latents for normalised conditions (or `n` without), returns them with their trajectory.
fn draw_latents(
    trainer: &mut Trainer,
    n: i64,
    condition: Option<&Tensor>,
    seed: Option<u64>,
) -> Result<(Sampled, Trajectory)> {
    let z0 = trainer.z0(n, seed);
    let condition =
        condition.map(|value| Condition { value: value.shallow_clone(), present: None });
    let mut seen = Trajectory::default();
    let plan = trainer.plan();
    let sampled = trainer.sample_latents(&z0, condition.as_ref(), plan, &mut seen)?;
    Ok((sampled, seen))
}

/// An error if something that was drawn is not finite.
fn finite(drawn: Tensor) -> Result<Tensor> {
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

/// The metrics of a trained model on its held-out rows. Generation is drawn for `seed`, or else for the
/// experiment's; regression starts from z_0 = 0 unless a seed is given.
pub fn evaluate(trainer: &mut Trainer, seed: Option<u64>) -> Result<Evaluation> {
    let asked = seed.unwrap_or_else(|| trainer.experiment().seed());
    let drawn = seed.is_some();
    let seed = stream_seed(asked, Purpose::Report, 0);
    if trainer.experiment().task == Some(Task::Regression) {
        let (set, target, condition) = held_out(trainer, i64::MAX);
        let n = target.size()[0];
        let (sampled, _) = draw_latents(trainer, n, condition.as_ref(), drawn.then_some(seed))?;
        let predicted = finite(trainer.present(&sampled.z)?)?;
        let truth = trainer.data().target.undo(&target);
        let (t, p) = (points(&truth)?, points(&predicted)?);
        let (t, p) =
            (metrics::Points::new(&t.values, t.dim)?, metrics::Points::new(&p.values, p.dim)?);
        let mut result = json!({ "set": set, "sampling": how(trainer, &sampled, n, asked), "z0": if drawn { "drawn" } else { "zero" }, "mse": metrics::mse(t, p)? });
        if trainer.data().target_is_label {
            let truth: Vec<i64> = labels(&truth)?.into_iter().map(|l| l as i64).collect();
            result["accuracy"] = json!(metrics::accuracy(p, &truth)?);
        } else if n > 1 {
            result["variance_explained_percent"] =
                json!(metrics::variance_explained(t, p)?.uniform_average);
        }
        return Ok(Evaluation { metrics: result, arrays: Vec::new() });
    }
    let (set, target, condition) = held_out(trainer, EXACT_POINTS);
    let n = target.size()[0];
    let (sampled, _) = draw_latents(trainer, n, condition.as_ref(), Some(seed))?;
    let generated = finite(trainer.present(&sampled.z)?)?;
    let mut arrays = vec![
        ("samples".to_owned(), generated.shallow_clone()),
        ("real".to_owned(), trainer.data().target.undo(&target)),
    ];
    let (g, r) = (points(&generated)?, points(&arrays[1].1)?);
    let (g, r) = (metrics::Points::new(&g.values, g.dim)?, metrics::Points::new(&r.values, r.dim)?);
    let mut result = json!({
        "set": set,
        "sampling": how(trainer, &sampled, n, asked),
        "w2": metrics::wasserstein2(g, r)?,
        "sliced_w2": metrics::sliced_wasserstein2_drawn(g, r, 256, seed)?,
        "energy_distance": metrics::energy_distance(g, r)?.v,
    });
    // What a perfect sampler would score: real rows against real rows, labels matched.
    if let Some(index) = alike(trainer, n, condition.as_ref())? {
        let real = points(
            &trainer.data().target.undo(&trainer.data().train.target.index_select(0, &index)),
        )?;
        let real = metrics::Points::new(&real.values, real.dim)?;
        result["floor"] = json!({
            "w2": metrics::wasserstein2(real, r)?,
            "sliced_w2": metrics::sliced_wasserstein2_drawn(real, r, 256, seed)?,
            "energy_distance": metrics::energy_distance(real, r)?.v,
            "of": "training rows, with the same labels if any, against the same held-out rows",
        });
    }
    arrays.extend(condition.map(|c| ("condition".to_owned(), trainer.data().condition.undo(&c))));
    Ok(Evaluation { metrics: result, arrays })
}

/// `n` training rows to compare held-out rows with: of the same labels, where the condition is a label.
fn alike(trainer: &Trainer, n: i64, condition: Option<&Tensor>) -> Result<Option<Tensor>> {
    let data = trainer.data();
    let train = &data.train;
    let (Some(held), Some(all), true) = (condition, &train.condition, data.condition_is_label)
    else {
        return Ok(
            (train.len() >= n).then(|| Tensor::arange(n, (Kind::Int64, train.target.device())))
        );
    };
    let mut unused: Vec<Vec<i64>> = vec![Vec::new(); held.size()[1] as usize];
    for (row, label) in labels(all)?.into_iter().enumerate().rev() {
        unused[label].push(row as i64);
    }
    let index: Option<Vec<i64>> =
        labels(held)?.into_iter().map(|label| unused[label].pop()).collect();
    Ok(index.map(|index| Tensor::from_slice(&index).to_device(train.target.device())))
}

/// Writes float32 arrays into a run's .npz file.
pub fn write_npz(run: &Run, name: &str, arrays: &[(String, Tensor)]) -> Result<()> {
    let arrays = arrays
        .iter()
        .map(|(name, tensor)| {
            let shape = tensor.size().iter().map(|s| *s as usize).collect();
            let data: Vec<f32> = values(tensor)?.into_iter().map(|v| v as f32).collect();
            crate::io::NamedArray::new(name.clone(), shape, data)
        })
        .collect::<Result<Vec<_>>>()?;
    crate::io::npz::write_npz(&run.file(name), &arrays)
}

/// Draws every picture of a run.
pub fn draw(trainer: &mut Trainer, run: &Run) -> Result<()> {
    draw_losses(trainer, run)?;
    draw_data(trainer, run)?;
    let regression = trainer.experiment().task == Some(Task::Regression);
    if regression {
        draw_predictions(trainer, run)?
    } else {
        draw_samples(trainer, run)?
    }
    draw_trajectories(trainer, run)
}

fn draw_losses(trainer: &Trainer, run: &Run) -> Result<()> {
    let epochs = &trainer.history().epochs;
    let terms = TERMS
        .iter()
        .enumerate()
        .map(|(i, name)| Term {
            name: (*name).to_owned(),
            train: epochs.iter().map(|e| e.train.get(i).copied().flatten()).collect(),
            val: epochs.iter().map(|e| e.val.get(i).copied().flatten()).collect(),
        })
        .collect();
    let title = format!("Loss terms, {}", trainer.experiment().objective.name());
    plot::loss_trends(&run.file("loss_trends.png"), &LossTrends { title, terms })
}

fn draw_data(trainer: &Trainer, run: &Run) -> Result<()> {
    let data = trainer.data();
    let n = data.train.len().min(5000);
    let target = data.target.undo(&data.train.target.narrow(0, 0, n));
    let condition = data.train.condition.as_ref().map(|c| c.narrow(0, 0, n));
    let (mut view_target, mut view_condition, mut view_labels) = (points(&target)?, None, None);
    match condition {
        Some(c) if data.condition_is_label => view_labels = Some(labels(&c)?),
        Some(c) if data.target_is_label => {
            view_labels = Some(labels(&target)?);
            view_target = points(&data.condition.undo(&c))?;
        }
        Some(c) => view_condition = Some(points(&data.condition.undo(&c))?),
        None => {}
    }
    plot::data_visualization(
        &run.file("data_visualization.png"),
        &DataView {
            title: format!("Data: {}", trainer.experiment().data.name()),
            condition: view_condition,
            target: view_target,
            labels: view_labels,
            label_names: Vec::new(),
            split_name: format!("training data, {n} of {} points", data.train.len()),
        },
    )
}

fn draw_samples(trainer: &mut Trainer, run: &Run) -> Result<()> {
    let seed = stream_seed(trainer.experiment().seed(), Purpose::Report, 1);
    let (set, target, condition) = held_out(trainer, DRAWN);
    let n = target.size()[0];
    let (sampled, _) = draw_latents(trainer, n, condition.as_ref(), Some(seed))?;
    let generated = trainer.present(&sampled.z)?;
    let label = match &condition {
        Some(c) if trainer.data().condition_is_label => Some((labels(c)?, labels(c)?)),
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
            title: format!(
                "{}: generated beside {set} data",
                trainer.experiment().objective.name()
            ),
            subtitle: caption(&how(trainer, &sampled, n, trainer.experiment().seed())),
            generated: points(&generated)?,
            real: points(&trainer.data().target.undo(&target))?,
            labels: label,
            label_names: Vec::new(),
        },
    )
}

fn draw_predictions(trainer: &mut Trainer, run: &Run) -> Result<()> {
    let (set, target, condition) = held_out(trainer, 5000);
    let n = target.size()[0];
    let (sampled, _) = draw_latents(trainer, n, condition.as_ref(), None)?;
    let predicted = trainer.present(&sampled.z)?;
    let truth = trainer.data().target.undo(&target);
    write_npz(
        run,
        "predictions.npz",
        &[
            ("predictions".into(), predicted.shallow_clone()),
            ("truth".into(), truth.shallow_clone()),
        ],
    )?;
    let x = condition.map(|c| points(&trainer.data().condition.undo(&c))).transpose()?;
    let shown = if trainer.data().target_is_label {
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
            title: format!("{}: predictions on {set} data", trainer.experiment().objective.name()),
            subtitle: caption(&how(trainer, &sampled, n, trainer.experiment().seed())),
            x,
            predicted: shown,
        },
    )
}

fn draw_trajectories(trainer: &mut Trainer, run: &Run) -> Result<()> {
    let seed = stream_seed(trainer.experiment().seed(), Purpose::Report, 2);
    let (_, target, condition) = held_out(trainer, DRAWN);
    let n = target.size()[0];
    let (sampled, seen) = draw_latents(trainer, n, condition.as_ref(), Some(seed))?;
    let clock = trainer.plan().clock;
    let field = ModelField::new(trainer.model(), None, clock);
    let times = seen.clock.iter().map(|s| field.time(*s)).collect::<Result<Vec<_>>>()?;
    let real = tch::no_grad(|| trainer.model().encode(&target, crate::component::Pass::EVAL))?.mean;
    let same_space = real.size() == sampled.z.size();
    let by_label = match &condition {
        Some(c) if trainer.data().condition_is_label => Some(labels(c)?),
        _ if trainer.data().target_is_label => Some(labels(&target)?),
        _ => None,
    };
    let view = TrajectoryView {
        title: format!("{}: from noise to data", trainer.experiment().objective.name()),
        subtitle: caption(&how(trainer, &sampled, n, trainer.experiment().seed()))
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
