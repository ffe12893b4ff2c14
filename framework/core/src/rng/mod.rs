//! Random streams: every draw comes from a generator seeded by (seed, purpose, step), so that a run
//! can be stopped anywhere and continued as if it never had been.
//!
//! In sampling each row has a stream of its own ([`RowDraws`]): a sample does not depend on the others.
//!
//! LibTorch draws from one generator for the whole process, so a stream holds it: what another thread
//! trains or samples waits until the stream ends.

mod draws;
mod philox;
mod streams;

pub use draws::{Draws, RowDraws, TorchDraws};
pub use streams::{RowStream, Streams};

use crate::host::attached;
use parking_lot::ReentrantMutex;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::any::Any;

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
    /// z_0.
    Sample = 7,
    /// Draws of pictures and metrics.
    Report = 8,
    /// The noise of stochastic solvers.
    Path = 9,
    /// z_0 of a block of rows that are paired.
    Couple = 20,
    /// A coupling's own draws.
    Pair = 21,
    /// Pairs of a trained model's ends: their z_0, and the conditions.
    Reflow = 22,
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

static GENERATOR: ReentrantMutex<()> = ReentrantMutex::new(());

/// LibTorch's generators, seeded for a stream and held until this is dropped.
#[must_use = "the stream ends where this is dropped"]
#[derive(Debug)]
pub struct TorchStream {
    /// The guard of [`GENERATOR`], in whatever copy of the framework made it.
    _held: Box<dyn Any>,
}

/// Holds the generator of this copy of the framework. A plugin holds its host's: there is one LibTorch.
pub fn hold_generator() -> Box<dyn Any> {
    Box::new(GENERATOR.lock())
}

/// Seeds LibTorch's generators (of every device) for a stream.
pub fn seed_torch(seed: u64, purpose: Purpose, step: u64) -> TorchStream {
    let hold =
        attached().map_or(hold_generator as fn() -> Box<dyn Any>, |host| host.hold_generator);
    let stream = TorchStream { _held: hold() };
    tch::manual_seed(stream_seed(seed, purpose, step) as i64);
    stream
}

/// A Rust generator for a stream, for whatever is drawn off the device.
pub fn rust_rng(seed: u64, purpose: Purpose, step: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(stream_seed(seed, purpose, step))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use tch::{Device, Kind, Tensor};

    #[test]
    fn threads_do_not_disturb_each_others_streams() {
        let draw = |seed: u64| -> Vec<f64> {
            let _stream = seed_torch(seed, Purpose::Sample, 0);
            (0..50)
                .map(|_| Tensor::randn([1], (Kind::Double, Device::Cpu)).double_value(&[0]))
                .collect()
        };
        let alone: Vec<_> = (0..8).map(draw).collect();
        let together: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|seed| scope.spawn(move || draw(seed))).collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert_eq!(alone, together);
    }

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
