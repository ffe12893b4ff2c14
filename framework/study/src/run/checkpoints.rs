//! Saved states of a run's training, in its folder `checkpoints`.

use super::Run;
use crate::config::Experiment;
use crate::error::{Error, Result, quoted};
use crate::io::safetensors;
use crate::train::{State, Trainer};
use crate::trained::Trained;
use std::path::{Path, PathBuf};

/// The file of the parameters at the end of training.
pub(super) const LAST: &str = crate::start::WEIGHTS;

/// The file of the parameters of the best epoch.
pub(super) const BEST: &str = "checkpoints/best.safetensors";

fn name_of(step: u64) -> String {
    format!("step_{step:09}.safetensors")
}

/// The step of a saved state by its file's name; `None` for any other name.
fn step_of(name: &str) -> Option<u64> {
    let step = name.strip_prefix("step_")?.strip_suffix(".safetensors")?.parse().ok()?;
    (name_of(step) == name).then_some(step)
}

/// A trainer at its start. If `start_from` names an unfinished run, it starts with the parameters
/// of that run's last checkpoint.
pub(super) fn begin(experiment: Experiment, base: &Path) -> Result<Trainer> {
    let unended = |run: &Path| !run.join(LAST).is_file() && run.join("checkpoints").is_dir();
    match &experiment.start_from {
        Some(from) if unended(&from.run) => {
            let other = Run::open(&from.run).and_then(|run| run.load());
            let other = other.map_err(|e| e.under("start_from.run"))?;
            Trainer::starting_with(experiment, base, &other.sampling_parameters())
        }
        _ => Trainer::new(experiment, base),
    }
}

impl Run {
    /// Saved states by their steps, oldest first. Only regular files with a run's own names count:
    /// everything else, such as links, is the user's.
    pub(super) fn checkpoints(&self) -> Result<Vec<(u64, PathBuf)>> {
        let folder = self.file("checkpoints");
        let entries = match std::fs::read_dir(&folder) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(Error::io("read", &folder))?,
        };
        let saved = entries.flatten().filter(|e| e.file_type().is_ok_and(|t| t.is_file()));
        let mut all: Vec<_> =
            saved.filter_map(|e| Some((step_of(e.file_name().to_str()?)?, e.path()))).collect();
        all.sort();
        Ok(all)
    }

    /// Saves the parameters as the best so far, with further texts in the file's metadata.
    pub(super) fn save_best(&self, trainer: &Trainer, texts: &[(&str, String)]) -> Result<()> {
        self.must_be_there()?;
        self.make_checkpoints()?;
        trainer.trained().save_with(&self.file(BEST), texts)
    }

    /// Saves a state of training under the name of its step.
    pub(super) fn save_state(&self, state: &State) -> Result<()> {
        self.make_checkpoints()?;
        state.save(&self.file("checkpoints").join(name_of(state.step)))
    }

    fn make_checkpoints(&self) -> Result<()> {
        let folder = self.file("checkpoints");
        std::fs::create_dir_all(&folder).map_err(Error::io("make the folder", &folder))
    }

    /// Saves the state of training, and removes the oldest states beyond the number to keep.
    pub(super) fn save_checkpoint(&self, trainer: &Trainer) -> Result<()> {
        self.must_be_there()?;
        let state = trainer.state()?;
        self.keep_best_at(trainer)?;
        self.save_state(&state)?;
        self.remove_old_states(trainer)
    }

    /// Removes the oldest states beyond the number to keep, but for those to which the training may
    /// return.
    pub(super) fn remove_old_states(&self, trainer: &Trainer) -> Result<()> {
        let keep = trainer.experiment().checkpoint.keep;
        let mut all = self.checkpoints()?;
        // Later states could not be read, or the run would have continued from them.
        all.retain(|(step, _)| *step <= trainer.step());
        let steps: Vec<u64> = all.iter().map(|(step, _)| *step).collect();
        let needed = self.needed(trainer, &steps)?;
        for (step, old) in all.iter().take(all.len().saturating_sub(keep.max(1))) {
            if !needed.contains(step) {
                self.remove_best_at(*step)?;
                std::fs::remove_file(old).map_err(Error::io("remove", old))?;
            }
        }
        Ok(())
    }

    /// The trainer at the last checkpoint, or at its start without one.
    pub(super) fn trainer(&self, experiment: Experiment) -> Result<Trainer> {
        if self.checkpoints()?.is_empty() {
            return begin(experiment, &self.path).map_err(|e| self.moved(e));
        }
        let trainer = Trainer::to_restore(experiment, &self.path);
        let mut trainer = trainer.map_err(|e| self.moved(e))?;
        self.restore(&mut trainer)?;
        Ok(trainer)
    }

    /// Restores the last usable checkpoint; logs a warning for each that is not.
    fn restore(&self, trainer: &mut Trainer) -> Result<()> {
        let mut passed_over = None;
        for (_, path) in self.checkpoints()?.into_iter().rev() {
            let restored = State::load(&path).and_then(|state| trainer.restore(state));
            match restored.map_err(|e| in_file(e, &path)) {
                Ok(()) => {
                    if passed_over.is_some() {
                        log::warn!("the checkpoint before it is taken: {}", path.display());
                    }
                    return Ok(());
                }
                Err(e) => {
                    log::warn!("a checkpoint cannot be used: {e}");
                    passed_over.get_or_insert(e);
                }
            }
        }
        let why = passed_over.map_or_else(String::new, |e| format!("; of the last one: {e}"));
        let message = format!(
            "holds no checkpoint that can be used{why}\n  help: remove it, and `triflow resume \
             --run {}` begins anew",
            quoted(&self.path)
        );
        Err(Error::data(&self.file("checkpoints"), message))
    }

    /// Loads the model from a file of the run. If it is damaged, the error says how to make it
    /// again.
    pub(super) fn load_file(&self, experiment: Experiment, name: &str) -> Result<Trained> {
        let path = self.file(name);
        let saved = safetensors::read_safetensors(&path).map_err(|e| self.recoverable(e, name))?;
        Trained::from_saved(experiment, &path, &saved)
    }

    fn recoverable(&self, e: Error, name: &str) -> Error {
        let Error::Data { path, message } = e else { return e };
        let run = quoted(&self.path);
        let sound = |(_, path): &(u64, PathBuf)| State::load(path).is_ok();
        let checkpoint = self.checkpoints().unwrap_or_default().into_iter().rev().find(sound);
        let help = match checkpoint {
            _ if name == BEST && self.file(LAST).is_file() => {
                format!("the parameters at the end of training lie in {LAST}: leave out `--best`")
            }
            Some((_, from)) => format!(
                "move it away, and `triflow resume --run {run}` makes it again from {}",
                from.display()
            ),
            None => format!(
                "no checkpoint is left to make it again from; train anew with `triflow run {}`",
                quoted(&self.file("config.yaml"))
            ),
        };
        Error::Data { path, message: format!("{message}\n  help: {help}") }
    }
}

/// Adds the file's path to an error.
fn in_file(e: Error, path: &Path) -> Error {
    match e {
        Error::Runtime(message) => Error::data(path, message),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_under_a_runs_own_names_are_checkpoints_in_the_order_of_their_steps() {
        let folder = tempfile::tempdir().unwrap();
        let run = Run { path: folder.path().to_owned(), data_path: None };
        assert!(run.checkpoints().unwrap().is_empty());
        let inside = folder.path().join("checkpoints");
        std::fs::create_dir(&inside).unwrap();
        let own = [
            "step_000000020.safetensors",
            "step_999999960.safetensors",
            "step_1000000040.safetensors",
        ];
        let others = [
            "best.safetensors",
            "step_7.safetensors",
            "step_0000000020.safetensors",
            "step_000000030.safetensors.bak",
            "step_00000003x.safetensors",
            "step_99999999999999999999.safetensors",
            "mine.safetensors",
            ".step_000000030.safetensors.abcdef.tmp",
        ];
        for name in own.iter().chain(&others) {
            std::fs::write(inside.join(name), "").unwrap();
        }
        let link = inside.join("step_000000050.safetensors");
        std::os::unix::fs::symlink(inside.join("mine.safetensors"), link).unwrap();
        std::fs::create_dir(inside.join("step_000000060.safetensors")).unwrap();
        let found = run.checkpoints().unwrap();
        let expected = [20, 999_999_960, 1_000_000_040].into_iter().zip(own);
        let expected: Vec<_> = expected.map(|(step, name)| (step, inside.join(name))).collect();
        assert_eq!(found, expected);
    }
}
