//! What a component of triflow links: errors, the registry and its kinds, the arithmetic of paths, random streams,
//! derivatives, kernels, metrics and the conformance kit.
//!
//! A plugin carries its own copy of this crate, and a host loads it where both copies were built from the same source
//! ([`plugin::FINGERPRINT`]). Nothing here knows files, configuration, training or results. Programs depend on
//! `triflow`, which re-exports all of it.
//!
//! Layers: `error`, `kernels` `host` `derivative` `metrics` `sequence`, `memory` `registry` `point`, `rng` `disk`,
//! `component`, `path`, `testing`, `plugin`.

// The macros speak of `triflow::…`, inside this crate too.
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
pub mod testing;

#[doc(hidden)]
pub use {inventory, schemars, serde, typetag};
pub use {log, tch};

pub use error::{Error, Result};
pub use registry::{Component, Spec, registry};

/// What a component author needs.
pub mod prelude {
    pub use crate::component::*;
    pub use crate::derivative::{Variable, differentiate, gradient};
    pub use crate::error::{Error, Result};
    pub use crate::metrics::Points;
    pub use crate::path::{Clock, PathKind, PathPoint, StepGrid, rows};
    pub use crate::registry::{Component, Spec};
    pub use tch::{Tensor, nn};
}
