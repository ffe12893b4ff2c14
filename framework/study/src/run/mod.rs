//! The run folder: one folder of results of one experiment, never overwritten. Every file is
//! written whole or not at all.

mod best;
mod checkpoints;
mod data;
mod extend;
mod finish;
mod lock;
mod manifest;
mod new_folder;
mod observers;
mod prepare;
mod recover;
mod same;
mod trackers;

pub use self::best::check_metrics;
use self::checkpoints::{BEST, LAST};
pub use self::extend::extend;
use self::finish::finish;
use self::lock::Lock;
pub use self::new_folder::stamp;
pub use self::prepare::prepare;
use crate::config::{Comparison, Experiment, Layers};
use crate::error::{Error, Result, quoted};
use crate::group::Group;
use crate::io::write_atomically;
use crate::plugin::Library;
use crate::train::{Event, History, Trainer};
use crate::trained::Trained;
use serde_json::json;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Observes a run from its start to its end; a program shows progress with it, and stops it.
pub trait RunObserver {
    /// Called before the first step.
    fn start(&mut self, _trainer: &Trainer, _run: &Run) {}
    /// Called after each step.
    fn step(&mut self, _event: &Event<'_>) {}
    /// `true` if the run is to stop. Called after each step, and between two pictures.
    fn stop(&self) -> bool {
        false
    }
    /// Called before the work after training, with its name. From here on the process may end at
    /// any moment: the parameters are saved, and [`resume`] does the rest.
    fn note(&mut self, _text: &str) {}
    /// Called before the last file, which marks the run as finished.
    fn end(&mut self) {}
    /// Name, version and revision of the program, for the manifest.
    fn program(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
    /// The processes that train together, each of which calls the same function. Rank 0 writes the
    /// run folder, which it alone needs.
    fn group(&self) -> Group {
        Group::alone()
    }
}

impl RunObserver for () {}

/// A run folder, and the place of its data if they have moved.
#[derive(Clone, Debug)]
pub struct Run {
    /// Path of the folder.
    pub path: PathBuf,
    /// Path of the data if they have moved.
    data_path: Option<PathBuf>,
}

impl Run {
    /// Makes the folder of a new run.
    fn create(experiment: &Experiment) -> Result<Self> {
        Ok(Self { path: new_folder::make(experiment)?, data_path: None })
    }

    /// Opens an existing run folder.
    ///
    /// # Errors
    /// If the folder has no `config.yaml`.
    pub fn open(path: &Path) -> Result<Self> {
        if path.join("config.yaml").is_file() {
            Ok(Self { path: path.to_owned(), data_path: None })
        } else {
            let message = format!("{} is not a run folder: it has no config.yaml", path.display());
            Err(Error::config("", message).help(
                "a run that was stopped before it wrote that file is begun again by its first command",
            ))
        }
    }

    /// True if `folder` is that of a run that has begun. A folder with nothing but a `config.yaml`
    /// may be the user's.
    pub fn is_in(folder: &Path) -> bool {
        let has = |name: &str| folder.join(name).exists();
        has("config.yaml") && [LAST, "checkpoints", crate::lock::OF_FOLDER].into_iter().any(has)
    }

    /// This run with its data at `path`, a file or folder, if they have moved.
    #[must_use]
    pub fn with_data_at(self, path: Option<&Path>) -> Self {
        Self { data_path: path.map(Path::to_owned), ..self }
    }

    /// Path of a file of the run.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The run's `config.yaml` over the defaults, with the current path of its data.
    ///
    /// # Errors
    /// If the file cannot be read or has wrong settings, or moved data are given to a run whose
    /// data are not read from a file.
    pub fn layers(&self) -> Result<Layers> {
        let mut layers = Layers::new()?;
        let file = self.file("config.yaml");
        layers.add_file(&file)?;
        // Versions that wrote no seed of the split divided the rows by the experiment's.
        if layers.get("data.split.seed").is_none() {
            layers.set("data.split.seed", serde_yaml::Value::Null, &file.display().to_string())?;
        }
        if let Some(path) = &self.data_path {
            data::set_path(&mut layers, path)?;
        }
        Ok(layers)
    }

    /// The run's experiment with every null resolved.
    ///
    /// # Errors
    /// The errors of [`Run::layers`], and settings that do not fit together.
    pub fn experiment(&self) -> Result<Experiment> {
        // A run is a single cell: the comparison of the defaults does not apply.
        Ok(Experiment { comparison: Comparison::default(), ..self.layers()?.finish()? })
    }

    /// The run's experiment for several processes: one that began without parts has one.
    fn experiment_for(&self, group: &Group) -> Result<Experiment> {
        let mut experiment = self.experiment()?;
        if !group.is_alone() {
            experiment.training.parts.get_or_insert(1);
        }
        Ok(experiment)
    }

    /// Loss terms of the run's epochs.
    ///
    /// # Errors
    /// If `history.json` cannot be read or is damaged.
    pub fn history(&self) -> Result<History> {
        let path = self.file("history.json");
        let text = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        let wrong =
            |why: String| Error::data(&path, format!("is not a history as a run writes it{why}"));
        let json = serde_json::from_str(&text).map_err(|e| wrong(format!(": {e}")))?;
        History::from_json(&json).ok_or_else(|| wrong(String::new()))
    }

    /// Epoch after which `training.stopping` ended the run before its planned steps, and the
    /// reason, such as "after epoch 31: no better `total`"; `None` if it did not.
    pub fn stopped(&self) -> Option<String> {
        self.manifest()["stopped"].as_str().map(str::to_owned)
    }

    /// Writes what a run has from its start: plugins, identity of the data, and its configuration,
    /// which makes it a run.
    fn begin(&self, trainer: &Trainer) -> Result<()> {
        let libraries = trainer.experiment().libraries();
        if !libraries.is_empty() {
            self.write_json(PLUGINS, &json!(libraries))?;
        }
        self.remember_data(trainer.data())?;
        self.write("config.yaml", &trainer.experiment().to_yaml()?)
    }

    /// True if the run is finished and has its parameters.
    fn is_finished(&self) -> bool {
        self.file(LAST).is_file() && self.file("manifest.json").is_file()
    }

    /// Checks that the run is not finished.
    fn must_be_unfinished(&self) -> Result<()> {
        if !self.is_finished() {
            return Ok(());
        }
        let help = format!(
            "`triflow resume --run {} --epochs N` trains it further, to N epochs in all; `triflow run \
             {}` trains anew",
            quoted(&self.path),
            quoted(&self.file("config.yaml"))
        );
        let how = match self.stopped() {
            Some(why) => format!(": its training stopped {why}"),
            None => String::new(),
        };
        Err(Error::config("", format!("{} is finished{how}", self.path.display())).help(help))
    }

    /// The trainer where this begun run has stopped.
    fn continued(&self, experiment: Experiment) -> Result<Trainer> {
        match self.file(LAST).is_file() {
            true => self.trained_to_the_end(experiment),
            false => self.trainer(experiment),
        }
    }

    /// The run's `manifest.json`; null if it cannot be read.
    fn manifest(&self) -> serde_json::Value {
        let text = std::fs::read_to_string(self.file("manifest.json"));
        text.ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    /// Checks that the folder was not removed since the run began: it must not be made again
    /// without its first files.
    fn must_be_there(&self) -> Result<()> {
        match self.file("config.yaml").is_file() {
            true => Ok(()),
            false => Err(Error::runtime(format!(
                "{} was removed or has lost its config.yaml while the run was at work; nothing more \
                 is written there",
                self.path.display()
            ))),
        }
    }

    /// The trainer of a run at the end of its training, from the saved parameters and history.
    fn trained_to_the_end(&self, experiment: Experiment) -> Result<Trainer> {
        let trainer = Trainer::to_restore(experiment.clone(), &self.path);
        let mut trainer = trainer.map_err(|e| self.moved(e))?;
        trainer.take_over(self.load_file(experiment, LAST)?, self.history()?)?;
        log::info!("the training is done; what is left is to measure and to draw");
        Ok(trainer)
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        write_atomically(&self.file(name), |file| file.write_all(text.as_bytes()))
    }

    fn write_json(&self, name: &str, value: &serde_json::Value) -> Result<()> {
        let text =
            serde_json::to_string_pretty(value).map_err(|e| Error::runtime(e.to_string()))? + "\n";
        self.write(name, &text)
    }

    /// Loads the trained model; of an unfinished run, that of its last checkpoint.
    ///
    /// # Errors
    /// The errors of [`Run::experiment`] and [`Run::load_as`].
    pub fn load(&self) -> Result<Trained> {
        self.load_as(self.experiment()?, Weights::Last)
    }

    /// Loads the model under a changed experiment, such as other sampling. An unfinished run gives
    /// the model of its last checkpoint.
    ///
    /// # Errors
    /// If a file of parameters is missing, damaged or does not fit the experiment, or if the data
    /// have changed that an unfinished run needs.
    pub fn load_as(&self, experiment: Experiment, weights: Weights) -> Result<Trained> {
        self.compare_plugins(&experiment)?;
        let name = match weights {
            Weights::Last => LAST,
            Weights::Best => BEST,
        };
        if self.file(name).is_file() {
            return self.load_file(experiment, name);
        }
        let folder = self.path.display();
        if weights == Weights::Best {
            return Err(Error::config("", format!("{folder} has no {BEST}"))
                .help("it is kept where the experiment says `checkpoint: { keep_best: total }`"));
        }
        if self.checkpoints()?.is_empty() {
            let message = format!("{folder} has neither {LAST} nor a checkpoint");
            return Err(Error::config("", message));
        }
        let trainer = self.trainer(experiment)?;
        // The units are fitted to the data again, so these must be unchanged.
        self.check_data(trainer.data())?;
        Ok(trainer.into_trained())
    }

    /// Warns of plugins that are not the same files as when the run began.
    fn compare_plugins(&self, experiment: &Experiment) -> Result<()> {
        let path = self.file(PLUGINS);
        if !path.is_file() {
            return Ok(());
        }
        let text = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        let began: Vec<Library> = serde_json::from_str(&text)
            .map_err(|e| Error::data(&path, format!("is not what a run writes: {e}")))?;
        for then in began {
            match experiment.libraries().into_iter().find(|now| now.name == then.name) {
                None => log::warn!("the run began with {then}, which is not loaded"),
                Some(now) if now.sha256 != then.sha256 => log::warn!(
                    "the run began with {then} (SHA-256 {:.12}…) and goes on with {now} \
                     ({:.12}…): what it does may differ",
                    then.sha256,
                    now.sha256
                ),
                Some(_) => {}
            }
        }
        Ok(())
    }
}

/// A choice of a run's saved parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weights {
    /// Parameters at the end of training.
    #[default]
    Last,
    /// Parameters of the best epoch, which `checkpoint.keep_best` saves.
    Best,
}

/// The file with the plugins that a run began with.
const PLUGINS: &str = "plugins.json";

/// Trains an experiment into a new run folder. Relative data paths are relative to `base`; those in
/// the run's `config.yaml` are absolute, so that it runs again from any folder.
///
/// # Errors
/// If the experiment cannot be built, its data cannot be read, training diverges, a file cannot be
/// written, or `watch` stops the run ([`Error::Interrupted`]).
pub fn train(experiment: Experiment, base: &Path, watch: &mut dyn RunObserver) -> Result<Run> {
    let group = watch.group();
    group.guard(|| {
        let mut experiment = experiment.with_paths_from(base)?;
        experiment.comparison = Comparison::default();
        let trainer = Trainer::in_group(&group, experiment, |e| prepare(e, base))?;
        if !group.is_first() {
            let path = PathBuf::from(group.tell("")?);
            return finish(Run { path, data_path: None }, trainer, watch, true);
        }
        trackers::check(trainer.experiment())?;
        let run = Run::create(trainer.experiment())?;
        let _lock = Lock::take(&run.path)?;
        run.begin(&trainer)?;
        group.tell(&run.path.display().to_string())?;
        finish(run, trainer, watch, true)
    })
}

/// Trains an experiment into the run folder `path`, or continues the run there if it was begun; a
/// finished one stays as it is. Relative data paths are relative to `base`.
///
/// # Errors
/// If the run there began with another experiment, and the errors of [`train`] and [`go_on`].
pub fn train_into(
    experiment: Experiment,
    base: &Path,
    path: &Path,
    watch: &mut dyn RunObserver,
) -> Result<Run> {
    let group = watch.group();
    group.guard(|| {
        let path = std::path::absolute(path).map_err(Error::io("find", path))?;
        let run = Run { path, data_path: None };
        let mut experiment = experiment.with_paths_from(base)?;
        experiment.comparison = Comparison::default();
        // Rank 0 alone sees the folder where the machines share no disk.
        let begun = group.is_first() && run.file("config.yaml").is_file();
        if begun {
            let kept = run.experiment_for(&group)?;
            same::check_same(&experiment, &kept, &run.path)?;
            experiment = kept;
        }
        if group.tell(&run.is_finished().to_string())? == "true" {
            if group.is_first() {
                // Removes what a process left that was killed as it ended.
                drop(Lock::take(&run.path));
            }
            log::info!("{} is finished: nothing is left to do", run.path.display());
            return Ok(run);
        }
        let _lock = match group.is_first() {
            true => {
                std::fs::create_dir_all(&run.path)
                    .map_err(Error::io("make the folder", &run.path))?;
                Some(Lock::take(&run.path)?)
            }
            false => None,
        };
        let trainer = Trainer::in_group(&group, experiment, |experiment| match begun {
            true => run.continued(experiment),
            false => prepare(experiment, base),
        })?;
        if begun {
            run.check_data(trainer.data())?;
        } else if group.is_first() {
            trackers::check(trainer.experiment())?;
            run.begin(&trainer)?;
        }
        finish(run, trainer, watch, true)
    })
}

/// Makes sure that the run in `path` is trained: trains it, continues it, or leaves a finished one
/// unchanged. It is neither measured nor drawn.
pub(crate) fn ensure_trained(
    experiment: Experiment,
    path: &Path,
    watch: &mut dyn RunObserver,
) -> Result<Run> {
    let run = Run { path: path.to_owned(), data_path: None };
    if run.file("manifest.json").is_file() {
        return Ok(run);
    }
    std::fs::create_dir_all(path).map_err(Error::io("make the folder", path))?;
    let _lock = Lock::take(path)?;
    let begun = run.file("config.yaml").is_file();
    let experiment = if begun { run.experiment()? } else { experiment };
    let trainer = match begun {
        true => run.trainer(experiment)?,
        false => prepare(experiment, path)?,
    };
    if begun {
        run.check_data(trainer.data())?;
    }
    run.write("config.yaml", &trainer.experiment().to_yaml()?)?;
    run.remember_data(trainer.data())?;
    finish(run, trainer, watch, false)
}

/// Continues an unfinished run from its last checkpoint (or its start), as if it had never stopped.
/// If its training is complete, the run is measured and drawn; a finished run whose
/// `params.safetensors` was moved away makes that file again.
///
/// # Errors
/// If `path` is not a run folder, and the errors of [`go_on`].
pub fn resume(path: &Path, watch: &mut dyn RunObserver) -> Result<Run> {
    go_on(Run::open(path)?, watch)
}

/// Continues an open run like [`resume`]; its data may have moved.
///
/// # Errors
/// If the run is finished or another process works on it, its data have changed, no checkpoint can
/// be used, and the errors of [`train`].
pub fn go_on(run: Run, watch: &mut dyn RunObserver) -> Result<Run> {
    let group = watch.group();
    group.guard(|| {
        if group.is_first() {
            run.must_be_unfinished()?;
        }
        let experiment = run.experiment_for(&group)?;
        if !group.is_first() {
            let trainer =
                Trainer::in_group(&group, experiment, |e| Trainer::to_restore(e, &run.path))?;
            return finish(run, trainer, watch, true);
        }
        let _lock = Lock::take(&run.path)?;
        run.compare_plugins(&experiment)?;
        let trainer = Trainer::in_group(&group, experiment, |e| run.continued(e))?;
        run.check_data(trainer.data())?;
        if run.data_path.is_some() {
            run.write("config.yaml", &trainer.experiment().to_yaml()?)?;
        }
        finish(run, trainer, watch, true)
    })
}
