//! Seeds of the kit: all random numbers in a check come from a stream with a known seed.

use super::expect::{all_identical, ensure};
use crate::error::Result;
use crate::rng::{Purpose, seed_torch};
use tch::Tensor;

/// Seed under which the kit builds components.
pub(super) const KIT: u64 = 20;
/// A second seed.
pub(super) const OTHER: u64 = 21;

/// Runs `f` with LibTorch's generator seeded, in its own stream.
pub(super) fn seeded<T>(seed: u64, f: impl FnOnce() -> Result<T>) -> Result<T> {
    let _stream = seed_torch(seed, Purpose::Train, 0);
    f()
}

/// Checks that `f` builds and returns the same values, bit for bit, when it is run twice with one
/// seed.
pub(super) fn repeatable(f: impl Fn() -> Result<Vec<Tensor>>) -> Result<()> {
    let first = seeded(KIT, &f)?;
    let second = seeded(KIT, &f)?;
    ensure(all_identical(&first, &second), || {
        "built twice with one seed, the results differ; draw only from LibTorch's generator or from \
         one seeded with the given seed"
            .to_owned()
    })
}
