use crate::component_kind;
use std::path::{Path, PathBuf};

/// A run as a tracker sees it.
#[derive(Clone, Debug, Default)]
pub struct TrackedRun {
    /// The run folder.
    pub folder: PathBuf,
    /// Name of the run for readers, such as `flow_matching_gen/20260101_1200`.
    pub name: String,
    /// The first epoch, from 1, that a resumed run will end; `None` for a new run.
    pub resumed_at: Option<i64>,
    /// Text that the record of this run has kept; `None` if it has not begun.
    pub kept: Option<String>,
    /// Keys of the experiment with their values as texts.
    pub parameters: Vec<(String, String)>,
}

/// A record that has begun or goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Text that the run keeps, with which the record goes on when the run is resumed, such as a
    /// number in a data base; `None` if there is nothing to keep.
    pub keep: Option<String>,
    /// The last epoch that is in the record, 0 if none is: later ones of the history are recorded
    /// at once. `None` if it is not known: only epochs that end from now on are.
    pub last: Option<i64>,
}

/// End of a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The run is finished.
    Finished,
    /// The run was interrupted, and may be resumed.
    Interrupted,
    /// The run ended with an error.
    Failed,
}

component_kind! {
    /// A record of runs beside the run folder.
    kind "tracker", context<'a> ();

    /// Records parameters, losses, metrics and pictures of one run.
    ///
    /// An error of [`check`](Self::check) or [`start`](Self::start) ends a new run before its first
    /// step. Any later one, and one of a resumed run, is a warning: the training goes on, and what
    /// was not recorded is tried again later.
    pub trait Tracker {
        /// Begins the record of a run, or goes on with that of a resumed run.
        fn start(&self, run: &TrackedRun) -> Result<Record>;
        /// Records values of an epoch, from 1, by name, such as `total/train`; NaN and infinite
        /// ones too.
        fn epoch(&self, epoch: i64, values: &[(String, f64)]) -> Result<()>;
    }
    provided {
        /// Checks that a record can begin, such as that a server answers; nothing is recorded yet.
        fn check(&self) -> Result<()> {
            Ok(())
        }
        /// Goes back in the record: `epoch` is the next that ends, and those from there on, if they
        /// are recorded, are given up.
        fn go_back(&self, _epoch: i64) -> Result<()> {
            Ok(())
        }
        /// Records the metrics of the finished training after the last `epoch`.
        fn results(&self, _epoch: i64, _values: &[(String, f64)]) -> Result<()> {
            Ok(())
        }
        /// Records a file of the run folder: a picture or a table.
        fn file(&self, _path: &Path) -> Result<()> {
            Ok(())
        }
        /// Ends the record.
        fn end(&self, _how: Ending) -> Result<()> {
            Ok(())
        }
    }
}

impl std::fmt::Debug for dyn Tracker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("tracker")
    }
}
