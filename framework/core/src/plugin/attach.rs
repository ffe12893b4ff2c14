//! Where host and plugin meet: the host hands its services to the plugin's copy of the framework.

use crate::error::Result;
use crate::host::{Library, Services, attached};
use crate::registry::{Registry, guard_engine};
use crate::rng;

/// What a host gives to a plugin.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    /// The one registry of the process.
    pub registry: &'static Registry,
    /// Everything else.
    pub services: Services,
}

/// The function by which a host attaches a plugin.
pub type Attach = fn(Host) -> Result<()>;

/// Points this copy of the framework at its host and adds its components to the host's registry.
/// [`plugin!`](crate::plugin!) exports it.
pub fn attach(host: Host) -> Result<()> {
    guard_engine(|| {
        let services = crate::host::attach(host.services);
        let registry = crate::registry::attach(host.registry);
        // The text of a panic comes back as an error; the place is for debugging.
        std::panic::set_hook(Box::new(|info| log::debug!("{info}")));
        // A second attempt after a failed one finds the logger in place.
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
    /// This process's services, for `plugin`.
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

/// The host's side of [`Services::log`]. The target stands below `triflow::plugin`, so that what is set for
/// triflow's own lines holds for a plugin's.
fn to_log(level: usize, target: &str, text: &str) {
    let level = log::Level::iter().nth(level.saturating_sub(1)).unwrap_or(log::Level::Trace);
    // A logger of the host that panics must not unwind into the plugin's frames.
    let _ = guard_engine(|| {
        log::log!(target: &format!("triflow::plugin::{target}"), level, "{text}");
        Ok(())
    });
}
