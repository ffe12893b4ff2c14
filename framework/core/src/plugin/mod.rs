//! Plugins: components in shared libraries, loaded at run time.
//!
//! A plugin is a `cdylib` that carries its own copy of this framework; one LibTorch serves both copies.
//! The host owns the one [registry](crate::registry()): on loading, the plugin's copy is pointed at it
//! and adds its own components, through the function by which the built-ins register. What runs
//! belongs to its owner: a plugin's spec is read, built and guarded against panics by the plugin's copy.
//!
//! What a library says of itself ([`About`]) is read from its file before any of its code runs, and
//! only a library built from the same framework by the same compiler is mapped at all
//! ([`FINGERPRINT`]). A library is never unloaded.
//!
//! - [`load`] and [`load_search_path`] for programs,
//! - [`plugin!`](crate::plugin!) for authors, [`Scaffold`] for a crate to begin with.

mod about;
mod attach;
mod fingerprint;
mod load;
mod scaffold;

pub use about::{About, joined, joined_len};
pub use attach::{Attach, Host, attach};
pub use fingerprint::{FINGERPRINT, LIBTORCH_VERSION, TCH_VERSION, differences};
pub use load::{SEARCH_PATH, load, load_or_moved, load_search_path, loaded};
pub use scaffold::{Framework, Scaffold};

pub use crate::host::Library;

/// Makes a `cdylib` a triflow plugin: one line, anywhere in the crate.
///
/// It exports a text that says what the library is and was built with, and the function by which a host
/// takes over the components that the crate declares with [`component!`](crate::component!).
#[macro_export]
macro_rules! plugin {
    () => {
        const _: () = {
            const ABOUT: &[&str] = &[
                "triflow plugin\nname: ",
                env!("CARGO_PKG_NAME"),
                "\nversion: ",
                env!("CARGO_PKG_VERSION"),
                "\n",
                $crate::plugin::FINGERPRINT,
            ];

            #[unsafe(no_mangle)]
            static TRIFLOW_PLUGIN_ABOUT: [u8; $crate::plugin::joined_len(ABOUT)] =
                $crate::plugin::joined(ABOUT);

            #[unsafe(no_mangle)]
            static TRIFLOW_PLUGIN_ATTACH: $crate::plugin::Attach = $crate::plugin::attach;
        };
    };
}
