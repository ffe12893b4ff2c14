//! Random streams of the rows of a sample.

use crate::error::{Error, Result};
use std::sync::Arc;

/// The random stream of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowStream {
    /// Seed of the draw.
    pub seed: u64,
    /// Number of the draw.
    pub draw: u64,
    /// Number of the row in the draw.
    pub row: u64,
}

/// Streams of rows: consecutive rows of one draw, or one stream given for each row.
#[derive(Clone, Debug, PartialEq)]
pub struct Streams {
    kind: Kind,
    /// Number of the first row.
    from: u64,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Counted { seed: u64, draw: u64 },
    Given(Arc<[RowStream]>),
    Grouped { seed: u64, groups: Arc<[Group]>, each: u64 },
}

/// Rows of one draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// Number of the draw.
    pub draw: u64,
    /// Number of the first row in the draw.
    pub first: u64,
}

impl Streams {
    /// Streams of rows 0, 1, … of a draw.
    pub fn new(seed: u64, draw: u64) -> Self {
        Self { kind: Kind::Counted { seed, draw }, from: 0 }
    }

    /// One given stream for each row.
    pub fn given(rows: Vec<RowStream>) -> Self {
        Self { kind: Kind::Given(rows.into()), from: 0 }
    }

    /// Streams of `each` consecutive rows of every group, one group after another.
    pub fn grouped(seed: u64, groups: Vec<Group>, each: u64) -> Self {
        Self { kind: Kind::Grouped { seed, groups: groups.into(), each: each.max(1) }, from: 0 }
    }

    /// Stream of row 0 for each seed: sample i is the first sample of seed i.
    pub fn of_seeds(seeds: &[u64]) -> Self {
        Self::given(seeds.iter().map(|seed| RowStream { seed: *seed, draw: 0, row: 0 }).collect())
    }

    /// The streams without those of the first `row` rows.
    #[must_use]
    pub fn from(&self, row: i64) -> Self {
        Self { kind: self.kind.clone(), from: self.from + row as u64 }
    }

    /// The streams of the same rows, `draws` draws later.
    #[must_use]
    pub fn later(&self, draws: u64) -> Self {
        let kind = match &self.kind {
            Kind::Counted { seed, draw } => Kind::Counted { seed: *seed, draw: draw + draws },
            Kind::Given(rows) => {
                Kind::Given(rows.iter().map(|r| RowStream { draw: r.draw + draws, ..*r }).collect())
            }
            Kind::Grouped { seed, groups, each } => Kind::Grouped {
                seed: *seed,
                groups: groups.iter().map(|g| Group { draw: g.draw + draws, ..*g }).collect(),
                each: *each,
            },
        };
        Self { kind, from: self.from }
    }

    /// Stream of row `i`.
    ///
    /// # Errors
    /// [`Error::Runtime`] for a row beyond those given.
    pub fn at(&self, i: usize) -> Result<RowStream> {
        let row = self.from + i as u64;
        match &self.kind {
            Kind::Counted { seed, draw } => Ok(RowStream { seed: *seed, draw: *draw, row }),
            Kind::Given(rows) => rows.get(row as usize).copied().ok_or_else(|| {
                Error::runtime(format!("there are {} seeds, but more rows", rows.len()))
            }),
            Kind::Grouped { seed, groups, each } => {
                let group = groups.get((row / each) as usize).ok_or_else(|| {
                    Error::runtime(format!("there are {} groups, but more rows", groups.len()))
                })?;
                let row = group.first + row % each;
                Ok(RowStream { seed: *seed, draw: group.draw, row })
            }
        }
    }
}
