//! Where host and plugin meet: the host hands its services to the plugin's copy of the framework.

use super::Library;
use crate::error::Result;
use crate::registry::{Registry, guard_engine};
use crate::rng;
use std::any::Any;
use std::sync::OnceLock;

/// What a host gives to a plugin. Nothing of it may depend on a type that exists twice, once a copy:
/// no `TypeId`, no static of a library.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    /// The one registry of the process.
    pub registry: &'static Registry,
    /// What the host knows the plugin as.
    pub plugin: &'static Library,
    /// Takes a log record: level (1 is error, 5 is trace), target, text.
    pub log: fn(usize, &str, &str),
    /// The highest level that the host listens to.
    pub max_level: usize,
    /// Holds LibTorch's generator until the box is dropped.
    pub hold_generator: fn() -> Box<dyn Any>,
}

/// The function by which a host attaches a plugin.
pub type Attach = fn(Host) -> Result<()>;

static HOST: OnceLock<Host> = OnceLock::new();

/// The host of this copy of the framework; none where this copy is the host's own.
pub fn attached() -> Option<&'static Host> {
    HOST.get()
}

/// Points this copy of the framework at its host and adds its components to the host's registry.
/// [`plugin!`](crate::plugin!) exports it.
pub fn attach(host: Host) -> Result<()> {
    guard_engine(|| {
        let host = HOST.get_or_init(|| host);
        // The text of a panic comes back as an error; the place is for debugging.
        std::panic::set_hook(Box::new(|info| log::debug!("{info}")));
        // A second attempt after a failed one finds the logger in place.
        if log::set_logger(&HostLog).is_ok() {
            log::set_max_level(levels().nth(host.max_level).unwrap_or(log::LevelFilter::Trace));
        }
        host.registry.add_own(Some(host.plugin))
    })
}

fn levels() -> impl Iterator<Item = log::LevelFilter> {
    log::LevelFilter::iter()
}

impl Host {
    /// This process's services, for `plugin`.
    pub(super) fn of(plugin: &'static Library) -> Self {
        Self {
            registry: crate::registry(),
            plugin,
            log: to_log,
            max_level: log::max_level() as usize,
            hold_generator: rng::hold_generator,
        }
    }
}

/// The plugin's logger: the host's, of which no type is shared.
struct HostLog;

impl log::Log for HostLog {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        if let Some(host) = attached() {
            (host.log)(record.level() as usize, record.target(), &record.args().to_string());
        }
    }

    fn flush(&self) {}
}

/// The host's side of [`Host::log`]. The target stands below `triflow::plugin`, so that what is set for
/// triflow's own lines holds for a plugin's.
fn to_log(level: usize, target: &str, text: &str) {
    let level = log::Level::iter().nth(level.saturating_sub(1)).unwrap_or(log::Level::Trace);
    // A logger of the host that panics must not unwind into the plugin's frames.
    let _ = guard_engine(|| {
        log::log!(target: &format!("triflow::plugin::{target}"), level, "{text}");
        Ok(())
    });
}
