//! Panics stay on the side where they start: whatever a component does runs under `catch_unwind`
//! compiled into the component's own copy of the framework, and comes back as an [`Error`].

use crate::error::{Error, Result, first_line};
use crate::plugin::attached;
use std::any::Any;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Who is called, for the error message.
#[derive(Clone, Copy, Debug)]
pub struct Owner {
    /// The component's kind.
    pub kind: &'static str,
    /// The component's registered name.
    pub name: &'static str,
}

impl Owner {
    /// What went wrong in it. This is the owner's code: it knows the plugin that it belongs to.
    fn error(self, message: String) -> Error {
        let plugin = attached().map(|host| host.plugin.to_string());
        Error::Component { kind: self.kind, name: self.name.to_owned(), plugin, message }
    }
}

/// Runs `f`; a panic in it becomes an [`Error::Component`].
pub fn guard<T>(owner: Owner, f: impl FnOnce() -> Result<T>) -> Result<T> {
    guard_engine(f).map_err(|e| match e {
        Error::Runtime(message) => owner.error(message),
        other => other,
    })
}

/// Runs engine code; a panic in it (LibTorch's operators panic on errors) becomes an [`Error::Runtime`].
pub fn guard_engine<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    let gradients = record_gradients(true);
    record_gradients(gradients);
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|panic| {
        // tch's `no_grad` does not undo itself when it is unwound.
        record_gradients(gradients);
        Err(Error::Runtime(panic_message(panic)))
    })
}

/// Sets whether this thread records gradients, and returns whether it did.
fn record_gradients(recorded: bool) -> bool {
    // SAFETY: the call sets a flag of this thread and cannot fail.
    unsafe { torch_sys::at_grad_set_enabled(i32::from(recorded)) != 0 }
}

/// Drops what was built; a panic in that is logged, since nobody can be told.
#[doc(hidden)]
pub fn drop_guarded<T: ?Sized>(owner: Owner, built: &mut ManuallyDrop<Box<T>>) {
    // SAFETY: called once, by the `drop` of whatever holds it.
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
        // Whatever else was thrown could panic once more when it is dropped.
        std::mem::forget(panic);
        text
    });
    // tch unwraps: what LibTorch said stands inside its `Torch("…")`.
    let text = match text.split_once("Torch(\"") {
        Some((_, inner)) => inner.replace("\\n", "\n").replace("\\\"", "\""),
        None => text,
    };
    first_line(&text)
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
