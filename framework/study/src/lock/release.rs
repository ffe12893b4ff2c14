//! The locks that this process holds, for programs that end without destructors.

use super::Held;
use crate::error::Result;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

static HELD: Mutex<Vec<Weak<Held>>> = Mutex::new(Vec::new());

/// Makes the file of a lock and remembers it, so that none is missed by [`release_all`].
pub(super) fn remembered(make: impl FnOnce() -> Result<Option<Held>>) -> Result<Option<Arc<Held>>> {
    let mut all = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    let held = make()?.map(Arc::new);
    if let Some(held) = &held {
        all.retain(|held| held.strong_count() > 0);
        all.push(Arc::downgrade(held));
    }
    Ok(held)
}

/// Releases all locks of this process, which can take no other one afterwards: whoever tries waits
/// for the end of the process. For a program that is about to end without destructors, so that
/// processes on other machines need not wait until the locks count as stale.
pub fn release_all() {
    // A file server that does not answer must not hold up the end.
    for _ in 0..100 {
        if let Ok(all) = HELD.try_lock() {
            all.iter().filter_map(Weak::upgrade).for_each(|held| held.remove());
            std::mem::forget(all);
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
