//! The host process that this copy of the core serves, and the services that it gives.

use std::any::Any;
use std::fmt;
use std::path::PathBuf;
use std::sync::OnceLock;

/// A loaded library: the plugin that a component comes from.
#[derive(Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Library {
    /// Name of its crate.
    pub name: String,
    /// Version of its crate.
    pub version: String,
    /// Path of its file, with symbolic links resolved.
    pub path: PathBuf,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
}

impl fmt::Display for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

/// Services that a host gives to a plugin. Host and plugin each have their own copy of the core, so
/// nothing here may depend on a `TypeId` or on a static.
#[derive(Clone, Copy, Debug)]
pub struct Services {
    /// The plugin, as the host lists it.
    pub plugin: &'static Library,
    /// Writes a log record: level (1 is error, 5 is trace), target, text.
    pub log: fn(usize, &str, &str),
    /// The most verbose level that the host writes.
    pub max_level: usize,
    /// Locks LibTorch's generator until the returned box is dropped.
    pub hold_generator: fn() -> Box<dyn Any>,
}

static SERVICES: OnceLock<Services> = OnceLock::new();

/// Services of the host that loaded this copy as part of a plugin; `None` in the host itself.
pub fn attached() -> Option<&'static Services> {
    SERVICES.get()
}

/// Sets the host of this copy, once: later calls keep the first host. Returns the services in use.
pub(crate) fn attach(services: Services) -> &'static Services {
    SERVICES.get_or_init(|| services)
}
