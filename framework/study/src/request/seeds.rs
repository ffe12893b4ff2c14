//! Random streams of the requested samples: of one seed, or of a file of seeds.

use crate::error::{Error, Result};
use crate::io::{ArrayData, npz};
use crate::rng::{Group, RowStream, Streams};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use tch::{Kind, Tensor};

/// Seeds that were given one by one.
#[derive(Clone, Debug)]
pub struct Seeds {
    /// The seeds, at least one.
    pub values: Vec<u64>,
    /// The file, or the name of the argument, for messages.
    origin: PathBuf,
}

impl Seeds {
    /// Seeds of a program; `name` is that of its argument, for messages.
    ///
    /// # Errors
    /// [`Error::Data`]: there is none.
    pub fn given(name: &str, values: Vec<u64>) -> Result<Self> {
        let origin = PathBuf::from(name);
        match values.is_empty() {
            true => Err(Error::data(&origin, "holds no seeds")),
            false => Ok(Self { values, origin }),
        }
    }

    /// Reads seeds: whole numbers, one a line, or an `.npy` of them.
    ///
    /// # Errors
    /// [`Error::Data`]: the file holds something else, or nothing. [`Error::Io`]: it cannot be
    /// read.
    pub fn read(path: &Path) -> Result<Self> {
        let values = read(path)?;
        Ok(Self { values, origin: path.to_owned() })
    }

    /// Checks that there is one seed for each of `rows` rows.
    pub(super) fn check_rows(&self, rows: i64) -> Result<()> {
        if self.values.len() as i64 == rows {
            return Ok(());
        }
        let message = format!("has {} seeds for {rows} rows", self.values.len());
        Err(Error::data(&self.origin, message))
    }
}

/// The number of samples and their seeds.
#[derive(Debug)]
pub(super) enum SampleSeeds {
    /// `n` samples of one seed.
    Samples { n: i64, seed: u64 },
    /// One sample of each seed.
    Seeds(Vec<u64>),
}

impl SampleSeeds {
    /// Number of samples of each condition.
    pub fn len(&self) -> i64 {
        match self {
            SampleSeeds::Samples { n, .. } => *n,
            SampleSeeds::Seeds(seeds) => seeds.len() as i64,
        }
    }

    /// Description for messages.
    pub fn origin(&self) -> String {
        match self {
            SampleSeeds::Samples { seed, .. } => format!("seed {seed}"),
            SampleSeeds::Seeds(_) => "one seed each".to_owned(),
        }
    }

    /// Streams of unconditional samples.
    pub fn streams(&self) -> Streams {
        match self {
            SampleSeeds::Samples { seed, .. } => Streams::new(*seed, 0),
            SampleSeeds::Seeds(seeds) => Streams::of_seeds(seeds),
        }
    }

    /// Streams of conditional samples, grouped by condition. The number of the draw is the label,
    /// so that samples do not depend on which other labels are requested; for a file of conditions
    /// it is the row.
    pub fn streams_of(&self, conditions: &Tensor, from_file: bool) -> Result<Streams> {
        let count = conditions.size().first().copied().unwrap_or(1);
        let draws: Vec<i64> = match conditions.kind() {
            Kind::Int64 if conditions.dim() == 1 && !from_file => Vec::try_from(conditions)?,
            _ => (0..count).collect(),
        };
        // The second request of a label continues its draw.
        let mut drawn: HashMap<i64, u64> = HashMap::new();
        Ok(match self {
            SampleSeeds::Samples { n, seed } => {
                let n = *n as u64;
                let group = |condition: i64| {
                    let next = drawn.entry(condition).or_default();
                    let first = *next;
                    *next += n;
                    Group { draw: condition as u64, first }
                };
                Streams::grouped(*seed, draws.into_iter().map(group).collect(), n)
            }
            SampleSeeds::Seeds(seeds) => {
                let one = |(draw, seed): (i64, &u64)| RowStream {
                    seed: *seed,
                    draw: draw as u64,
                    row: 0,
                };
                let of = |draw: i64| seeds.iter().map(move |seed| one((draw, seed)));
                Streams::given(draws.into_iter().flat_map(of).collect())
            }
        })
    }
}

fn read(path: &Path) -> Result<Vec<u64>> {
    let seeds =
        if path.extension().is_some_and(|e| e == "npy") { array(path)? } else { lines(path)? };
    if seeds.is_empty() {
        return Err(Error::data(path, "holds no seeds"));
    }
    Ok(seeds)
}

fn lines(path: &Path) -> Result<Vec<u64>> {
    let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
    let mut seeds = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let seed = line.trim().parse().map_err(|_| {
            let place = number + 1;
            Error::data(
                path,
                format!("line {place}: `{}` is not a whole number from 0 to 2^64 - 1", line.trim()),
            )
        })?;
        seeds.push(seed);
    }
    Ok(seeds)
}

fn array(path: &Path) -> Result<Vec<u64>> {
    let arrays = npz::read_arrays(path)?;
    let [array] = &arrays[..] else {
        return Err(Error::data(path, "is not an .npy file with one array of seeds"));
    };
    if array.shape.len() != 1 {
        let message = format!("holds an array of shape {:?}, but seeds are a list", array.shape);
        return Err(Error::data(path, message));
    }
    let signed = |values: &mut dyn Iterator<Item = i64>| -> Result<Vec<u64>> {
        let seed = |v: i64| {
            let wrong = |_| Error::data(path, format!("{v} is not a seed: seeds are at least 0"));
            u64::try_from(v).map_err(wrong)
        };
        values.map(seed).collect()
    };
    match &array.data {
        ArrayData::U64(values) => Ok(values.clone()),
        ArrayData::I64(values) => signed(&mut values.iter().copied()),
        ArrayData::I32(values) => signed(&mut values.iter().map(|v| i64::from(*v))),
        ArrayData::U32(values) => signed(&mut values.iter().map(|v| i64::from(*v))),
        ArrayData::U16(values) => signed(&mut values.iter().map(|v| i64::from(*v))),
        other => {
            let message = format!("holds {}, but seeds are whole numbers", other.dtype());
            Err(Error::data(path, message).help("save them as uint64"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_a_label_do_not_depend_on_the_others_that_are_asked_for() {
        let wanted = SampleSeeds::Samples { n: 2, seed: 7 };
        let of = |labels: &[i64]| wanted.streams_of(&Tensor::from_slice(labels), false).unwrap();
        let (alone, both) = (of(&[3]), of(&[0, 3, 3]));
        for i in 0..2 {
            assert_eq!(alone.at(i).unwrap(), both.at(2 + i).unwrap());
            let again = both.at(4 + i).unwrap();
            assert_eq!((again.draw, again.row), (3, 2 + i as u64));
        }
        // Rows of a file by their place, whatever their labels are.
        let rows = wanted.streams_of(&Tensor::from_slice(&[3_i64, 3]), true).unwrap();
        assert_eq!([0, 2].map(|i| rows.at(i).unwrap().draw), [0, 1]);
    }

    #[test]
    fn a_seed_alone_gives_what_it_gives_among_others() {
        let (one, many) = (SampleSeeds::Samples { n: 1, seed: 9 }, SampleSeeds::Seeds(vec![4, 9]));
        let labels = Tensor::from_slice(&[1_i64]);
        let of = |wanted: &SampleSeeds| wanted.streams_of(&labels, false).unwrap();
        assert_eq!(of(&one).at(0).unwrap(), of(&many).at(1).unwrap());
        assert_eq!(one.streams().at(0).unwrap(), many.streams().at(1).unwrap());
    }

    #[test]
    fn seeds_are_read_from_lines_and_arrays_and_anything_else_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        assert_eq!(read(&file("a.txt", "1\n\n 18446744073709551615 \n")).unwrap(), [1, u64::MAX]);
        let told = |text: &str| read(&file("b.txt", text)).unwrap_err().to_string();
        assert!(
            told("1\n-2\n").contains("line 2: `-2` is not a whole number"),
            "{}",
            told("1\n-2\n")
        );
        assert!(told("\n").contains("holds no seeds"));
        assert!(
            Seeds::read(&file("c.txt", "1\n2\n"))
                .unwrap()
                .check_rows(3)
                .unwrap_err()
                .to_string()
                .contains("2 seeds for 3 rows")
        );
    }
}
