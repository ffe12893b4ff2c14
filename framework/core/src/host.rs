//! The process that this copy of the core serves: its own, or that of the host which loaded it as part of a plugin.

use std::any::Any;
use std::fmt;
use std::path::PathBuf;
use std::sync::OnceLock;

/// A loaded library.
#[derive(Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Library {
    /// Its crate's name.
    pub name: String,
    /// Its crate's version.
    pub version: String,
    /// Its file, links resolved.
    pub path: PathBuf,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
}

impl fmt::Display for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

/// Services of a host for a plugin. Nothing of them may depend on a type that exists twice, once a copy: no `TypeId`,
/// no static of a library.
#[derive(Clone, Copy, Debug)]
pub struct Services {
    /// What the host knows the plugin as.
    pub plugin: &'static Library,
    /// Takes a log record: level (1 is error, 5 is trace), target, text.
    pub log: fn(usize, &str, &str),
    /// The highest level that the host listens to.
    pub max_level: usize,
    /// Holds LibTorch's generator until the box is dropped.
    pub hold_generator: fn() -> Box<dyn Any>,
}

static SERVICES: OnceLock<Services> = OnceLock::new();

/// The services of this copy's host; none where this copy is the host's own.
pub fn attached() -> Option<&'static Services> {
    SERVICES.get()
}

/// Puts this copy under a host; the first one stays.
pub(crate) fn attach(services: Services) -> &'static Services {
    SERVICES.get_or_init(|| services)
}
