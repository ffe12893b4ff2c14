//! Conversion of panics to errors in the copy of the framework where they start: all code of a
//! component runs under a `catch_unwind` compiled into its own copy.

#![expect(
    unsafe_code,
    reason = "sets LibTorch's flag of recorded gradients, and drops components under a guard"
)]

use crate::error::{Error, Result, first_line};
use crate::host::attached;
use std::any::Any;
use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

/// The component whose code runs, for error messages.
#[derive(Clone, Copy, Debug)]
pub struct Owner {
    /// Kind of the component.
    pub kind: &'static str,
    /// Registered name of the component.
    pub name: &'static str,
}

impl Owner {
    /// Error of the component. It is made in the owner's copy, which knows its plugin.
    fn error(self, message: String) -> Error {
        let plugin = attached().map(|host| host.plugin.to_string());
        Error::Component { kind: self.kind, name: self.name.to_owned(), plugin, message }
    }
}

/// Runs a component's code.
///
/// # Errors
/// Errors of `f`; a panic or an [`Error::Runtime`] becomes an [`Error::Component`] of `owner`.
pub fn guard<T>(owner: Owner, f: impl FnOnce() -> Result<T>) -> Result<T> {
    guard_engine(f).map_err(|e| match e {
        Error::Runtime(message) => owner.error(message),
        other => other,
    })
}

/// Runs engine code; LibTorch's operators panic on errors.
///
/// # Errors
/// Errors of `f`; a panic becomes an [`Error::Runtime`].
pub fn guard_engine<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    let gradients = record_gradients(true);
    record_gradients(gradients);
    let _quiet = Quiet::begin();
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|panic| {
        // tch's `no_grad` does not restore the state on a panic.
        record_gradients(gradients);
        Err(Error::Runtime(panic_message(panic)))
    })
}

thread_local! {
    /// Number of guards that this thread is in.
    static GUARDS: Cell<u32> = const { Cell::new(0) };
}

/// Scope in which a panic of this thread is logged at debug level instead of printed: it becomes an
/// error, and its place in the source matters for debugging only.
struct Quiet;

impl Quiet {
    fn begin() -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let usual = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| match GUARDS.get() {
                0 => usual(info),
                _ => log::debug!("{info}"),
            }));
        });
        GUARDS.set(GUARDS.get() + 1);
        Self
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        GUARDS.set(GUARDS.get().saturating_sub(1));
    }
}

/// Sets whether this thread records gradients, and returns the previous setting.
fn record_gradients(recorded: bool) -> bool {
    // SAFETY: the call sets a flag of this thread and cannot fail.
    unsafe { torch_sys::at_grad_set_enabled(i32::from(recorded)) != 0 }
}

/// Drops a built component. A panic in that is logged, because `drop` cannot return an error.
#[doc(hidden)]
pub fn drop_guarded<T: ?Sized>(owner: Owner, built: &mut ManuallyDrop<Box<T>>) {
    // SAFETY: called once, by the `drop` of the owner of `built`.
    let dropped = guard(owner, || unsafe {
        ManuallyDrop::drop(built);
        Ok(())
    });
    if let Err(e) = dropped {
        log::error!("while it was dropped: {e}");
    }
}

fn panic_message(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast::<String>().map(|text| *text).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map_or("panicked", |text| *text).to_owned();
        // Another payload could panic when it is dropped.
        std::mem::forget(panic);
        text
    });
    first_line(&unwrapped(&text))
}

/// Message of the error in a panic of tch, which reads `called `Result::unwrap()` on an `Err`
/// value: Torch("…")`; other texts are returned unchanged.
fn unwrapped(text: &str) -> String {
    let Some((_, error)) = text.split_once("on an `Err` value: ") else { return text.to_owned() };
    let quoted =
        error.split_once("(\"").filter(|(name, _)| name.chars().all(char::is_alphanumeric));
    match quoted {
        Some((_, inner)) => inner
            .strip_suffix("\")")
            .unwrap_or(inner)
            .replace("\\n", "\n")
            .replace("\\\"", "\"")
            .replace("\\'", "'"),
        None => error.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    const ME: Owner = Owner { kind: "crn", name: "broken" };

    #[test]
    fn a_panic_names_its_component() {
        let e = guard::<()>(ME, || panic!("on purpose")).unwrap_err();
        assert_eq!(e.to_string(), "crn `broken`: on purpose");
    }

    #[test]
    #[allow(clippy::unwrap_used, clippy::unnecessary_literal_unwrap, reason = "as tch does")]
    fn a_panic_says_what_its_error_said_and_not_how_it_was_unwrapped() {
        let through_serde = |error: tch::TchError| {
            guard::<()>(ME, || {
                let failed: Result<(), _> = Err(error);
                failed.unwrap();
                Ok(())
            })
            .unwrap_err()
            .to_string()
        };
        for (error, said) in [
            (
                tch::TchError::Torch(
                    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate \
                     memory: you tried to allocate 160 bytes.\nframe #0: c10::Error (0x1 in /lib/c.so)"
                        .into(),
                ),
                "DefaultCPUAllocator: can't allocate memory: you tried to allocate 160 bytes.",
            ),
            (
                tch::TchError::Torch(
                    "isTensor() INTERNAL ASSERT FAILED at \"/b/aten/ivalue.h\":24, please report a bug to \
                     PyTorch. Expected Tensor but got Int\nException raised from toTensor at /b/x.h:1"
                        .into(),
                ),
                "Expected Tensor but got Int",
            ),
            (tch::TchError::Shape("[2] is not [3]".into()), "[2] is not [3]"),
            (tch::TchError::UnknownKind(7), "UnknownKind(7)"),
        ] {
            assert_eq!(through_serde(error), format!("crn `broken`: {said}"));
        }
    }

    #[test]
    fn a_panic_under_a_guard_is_not_printed() {
        // In its own process, because a process has one panic hook.
        let test = "registry::guard::tests::a_panic_names_its_component";
        let run = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&run.stderr).into_owned();
        assert!(run.status.success() && !stderr.contains("panicked at"), "{stderr}");
        assert!(String::from_utf8_lossy(&run.stdout).contains("1 passed"));
    }

    #[test]
    fn a_guard_is_left_when_a_panic_passes_it() {
        let _ = guard::<()>(ME, || panic!("guarded"));
        assert_eq!(GUARDS.get(), 0);
    }

    #[test]
    fn a_payload_that_panics_when_dropped_is_one_panic() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("and again");
            }
        }
        let e = guard::<()>(ME, || std::panic::panic_any(Bomb)).unwrap_err();
        assert_eq!(e.to_string(), "crn `broken`: panicked");
    }

    #[test]
    fn gradients_are_recorded_after_a_panic_as_before() {
        for recorded in [true, false] {
            let before = record_gradients(recorded);
            let _ = guard_engine::<()>(|| tch::no_grad(|| panic!("in no_grad")));
            let _ = guard_engine::<()>(|| tch::with_grad(|| panic!("in with_grad")));
            assert_eq!(record_gradients(before), recorded);
        }
    }

    #[test]
    fn a_libtorch_panic_shows_its_first_line() {
        let e = guard(ME, || {
            Ok(tch::Tensor::ones([2], tch::kind::FLOAT_CPU)
                .matmul(&tch::Tensor::ones([3], tch::kind::FLOAT_CPU)))
        });
        let text = e.unwrap_err().to_string();
        assert!(
            text.starts_with("crn `broken`: ") && !text.contains('\n') && text.contains("size"),
            "{text}"
        );
    }
}
