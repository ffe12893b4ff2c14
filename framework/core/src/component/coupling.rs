use crate::component_kind;
use crate::metrics::Points;
use crate::parameters;
use crate::rng::{Purpose, rust_rng};
use rand_chacha::ChaCha8Rng;

/// Rows to be paired, as many of z_0 as of z_1, as plain numbers.
#[derive(Clone, Copy, Debug)]
pub struct Pairing<'a> {
    /// z_0, flat rows, drawn independently of the data.
    pub source: Points<'a>,
    /// z_1, flat rows.
    pub target: Points<'a>,
    /// The condition of each row of `target`, flat, with labels one-hot; `None` without condition.
    /// Row i of `source` has the same condition: z_0 is independent of all of them.
    pub condition: Option<Points<'a>>,
    /// Seed of the coupling's own draws.
    pub seed: u64,
}

impl Pairing<'_> {
    /// Number of rows on each side.
    #[allow(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.target.len()
    }

    /// A generator for the coupling's own draws.
    pub fn rng(&self) -> ChaCha8Rng {
        rust_rng(self.seed, Purpose::Pair, 0)
    }
}

/// Context in which a coupling is built.
#[derive(Clone, Debug, Default)]
pub struct CouplingContext {
    /// Shape of one latent, `[…z_shape]`.
    pub z_shape: Vec<i64>,
    /// Shape of one condition; `None` without condition.
    pub condition_shape: Option<Vec<i64>>,
    /// True if any two training rows have the same condition; `None` while the rows are unknown.
    pub conditions_repeat: Option<bool>,
}

parameters! {
    /// Keys that every coupling takes.
    pub struct CouplingOptions {
        /// Rows paired at once, a multiple of `training.batch_size`; null: those of a training
        /// step. More rows bring the pairs nearer to those of the full distributions.
        #[range(min = 1)]
        pub batch: Option<i64> = None,
        /// Accept a coupling that ignores the condition for a conditional model: its samples are
        /// biased.
        pub allow_biased: bool = false,
    }
}

component_kind! {
    /// The pairing of z_0 with z_1 in training.
    kind "coupling", context<'a> CouplingContext, common CouplingOptions;

    /// Pairs rows of z_0 with rows of z_1. Over many batches each z_0 must be used once on
    /// average, so that both distributions are kept.
    ///
    /// It runs ahead of training on a thread of its own, on plain numbers without LibTorch. The
    /// same rows and seed must give the same pairs.
    pub trait Coupling {
        /// Row of `source` for each row of `target`.
        fn pair(&self, rows: &Pairing<'_>) -> Result<Vec<usize>>;
    }
    provided {
        /// True if z_0 stays independent of z_1: nothing is paired then.
        fn is_independent(&self) -> Result<bool> {
            Ok(false)
        }
        /// True if each row takes its z_0 from the data set
        /// ([`Columns::z0`](crate::component::Columns)): nothing is paired then.
        fn z0_from_data(&self) -> Result<bool> {
            Ok(false)
        }
        /// True if z_0 stays independent of the condition. Sampling draws z_0 without the
        /// condition, so a conditional model trained otherwise gives biased samples.
        fn keeps_condition(&self) -> Result<bool> {
            Ok(false)
        }
    }
}
