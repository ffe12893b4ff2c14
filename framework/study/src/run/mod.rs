//! The run folder: one folder of results of one experiment, never overwritten. Every file is written
//! whole or not at all.

mod checkpoints;
mod data;
mod finish;
mod lock;
mod manifest;
mod observers;

use self::checkpoints::{BEST, LAST};
use self::finish::finish;
use self::lock::Lock;
use crate::config::{Comparison, Experiment, Layers};
use crate::error::{Error, Result, quoted};
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
    /// True if the run is to stop. Asked after each step, and between two pictures.
    fn stop(&self) -> bool {
        false
    }
    /// Called before what is done after training, with its name. From here on the process may be ended at any
    /// moment: the parameters are saved, and [`resume`] does the rest.
    fn note(&mut self, _text: &str) {}
    /// Called before the last file, which marks the run as finished.
    fn end(&mut self) {}
    /// The program that runs, for the manifest: its name, version, revision.
    fn program(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
}

impl RunObserver for () {}

/// The time as a folder's name, `YYYYMMDD_HHMM`.
pub fn stamp() -> String {
    chrono::Local::now().format("%Y%m%d_%H%M").to_string()
}

/// A run folder.
#[derive(Clone, Debug)]
pub struct Run {
    /// Where it is.
    pub path: PathBuf,
    /// Where its data lie now, if they have moved.
    data_path: Option<PathBuf>,
}

impl Run {
    /// Makes `{output_dir}/{objective}_{task}/{YYYYMMDD_HHMM}`, with seconds or a number behind where that
    /// is taken.
    fn create(experiment: &Experiment) -> Result<Self> {
        let parent = experiment.output_dir.join(format!(
            "{}_{}",
            experiment.objective.name(),
            experiment.task_name()
        ));
        let bad = |path: &Path, e: std::io::Error| {
            let e = Error::io("make the folder", path)(e);
            Error::config("output_dir", e.to_string())
        };
        std::fs::create_dir_all(&parent).map_err(|e| bad(&parent, e))?;
        let names = [stamp(), chrono::Local::now().format("%Y%m%d_%H%M%S").to_string()];
        let numbered = (2..1000).map(|i| format!("{}_{i}", names[1]));
        for name in names.iter().cloned().chain(numbered) {
            let path = parent.join(name);
            match std::fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path, data_path: None }),
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(bad(&path, e)),
            }
        }
        Err(Error::runtime(format!("no free name in {}", parent.display())))
    }

    /// An existing run folder.
    pub fn open(path: &Path) -> Result<Self> {
        if path.join("config.yaml").is_file() {
            Ok(Self { path: path.to_owned(), data_path: None })
        } else {
            Err(Error::config(
                "",
                format!("{} is not a run folder: it has no config.yaml", path.display()),
            ))
        }
    }

    /// The same run, whose data have moved: their file, or folder, is `path` now.
    #[must_use]
    pub fn with_data_at(self, path: Option<&Path>) -> Self {
        Self { data_path: path.map(Path::to_owned), ..self }
    }

    /// A file of the run.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The run's `config.yaml` over the defaults, with its data where they lie now.
    pub fn layers(&self) -> Result<Layers> {
        let mut layers = Layers::new()?;
        layers.add_file(&self.file("config.yaml"))?;
        if let Some(path) = &self.data_path {
            data::set_path(&mut layers, path)?;
        }
        Ok(layers)
    }

    /// The run's experiment, every null resolved.
    pub fn experiment(&self) -> Result<Experiment> {
        // A run is one cell: what the defaults would compare is not its own.
        Ok(Experiment { comparison: Comparison::default(), ..self.layers()?.finish()? })
    }

    /// The loss terms of the run's epochs.
    pub fn history(&self) -> Result<History> {
        let path = self.file("history.json");
        let text = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        let wrong =
            |why: String| Error::data(&path, format!("is not a history as a run writes it{why}"));
        let json = serde_json::from_str(&text).map_err(|e| wrong(format!(": {e}")))?;
        History::from_json(&json).ok_or_else(|| wrong(String::new()))
    }

    /// An error if the folder was removed while it is worked on: it is not made again without what it began with.
    fn must_be_there(&self) -> Result<()> {
        match self.file("config.yaml").is_file() {
            true => Ok(()),
            false => Err(Error::runtime(format!(
                "{} was removed or has lost its config.yaml while the run was at work; nothing more is written there",
                self.path.display()
            ))),
        }
    }

    /// The state of a run whose parameters are there, as at the end of its training.
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

    /// The trained model.
    pub fn load(&self) -> Result<Trained> {
        self.load_as(self.experiment()?, Weights::Last)
    }

    /// The same under a changed experiment, such as other sampling. An unfinished run gives what its last
    /// checkpoint holds.
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
        // Their units are fitted again.
        self.check_data(trainer.data())?;
        Ok(trainer.into_trained())
    }

    /// Warns of plugins that are other files than those with which the run began.
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

/// Which parameters of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weights {
    /// Those at the end of training.
    #[default]
    Last,
    /// Those of the lowest validation loss, where `checkpoint.keep_best` asks for them.
    Best,
}

/// The plugins with which a run began.
const PLUGINS: &str = "plugins.json";

/// Trains an experiment into a new run folder. Relative data paths are read from `base`; the run's own
/// `config.yaml` has absolute ones, so that it runs again from any folder.
pub fn train(experiment: Experiment, base: &Path, watch: &mut dyn RunObserver) -> Result<Run> {
    let mut experiment = experiment.with_paths_from(base)?;
    experiment.comparison = Comparison::default();
    let trainer = checkpoints::begin(experiment, base)?;
    let run = Run::create(trainer.experiment())?;
    let _lock = Lock::take(&run.path)?;
    run.write("config.yaml", &trainer.experiment().to_yaml()?)?;
    run.remember_data(trainer.data())?;
    let libraries = trainer.experiment().libraries();
    if !libraries.is_empty() {
        run.write_json(PLUGINS, &json!(libraries))?;
    }
    finish(run, trainer, watch, true)
}

/// The finished run in `path`: trained now, gone on with if it was stopped, or as it is. It is neither
/// measured nor drawn.
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
        false => checkpoints::begin(experiment, path)?,
    };
    if begun {
        run.check_data(trainer.data())?;
    }
    run.write("config.yaml", &trainer.experiment().to_yaml()?)?;
    run.remember_data(trainer.data())?;
    finish(run, trainer, watch, false)
}

/// Continues an unfinished run from its last checkpoint (or its start), as if it had never stopped. Where the
/// training is done, it is measured and drawn; a finished run whose `params.safetensors` was moved away makes it
/// again.
pub fn resume(path: &Path, watch: &mut dyn RunObserver) -> Result<Run> {
    go_on(Run::open(path)?, watch)
}

/// The same of an open run, whose data may have moved.
pub fn go_on(run: Run, watch: &mut dyn RunObserver) -> Result<Run> {
    let trained = run.file(LAST).is_file();
    if trained && run.file("manifest.json").is_file() {
        let help = format!("train anew with `triflow run {}`", quoted(&run.file("config.yaml")));
        return Err(Error::config("", format!("{} is finished", run.path.display())).help(help));
    }
    let _lock = Lock::take(&run.path)?;
    let experiment = run.experiment()?;
    run.compare_plugins(&experiment)?;
    let trainer = match trained {
        true => run.trained_to_the_end(experiment)?,
        false => run.trainer(experiment)?,
    };
    run.check_data(trainer.data())?;
    if run.data_path.is_some() {
        run.write("config.yaml", &trainer.experiment().to_yaml()?)?;
    }
    finish(run, trainer, watch, true)
}
