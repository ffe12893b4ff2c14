//! Paths that are made, opened for writing, renamed or removed, seen in the functions of the C
//! library that Rust's standard library calls for it.

use std::ffi::{CStr, OsStr, c_char, c_int};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

static WATCHES: AtomicBool = AtomicBool::new(false);
static FOLDER: Mutex<Option<PathBuf>> = Mutex::new(None);
static OUTSIDE: Mutex<Option<String>> = Mutex::new(None);

/// Begins to note paths that are not below `folder`.
pub fn begin(folder: &Path) {
    *FOLDER.lock().unwrap_or_else(PoisonError::into_inner) = Some(folder.to_owned());
    *OUTSIDE.lock().unwrap_or_else(PoisonError::into_inner) = None;
    WATCHES.store(true, Relaxed);
}

/// The first such path since [`begin`].
pub fn end() -> Option<String> {
    WATCHES.store(false, Relaxed);
    OUTSIDE.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// The path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in std::path::absolute(path).unwrap_or_default().components() {
        match part {
            Component::ParentDir => _ = plain.pop(),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

unsafe fn note(path: *const c_char) {
    if !WATCHES.load(Relaxed) || path.is_null() {
        return;
    }
    // SAFETY: the C library's callers give it texts that end with zero.
    let bytes = unsafe { CStr::from_ptr(path) }.to_bytes();
    let path = plain(Path::new(OsStr::from_bytes(bytes)));
    let folder = FOLDER.lock().unwrap_or_else(PoisonError::into_inner);
    if folder.as_ref().is_some_and(|folder| !path.starts_with(folder)) {
        let mut outside = OUTSIDE.lock().unwrap_or_else(PoisonError::into_inner);
        outside.get_or_insert_with(|| path.display().to_string());
    }
}

/// Defines a function of the C library that notes its paths and makes the system's call.
macro_rules! watched {
    ($($name:ident($first:ident: *const c_char $(, $more:ident: $type:ty)*)
        $(if $when:expr)?, notes $($noted:ident)+ => $call:expr;)*) => {$(
        /// # Safety
        /// As the C library's.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($first: *const c_char $(, $more: $type)*) -> c_int {
            // SAFETY: the arguments are passed on as they came.
            unsafe {
                if true $(&& $when)? {
                    $(note($noted);)+
                }
                $call as c_int
            }
        }
    )*};
}

const CHANGES: c_int = libc::O_WRONLY | libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC;

watched! {
    open64(path: *const c_char, flags: c_int, mode: c_int) if flags & CHANGES != 0, notes path
        => libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path, flags, mode);
    mkdir(path: *const c_char, mode: libc::mode_t), notes path
        => libc::syscall(libc::SYS_mkdir, path, mode);
    rmdir(path: *const c_char), notes path => libc::syscall(libc::SYS_rmdir, path);
    unlink(path: *const c_char), notes path => libc::syscall(libc::SYS_unlink, path);
    rename(from: *const c_char, to: *const c_char), notes from to
        => libc::syscall(libc::SYS_rename, from, to);
    symlink(target: *const c_char, path: *const c_char), notes path
        => libc::syscall(libc::SYS_symlink, target, path);
    link(from: *const c_char, to: *const c_char), notes to
        => libc::syscall(libc::SYS_link, from, to);
}
