//! The pictures of a run, and its arrays (`.npz`).

mod images;
mod rows;
mod sequences;
mod tables;

pub use rows::SampledRows;
pub(crate) use tables::is_table;
pub use tables::{write_predictions, write_samples};

use crate::component::Pass;
use crate::config::{KeepBest, LossTerm};
use crate::data::files::array;
use crate::data::{Data, HeldOut, Units};
use crate::error::{Error, Result};
use crate::measure::{
    Scale, draw_paths, draw_rows, drawn_scales, how, labels, points, rows_of_paths,
};
use crate::plot::{
    self, DataView, LossTrends, Predicted, PredictionView, SampleView, Term, TrajectoryView,
};
use crate::registry::guard_engine;
use crate::rng::{Purpose, stream_seed};
use crate::sample::{ModelField, SamplingPlan};
use crate::table::origin_names;
use crate::train::History;
use crate::trained::Trained;
use serde_json::Value;
use std::path::Path;
use tch::Tensor;

/// Samples in a picture.
const DRAWN: i64 = 1000;

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

/// Writes arrays to the file `name` (`.npz`) of a run's folder, each in its own precision, with the
/// names of the columns and classes.
///
/// # Errors
/// If a tensor is of a type that the format lacks, or the file cannot be written.
pub fn write_npz(
    folder: &Path,
    name: &str,
    arrays: &[(String, Tensor)],
    units: &Units,
) -> Result<()> {
    let arrays = arrays.iter().map(|(name, tensor)| array(name, tensor));
    let arrays = arrays.collect::<Result<Vec<_>>>()?;
    crate::io::npz::write_npz_with(&folder.join(name), &arrays, &units.texts())
}

/// The course of a training.
#[derive(Clone, Copy, Debug)]
pub struct Course<'a> {
    /// Losses of its epochs.
    pub history: &'a History,
    /// Epoch after which `training.stopping` ended it before its planned steps, and the reason, as
    /// in `manifest.json`; `None` if it did not.
    pub stopped: Option<&'a str>,
    /// Epoch whose weights were kept as the best by a metric; `None` if none were.
    pub kept: Option<u64>,
}

/// Draws every picture of a run into `folder`. Returns those that could not be drawn, each with the
/// reason, which is logged as well.
///
/// # Errors
/// If `predictions.npz` of a model that predicts cannot be made or written.
pub fn draw(
    model: &mut Trained,
    data: &Data,
    course: Course<'_>,
    folder: &Path,
) -> Result<Vec<String>> {
    draw_until(model, data, course, folder, &|| false)
}

/// Draws like [`draw`], and ends with [`Error::Interrupted`] once `stop` returns `true`.
pub(crate) fn draw_until(
    model: &mut Trained,
    data: &Data,
    course: Course<'_>,
    folder: &Path,
    stop: &dyn Fn() -> bool,
) -> Result<Vec<String>> {
    let mut pictures = Pictures { folder, stop, not_drawn: Vec::new() };
    // A run without a step has no losses.
    if !course.history.epochs.is_empty() {
        pictures.draw("loss_trends.png", || draw_losses(model, course, folder))?;
    }
    let task = model.experiment().task();
    pictures.draw("data_visualization.png", || match task.is_sequence() {
        true => sequences::draw_data(model, data, folder),
        false if tables::is_mixed(model) => tables::draw_data(model, data, folder),
        false => draw_data(model, data, folder),
    })?;
    match (task.is_sequence(), task.predicts()) {
        (true, true) => sequences::draw_predictions(model, data, &mut pictures)?,
        (false, true) => draw_predictions(model, data, &mut pictures)?,
        (true, false) => {
            pictures.draw("the samples", || sequences::draw_samples(model, data, folder))?
        }
        (false, false) => {
            if !tables::is_mixed(model) {
                pictures.draw("the samples", || draw_samples(model, data, folder))?;
            }
            if tables::is_shown(model) {
                tables::draw_samples(model, data, &mut pictures)?;
            }
            pictures.draw("images.png", || images::draw(model, data, folder))?;
        }
    }
    draw_trajectories(model, data, &mut pictures)?;
    Ok(pictures.not_drawn)
}

/// The pictures of a run while they are drawn. A picture that fails does not fail the run.
struct Pictures<'a> {
    folder: &'a Path,
    stop: &'a dyn Fn() -> bool,
    not_drawn: Vec<String>,
}

impl Pictures<'_> {
    /// Returns the result of `make` for the picture `name`, or `None` if it fails, which is logged
    /// and noted in `not_drawn`.
    ///
    /// # Errors
    /// [`Error::Interrupted`] if `stop` returns `true`.
    fn make<T>(&mut self, name: &str, make: impl FnOnce() -> Result<T>) -> Result<Option<T>> {
        if (self.stop)() {
            return Err(Error::Interrupted { run: self.folder.to_owned() });
        }
        Ok(guard_engine(make)
            .map_err(|e| {
                log::warn!("{name} cannot be drawn: {e}");
                self.not_drawn.push(format!("{name}: {e}"));
            })
            .ok())
    }

    fn draw(&mut self, name: &str, draw: impl FnOnce() -> Result<()>) -> Result<()> {
        self.make(name, draw).map(|_| ())
    }
}

fn draw_losses(model: &Trained, course: Course<'_>, folder: &Path) -> Result<()> {
    let epochs = &course.history.epochs;
    let terms = LossTerm::ALL.map(|term| Term {
        name: term.name().to_owned(),
        train: epochs.iter().map(|e| e.train_term(term)).collect(),
        val: epochs.iter().map(|e| e.val_term(term)).collect(),
    });
    let kept = match &model.experiment().checkpoint.keep_best {
        Some(KeepBest::Loss(term)) => course.history.best(*term).map(|epoch| epoch.epoch),
        Some(KeepBest::Metric(_)) => course.kept,
        None => None,
    };
    let view = LossTrends {
        title: format!("Loss terms, {}", model.experiment().objective.name()),
        terms: terms.into(),
        kept,
        stopped: course.stopped.map(str::to_owned),
    };
    plot::loss_trends(&folder.join("loss_trends.png"), &view)
}

fn draw_data(model: &Trained, data: &Data, folder: &Path) -> Result<()> {
    let units = model.units();
    let n = data.train.at_most(5000).min(data.train.len());
    let rows = data.train.spread(n)?;
    let (target, condition) = (units.target.undo(&rows.target), rows.condition);
    let names = &units.names;
    let generates = !model.experiment().task().predicts();
    let (scaled, shown) = match for_components(model) {
        (scaled, scale) if generates => (scaled, scale.values(units, &target, None)),
        _ => ("", target.shallow_clone()),
    };
    let (mut view_target, mut view_condition, mut view_labels) =
        (points(&shown)?.named(&names.target_entries()), None, None);
    match condition {
        Some(c) if units.condition_is_label => view_labels = Some(labels(&c)?),
        Some(c) if units.target_is_label => {
            view_labels = Some(labels(&target)?);
            view_target = points(&units.condition.undo(&c))?.named(&names.condition_entries());
        }
        // y is drawn over x, whichever of them is the target.
        Some(c) => {
            let condition = points(&units.condition.undo(&c))?.named(&names.condition_entries());
            let regression = model.experiment().task().predicts();
            view_condition = Some(if regression {
                condition
            } else {
                std::mem::replace(&mut view_target, condition)
            });
        }
        None => {}
    }
    plot::data_visualization(
        &folder.join("data_visualization.png"),
        &DataView {
            title: format!("Data: {}", model.experiment().data.name()),
            condition: view_condition,
            target: view_target,
            labels: view_labels,
            label_names: names.classes.clone(),
            split_name: format!("training data, {n} of {} points{scaled}", data.train.len()),
        },
    )
}

/// The units in which targets are drawn, those of the metrics, and a remark on them. Targets of one
/// or two coordinates are drawn in the data's own units, which are readable on the axes.
fn for_components(model: &Trained) -> (&'static str, Scale) {
    let scale = Scale::of(model);
    match model.units().shapes.target.iter().product::<i64>() > 2 && scale.standardised {
        true => (", standardised", scale),
        false => ("", Scale { standardised: false, ..scale }),
    }
}

fn draw_samples(model: &mut Trained, data: &Data, folder: &Path) -> Result<()> {
    let seed = stream_seed(model.experiment().seed(), Purpose::Report, 1);
    let HeldOut { name: set, rows, .. } = data.held_out(DRAWN)?;
    let (sampled, generated) = draw_rows(model, &rows, Some((seed, 0)))?;
    let (n, condition, units) = (rows.len(), &rows.condition, model.units());
    let label = match &condition {
        Some(c) if units.condition_is_label => Some((labels(c)?, labels(c)?)),
        _ => None,
    };
    let own = caption(&how(model, &sampled, n, Some(model.experiment().seed())));
    let (scaled, scale) = for_components(model);
    let shown = |values: &Tensor| points(&scale.values(units, values, None));
    let name = if condition.is_some() {
        "conditional_generation.png"
    } else {
        "unconditional_generation.png"
    };
    plot::samples(
        &folder.join(name),
        &SampleView {
            title: format!("{}: generated beside {set} data", model.experiment().objective.name()),
            subtitle: own + scaled,
            generated: shown(&generated)?.named(&units.names.target_entries()),
            real: shown(&units.target.undo(&rows.target))?.named(&units.names.target_entries()),
            labels: label,
            label_names: units.names.classes.clone(),
        },
    )
}

fn draw_predictions(model: &mut Trained, data: &Data, pictures: &mut Pictures<'_>) -> Result<()> {
    let folder = pictures.folder;
    let HeldOut { name: set, rows, .. } = data.held_out(5000)?;
    let (sampled, predicted) = draw_rows(model, &rows, None)?;
    let (n, units) = (rows.len(), model.units());
    let truth = units.target.undo(&rows.target);
    write_npz(
        folder,
        "predictions.npz",
        &[
            ("predictions".into(), predicted.shallow_clone()),
            ("truth".into(), truth.shallow_clone()),
        ],
        units,
    )?;
    pictures.draw("predictions.png", || {
        let x = rows.condition.filter(|_| units.condition_layout().is_none());
        let x = x.map(|c| points(&units.condition.undo(&c))).transpose()?;
        let x = x.map(|x| x.named(&units.names.condition_entries()));
        let mut subtitle = caption(&how(model, &sampled, n, None));
        let shown = if units.target_is_label {
            Predicted::Classes {
                truth: labels(&truth)?,
                predicted: labels(&predicted)?,
                names: units.names.classes.clone(),
            }
        } else if units.target_layout().is_some() {
            let (shown, remark) = tables::predicted(model, &truth, &predicted)?;
            subtitle += &remark;
            shown
        } else {
            Predicted::Values {
                truth: points(&truth)?,
                predicted: points(&predicted)?,
                columns: units.names.target.clone(),
            }
        };
        plot::predictions(
            &folder.join("predictions.png"),
            &PredictionView {
                title: format!(
                    "{}: predictions on {set} data",
                    model.experiment().objective.name()
                ),
                subtitle,
                x,
                predicted: shown,
            },
        )
    })
}

fn draw_trajectories(model: &mut Trained, data: &Data, pictures: &mut Pictures<'_>) -> Result<()> {
    let Some(view) = pictures.make("trajectories.png", || trajectories(model, data))? else {
        return Ok(());
    };
    let folder = pictures.folder;
    pictures.draw("trajectory_diagnostics.png", || {
        plot::trajectory_diagnostics(&folder.join("trajectory_diagnostics.png"), &view)
    })?;
    // The diagnostics measure the states; the other pictures have to show them.
    let scales = model.sampling(|model, _| drawn_scales(model, &view.times))?;
    let view = scales.map_or(view.clone(), |scales| view.scaled(&scales));
    pictures
        .draw("trajectories.png", || plot::trajectories(&folder.join("trajectories.png"), &view))?;
    pictures.draw("latent_trajectories.png", || {
        plot::latent_trajectories(&folder.join("latent_trajectories.png"), &view)
    })
}

fn trajectories(model: &mut Trained, data: &Data) -> Result<TrajectoryView> {
    let seed = stream_seed(model.experiment().seed(), Purpose::Report, 2);
    let rows = data.held_out(DRAWN)?.rows.spread(rows_of_paths(model, DRAWN));
    let n = rows.len();
    // The path as the solver leaves it, without a denoised end.
    let plan = SamplingPlan { final_denoise: Some(false), ..model.plan() };
    let clock = model.clock()?;
    let (sampled, trajectory) = draw_paths(model, &rows, (seed, 0), plan)?;
    let (times, real) = model.sampling(|model, _| {
        let field = ModelField::new(model, None, clock);
        // Rounded, as bracketing finds the ends 0 and 1 only to within its tolerance.
        let time = |s: &f64| Ok((field.time(*s)? * 1e9).round() / 1e9);
        let times = trajectory.clock.iter().map(time).collect::<Result<Vec<_>>>()?;
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
    Ok(TrajectoryView {
        title: format!("{}: from noise to data", model.experiment().objective.name()),
        subtitle: caption(&how(model, &sampled, n, Some(model.experiment().seed())))
            + ", latent units",
        times,
        names: latent_names(model)?,
        states: trajectory.states.iter().map(points).collect::<Result<Vec<_>>>()?,
        real: if same_space { Some(points(&real)?) } else { None },
        labels: by_label,
        label_names: units.names.classes.clone(),
    })
}

/// Names of the coordinates of latents that come from entries of a table's rows; none for others.
fn latent_names(model: &Trained) -> Result<Vec<String>> {
    let names = match model.model().latent_origins()? {
        Some(origins) => origin_names(&model.units().names.target, &origins),
        None => Vec::new(),
    };
    Ok(names)
}

/// File names of the pictures (`.png`) in a folder, sorted.
///
/// # Errors
/// If the folder cannot be read.
pub fn pictures(folder: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(folder).map_err(Error::io("read", folder))?;
    let mut names: Vec<String> = entries
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .filter(|n| n.ends_with(".png"))
        .collect();
    names.sort();
    Ok(names)
}
