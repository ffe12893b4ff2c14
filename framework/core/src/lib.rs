//! Dependencies of a triflow component: errors, the registry and the kinds of components, paths,
//! random streams, derivatives, kernels, metrics and the conformance kit.
//!
//! A plugin has its own copy of this crate. A host loads it only if both copies were built from the
//! same source ([`plugin::FINGERPRINT`]). Nothing here depends on files, configuration, training or
//! results. Programs depend on `triflow`, which re-exports this crate.
//!
//! Modules use those of lower layers only, which come first here; a space joins one layer's.
//!
//! Layers: `error`, `host`, `registry`, `kernels` `derivative` `sequence` `table`, `metrics`,
//! `memory` `point`, `rng` `disk`, `component`, `path`, `testing`, `plugin`.

// The macros expand to `triflow::…`, inside this crate too.
extern crate self as triflow;

pub mod component;
pub mod derivative;
pub mod disk;
pub mod error;
pub mod host;
pub mod kernels;
pub mod memory;
pub mod metrics;
pub mod path;
pub mod plugin;
pub mod point;
pub mod registry;
pub mod rng;
pub mod sequence;
pub mod table;
pub mod testing;

#[doc(hidden)]
pub use {inventory, serde};
pub use {log, tch};

pub use error::{Error, Result};
pub use registry::{Component, Spec, registry};

/// Imports for component authors.
pub mod prelude {
    pub use crate::component::*;
    pub use crate::derivative::{Variable, differentiate, gradient};
    pub use crate::error::{Error, Result};
    pub use crate::metrics::{Better, Points};
    pub use crate::path::Clock;
    pub use crate::registry::{Component, Spec};
    pub use crate::table::{Block, CellType, Scaling, Segments, TableColumn, TableRows};
    pub use tch::{Tensor, nn};
}
