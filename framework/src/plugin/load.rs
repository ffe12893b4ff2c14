//! The host's side: from a path to components in the registry.

use super::{About, Attach, FINGERPRINT, Host, Library, differences};
use crate::error::{Error, Result, reason};
use std::env::consts::DLL_SUFFIX;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The environment variable with further plugins: files or folders, separated as in `PATH`.
pub const SEARCH_PATH: &str = "TRIFLOW_PLUGIN_PATH";

/// Held while one is loaded.
static LOADED: Mutex<Vec<&'static Library>> = Mutex::new(Vec::new());

/// Every plugin that is loaded, in the order of loading.
pub fn loaded() -> Vec<&'static Library> {
    LOADED.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Loads the plugin `path`, or every plugin in the folder `path`; each once, whatever the path by which
/// it is named. A file that has moved is taken to be the loaded plugin whose file has the same name.
///
/// Its components are in the registry afterwards; a library that does not fit, or holds a component whose
/// name is taken, adds none.
///
/// # Errors
/// A path where nothing is, a file that is no plugin, a plugin that was built with something else than
/// this program, a name that is taken.
pub fn load(path: &Path) -> Result<Vec<&'static Library>> {
    let mut all = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let canonical = match path.canonicalize() {
        Ok(canonical) => canonical,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return match all.iter().find(|l| l.path.file_name() == path.file_name()) {
                Some(library) => {
                    let (from, to) = (path.display(), library.path.display());
                    log::debug!("{from} is not there: {to} stands for it");
                    Ok(vec![library])
                }
                None => Err(missing(path)),
            };
        }
        Err(e) => {
            return Err(Error::config(
                "",
                format!("cannot read {}: {}", path.display(), reason(&e)),
            ));
        }
    };
    let files = if canonical.is_dir() { plugins_in(&canonical)? } else { vec![canonical] };
    files.iter().map(|file| load_file(file, &mut all)).collect()
}

/// Loads what [`SEARCH_PATH`] names.
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

/// The plugins among a folder's shared libraries, sorted. Other libraries may lie beside them.
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
    // Canonical, so that a link in the folder is the library that it points to.
    files.iter().map(|file| file.canonicalize().map_err(Error::io("read", file))).collect()
}

/// `path` is canonical.
fn load_file(path: &Path, all: &mut Vec<&'static Library>) -> Result<&'static Library> {
    if let Some(library) = all.iter().find(|library| library.path == path) {
        return Ok(library);
    }
    let about = About::read(path)?.ok_or_else(|| {
        Error::config("", format!("{} is no triflow plugin: it has no entry point", path.display()))
            .help("the crate needs the line `triflow::plugin!();` and `crate-type = [\"cdylib\"]`")
    })?;
    fits(path, &about)?;
    // SAFETY: the library was built from this very source by this very compiler; what its own
    // initialisers do is as trusted as the rest of it.
    let opened = unsafe { open(path) }.map_err(|e| {
        Error::config("", format!("cannot load {}: {}", path.display(), first_cause(&e)))
            .help("`ldd` shows which library it needs and does not find")
    })?;
    // SAFETY: `plugin!` gives the symbol this type.
    let attach = unsafe { opened.get::<*const Attach>(b"TRIFLOW_PLUGIN_ATTACH\0") }
        .map(|symbol| unsafe { **symbol });
    let attach = attach.map_err(|e| {
        Error::config(
            "",
            format!("{} is no whole triflow plugin: {}", path.display(), first_cause(&e)),
        )
    })?;
    // Its components, texts and functions are referred to from now on.
    std::mem::forget(opened);
    let About { name, version, sha256, .. } = about;
    let library: &'static Library =
        Box::leak(Box::new(Library { name, version, path: path.to_owned(), sha256 }));
    attach(Host::of(library)).map_err(|e| match e {
        Error::Config(mut c) => {
            c.message = format!("{}: {}", path.display(), c.message);
            Error::Config(c)
        }
        other => other,
    })?;
    all.push(library);
    log::debug!("loaded the plugin {library} from {}", library.path.display());
    Ok(library)
}

/// An error that says on what a plugin and this program differ.
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
    let toolchain =
        differences.iter().find(|d| d.fact == "rustc").and_then(|d| d.host.split(' ').next());
    let toolchain = toolchain.map(|version| format!("+{version} ")).unwrap_or_default();
    let mut help = format!("build it again: `cargo {toolchain}build --release` in its crate");
    if differences.iter().any(|d| d.fact == "triflow") {
        help += ", its dependency `triflow` being the source of this program (`triflow new-plugin` \
                 writes such a crate)";
    }
    Err(Error::config("", message).help(help))
}

/// Binds every symbol at once, so that a missing one is an error here and not an abort later.
#[cfg(unix)]
unsafe fn open(path: &Path) -> Result<libloading::Library, libloading::Error> {
    use libloading::os::unix;
    // SAFETY: as the caller promises.
    unsafe { unix::Library::open(Some(path), unix::RTLD_NOW | unix::RTLD_LOCAL) }.map(Into::into)
}

#[cfg(not(unix))]
unsafe fn open(path: &Path) -> Result<libloading::Library, libloading::Error> {
    // SAFETY: as the caller promises.
    unsafe { libloading::Library::new(path) }
}

/// What the system's loader said, which libloading keeps as the source.
fn first_cause(e: &libloading::Error) -> String {
    use std::error::Error as _;
    e.source().map_or_else(|| e.to_string(), ToString::to_string)
}
