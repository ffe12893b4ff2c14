//! Random streams: every draw comes from a generator seeded by (seed, purpose, step), so that a run
//! can be stopped anywhere and resumed without a difference.
//!
//! In sampling each row has its own stream ([`RowDraws`]): a sample does not depend on the others.
//!
//! LibTorch has one generator for the whole process, so a stream locks it: training or sampling in
//! another thread waits until the stream ends.

mod draws;
mod philox;
mod streams;

pub use draws::{Draws, RowDraws, TorchDraws};
pub use streams::{Group, RowStream, Streams};

use crate::host::attached;
use parking_lot::ReentrantMutex;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::any::Any;

/// Purpose of a stream. Streams of different purposes are independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
#[non_exhaustive]
pub enum Purpose {
    /// Initial values of the parameters.
    Init = 1,
    /// A data source's own draws.
    Data = 2,
    /// The split into training, validation and test rows.
    Split = 3,
    /// The order of examples in an epoch (the step is the epoch).
    Shuffle = 4,
    /// Times, noise and dropout of a training step.
    Train = 5,
    /// Times and noise of a validation batch, the same in every epoch.
    Validate = 6,
    /// z_0 of samples.
    Sample = 7,
    /// Draws of pictures and metrics.
    Report = 8,
    /// The noise of stochastic solvers.
    Path = 9,
    /// z_0 of a block of rows to be paired by a coupling.
    Couple = 20,
    /// A coupling's own draws.
    Pair = 21,
    /// z_0 and conditions of the pairs (z_0, z_1) that reflow generates with a trained model.
    Reflow = 22,
    /// Seed of the training steps of a further part of the batches (the step is the part).
    Part = 23,
    /// The order in which equal numbers of a column are spread over their interval of a normal
    /// distribution (the step is the column).
    Spread = 24,
    /// Rows by which the columns of generated rows are moved to the distributions of the training
    /// rows.
    Marginals = 25,
}

/// 64 well-mixed bits for (seed, purpose, step), by chaining the finaliser of SplitMix64.
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

/// LibTorch's generators, seeded for a stream and locked until this is dropped.
#[must_use = "the stream ends where this is dropped"]
#[derive(Debug)]
pub struct TorchStream {
    /// Guard of [`GENERATOR`] in the copy of the framework that owns it: the host's.
    _held: Box<dyn Any>,
}

/// Locks the generator of this copy of the framework. A plugin calls its host's function instead,
/// since the process has one LibTorch.
pub fn hold_generator() -> Box<dyn Any> {
    Box::new(GENERATOR.lock())
}

/// Seeds LibTorch's generators on all devices for a stream, and locks them until the returned value
/// is dropped.
pub fn seed_torch(seed: u64, purpose: Purpose, step: u64) -> TorchStream {
    let hold =
        attached().map_or(hold_generator as fn() -> Box<dyn Any>, |host| host.hold_generator);
    let stream = TorchStream { _held: hold() };
    tch::manual_seed(stream_seed(seed, purpose, step) as i64);
    stream
}

/// Rust generator for a stream, for draws made without LibTorch.
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
