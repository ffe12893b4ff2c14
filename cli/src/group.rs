//! The processes that a launcher such as torchrun started, for the commands that train a model.

use crate::args::{Cli, Command};
use std::sync::Mutex;
use triflow::group::Place;
use triflow::{Error, Group, Result};

static GROUP: Mutex<Option<Group>> = Mutex::new(None);

/// Joins the group of the environment, if the command is for several processes.
///
/// # Errors
/// It is not, and there are several; or the group cannot be joined.
pub fn join(cli: &Cli) -> Result<()> {
    let wait = match &cli.command {
        Command::Train(train) | Command::TrainGen(train) => Some(&train.place.wait),
        Command::TrainSeq { train, .. } | Command::Run { train, .. } => Some(&train.place.wait),
        Command::Resume { wait, .. } => Some(wait),
        // A command of one process.
        _ => None,
    };
    let joined = match wait {
        Some(wait) => Group::of_environment(wait.timeout())?,
        None => match Place::of_environment()? {
            Some(place) if place.size > 1 => {
                let message = format!(
                    "this command works in one process, and {} say that there are {}",
                    place.from, place.size
                );
                return Err(Error::config("", message)
                    .help("start it without a launcher, or unset MASTER_ADDR and MASTER_PORT"));
            }
            _ => Group::alone(),
        },
    };
    if let Ok(mut group) = GROUP.lock() {
        *group = Some(joined);
    }
    Ok(())
}

/// The group of this process.
pub fn group() -> Group {
    GROUP.lock().ok().and_then(|group| group.clone()).unwrap_or_default()
}

/// Leaves the group.
pub fn leave() {
    if let Ok(mut group) = GROUP.lock() {
        *group = None;
    }
}

/// Number of this process by the environment, before it has joined a group.
pub fn rank() -> usize {
    Place::of_environment().ok().flatten().map_or(0, |place| place.rank)
}
