//! Plugins: components in shared libraries that are loaded at run time.
//!
//! A plugin is a `cdylib` with its own copy of this framework; both copies use one LibTorch. The
//! process has one [registry](crate::registry()), owned by the host. On loading, the plugin's copy
//! gets a reference to it and registers its components there, by the function that registers the
//! built-in ones. Specs of a plugin are read, built and guarded against panics by the plugin's
//! copy.
//!
//! The description of a library ([`About`]) is read from its file before any of its code runs. Only
//! a library built from the same framework by the same compiler ([`FINGERPRINT`]) is loaded. A
//! library is never unloaded.
//!
//! - [`load`] and [`load_search_path`] are for programs,
//! - [`plugin!`](crate::plugin!) is for authors, and [`Scaffold`] writes a first crate.

mod about;
mod attach;
mod fingerprint;
mod load;
mod memory;
mod scaffold;

pub use about::{About, joined, joined_len};
pub use attach::{Attach, Host, attach};
pub use fingerprint::{FINGERPRINT, LIBTORCH_VERSION, TCH_VERSION, differences};
pub use load::{SEARCH_PATH, load, load_or_moved, load_search_path, loaded};
pub use memory::{Memory, memory};
pub use scaffold::{Framework, Scaffold};

pub use crate::host::Library;

/// Makes a triflow plugin of a `cdylib`; one line, anywhere in the crate.
///
/// It exports a description of the library and its build, the function by which a host registers
/// the components that the crate declares with [`component!`](crate::component!), and a function
/// that tells where its memory comes from: a library with an allocator of its own is refused.
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

            #[unsafe(no_mangle)]
            static TRIFLOW_PLUGIN_MEMORY: fn() -> $crate::plugin::Memory = $crate::plugin::memory;
        };
    };
}
