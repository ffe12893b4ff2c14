//! Couplings: how z_0 and z_1 are paired in training.

use crate::component_kind;
use crate::metrics::Points;
use crate::parameters;
use crate::registry::Common;
use crate::rng::{Purpose, rust_rng};
use rand_chacha::ChaCha8Rng;

/// Rows to be paired: equally many on both sides, in plain memory.
#[derive(Clone, Copy, Debug)]
pub struct Pairing<'a> {
    /// z_0, flat rows, drawn independently of everything else.
    pub source: Points<'a>,
    /// z_1, flat rows.
    pub target: Points<'a>,
    /// The condition of each row of `target`, flat, labels one-hot; `None` without condition. Row i of
    /// `source` may be thought of as drawn under row i too: it is independent of all of them.
    pub condition: Option<Points<'a>>,
    /// Seed of whatever the coupling draws.
    pub seed: u64,
}

impl Pairing<'_> {
    /// Rows on each side.
    #[allow(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.target.len()
    }

    /// A generator for the coupling's own draws.
    pub fn rng(&self) -> ChaCha8Rng {
        rust_rng(self.seed, Purpose::Pair, 0)
    }
}

/// What a coupling is built from.
#[derive(Clone, Debug, Default)]
pub struct CouplingContext {
    /// Shape of one latent.
    pub z_shape: Vec<i64>,
    /// Shape of one condition; `None` without.
    pub condition_shape: Option<Vec<i64>>,
    /// Whether any two of all training rows have the same condition; `None` where the rows are not known yet.
    pub conditions_repeat: Option<bool>,
}

parameters! {
    /// Keys that every coupling takes.
    pub struct CouplingOptions {
        /// Rows paired at once, a multiple of `training.batch_size`; null: those of a training step. More
        /// rows bring pairs nearer to those of the whole laws.
        pub batch: Option<i64> = None,
        /// Take a coupling that ignores the condition for a model that has one: its samples are biased.
        pub allow_biased: bool = false,
    }
}

impl Common for CouplingOptions {
    const KEYS: &'static [&'static str] = &["batch", "allow_biased"];
}

component_kind! {
    /// How z_0 and z_1 are paired in training.
    kind "coupling", spec CouplingSpec, context<'a> CouplingContext, common CouplingOptions;

    /// Pairs rows of z_0 with rows of z_1. Over many batches each z_0 is used once on average, so that
    /// the laws of both sides stay what they are.
    ///
    /// It runs on a thread of its own, ahead of training: on plain numbers, without LibTorch. The same
    /// rows and seed give the same pairs.
    pub trait Coupling {
        /// For each row of the target the row of the source that it is paired with.
        fn pair(&self, rows: &Pairing<'_>) -> Result<Vec<usize>>;
    }
    provided {
        /// Whether z_0 stays independent of z_1, so that nothing needs to be paired.
        fn is_independent(&self) -> Result<bool> {
            Ok(false)
        }
        /// Whether each row has its z_0 from the data ([`Columns::z0`](crate::component::Columns)), so that
        /// nothing is left to pair.
        fn z0_from_data(&self) -> Result<bool> {
            Ok(false)
        }
        /// Whether z_0 stays independent of the condition. Sampling draws z_0 without looking at the
        /// condition; where training does not, a conditional model's samples are biased.
        fn keeps_condition(&self) -> Result<bool> {
            Ok(false)
        }
    }
}
