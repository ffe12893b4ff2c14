//! Panics stay on the side where they start: whatever a component does runs under `catch_unwind`
//! compiled into the component's own copy of the framework, and comes back as an [`Error`].

use crate::error::{Error, Result, first_line};
use crate::plugin::attached;
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
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(Err(Error::Runtime(message))) => Err(owner.error(message)),
        Ok(result) => result,
        Err(panic) => Err(owner.error(panic_message(&*panic))),
    }
}

/// Runs engine code; a panic in it (LibTorch's operators panic on errors) becomes an [`Error::Runtime`].
pub fn guard_engine<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(f))
        .unwrap_or_else(|panic| Err(Error::Runtime(panic_message(&*panic))))
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

/// What a component says of itself; a panic in that is logged and leaves `instead`.
#[doc(hidden)]
pub fn guard_text(owner: Owner, instead: &str, f: impl FnOnce() -> String) -> String {
    guard(owner, || Ok(f())).unwrap_or_else(|e| {
        log::error!("{e}");
        instead.to_owned()
    })
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panicked".to_owned());
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
