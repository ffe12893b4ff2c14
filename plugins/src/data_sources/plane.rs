//! Parts of the data sources that draw their rows: shared parameters, the number of rows of each
//! set, and random streams.

use rand_chacha::ChaCha8Rng;
use triflow::prelude::*;
use triflow::rng::{Purpose, rust_rng};

/// Largest number of points: what fits into the memory of a large machine.
pub(super) const MAX_POINTS: usize = 1_000_000_000;

/// Bytes of a point while it is drawn: coordinates in float64 and float32, label, and both as
/// tensors.
const BYTES: u64 = 48;

/// Number of points of each set; `None`: the set is split off.
pub(super) struct Counts {
    pub samples: usize,
    pub val_samples: Option<usize>,
    pub test_samples: Option<usize>,
}

/// Data source of drawn rows: `draw` draws a number of them, from a random stream for each set.
pub(super) struct Drawn<F> {
    counts: Counts,
    seed: u64,
    draw: F,
}

impl<F: Fn(usize, &mut ChaCha8Rng) -> Columns + Send + Sync + 'static> Drawn<F> {
    /// The data source of the function `draw`.
    pub fn source(counts: Counts, seed: u64, draw: F) -> Box<dyn DataSource> {
        Box::new(Self { counts, seed, draw })
    }
}

/// Declares a data source of drawn rows, with the parameters that all of these share and its own.
macro_rules! drawn_source {
    (
        $(#[doc = $doc:literal])*
        #[reference = $reference:literal]
        pub struct $S:ident = $name:tt { $($own:tt)* }
    ) => {
        triflow::component! {
            $(#[doc = $doc])*
            #[reference = $reference]
            pub struct $S: DataSource = $name {
                /// Number of rows, from which sets without rows of their own are split off (see
                /// `split`).
                #[range(min = 2, max = crate::data_sources::plane::MAX_POINTS)]
                pub samples: usize = 20_000,
                /// Number of rows drawn for validation; null: they are split off.
                #[range(min = 2, max = crate::data_sources::plane::MAX_POINTS)]
                pub val_samples: Option<usize> = None,
                /// Number of rows drawn for the final evaluation; null: they are split off.
                #[range(min = 2, max = crate::data_sources::plane::MAX_POINTS)]
                pub test_samples: Option<usize> = None,
                /// Seed of the rows; null: the experiment's.
                pub seed: Option<u64> = None,
                $($own)*
            }
        }

        impl $S {
            fn drawn(
                &self,
                ctx: &DataContext,
                draw: impl Fn(usize, &mut rand_chacha::ChaCha8Rng) -> Columns + Send + Sync + 'static,
            ) -> Result<Box<dyn DataSource>> {
                let counts = super::plane::Counts {
                    samples: self.samples,
                    val_samples: self.val_samples,
                    test_samples: self.test_samples,
                };
                Ok(super::plane::Drawn::source(counts, self.seed.unwrap_or(ctx.seed), draw))
            }
        }
    };
}
pub(super) use drawn_source;

impl<F: Fn(usize, &mut ChaCha8Rng) -> Columns> DataSource for Drawn<F> {
    fn load(&self) -> Result<Splits> {
        let Counts { samples, val_samples, test_samples } = self.counts;
        let all = [Some(samples), val_samples, test_samples];
        let all = all.into_iter().flatten().map(|n| n as u64).sum();
        triflow::memory::check_count("data.samples", all, BYTES)?;
        let set = |n: usize, set: u64| (self.draw)(n, &mut rust_rng(self.seed, Purpose::Data, set));
        Ok(Splits {
            train: set(self.counts.samples, 0),
            val: self.counts.val_samples.map(|n| set(n, 1)),
            test: self.counts.test_samples.map(|n| set(n, 2)),
            ..Splits::default()
        })
    }
}

/// Columns of points x `[n, 2]` and y `[n]`: class labels (`i64`) or numbers (`f32`).
pub(super) fn columns<Y: triflow::tch::kind::Element>(points: &[[f64; 2]], y: &[Y]) -> Columns {
    let x: Vec<f32> = points.iter().flatten().map(|v| *v as f32).collect();
    Columns {
        x: Some(Tensor::from_slice(&x).view([-1, 2])),
        y: Some(Tensor::from_slice(y)),
        ..Columns::default()
    }
}
