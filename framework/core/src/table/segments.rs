use super::Block;
use tch::{Device, Kind, Tensor};

/// Operations on rows `[batch, entries]` that hold numbers and categories, block by block.
#[derive(Debug)]
pub struct Segments {
    /// Numbers of the entries that are numbers, `[values]`.
    values: Tensor,
    /// Numbers of the entries that belong to a category, `[members]`.
    members: Tensor,
    /// Number of the category that each of these belongs to, `[members]`.
    owner: Tensor,
    /// Number of blocks of categories.
    categories: i64,
    width: i64,
}

impl Segments {
    /// The blocks of rows, for tensors on `device`.
    pub fn new(blocks: &[Block], device: Device) -> Self {
        let (mut values, mut members, mut owner) = (Vec::new(), Vec::new(), Vec::new());
        let (mut from, mut categories) = (0, 0);
        for block in blocks {
            let entries = from..from + block.width();
            from = entries.end;
            match block {
                Block::Values(_) => values.extend(entries),
                Block::Categories(_) => {
                    owner.extend(entries.clone().map(|_| categories));
                    members.extend(entries);
                    categories += 1;
                }
            }
        }
        let on_device = |all: &[i64]| Tensor::from_slice(all).to_device(device);
        let [values, members, owner] = [&values, &members, &owner].map(|all| on_device(all));
        Self { values, members, owner, categories, width: from }
    }

    /// Number of terms of a row's error: its numbers and its categories.
    pub fn terms(&self) -> i64 {
        self.value_count() + self.categories
    }

    /// Number of entries that are numbers.
    pub fn value_count(&self) -> i64 {
        self.values.size()[0]
    }

    /// Number of blocks of categories.
    pub fn category_count(&self) -> i64 {
        self.categories
    }

    /// Number of the category that each entry of a category belongs to, `[members]` int64.
    pub fn owner(&self) -> &Tensor {
        &self.owner
    }

    /// The numbers of rows, `[batch, values]`.
    pub fn values(&self, rows: &Tensor) -> Tensor {
        rows.index_select(-1, &self.values)
    }

    /// The entries of rows that belong to categories, `[batch, members]`.
    pub fn members(&self, rows: &Tensor) -> Tensor {
        rows.index_select(-1, &self.members)
    }

    /// Rows of numbers `[batch, values]` and entries of categories `[batch, members]`.
    pub fn join(&self, values: &Tensor, members: &Tensor) -> Tensor {
        let shape = [values.size()[0], self.width];
        let rows = Tensor::zeros(shape, (values.kind(), values.device()));
        rows.index_copy(1, &self.values, values).index_copy(1, &self.members, members)
    }

    /// Sum over the entries of each category: `members` `[batch, members, …]` become
    /// `[batch, categories, …]`.
    pub fn sum(&self, members: &Tensor) -> Tensor {
        let mut shape = members.size();
        shape[1] = self.categories;
        Tensor::zeros(shape, (members.kind(), members.device())).index_add(1, &self.owner, members)
    }

    /// Log-probabilities of the entries of categories, `[batch, members]`, from their logits of the
    /// same shape.
    pub fn log_softmax(&self, logits: &Tensor) -> Tensor {
        let largest = self.largest(&logits.detach()).index_select(1, &self.owner);
        let centred = logits - largest;
        let sums = self.sum(&centred.exp()).log();
        centred - sums.index_select(1, &self.owner)
    }

    /// Rows `[batch, entries]` whose logits of categories become probabilities.
    pub fn probabilities(&self, rows: &Tensor) -> Tensor {
        if self.categories == 0 {
            return rows.shallow_clone();
        }
        let members = self.log_softmax(&self.members(rows)).exp();
        rows.index_copy(1, &self.members, &members)
    }

    /// Rows `[batch, entries]` in which the largest entry of each category is 1 and the others are
    /// 0.
    pub fn one_hot(&self, rows: &Tensor) -> Tensor {
        if self.categories == 0 {
            return rows.shallow_clone();
        }
        let members = self.members(rows);
        let count = members.size()[1];
        let is_largest = members.eq_tensor(&self.largest(&members).index_select(1, &self.owner));
        // The first of several that are equal.
        let place = Tensor::arange(count, (Kind::Int64, rows.device())).expand_as(&members);
        let place = place.masked_fill(&is_largest.logical_not(), count);
        let (owner, shape) = (self.owner.expand_as(&place), [members.size()[0], self.categories]);
        let first = Tensor::full(shape, count, (Kind::Int64, rows.device()));
        let first = first.internal_scatter_reduce(1, &owner, &place, "amin", true);
        let members = Tensor::zeros_like(&members).scatter_value(1, &first, 1.0);
        rows.index_copy(1, &self.members, &members)
    }

    /// Error of each row, `[batch]`: the sum of the squared errors of its numbers and of the
    /// cross-entropies of its categories, whose entries of `output` are logits.
    pub fn error(&self, output: &Tensor, target: &Tensor) -> Tensor {
        let sum = |terms: Tensor| terms.sum_dim_intlist([1].as_slice(), false, output.kind());
        let squares = || sum((self.values(output) - self.values(target)).square());
        let entropy = || sum(self.members(target) * self.log_softmax(&self.members(output))).neg();
        match (self.value_count(), self.categories) {
            (_, 0) => squares(),
            (0, _) => entropy(),
            _ => squares() + entropy(),
        }
    }

    /// Largest entry of each category, `[batch, categories]`.
    fn largest(&self, members: &Tensor) -> Tensor {
        let shape = [members.size()[0], self.categories];
        let least = Tensor::full(shape, f64::NEG_INFINITY, (members.kind(), members.device()));
        least.internal_scatter_reduce(1, &self.owner.expand_as(members), members, "amax", true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, seed_torch};

    const CPU: (Kind, Device) = (Kind::Double, Device::Cpu);
    const BLOCKS: [Block; 4] =
        [Block::Categories(3), Block::Values(2), Block::Categories(1), Block::Categories(4)];

    /// Rows of random numbers, some of which are so large that their exponential is infinite.
    fn rows(draw: u64) -> Tensor {
        let _stream = seed_torch(1, Purpose::Data, draw);
        Tensor::randn([64, 10], CPU) * Tensor::from_slice(&[1.0, 40.0, 900.0, 3.0, 1.0]).repeat([2])
    }

    #[test]
    fn each_category_has_the_softmax_of_its_own_logits() {
        let (segments, rows) = (Segments::new(&BLOCKS, Device::Cpu), rows(0));
        let part = |from, n| rows.narrow(1, from, n);
        let softmax = |from, n| part(from, n).softmax(1, Kind::Double);
        let expected = Tensor::cat(&[softmax(0, 3), part(3, 2), softmax(5, 1), softmax(6, 4)], 1);
        assert!(segments.probabilities(&rows).allclose(&expected, 1e-12, 1e-12, false));
    }

    #[test]
    fn the_largest_entry_of_each_category_is_chosen_and_of_equal_ones_the_first() {
        let (segments, rows) = (Segments::new(&BLOCKS, Device::Cpu), rows(0));
        let _ = rows.get(0).fill_(0.5);
        let part = |from, n| rows.narrow(1, from, n);
        let hot = |from, n| part(from, n).argmax(1, false).one_hot(n).to_kind(Kind::Double);
        let expected = Tensor::cat(&[hot(0, 3), part(3, 2), hot(5, 1), hot(6, 4)], 1);
        assert_eq!(segments.one_hot(&rows), expected);
        assert_eq!(segments.one_hot(&segments.one_hot(&rows)), expected);
    }

    #[test]
    fn an_error_is_squared_for_numbers_and_the_cross_entropy_for_categories() {
        let segments = Segments::new(&BLOCKS, Device::Cpu);
        let (output, target) = (rows(0), segments.one_hot(&rows(1)));
        let entropy = |from, n| {
            let labels = target.narrow(1, from, n).argmax(1, false);
            let logits = output.narrow(1, from, n);
            let none: Option<Tensor> = None;
            logits.cross_entropy_loss(&labels, none, tch::Reduction::None, -100, 0.0)
        };
        let squares = (output.narrow(1, 3, 2) - target.narrow(1, 3, 2)).square();
        let expected = squares.sum_dim_intlist([1].as_slice(), false, Kind::Double)
            + entropy(0, 3)
            + entropy(5, 1)
            + entropy(6, 4);
        assert!(segments.error(&output, &target).allclose(&expected, 1e-12, 1e-12, false));
        assert_eq!(segments.terms(), 5);
    }

    #[test]
    fn rows_without_categories_and_without_numbers_are_taken_too() {
        let rows = rows(0);
        let numbers = Segments::new(&[Block::Values(10)], Device::Cpu);
        assert_eq!(numbers.probabilities(&rows), rows);
        assert_eq!(numbers.one_hot(&rows), rows);
        let squares = rows.square().sum_dim_intlist([1].as_slice(), false, Kind::Double);
        assert!(numbers.error(&rows, &rows.zeros_like()).allclose(&squares, 1e-12, 0.0, false));
        let one = Segments::new(&[Block::Categories(10)], Device::Cpu);
        assert!(one.probabilities(&rows).allclose(
            &rows.softmax(1, Kind::Double),
            1e-12,
            0.0,
            false
        ));
        assert_eq!(one.join(&one.values(&rows), &one.members(&rows)), rows);
    }

    #[test]
    fn gradients_of_the_error_are_finite_and_those_of_the_blocks() {
        let segments = Segments::new(&BLOCKS, Device::Cpu);
        let output = rows(0).set_requires_grad(true);
        let target = segments.one_hot(&rows(1));
        segments.error(&output, &target).sum(Kind::Double).backward();
        let residual = segments.probabilities(&output.detach()) - &target;
        let twice = Tensor::from_slice(&[1.0, 1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
        assert!(output.grad().allclose(&(residual * twice), 1e-10, 1e-10, false));
    }
}
