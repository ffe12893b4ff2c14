//! Random streams: every draw comes from a generator seeded by (seed, purpose, step), so that a run
//! can be stopped anywhere and continued as if it never had been.
//!
//! LibTorch draws from one global generator, so only the thread that trains or samples may use it,
//! and it reseeds at the start of each stream.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// What a stream is for. Two purposes never share a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
#[non_exhaustive]
pub enum Purpose {
    /// Initial values of the parameters.
    Init = 1,
    /// A data source's own draws.
    Data = 2,
    /// The split into train, validation and test.
    Split = 3,
    /// The order of examples in an epoch (step = epoch).
    Shuffle = 4,
    /// Times, noise and dropout of a training step.
    Train = 5,
    /// Times and noise of a validation batch (the same in every epoch).
    Validate = 6,
    /// z_0 and the noise of stochastic solvers.
    Sample = 7,
    /// Draws of pictures and metrics.
    Report = 8,
}

/// 64 well-mixed bits for (seed, purpose, step) (the finaliser of SplitMix64, chained).
pub fn stream_seed(seed: u64, purpose: Purpose, step: u64) -> u64 {
    let mix = |x: u64| {
        let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    };
    let golden = 0x9e37_79b9_7f4a_7c15_u64;
    [purpose as u64, step].iter().fold(mix(seed.wrapping_add(golden)), |h, v| {
        mix(h ^ v.wrapping_mul(golden).wrapping_add(golden))
    })
}

/// Seeds LibTorch's global generators (every device) for a stream.
pub fn seed_torch(seed: u64, purpose: Purpose, step: u64) {
    tch::manual_seed(stream_seed(seed, purpose, step) as i64);
}

/// A Rust generator for a stream, for whatever is drawn off the device.
pub fn rust_rng(seed: u64, purpose: Purpose, step: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(stream_seed(seed, purpose, step))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn streams_differ_in_seed_purpose_and_step() {
        let mut seen = HashSet::new();
        for seed in 0..20 {
            for purpose in [Purpose::Init, Purpose::Data, Purpose::Shuffle, Purpose::Train] {
                for step in 0..50 {
                    assert!(seen.insert(stream_seed(seed, purpose, step)));
                }
            }
        }
    }
}
