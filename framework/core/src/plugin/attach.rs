//! Attachment of a plugin: its copy of the framework receives the host's registry and services.

use crate::error::Result;
use crate::host::{Library, Services, attached};
use crate::registry::{Registry, guard_engine};
use crate::rng;

/// The host's registry and services, for a plugin.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    /// The registry of the process.
    pub registry: &'static Registry,
    /// All other services.
    pub services: Services,
}

/// Type of the function by which a host attaches a plugin.
pub type Attach = fn(Host) -> Result<()>;

/// Attaches this copy of the framework to its host and adds its components to the host's registry.
/// [`plugin!`](crate::plugin!) exports it.
///
/// # Errors
/// [`Error::Config`](crate::Error::Config) where the name of a component is taken.
pub fn attach(host: Host) -> Result<()> {
    guard_engine(|| {
        let services = crate::host::attach(host.services);
        let registry = crate::registry::attach(host.registry);
        // The message of a panic becomes an error; its place is for debugging.
        std::panic::set_hook(Box::new(|info| log::debug!("{info}")));
        // After a failed attempt, the logger is set already.
        if log::set_logger(&HostLog).is_ok() {
            log::set_max_level(levels().nth(services.max_level).unwrap_or(log::LevelFilter::Trace));
        }
        registry.add_own(Some(services.plugin))
    })
}

fn levels() -> impl Iterator<Item = log::LevelFilter> {
    log::LevelFilter::iter()
}

impl Host {
    /// Registry and services of this process, for `plugin`.
    pub(super) fn of(plugin: &'static Library) -> Self {
        let services = Services {
            plugin,
            log: to_log,
            max_level: log::max_level() as usize,
            hold_generator: rng::hold_generator,
        };
        Self { registry: crate::registry(), services }
    }
}

/// Logger of the plugin, which passes records to the host without sharing a type.
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

/// Writes a log record for a plugin, in the host. The target is under `triflow::plugin`, so that
/// the level set for triflow applies to plugins.
fn to_log(level: usize, target: &str, text: &str) {
    let level = log::Level::iter().nth(level.saturating_sub(1)).unwrap_or(log::Level::Trace);
    // A panic in the host's logger must not unwind into the plugin's frames.
    let _ = guard_engine(|| {
        log::log!(target: &format!("triflow::plugin::{target}"), level, "{text}");
        Ok(())
    });
}
