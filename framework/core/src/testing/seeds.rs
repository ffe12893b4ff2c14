//! Randomness under the kit's control: whatever is drawn comes from the stream that was seeded.

use super::expect::{all_identical, ensure};
use crate::error::Result;
use crate::rng::{Purpose, seed_torch};
use tch::Tensor;

/// The seed under which the kit builds.
pub(super) const KIT: u64 = 20;
/// Another one.
pub(super) const OTHER: u64 = 21;

/// Runs `f` in a stream of its own.
pub(super) fn seeded<T>(seed: u64, f: impl FnOnce() -> Result<T>) -> Result<T> {
    let _stream = seed_torch(seed, Purpose::Train, 0);
    f()
}

/// What `f` builds and returns is the same bit for bit when it is run again under the same seed.
pub(super) fn same_again(f: impl Fn() -> Result<Vec<Tensor>>) -> Result<()> {
    let first = seeded(KIT, &f)?;
    let second = seeded(KIT, &f)?;
    ensure(all_identical(&first, &second), || {
        "built twice under one seed, the results differ; draw from LibTorch's generator or from one \
         seeded with the given seed, and from no other"
            .to_owned()
    })
}
