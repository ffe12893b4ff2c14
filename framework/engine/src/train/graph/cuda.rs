//! CUDA graphs, through `libtriflow_cuda.so` (`cuda.cpp`), which is loaded if there is a GPU to
//! train on.

#![expect(unsafe_code, reason = "loads and calls `libtriflow_cuda.so`")]

use super::{Recorder, Work};
use crate::device::{library_folders, library_in};
use crate::error::{Error, Result, first_line};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

const NAME: &str = "libtriflow_cuda.so";

type Message = *mut *mut c_char;
type Enter = unsafe extern "C" fn(c_int, *mut *mut c_void, Message) -> c_int;
type End = unsafe extern "C" fn(*mut c_void, c_int, Message) -> c_int;
type Act = unsafe extern "C" fn(*mut c_void, Message) -> c_int;
type Version = unsafe extern "C" fn() -> *const c_char;
type Free = unsafe extern "C" fn(*mut c_char);

struct Shim {
    enter: Enter,
    begin: Act,
    end: End,
    replay: Act,
    leave: Act,
    free: Free,
}

impl Shim {
    fn get() -> Result<&'static Self> {
        static LOADED: OnceLock<Result<Shim, String>> = OnceLock::new();
        LOADED
            .get_or_init(|| Self::load(&find_in(&library_folders())?))
            .as_ref()
            .map_err(Error::runtime)
    }

    /// Loads the library after LibTorch's CUDA library, whose symbols it uses.
    fn load(path: &Path) -> Result<Self, String> {
        let cannot = |e: libloading::Error| {
            let rebuild = "help: build it again with `make libtriflow-cuda`";
            format!("cannot load {}: {e}\n  {rebuild}", path.display())
        };
        // SAFETY: this is our own library, which runs nothing when it is loaded; the types are
        // those of cuda.cpp.
        unsafe {
            let library = Library::open(Some(path), RTLD_NOW | RTLD_LOCAL).map_err(cannot)?;
            let version = library.get::<Version>(b"triflow_cuda_libtorch").map_err(cannot)?;
            let built_for = CStr::from_ptr(version()).to_string_lossy().into_owned();
            let ours = crate::plugin::LIBTORCH_VERSION;
            if !is_compatible(&built_for, ours) {
                return Err(format!(
                    "{} is for LibTorch {built_for}, but this is {ours}\n  \
                     help: build it again with `make libtriflow-cuda`",
                    path.display()
                ));
            }
            let shim = Self {
                enter: *library.get(b"triflow_cuda_enter").map_err(cannot)?,
                begin: *library.get(b"triflow_cuda_begin").map_err(cannot)?,
                end: *library.get(b"triflow_cuda_end").map_err(cannot)?,
                replay: *library.get(b"triflow_cuda_replay").map_err(cannot)?,
                leave: *library.get(b"triflow_cuda_leave").map_err(cannot)?,
                free: *library.get(b"triflow_cuda_free").map_err(cannot)?,
            };
            // It is never closed, because its functions are kept.
            std::mem::forget(library);
            Ok(shim)
        }
    }

    fn call(&self, f: impl FnOnce(Message) -> c_int) -> Result<()> {
        let mut message = std::ptr::null_mut();
        if f(&mut message) == 0 {
            return Ok(());
        }
        // SAFETY: if the result is not 0, the shim has allocated a message, which is freed once.
        let text = unsafe {
            let text = CStr::from_ptr(message).to_string_lossy().into_owned();
            (self.free)(message);
            text
        };
        Err(Error::runtime(first_line(&text)))
    }
}

/// True if the library was built for this version of LibTorch; the suffix (`2.11.0+cu130`) does not
/// matter.
fn is_compatible(built_for: &str, ours: &str) -> bool {
    ours == "unknown" || built_for.split('+').next() == Some(ours)
}

/// Finds the library beside the program or beside LibTorch.
fn find_in(folders: &[Option<PathBuf>]) -> Result<PathBuf, String> {
    library_in(folders, NAME).map_err(|missing| {
        format!(
            "{missing}\n  help: `make libtriflow-cuda` builds it, and makes steps of small models \
             faster; `training.capture: off` works without it"
        )
    })
}

/// A session on a CUDA device, during which steps run on a stream of their own, where they can be
/// captured.
pub(super) struct Cuda {
    shim: &'static Shim,
    session: *mut c_void,
}

impl Cuda {
    /// Starts a session on device number `index`, for the calling thread.
    pub fn start(index: usize) -> Result<Self> {
        let shim = Shim::get()?;
        let mut session = std::ptr::null_mut();
        // SAFETY: the session is written before the call succeeds, and read after.
        shim.call(|message| unsafe { (shim.enter)(index as c_int, &mut session, message) })?;
        Ok(Self { shim, session })
    }
}

impl Recorder for Cuda {
    fn record(&mut self, work: &mut Work<'_>) -> Result<()> {
        let (shim, session) = (self.shim, self.session);
        // SAFETY: the session lives until `drop`, and every `begin` is followed by an `end`.
        shim.call(|message| unsafe { (shim.begin)(session, message) })?;
        let done = work();
        let keep = c_int::from(done.is_ok());
        // SAFETY: as above.
        let ended = shim.call(|message| unsafe { (shim.end)(session, keep, message) });
        done.and(ended)
    }

    fn replay(&mut self, _: &mut Work<'_>) -> Result<()> {
        // SAFETY: the session lives until `drop`.
        self.shim.call(|message| unsafe { (self.shim.replay)(self.session, message) })
    }
}

impl Drop for Cuda {
    fn drop(&mut self) {
        // SAFETY: the session is left once, here.
        let left = self.shim.call(|message| unsafe { (self.shim.leave)(self.session, message) });
        if let Err(e) = left {
            log::error!("cannot release the captured steps: {e}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_with_where_it_was_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        let (empty, full) = (folder.path().join("a"), folder.path().join("b"));
        std::fs::create_dir_all(&full).unwrap();
        let folders = [Some(empty.clone()), Some(full.clone())];
        let error = find_in(&folders).unwrap_err();
        let expected = format!(
            "there is no {} and no {}\n  help: `make libtriflow-cuda` builds it",
            empty.join(NAME).display(),
            full.join(NAME).display()
        );
        assert!(error.starts_with(&expected), "{error}");
        std::fs::write(full.join(NAME), "not a library").unwrap();
        assert_eq!(find_in(&folders).unwrap(), full.join(NAME));
        let error = Shim::load(&full.join(NAME)).err().unwrap();
        assert!(error.starts_with(&format!("cannot load {}", full.display())), "{error}");
    }

    #[test]
    fn a_library_for_another_libtorch_is_refused() {
        let ours = "2.11.0";
        assert!(is_compatible("2.11.0", ours) && is_compatible("2.11.0+cu130", ours));
        assert!(!is_compatible("2.10.0", ours) && is_compatible("2.10.0", "unknown"));
    }
}
