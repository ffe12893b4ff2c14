//! Panics of this repository's code. Those that a guard turns into an error count too: they are
//! meant for LibTorch and readers of files by others, and would tell a user of an index.

use std::cell::Cell;
use std::panic::PanicHookInfo;
use std::sync::{Mutex, Once, PoisonError};

static OWN: Mutex<Option<String>> = Mutex::new(None);

thread_local! {
    static WATCHED: Cell<bool> = const { Cell::new(false) };
}

/// Begins to note panics.
pub fn begin() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        // A guard puts its own hook there when it is first used, which has to lie below.
        let _ = triflow::registry::guard_engine(|| Ok(()));
        std::panic::set_hook(Box::new(note));
    });
    *OWN.lock().unwrap_or_else(PoisonError::into_inner) = None;
    WATCHED.set(true);
}

/// The first panic since [`begin`].
pub fn end() -> Option<String> {
    WATCHED.set(false);
    OWN.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn note(info: &PanicHookInfo<'_>) {
    let file = info.location().map_or("", |location| location.file());
    // Crates of others lie in folders of a registry or of the compiler's source.
    let others = [".cargo/registry", "/rustc/", "/library/"];
    let own = !others.iter().any(|part| file.contains(part));
    if own {
        let place = std::backtrace::Backtrace::force_capture();
        let mut noted = OWN.lock().unwrap_or_else(PoisonError::into_inner);
        noted.get_or_insert_with(|| format!("{info}\n{place}"));
    } else if !WATCHED.get() {
        eprintln!("{info}");
    }
}
