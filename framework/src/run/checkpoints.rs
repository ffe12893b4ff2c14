//! The saved states of a run, in its folder `checkpoints`.

use super::Run;
use crate::error::{Error, Result};
use crate::train::Trainer;
use std::path::PathBuf;

/// The parameters of the lowest validation loss.
pub(super) const BEST: &str = "checkpoints/best.safetensors";

impl Run {
    pub(super) fn checkpoints(&self) -> Result<Vec<PathBuf>> {
        let folder = self.file("checkpoints");
        let Ok(entries) = std::fs::read_dir(&folder) else { return Ok(Vec::new()) };
        let mut all: Vec<_> = entries
            .flatten()
            .map(|e| e.path())
            .filter(|p| p.extension().is_some_and(|e| e == "safetensors"))
            .filter(|p| !p.ends_with(BEST))
            .collect();
        all.sort();
        Ok(all)
    }

    pub(super) fn save_best(&self, trainer: &Trainer) -> Result<()> {
        self.make_checkpoints()?;
        trainer.trained().save(&self.file(BEST))
    }

    fn make_checkpoints(&self) -> Result<()> {
        let folder = self.file("checkpoints");
        std::fs::create_dir_all(&folder).map_err(Error::io("make the folder", &folder))
    }

    pub(super) fn save_checkpoint(&self, trainer: &Trainer, keep: usize) -> Result<()> {
        self.make_checkpoints()?;
        let state = trainer.state()?;
        state.save(&self.file(&format!("checkpoints/step_{:09}.safetensors", state.step)))?;
        let all = self.checkpoints()?;
        for old in all.iter().take(all.len().saturating_sub(keep.max(1))) {
            std::fs::remove_file(old).map_err(Error::io("remove", old))?;
        }
        Ok(())
    }
}
