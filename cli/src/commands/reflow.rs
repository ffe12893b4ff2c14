//! `reflow`: a model with straighter paths, trained on pairs (z_0, sample) of a trained one.

use super::sampling::options;
use super::{curve, show};
use crate::args::{Cli, SamplingArgs};
use crate::interrupt::{go_on_with, heed, stopped};
use crate::progress::{Progress, Sampling};
use std::path::{Path, PathBuf};
use triflow::config::{Layers, RowWeights};
use triflow::data::files::write_rows;
use triflow::request;
use triflow::run;
use triflow::{Error, Result, Trained};

/// Draws pairs from a run, trains a new run on them, and plots the quality of both against network
/// evaluations.
pub fn reflow(
    cli: &Cli,
    run: &Path,
    pairs: Option<i64>,
    how: &SamplingArgs,
    train: &[String],
    output_dir: Option<&Path>,
) -> Result<()> {
    if let Some((key, _)) = options(how).further().0.first() {
        let message = format!("--set data.{key}: reflow reads no file beside the run's data");
        return Err(Error::config("", message).help("`--train` sets a key of the new run"));
    }
    let teacher = std::path::absolute(run).map_err(Error::io("find", run))?;
    let is_own = how.solver.is_some();
    let how =
        SamplingArgs { solver: Some(how.solver.clone().unwrap_or("dopri5".into())), ..how.clone() };
    let (old, mut model) = request::open(&teacher, &options(&how))?;
    triflow::reflow::check(model.experiment())?;
    // Steps and grid of the run are not meant for a solver that nobody asked for.
    let unused = model.unused();
    let of_sampling = unused.iter().filter(|unused| unused.key.starts_with("sampling."));
    for unused in of_sampling.filter(|u| is_own || model.experiment().flags.has(u.key)) {
        log::warn!("{unused}");
    }
    let _threads = model.threads();
    let data = old.data(&model)?;
    let n = pairs.unwrap_or(data.train.len());
    let seed = how.seed.unwrap_or_else(|| model.experiment().seed());
    let file = PairsFile::reserve(output_dir.unwrap_or(&model.experiment().output_dir), &teacher)?;
    let mut layers = student(&teacher, &model, &file.0)?;
    if let Some(dir) = output_dir {
        layers.set("output_dir", dir.to_string_lossy().as_ref().into(), "--output-dir")?;
    }
    for assignment in train {
        layers.set_text(assignment)?;
    }
    // Wrong keys are reported before the pairs are drawn.
    layers.finish()?.check().map_err(|e| layers.locate(e))?;
    log::info!("drawing {n} pairs along `{}`", model.experiment().sampling.solver.name());
    heed(true);
    let (mut shown, mut before) = (Sampling::new(cli.quiet, n, "pairs"), 0);
    let drawn = triflow::reflow::pairs(&mut model, &data, (n, seed), &mut |so_far| {
        shown.add(so_far - before);
        before = so_far;
        if stopped() { Err(Error::Stopped { go_on: None }) } else { Ok(()) }
    })?;
    heed(false);
    write_rows(&file.0, &drawn)?;
    drop((drawn, model, data));
    log::info!("training on {}", file.0.display());
    let base = PathBuf::new();
    let new = run::train(layers.finish()?, &base, &mut Progress::new(cli.quiet));
    let new = new.map_err(|e| {
        // No run has begun, so none needs the data.
        if e.exit_code() == 2 {
            file.remove();
        }
        layers.locate(e)
    })?;
    let both = [("before".to_owned(), &*teacher), ("after".to_owned(), &*new.path)];
    go_on_with(None);
    curve::beside(&both, &new, !cli.quiet)?;
    show(cli, &new)
}

/// The new run's experiment: the old one's on the rectified path, trained on the given pairs.
fn student(teacher: &Path, model: &Trained, pairs: &Path) -> Result<Layers> {
    let mut layers = Layers::new()?;
    layers.add_file(&teacher.join("config.yaml"))?;
    // From the run: the sampling of `model` is that of the pairs.
    let old = layers.finish()?;
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let standardise = old.data.common().standardise;
    let yaml = |text: &str| {
        serde_yaml::from_str::<serde_yaml::Value>(text).map_err(|e| Error::runtime(e.to_string()))
    };
    let place = "triflow reflow";
    let mut data = serde_yaml::Mapping::new();
    data.insert("type".into(), "npz".into());
    data.insert("path".into(), text(pairs).into());
    for (key, name) in [
        ("x", Some("x")),
        ("y", Some("y")),
        ("x_val", None),
        ("y_val", None),
        ("x_test", None),
        ("y_test", None),
        ("weights", None),
    ] {
        // The teacher's arrays may have had other names.
        let name = name.map_or(serde_yaml::Value::Null, Into::into);
        data.insert(key.into(), name);
    }
    data.insert("standardise".into(), standardise.into());
    data.insert("split".into(), yaml("{ train: 0.95, val: 0.05, test: 0.0 }")?);
    layers.set("data", data.into(), place)?;
    if old.training.row_weights == Some(RowWeights::Given) {
        // The pairs are those of a model that has learned the weighted rows.
        layers.set("training.row_weights", serde_yaml::Value::Null, place)?;
    }
    layers.set("coupling", "given".into(), place)?;
    let mut start = serde_yaml::Mapping::new();
    if model.model().predicts_velocity() {
        // The new model starts as the same function.
        start.insert("run".into(), text(teacher).into());
        layers.set("start_from", start.into(), place)?;
    } else {
        layers.set("objective", "flow_matching".into(), place)?;
        layers.set("path", "rectified".into(), place)?;
        layers.set("start_from", serde_yaml::Value::Null, place)?;
        layers.set("noise_schedule", "linear".into(), place)?;
        layers.set("noise_schedule.learnable", false.into(), place)?;
        layers.set("loss.use_snr_weight", false.into(), place)?;
        layers.set("loss.normalise", serde_yaml::Value::Null, place)?;
        layers.set("loss.vae_noised", serde_yaml::Value::Null, place)?;
        if old.training.time_sampling.build(&())?.needs_finite_ends()? {
            layers.set("training.time_sampling", "stratified".into(), place)?;
        }
    }
    // Guidance is in the pairs already, and solvers that need levels have none between given ends.
    layers.set("training.condition_dropout", 0.0.into(), place)?;
    layers.set("sampling.guidance", 1.0.into(), place)?;
    layers.set("sampling.steering", serde_yaml::Value::Null, place)?;
    layers.set("sampling.grid", "time".into(), place)?;
    layers.set("sampling.final_denoise", false.into(), place)?;
    if old.sampling.solver.build(&())?.needs_levels()? {
        layers.set("sampling.solver", "midpoint".into(), place)?;
    }
    Ok(layers)
}

/// The file of the pairs, which are the new run's data. It is removed if no run begins.
struct PairsFile(PathBuf);

impl PairsFile {
    /// A free name in `{output_dir}/pairs`, reserved by an empty file.
    fn reserve(output_dir: &Path, teacher: &Path) -> Result<Self> {
        let folder =
            std::path::absolute(output_dir.join("pairs")).map_err(Error::io("find", output_dir))?;
        std::fs::create_dir_all(&folder).map_err(Error::io("make the folder", &folder))?;
        let name = |path: Option<&Path>| {
            path.and_then(Path::file_name)
                .map(|n| n.to_string_lossy().into_owned())
                .unwrap_or_default()
        };
        let stem = format!("{}_{}", name(teacher.parent()), name(Some(teacher)));
        for i in 1..1000 {
            let path = match i {
                1 => folder.join(format!("{stem}.npz")),
                i => folder.join(format!("{stem}_{i}.npz")),
            };
            match std::fs::File::create_new(&path) {
                Ok(_) => return Ok(Self(path)),
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(Error::io("make", &path)(e)),
            }
        }
        Err(Error::runtime(format!("no free name in {}", folder.display())))
    }

    fn remove(&self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Drop for PairsFile {
    fn drop(&mut self) {
        // An interrupted run needs its pairs to resume: only an empty file is removed.
        if std::fs::metadata(&self.0).is_ok_and(|m| m.len() == 0) {
            self.remove();
        }
    }
}
