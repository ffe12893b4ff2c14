//! Ctrl-C, for every command: work that checks [`stopped`] ends in order, all other work at once;
//! in both cases with exit code 130 and the command that continues it, if there is one.

#![expect(
    unsafe_code,
    reason = "reads whether a signal is ignored, and ends the process without destructors"
)]

use libc::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::mem::MaybeUninit;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use triflow::Error;

static STOP: AtomicBool = AtomicBool::new(false);
/// Set while the current work checks [`stopped`] often.
static HEEDED: AtomicBool = AtomicBool::new(false);
/// The command that continues the interrupted work.
static GO_ON: Mutex<Option<String>> = Mutex::new(None);

/// Starts to handle Ctrl-C, the termination signal, and the end of the terminal, unless that is
/// ignored, as `nohup` asks.
pub fn listen() {
    let hangup = (!hangup_is_ignored()).then_some(SIGHUP);
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM].into_iter().chain(hangup)) else { return };
    std::thread::spawn(move || signals.forever().for_each(|_| interrupt()));
}

fn hangup_is_ignored() -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: no action is given, and room for the present one, which is valid when all is zero.
    let action = unsafe {
        libc::sigaction(SIGHUP, std::ptr::null(), action.as_mut_ptr());
        action.assume_init()
    };
    action.sa_sigaction == libc::SIG_IGN
}

/// Handles Ctrl-C. The second one ends the process at once.
fn interrupt() {
    if STOP.swap(true, Ordering::SeqCst) || !HEEDED.load(Ordering::SeqCst) {
        end();
    }
}

/// Stops the work as Ctrl-C does, unless it was stopped before.
pub fn stop() {
    if !STOP.load(Ordering::SeqCst) {
        interrupt();
    }
}

fn end() -> ! {
    // First, as a closed pipe ends the process at the message.
    triflow::lock::release_all();
    let go_on = GO_ON.lock().ok().and_then(|go_on| go_on.clone());
    let error = Error::Stopped { go_on };
    eprintln!("{}", crate::terminal::message(&error.to_string()));
    leave(error.exit_code())
}

/// Ends the process without destructors, which would free memory that LibTorch's threads still use.
fn leave(code: i32) -> ! {
    // SAFETY: it does not return, and nothing of this process is used after it.
    unsafe { libc::_exit(code) }
}

/// True after Ctrl-C.
pub fn stopped() -> bool {
    STOP.load(Ordering::SeqCst)
}

/// Declares that the current work checks [`stopped`] often, or no longer does.
pub fn heed(often: bool) {
    HEEDED.store(often, Ordering::SeqCst);
    if !often && stopped() {
        end();
    }
}

/// Declares that work has ended in order, on request or not, as it does for a server: what follows
/// is no interrupted work.
pub fn served() {
    HEEDED.store(false, Ordering::SeqCst);
}

/// Sets the command that continues the work, for the message after Ctrl-C.
pub fn go_on_with(command: Option<String>) {
    if let Ok(mut go_on) = GO_ON.lock() {
        *go_on = command;
    }
}
