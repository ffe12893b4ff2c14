//! What the sources of drawn points in the plane share: their keys, how many points each set has, and
//! where the draws come from.

use rand_chacha::ChaCha8Rng;
use triflow::prelude::*;
use triflow::rng::{Purpose, rust_rng};

/// What fits into the memory of a large machine.
const MOST_POINTS: usize = 1_000_000_000;

/// Bytes of a point while it is drawn: its place in float64 and float32, its label, and both as tensors.
const BYTES: u64 = 48;

/// How many points each set has; those of none are split off.
pub(super) struct Counts {
    pub samples: usize,
    pub val_samples: Option<usize>,
    pub test_samples: Option<usize>,
}

/// `draw` gives so many points; each set has a generator of its own.
pub(super) struct Drawn<F> {
    counts: Counts,
    seed: u64,
    draw: F,
}

impl<F: Fn(usize, &mut ChaCha8Rng) -> Columns + Send + Sync + 'static> Drawn<F> {
    /// # Errors
    /// Fewer than 2 points, or more than a machine holds.
    pub fn source(counts: Counts, seed: u64, draw: F) -> Result<Box<dyn DataSource>> {
        let sets = [
            ("samples", Some(counts.samples)),
            ("val_samples", counts.val_samples),
            ("test_samples", counts.test_samples),
        ];
        for (key, n) in sets.into_iter().filter_map(|(key, n)| Some((key, n?))) {
            let asked = match n {
                0..2 => "needs at least 2 points".to_owned(),
                _ if n > MOST_POINTS => format!("needs at most {MOST_POINTS} points"),
                _ => continue,
            };
            return Err(Error::config(key, format!("{asked}, got {n}")));
        }
        Ok(Box::new(Self { counts, seed, draw }))
    }
}

/// Declares a source of drawn points: the keys that all of them have, and its own.
macro_rules! drawn_source {
    (
        $(#[doc = $doc:literal])*
        #[reference = $reference:literal]
        pub struct $S:ident = $name:tt { $($own:tt)* }
    ) => {
        triflow::component! {
            $(#[doc = $doc])*
            #[reference = $reference]
            pub struct $S: DataSource, DataSourceSpec = $name {
                /// Points; split as `split` says where no sets of their own are asked for.
                pub samples: usize = 20_000,
                /// Points of a validation set of its own; null: split off.
                pub val_samples: Option<usize> = None,
                /// Points of a test set of its own; null: split off.
                pub test_samples: Option<usize> = None,
                /// Seed of the points; null: the experiment's own.
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
                super::plane::Drawn::source(counts, self.seed.unwrap_or(ctx.seed), draw)
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

/// Points of the plane and what belongs to each: class labels (`i64`) or numbers (`f32`).
pub(super) fn table<Y: triflow::tch::kind::Element>(points: &[[f64; 2]], y: &[Y]) -> Columns {
    let x: Vec<f32> = points.iter().flatten().map(|v| *v as f32).collect();
    Columns {
        x: Some(Tensor::from_slice(&x).view([-1, 2])),
        y: Some(Tensor::from_slice(y)),
        ..Columns::default()
    }
}

/// An error unless the parameter is a finite number of at least 0.
pub(super) fn at_least_0(key: &str, value: f64) -> Result<()> {
    match value.is_finite() && value >= 0.0 {
        true => Ok(()),
        false => Err(Error::config(key, format!("needs a number of at least 0, got {value}"))),
    }
}
