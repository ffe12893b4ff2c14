//! Identification of a run's rows by their content, wherever the files are.

use crate::component::{Columns, Splits};
use crate::error::Result;
use crate::io::DiskRows;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tch::{Device, Kind, Tensor};

/// Values of a block.
const BLOCK: i64 = 1 << 16;
/// Largest number of blocks of an array that are hashed; in a larger array they have equal
/// distances and include the first and the last.
const BLOCKS: i64 = 256;

/// Fingerprint of the rows of a data source before they are split.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Rows of the training set, before validation and test rows are split off.
    pub rows: i64,
    /// Rows of validation and test sets that the source has itself, in this order.
    pub further_rows: Vec<i64>,
    /// Seed of the split.
    pub seed: u64,
    /// SHA-256 of shapes and values, in hexadecimal digits.
    pub sha256: String,
    /// Part of the values that is hashed, in words.
    pub hashed: String,
}

impl Identity {
    /// Computes the identity of what a source yields.
    pub(super) fn compute(splits: &Splits, seed: u64) -> Result<Self> {
        let mut hash = Hash { sha256: Sha256::new(), sampled: false };
        let rows = |table: &Columns| super::bind::rows_of(table);
        let further = [("val", &splits.val), ("test", &splits.test)];
        let sets = further.into_iter().filter_map(|(name, set)| Some((name, set.as_ref()?)));
        hash.table("train", &splits.train)?;
        for (name, table) in sets.clone() {
            hash.table(name, table)?;
        }
        let digest = hash.sha256.finalize();
        Ok(Self {
            rows: rows(&splits.train)?,
            further_rows: sets.map(|(_, table)| rows(table)).collect::<Result<_>>()?,
            seed,
            sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
            hashed: match hash.sampled {
                true => format!("{BLOCKS} blocks of {BLOCK} values of each larger array"),
                false => "all values".to_owned(),
            },
        })
    }

    /// Describes how these rows, or their split, differ from those of `then`; `None` if they are
    /// the same.
    pub fn differs_from(&self, then: &Self) -> Option<String> {
        let sizes = |identity: &Self| -> Vec<String> {
            let sets = std::iter::once(&identity.rows).chain(&identity.further_rows);
            sets.map(i64::to_string).collect()
        };
        if sizes(self) != sizes(then) {
            let (now, then) = (sizes(self).join(" + "), sizes(then).join(" + "));
            return Some(format!("it had {then} rows, and there are {now} now"));
        }
        if self.sha256 != then.sha256 {
            return Some("their values have changed since".to_owned());
        }
        let (now, then) = (self.seed, then.seed);
        (now != then)
            .then(|| format!("they were split with seed {then}, but the seed is {now} now"))
    }
}

struct Hash {
    sha256: Sha256,
    sampled: bool,
}

impl Hash {
    fn table(&mut self, set: &str, table: &Columns) -> Result<()> {
        let held = [
            ("x", &table.x),
            ("y", &table.y),
            ("z0", &table.z0),
            ("weights", &table.weights),
            ("x_lengths", &table.x_lengths),
            ("y_lengths", &table.y_lengths),
        ];
        for (name, values) in held {
            let Some(values) = values else { continue };
            self.head(set, name, &values.size());
            let flat = values.reshape([-1]);
            for (from, n) in self.blocks(flat.size()[0], BLOCK) {
                self.values(&flat.narrow(0, from, n))?;
            }
        }
        if let Some(split) = &table.split {
            self.head(set, "split", &[split.cells.len() as i64]);
            let texts = split.column.names().unwrap_or_default();
            texts.iter().for_each(|text| self.sha256.update(format!("{text}\n")));
            self.values(&Tensor::from_slice(&split.cells))?;
        }
        let on_disk = [("x", &table.x_on_disk), ("y", &table.y_on_disk), ("z0", &table.z0_on_disk)];
        for (name, rows) in on_disk {
            let Some(rows) = rows else { continue };
            self.head(set, name, &[&[rows.len()], rows.shape()].concat());
            let order = rows.order_in_file();
            let in_order = order.map_or_else(|| rows.clone(), |order| rows.select(&order));
            let (rows, width) = (in_order, row_width(rows));
            for (from, n) in self.blocks(rows.len(), (BLOCK / width).max(1)) {
                let some: Vec<i64> = (from..from + n).collect();
                self.values(&rows.read(&some)?)?;
            }
        }
        Ok(())
    }

    fn head(&mut self, set: &str, name: &str, shape: &[i64]) {
        self.sha256.update(format!("{set} {name} {shape:?}\n"));
    }

    /// Starts and lengths of the blocks that are hashed.
    fn blocks(&mut self, n: i64, block: i64) -> Vec<(i64, i64)> {
        let all = (n + block - 1) / block;
        let hashed = all.min(BLOCKS);
        self.sampled |= hashed < all;
        let nth = |i: i64| if hashed < all { i * (all - 1) / (hashed - 1) } else { i };
        (0..hashed).map(|i| (nth(i) * block, block.min(n - nth(i) * block))).collect()
    }

    /// Hashes values. A number gives the same hash in float32 and in float64.
    fn values(&mut self, values: &Tensor) -> Result<()> {
        let flat = values.to_device(Device::Cpu).reshape([-1]);
        match flat.kind() {
            Kind::Uint8 => self.sha256.update(Vec::<u8>::try_from(flat)?),
            Kind::Int64 => {
                for value in Vec::<i64>::try_from(flat)? {
                    self.sha256.update(value.to_le_bytes());
                }
            }
            _ => {
                let values = Vec::<f64>::try_from(flat.to_kind(Kind::Double))?;
                let bytes: Vec<u8> = values.into_iter().flat_map(f64::to_le_bytes).collect();
                self.sha256.update(bytes);
            }
        }
        Ok(())
    }
}

/// Values of one row.
fn row_width(rows: &DiskRows) -> i64 {
    rows.shape().iter().product::<i64>().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn splits(values: &[f32]) -> Splits {
        let x = Tensor::from_slice(values).view([-1, 2]);
        Splits { train: Columns { x: Some(x), ..Columns::default() }, ..Splits::default() }
    }

    #[test]
    fn rows_are_the_same_wherever_they_lie_and_others_once_a_value_or_an_order_differs() {
        let values: Vec<f32> = (0..40).map(|i| i as f32 / 7.0).collect();
        let identity = |values: &[f32]| Identity::compute(&splits(values), 3).unwrap();
        let own = identity(&values);
        assert_eq!(own.hashed, "all values");
        let mut wide = splits(&values);
        wide.train.x = wide.train.x.map(|x| x.to_kind(Kind::Double));
        assert_eq!(Identity::compute(&wide, 3).unwrap(), own);
        assert_eq!(own.differs_from(&own), None);
        let fewer = identity(&values[2..]).differs_from(&own).unwrap();
        assert_eq!(fewer, "it had 20 rows, and there are 19 now");
        let mut swapped = values.clone();
        swapped.swap(0, 2);
        swapped.swap(1, 3);
        let changed = identity(&swapped).differs_from(&own).unwrap();
        assert_eq!(changed, "their values have changed since");
        let other = Identity::compute(&splits(&values), 4).unwrap();
        assert!(other.differs_from(&own).unwrap().contains("seed 3, but the seed is 4 now"));
    }

    #[test]
    fn of_many_values_a_sample_of_blocks_is_looked_at_first_and_last_among_them() {
        let mut hash = Hash { sha256: Sha256::new(), sampled: false };
        let blocks = hash.blocks(1_000_003, 1000);
        assert!(hash.sampled);
        assert_eq!(blocks.len() as i64, BLOCKS);
        assert_eq!((blocks[0], blocks[BLOCKS as usize - 1]), ((0, 1000), (1_000_000, 3)));
        let mut hash = Hash { sha256: Sha256::new(), sampled: false };
        assert_eq!(hash.blocks(2500, 1000), [(0, 1000), (1000, 1000), (2000, 500)]);
        assert!(!hash.sampled && hash.blocks(0, 10).is_empty());
    }
}
