//! Ctrl-C, the same for every command: what looks for it ends in order, all else ends at once; either way with
//! the exit code 130 and with the command that goes on, where there is one.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use triflow::Error;

static STOP: AtomicBool = AtomicBool::new(false);
/// Whether the work at hand looks at [`stopped`] often.
static HEEDED: AtomicBool = AtomicBool::new(false);
/// The command that goes on with what was interrupted.
static GO_ON: Mutex<Option<String>> = Mutex::new(None);

/// Listens for Ctrl-C and for the wish of the system to end.
pub fn listen() {
    let _ = ctrlc::set_handler(interrupt);
}

/// What Ctrl-C does. A second one does not wait for what the first has asked for.
fn interrupt() {
    if STOP.swap(true, Ordering::SeqCst) || !HEEDED.load(Ordering::SeqCst) {
        end();
    }
}

/// Asks for the end where it was not asked for yet.
pub fn stop() {
    if !STOP.load(Ordering::SeqCst) {
        interrupt();
    }
}

fn end() -> ! {
    let go_on = GO_ON.lock().ok().and_then(|go_on| go_on.clone());
    let error = Error::Stopped { go_on };
    eprintln!("{error}");
    leave(error.exit_code())
}

/// Ends the process as it is: destructors would take from LibTorch's threads what they are working with.
fn leave(code: i32) -> ! {
    // SAFETY: it does not return, and nothing of this process is used after it.
    unsafe { libc::_exit(code) }
}

/// Whether the user wants it to stop.
pub fn stopped() -> bool {
    STOP.load(Ordering::SeqCst)
}

/// From now on the work looks at [`stopped`] often, or no longer.
pub fn heed(often: bool) {
    HEEDED.store(often, Ordering::SeqCst);
    if !often && stopped() {
        end();
    }
}

/// What a user whom nobody heeds is told to go on with.
pub fn go_on_with(command: Option<String>) {
    if let Ok(mut go_on) = GO_ON.lock() {
        *go_on = command;
    }
}
