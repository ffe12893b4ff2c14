//! Loading of plugins by the host, from a path to components in the registry.

#![expect(unsafe_code, reason = "loads libraries: plugins are native code")]

use super::fingerprint::{Difference, differences};
use super::memory::{Memory, fit, memory};
use super::{About, Attach, FINGERPRINT, Host, Library};
use crate::error::{Error, Result, reason};
use crate::registry::registry;
use std::env::consts::DLL_SUFFIX;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

/// Environment variable with the files or folders of further plugins, separated as in `PATH`.
pub const SEARCH_PATH: &str = "TRIFLOW_PLUGIN_PATH";
/// Environment variable that says what becomes of a plugin that only a file names, an experiment or
/// a run: `load` (the default) or `refuse`.
const NAMED: &str = "TRIFLOW_NAMED_PLUGINS";

/// Loaded plugins, in the order of loading.
pub fn loaded() -> Vec<&'static Library> {
    registry().libraries()
}

/// Loads the plugin in the file `path`, or all plugins in the folder `path`, and returns them. A
/// file that is loaded already, by whatever path, is not loaded again.
///
/// Afterwards its components are in the registry. A library that does not fit, or has a component
/// whose name is taken, adds none.
///
/// # Errors
/// [`Error::Config`] where nothing is at `path`, a file is no plugin, a plugin was not built for
/// this program, or a component's name is taken; [`Error::Io`] where a folder cannot be read.
pub fn load(path: &Path) -> Result<Vec<&'static Library>> {
    let canonical = path.canonicalize().map_err(|e| {
        if e.kind() == std::io::ErrorKind::NotFound {
            return missing(path);
        }
        Error::config("", format!("cannot read {}: {}", path.display(), reason(&e)))
    })?;
    let files = if canonical.is_dir() { plugins_in(&canonical)? } else { vec![canonical] };
    let _one_at_a_time = registry().loading.lock().unwrap_or_else(PoisonError::into_inner);
    files.iter().map(|file| load_file(file)).collect()
}

/// Loads a plugin that an experiment names. If the file is missing and a loaded plugin has its file
/// name, that one is used, with a warning.
///
/// # Errors
/// Errors of [`load`], and [`Error::Config`] where `TRIFLOW_NAMED_PLUGINS` is `refuse` and the
/// plugin is not loaded yet.
pub fn load_or_moved(path: &Path) -> Result<Vec<&'static Library>> {
    if !path.exists()
        && let Some(library) =
            loaded().into_iter().find(|library| library.path.file_name() == path.file_name())
    {
        let (from, to) = (path.display(), library.path.display());
        log::warn!("{from} is not there: {to} stands for it");
        return Ok(vec![library]);
    }
    match std::env::var(NAMED).as_deref() {
        Err(std::env::VarError::NotPresent) | Ok("load") => load(path),
        Ok("refuse") => {
            let file = path.canonicalize().unwrap_or_else(|_| path.to_owned());
            let given = loaded().into_iter().find(|library| library.path == file);
            given.map(|library| vec![library]).ok_or_else(|| refused(path))
        }
        other => {
            let found = other.unwrap_or("no text");
            Err(Error::config("", format!("{NAMED} is {found}: needs `load` or `refuse`")))
        }
    }
}

fn refused(path: &Path) -> Error {
    let message = format!("the plugin {} is refused: {NAMED} is `refuse`", path.display());
    Error::config("", message).help(format!(
        "a plugin is native code: if you trust it, give it with `--plugin FILE` or {SEARCH_PATH}"
    ))
}

/// Loads all plugins in [`SEARCH_PATH`].
///
/// # Errors
/// Errors of [`load`], with the name of the variable.
pub fn load_search_path() -> Result<()> {
    let Some(paths) = std::env::var_os(SEARCH_PATH) else { return Ok(()) };
    for path in std::env::split_paths(&paths).filter(|path| !path.as_os_str().is_empty()) {
        load(&path).map_err(|e| e.placed(SEARCH_PATH))?;
    }
    Ok(())
}

fn missing(path: &Path) -> Error {
    Error::config("", format!("there is no plugin {}", path.display())).help(format!(
        "build it with `cargo build --release` in its crate, or say where it is now with \
         `--plugin FILE` or {SEARCH_PATH}"
    ))
}

/// Paths of the plugins in a folder, sorted; other libraries are skipped.
fn plugins_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(Error::io("read the folder", folder))?;
    let mut files: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with(DLL_SUFFIX) && path.is_file())
        .filter(|path| matches!(About::read(path), Ok(Some(_))))
        .collect();
    files.sort();
    if files.is_empty() {
        let message = format!("there is no plugin in the folder {}", folder.display());
        return Err(Error::config("", message).help(
            "`cargo build --release` in a plugin's crate leaves it in that crate's `target/release`",
        ));
    }
    // Canonical, so that a link is the same library as its target.
    files.iter().map(|file| file.canonicalize().map_err(Error::io("read", file))).collect()
}

/// Loads the file `path`, which must be canonical.
fn load_file(path: &Path) -> Result<&'static Library> {
    let same_file = |library: &&&Library| library.path == path;
    if let Some(library) = loaded().iter().find(same_file) {
        return Ok(library);
    }
    let about = About::read(path)?.ok_or_else(|| {
        Error::config("", format!("{} is no triflow plugin: it has no entry point", path.display()))
            .help(ONE_LINE)
    })?;
    // The same library in a copy or hard link.
    if let Some(library) = loaded().into_iter().find(|library| library.sha256 == about.sha256) {
        log::debug!("{} is {library}, from {}", path.display(), library.path.display());
        return Ok(library);
    }
    fits(path, &about)?;
    // SAFETY: the library was built from this source by this compiler; its initialisers are as
    // trusted as the rest of it.
    let opened = unsafe { open(path) }.map_err(|e| {
        Error::config("", format!("cannot load {}: {}", path.display(), first_cause(&e)))
            .help("`ldd` shows which library it needs and does not find")
    })?;
    // Never unloaded: its initialisers have run, and components, texts and functions in it are
    // referenced.
    let opened = ManuallyDrop::new(opened);
    let half = |e: libloading::Error| {
        let message = format!("{} is half a triflow plugin: {}", path.display(), first_cause(&e));
        Error::config("", message).help(ONE_LINE)
    };
    // SAFETY: `plugin!` gives the symbol this type.
    let memory_there = unsafe { opened.get::<*const fn() -> Memory>(b"TRIFLOW_PLUGIN_MEMORY\0") }
        .map(|symbol| unsafe { **symbol });
    shares_memory(path, memory_there.map_err(half)?())?;
    // SAFETY: as before.
    let attach = unsafe { opened.get::<*const Attach>(b"TRIFLOW_PLUGIN_ATTACH\0") }
        .map(|symbol| unsafe { **symbol });
    let attach = attach.map_err(half)?;
    let About { name, version, sha256, .. } = about;
    let library: &'static Library =
        Box::leak(Box::new(Library { name, version, path: path.to_owned(), sha256 }));
    attach(Host::of(library)).map_err(|e| match e {
        Error::Config(mut c) => {
            c.message = format!("{}: {}", path.display(), c.message);
            if let Some(other) = loaded().iter().find(|other| other.name == library.name) {
                let other = other.path.display();
                c.help =
                    Some(format!("another build of {} is loaded, {other}: name one", library.name));
            }
            Error::Config(c)
        }
        other => other,
    })?;
    registry().add_library(library);
    log::debug!("loaded the plugin {library} from {}", library.path.display());
    Ok(library)
}

/// Help for a library that is no plugin.
const ONE_LINE: &str =
    "the crate needs the line `triflow::plugin!();` and `crate-type = [\"cdylib\"]`";

/// Checks that a plugin was built for this program; the error lists the differences.
fn fits(path: &Path, about: &About) -> Result<()> {
    let differences = differences(&about.fingerprint, FINGERPRINT);
    if differences.is_empty() {
        return Ok(());
    }
    let mut message = format!(
        "the plugin {} {} ({}) does not fit this triflow",
        about.name,
        about.version,
        path.display()
    );
    for d in &differences {
        message += &format!("\n  {}: the plugin has {}, this triflow {}", d.fact, d.plugin, d.host);
    }
    Err(Error::config("", message).help(way_out(&differences)))
}

/// Checks that neither side has an allocator whose memory the other cannot free.
fn shares_memory(path: &Path, plugin: Memory) -> Result<()> {
    let host = memory();
    if fit(plugin, host) {
        return Ok(());
    }
    let who = if host == Memory::Own { "this program has" } else { "it has" };
    let message = format!(
        "cannot load {}: {who} a global allocator of its own, and one side frees what the other allocates",
        path.display()
    );
    Err(Error::config("", message).help(
        "remove `#[global_allocator]` from the program and from its plugins; an allocator that counts and passes \
         on to the system is fine",
    ))
}

/// Help for a plugin that does not fit: a command to build it, and what that needs.
fn way_out(differences: &[Difference]) -> String {
    let host = |fact: &str| {
        differences.iter().find(|d| d.fact == fact).map(|d| d.host.split(' ').next().unwrap_or(""))
    };
    // A nightly is named by its date, which its version does not contain.
    let (toolchain, nightly) = match host("rustc") {
        Some(version) if version.contains("nightly") => ("+nightly ".to_owned(), true),
        Some(version) => (format!("+{version} "), false),
        None => (String::new(), false),
    };
    let target = host("target").map(|target| format!(" --target {target}")).unwrap_or_default();
    let mut help =
        format!("build it again: `cargo {toolchain}build --release{target}` in its crate");
    let needs = [
        (nightly, "the nightly of the very day on which this triflow's was made"),
        (
            host("triflow").is_some() || host("tch").is_some(),
            "its dependency `triflow` being the source of this program (`triflow new-plugin` writes such a \
             crate; if that source has changed since, build the program again too)",
        ),
        (
            host("libtorch").is_some(),
            "LIBTORCH being the one of this program, in the environment or in `.cargo/config.toml`",
        ),
        (host("panic").is_some(), "without `panic` in the profile of its `Cargo.toml`"),
        (host("unstable flags").is_some(), "with the `-Z` flags of this program in RUSTFLAGS"),
    ];
    help.extend(needs.iter().filter(|(so, _)| *so).map(|(_, what)| format!(", {what}")));
    help
}

/// Opens a library and binds all symbols, so that a missing one is an error now and not an abort
/// later.
#[cfg(unix)]
unsafe fn open(path: &Path) -> Result<libloading::Library, libloading::Error> {
    use libloading::os::unix;
    // SAFETY: by the caller's contract.
    unsafe { unix::Library::open(Some(path), unix::RTLD_NOW | unix::RTLD_LOCAL) }.map(Into::into)
}

#[cfg(not(unix))]
unsafe fn open(path: &Path) -> Result<libloading::Library, libloading::Error> {
    // SAFETY: by the caller's contract.
    unsafe { libloading::Library::new(path) }
}

/// Message of the system's loader, which libloading keeps as the source of its error.
fn first_cause(e: &libloading::Error) -> String {
    use std::error::Error as _;
    e.source().map_or_else(|| e.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_difference_has_its_own_way_out() {
        let help = |fact: &str, host: &str| {
            let text = |fact: &str| fact.to_owned();
            way_out(&[Difference { fact: text(fact), plugin: text("other"), host: text(host) }])
        };
        for (fact, host, part) in [
            ("rustc", "1.95.0 (abc)", "`cargo +1.95.0 build --release` in its crate"),
            (
                "rustc",
                "1.97.0-nightly (abc)",
                "`cargo +nightly build --release` in its crate, the nightly",
            ),
            ("target", "x86_64-unknown-linux-gnu", "--release --target x86_64-unknown-linux-gnu`"),
            ("triflow", "0.1.0 (source 1)", "the source of this program"),
            ("libtorch", "2.11.0", "LIBTORCH"),
            ("panic", "unwind", "without `panic` in the profile"),
            ("unstable flags", "none", "RUSTFLAGS"),
        ] {
            let told = help(fact, host);
            assert!(told.contains(part), "{fact}: {told}");
            assert_eq!(told.contains("RUSTFLAGS"), fact == "unstable flags", "{told}");
        }
    }
}
