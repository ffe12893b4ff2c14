//! Layout of the latents of rows of a table: the numbers, then an embedding of each category.

use crate::layers::MAX_FEATURES;
use triflow::prelude::*;
use triflow::tch::{Device, Kind};

/// Largest number of features that an embedding has unless it is set.
const MOST_FEATURES: i64 = 16;

/// Latents of the rows of a table. Categories of similar size are embedded together: their entries
/// are padded to the same number, at most twice their own.
#[derive(Debug)]
pub struct Layout {
    /// Number of entries of a latent.
    pub width: i64,
    /// Number of entries of a latent that are numbers, which are its first.
    pub values: i64,
    /// The categories, in the order of their embeddings.
    pub groups: Vec<Group>,
    /// Entries of a row that the numbers and then each group's categories take, with padding;
    /// padding has the number of any entry.
    spread: Vec<i64>,
    /// For each entry of a row, its place in `spread`.
    place: Vec<i64>,
}

/// Categories that are embedded together.
#[derive(Debug)]
pub struct Group {
    /// Number of categories of each, and so of the rows of its embedding that are used.
    pub counts: Vec<i64>,
    /// Number of entries of each, with padding.
    pub size: i64,
    /// Features of an embedding.
    pub dim: i64,
    /// First entry of a latent that belongs to it.
    pub first: i64,
    /// First entry of the spread rows that belongs to it.
    first_spread: i64,
}

/// Features of the embedding of one of `count` categories: `dim`, or ⌈log₂ count⌉ + 1 and at most
/// 16.
fn features(count: i64, dim: Option<i64>) -> i64 {
    dim.unwrap_or_else(|| (exponent(count) + 1).min(MOST_FEATURES))
}

/// ⌈log₂ n⌉ for n of at least 1.
fn exponent(n: i64) -> i64 {
    i64::from((n.max(1) as u64).next_power_of_two().trailing_zeros())
}

impl Layout {
    /// The layout for the targets of `ctx` with embeddings of `dim` features; `user` is the
    /// component that asks for it.
    ///
    /// # Errors
    /// Targets are no rows of a table.
    pub fn new(ctx: &BuildContext, dim: Option<i64>, user: &str) -> Result<Self> {
        let entries = flat(ctx, user)?;
        let (mut values, mut categories, mut from) = (Vec::new(), Vec::new(), 0);
        for block in &ctx.target_blocks {
            match block {
                Block::Values(width) => values.extend(from..from + width),
                Block::Categories(count) => categories.push((from, *count)),
            }
            from += block.width();
        }
        // Stable: categories of similar size keep their order.
        categories.sort_by_key(|(_, count)| exponent(*count));
        let mut layout = Self {
            width: values.len() as i64,
            values: values.len() as i64,
            groups: Vec::new(),
            place: vec![0; entries as usize],
            spread: values,
        };
        for alike in categories.chunk_by(|(_, a), (_, b)| exponent(*a) == exponent(*b)) {
            let counts: Vec<i64> = alike.iter().map(|(_, count)| *count).collect();
            let size = counts.iter().copied().max().unwrap_or(1);
            let dim = features(size, dim);
            layout.groups.push(Group {
                size,
                dim,
                first: layout.width,
                first_spread: layout.spread.len() as i64,
                counts,
            });
            layout.width += dim * alike.len() as i64;
            for (first, count) in alike {
                layout.spread.extend((0..size).map(|i| first + i.min(count - 1)));
            }
        }
        if layout.width > MAX_FEATURES {
            let message =
                format!("{user} gives latents of {} entries, which are too many", layout.width);
            return Err(Error::config("dim", message).help("choose a smaller `dim`"));
        }
        for (place, entry) in layout.spread.iter().enumerate().rev() {
            // The first place of an entry is its own; padding comes later.
            layout.place[*entry as usize] = place as i64;
        }
        Ok(layout)
    }

    /// For each entry of a latent the number in the row, or the first entry of the category.
    pub fn origins(&self) -> Vec<i64> {
        let mut all = self.spread[..self.values as usize].to_vec();
        for group in &self.groups {
            let firsts = self.spread[group.first_spread as usize..].chunks(group.size as usize);
            let firsts = firsts.take(group.counts.len()).map(|entries| entries[0]);
            all.extend(firsts.flat_map(|first| vec![first; group.dim as usize]));
        }
        all
    }

    /// Numbers of the entries of a row that [`group`](Self::group) and the numbers are taken from,
    /// `[spread]`.
    pub fn spread(&self, device: Device) -> Tensor {
        Tensor::from_slice(&self.spread).to_device(device)
    }

    /// For each entry of a row its place among the spread ones, `[entries]`.
    pub fn place(&self, device: Device) -> Tensor {
        Tensor::from_slice(&self.place).to_device(device)
    }
}

impl Group {
    /// Number of categories.
    pub fn len(&self) -> i64 {
        self.counts.len() as i64
    }

    /// Entries of the group in spread rows `[batch, spread]`, `[len, batch, size]`.
    pub fn entries(&self, spread: &Tensor) -> Tensor {
        self.part(spread, self.first_spread, self.size)
    }

    /// Embeddings of the group in latents `[batch, width]`, `[len, batch, dim]`.
    pub fn embedded(&self, latents: &Tensor) -> Tensor {
        self.part(latents, self.first, self.dim)
    }

    fn part(&self, rows: &Tensor, first: i64, each: i64) -> Tensor {
        let own = rows.narrow(1, first, self.len() * each);
        own.reshape([rows.size()[0], self.len(), each]).transpose(0, 1)
    }

    /// `[len, batch, each]` → `[batch, len · each]`.
    pub fn joined(all: &Tensor) -> Tensor {
        let all = all.transpose(0, 1);
        let [batch, len, each] = all.size()[..] else { return all };
        all.reshape([batch, len * each])
    }

    /// Weights of the mean over the entries of each category, `[len, 1, size]`.
    pub fn mean(&self, options: (Kind, Device)) -> Tensor {
        let counts = Tensor::from_slice(&self.counts).view([-1, 1, 1]).to_device(options.1);
        let places = Tensor::arange(self.size, (Kind::Int64, options.1)).view([1, 1, -1]);
        places.less_tensor(&counts).to_kind(options.0) / counts
    }

    /// 1 for the entries that belong to a category and 0 for padding, `[len, size, 1]`; `None`
    /// without padding.
    pub fn mask(&self, options: (Kind, Device)) -> Option<Tensor> {
        if self.counts.iter().all(|count| *count == self.size) {
            return None;
        }
        let counts = Tensor::from_slice(&self.counts).view([-1, 1, 1]).to_device(options.1);
        let places = Tensor::arange(self.size, (Kind::Int64, options.1)).view([1, -1, 1]);
        Some(places.less_tensor(&counts).to_kind(options.0))
    }
}

/// Centre and scale of one-hot entries: (x − 1/K)·K/√(K − 1) for one of K categories; numbers stay
/// as they are.
#[derive(Debug)]
pub struct Scale {
    /// Middle of each entry, `[entries]`.
    centre: Tensor,
    /// Factor of each entry, `[entries]`.
    factor: Tensor,
}

impl Scale {
    /// The scale for the targets of `ctx`; `user` is the component that asks for it.
    ///
    /// # Errors
    /// Targets are no rows of a table.
    pub fn new(ctx: &BuildContext, user: &str) -> Result<Self> {
        flat(ctx, user)?;
        let mut all = Vec::new();
        for block in &ctx.target_blocks {
            let one = match block {
                Block::Values(_) => (0.0, 1.0),
                // The only one of its kind has no variance.
                Block::Categories(1) => (1.0, 1.0),
                Block::Categories(count) => {
                    let count = *count as f64;
                    (1.0 / count, count / (count - 1.0).sqrt())
                }
            };
            all.extend(std::iter::repeat_n(one, block.width() as usize));
        }
        let (centre, factor): (Vec<f64>, Vec<f64>) = all.into_iter().unzip();
        let own = |all: &[f64]| {
            Tensor::from_slice(all).to_kind(ctx.vars.kind()).to_device(ctx.vars.device())
        };
        Ok(Self { centre: own(&centre), factor: own(&factor) })
    }

    /// Scales rows `[batch, entries]`.
    pub fn apply(&self, rows: &Tensor) -> Tensor {
        (rows - &self.centre) * &self.factor
    }

    /// Undoes [`apply`](Self::apply).
    pub fn undo(&self, rows: &Tensor) -> Tensor {
        rows / &self.factor + &self.centre
    }
}

/// Number of entries of the rows that targets are.
///
/// # Errors
/// Targets have more than one axis; `user` is the component that cannot have that.
fn flat(ctx: &BuildContext, user: &str) -> Result<i64> {
    match ctx.target_shape[..] {
        [entries] => Ok(entries),
        _ => {
            let message = format!(
                "{user} takes rows of numbers and categories, and targets have shape {}",
                shape_text(&ctx.target_shape)
            );
            Err(Error::config("", message).help("choose another for such data, as `conv`"))
        }
    }
}
