//! The folder of a comparison: its plan, and the experiment of each cell.

use super::name::{hex, slug};
use super::plan::{Plan, Planned};
use super::seal::{self, Sealed};
use crate::error::{Error, Result};
use crate::io::{remove_abandoned, write_atomically};
use crate::lock::{Lock, OF_FOLDER};
use serde_yaml::Value;
use sha2::{Digest as _, Sha256};
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};

const PLAN: &str = "plan.json";
/// The folder of every plan that was compared here, each under its name.
const PLANS: &str = "plans";

/// Exclusive use of the plan and the report of the comparison in `folder`, which is made if it is
/// missing. Waits for other processes, which use it for a moment, and removes unfinished files of
/// killed ones.
///
/// # Errors
/// If the folder cannot be made or locked.
pub fn lock(folder: &Path) -> Result<Lock> {
    std::fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
    let lock = Lock::wait(&folder.join(OF_FOLDER))?;
    remove_abandoned(folder);
    remove_abandoned(&folder.join(CELLS));
    remove_abandoned(&folder.join(PLANS));
    Ok(lock)
}

/// The folder of the experiments of the cells.
const CELLS: &str = "cells";

impl Plan {
    /// Name of the plan, a digest of all but the command that made it: processes with the same
    /// name share one comparison.
    ///
    /// # Errors
    /// If the plan cannot be written as text.
    pub fn name(&self) -> Result<String> {
        let plan = Self { command: String::new(), ..self.clone() };
        let text = serde_json::to_vec(&plan).map_err(|e| Error::runtime(e.to_string()))?;
        Ok(hex(&Sha256::digest(text))[..16].to_owned())
    }

    /// Reads a plan by its name, which stays readable after the folder was given another plan.
    ///
    /// # Errors
    /// If the folder has no such plan, or a damaged one.
    pub fn read_named(folder: &Path, name: &str) -> Result<Self> {
        let path = folder.join(PLANS).join(format!("{name}.json"));
        match seal::read(&path) {
            Sealed::Whole(plan, _) => stays_within(plan, &path),
            Sealed::Missing => Err(Error::data(&path, "is missing")),
            Sealed::Damaged(why) => Err(Error::data(&path, why)),
        }
    }

    /// Reads the plan of a comparison's folder.
    ///
    /// # Errors
    /// If the folder has no plan, or a damaged one.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(PLAN);
        match seal::read(&path) {
            Sealed::Whole(plan, _) => stays_within(plan, &path),
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

    /// Writes the plan and every cell's experiment into a comparison's folder. What is there of the
    /// same plan stays.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let name = self.name()?;
        let there = Self::read(folder).ok().and_then(|plan| plan.name().ok());
        let cells = folder.join(CELLS);
        if there.as_ref() == Some(&name)
            && Self::read_named(folder, &name).is_ok()
            && self
                .cells
                .iter()
                .enumerate()
                .all(|(i, cell)| folder.join(file_of(i, cell)).is_file())
        {
            return Ok(());
        }
        for folder in [&cells, &folder.join(PLANS)] {
            std::fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
        }
        let seed = self.seeds.first().copied().unwrap_or_default();
        for (i, cell) in self.cells.iter().enumerate() {
            let yaml = seeded(&cell.experiment, seed)?;
            write_atomically(&folder.join(file_of(i, cell)), |f| f.write_all(yaml.as_bytes()))?;
        }
        seal::write(&folder.join(PLANS).join(format!("{name}.json")), self)?;
        seal::write(&folder.join(PLAN), self)
    }
}

/// Checks that the names of files that a plan gives are names, and lead to no other folder.
fn stays_within(plan: Plan, path: &Path) -> Result<Plan> {
    let is_name = |text: &&str| {
        let mut parts = Path::new(text).components();
        matches!((parts.next(), parts.next()), (Some(Component::Normal(one)), None) if one == *text)
    };
    let cells = plan.cells.iter().map(|cell| cell.sampling.as_str());
    let units = plan.units.iter().map(|unit| unit.id.as_str());
    let wrong = cells.chain(units).chain([plan.measuring.as_str()]).find(|text| !is_name(text));
    match wrong {
        Some(text) => Err(Error::data(path, format!("holds `{text}`, which is no name of a file"))),
        None => Ok(plan),
    }
}

/// Makes a new folder below `parent` for a comparison, called by the time; with `dry_run` it only
/// finds the name.
///
/// # Errors
/// [`Error::Io`]: a folder cannot be made.
pub fn fresh(parent: &Path, dry_run: bool) -> Result<PathBuf> {
    let name = crate::run::stamp();
    let names = std::iter::once(name.clone()).chain((2..1000).map(|i| format!("{name}_{i}")));
    for name in names {
        let folder = parent.join(name);
        if dry_run {
            return Ok(folder);
        }
        std::fs::create_dir_all(parent).map_err(Error::io("make the folder", parent))?;
        match std::fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(Error::io("make the folder", &folder)(e)),
        }
    }
    Err(Error::runtime(format!("no free name in {}", parent.display())))
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
