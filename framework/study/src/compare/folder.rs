//! The folder of a comparison: its plan, and the experiment of each cell.

use super::name::slug;
use super::plan::{Plan, Planned};
use super::seal::{self, Sealed};
use crate::error::{Error, Result};
use crate::io::write_atomically;
use serde_yaml::Value;
use std::io::Write as _;
use std::path::{Path, PathBuf};

const PLAN: &str = "plan.json";

/// The folder of the experiments of the cells.
const CELLS: &str = "cells";

impl Plan {
    /// Reads the plan of a comparison's folder.
    ///
    /// # Errors
    /// If the folder has no plan, or a damaged one.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(PLAN);
        match seal::read(&path) {
            Sealed::Whole(plan, _) => Ok(plan),
            Sealed::Missing => {
                let message = format!("{} is not the folder of a comparison", folder.display());
                Err(Error::config("", message).help(format!("it has no {PLAN}")))
            }
            Sealed::Damaged(why) => Err(Error::data(
                &path,
                format!(
                    "{why}; compare again into the same folder (`--out`) to write it anew: what \
                     was trained stays"
                ),
            )),
        }
    }

    /// True if `folder` is that of a comparison.
    pub fn is_in(folder: &Path) -> bool {
        folder.join(PLAN).is_file() && folder.join(CELLS).is_dir()
    }

    /// Writes the plan and every cell's experiment into a comparison's folder.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let cells = folder.join(CELLS);
        std::fs::create_dir_all(&cells).map_err(Error::io("make the folder", &cells))?;
        let seed = self.seeds.first().copied().unwrap_or_default();
        for (i, cell) in self.cells.iter().enumerate() {
            let yaml = seeded(&cell.experiment, seed)?;
            write_atomically(&folder.join(file_of(i, cell)), |f| f.write_all(yaml.as_bytes()))?;
        }
        seal::write(&folder.join(PLAN), self)
    }
}

/// Path within the comparison's folder of the experiment of cell `i` with the first seed.
pub(super) fn file_of(i: usize, cell: &Planned) -> PathBuf {
    PathBuf::from(CELLS).join(format!("{:02}_{}.yaml", i + 1, slug(&cell.name)))
}

/// An experiment's YAML with another seed.
pub(super) fn seeded(yaml: &str, seed: u64) -> Result<String> {
    let bad = |e: serde_yaml::Error| Error::runtime(format!("an experiment of the plan: {e}"));
    let mut value: Value = serde_yaml::from_str(yaml).map_err(bad)?;
    if let Some(training) = value.get_mut("training").and_then(Value::as_mapping_mut) {
        training.insert("seed".into(), seed.into());
    }
    serde_yaml::to_string(&value).map_err(bad)
}
