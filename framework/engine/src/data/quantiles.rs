//! Scaling of numbers by their quantiles.

use crate::rng::{Purpose, rust_rng};
use rand::seq::SliceRandom as _;
use tch::{Kind, Tensor};

/// Largest number of quantiles of a column.
const MOST: i64 = 1000;

/// Maps of numbers to a standard normal distribution and back, one for each of some entries of a
/// row: piecewise linear between the quantiles of the training rows, then the inverse of the normal
/// distribution function (as the quantile transform of TabDDPM, Kotelnikov et al. 2023, arXiv
/// 2209.15421). A value that occurs often covers an interval, all of which leads back to it;
/// numbers beyond the smallest and largest of the training rows are mapped to these.
#[derive(Debug)]
pub struct Quantiles {
    /// Numbers of the entries, `[columns]` int64.
    pub(super) entries: Tensor,
    /// Quantiles at the levels (i + ½)/m, `[columns, m]` float64, ascending.
    pub(super) knots: Tensor,
    /// Place of equal numbers in their interval.
    pub(super) ties: Ties,
}

/// Place in its interval of a value that occurs often.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ties {
    /// The middle: equal numbers stay equal.
    Equal,
    /// Evenly over the interval, in an order that depends on the rows' number alone, another for
    /// each column: numbers that are counted or rounded become normal too, and a model that
    /// generates them has no steps to learn.
    Spread,
}

impl Quantiles {
    /// The quantiles of `values` `[n, columns]` float64, NaN where missing.
    pub(super) fn fit(values: &Tensor, entries: Tensor, ties: Ties) -> Self {
        Self { entries, knots: quantiles(values, values.size()[0]), ties }
    }

    pub(super) fn shallow_clone(&self) -> Self {
        let (entries, knots) = (self.entries.shallow_clone(), self.knots.shallow_clone());
        Self { entries, knots, ..*self }
    }

    pub(super) fn to_device(&self, device: tch::Device) -> Self {
        let (entries, knots) = (self.entries.to_device(device), self.knots.to_device(device));
        Self { entries, knots, ..*self }
    }

    /// Replaces the entries of `scaled` `[n, entries]` that have quantiles by those of `values` in
    /// the data's own units.
    pub(super) fn apply(&self, values: &Tensor, scaled: &Tensor) -> Tensor {
        let values = values.index_select(1, &self.entries).to_kind(Kind::Double);
        let gap = values.isnan();
        let normal = self.normal(&values.nan_to_num(Some(0.0), None, None));
        let normal = normal.masked_fill(&gap, f64::NAN).to_kind(scaled.kind());
        scaled.index_copy(1, &self.entries, &normal)
    }

    /// Replaces the entries of `values` `[n, entries]` that have quantiles by those of `scaled`.
    pub(super) fn undo(&self, scaled: &Tensor, values: &Tensor) -> Tensor {
        let scaled = scaled.index_select(1, &self.entries).to_kind(Kind::Double);
        let level = scaled.special_ndtr().transpose(0, 1);
        let own = between(&self.knots, &(level * self.count() - 0.5)).transpose(0, 1);
        values.index_copy(1, &self.entries, &own.to_kind(values.kind()))
    }

    fn count(&self) -> f64 {
        self.knots.size()[1] as f64
    }

    fn normal(&self, values: &Tensor) -> Tensor {
        let values = values.transpose(0, 1).contiguous();
        let within = match self.ties {
            Ties::Equal => values.full_like(0.5),
            Ties::Spread => spread(&values),
        };
        let position = position(&self.knots, &values, &within);
        ((position + 0.5) / self.count()).special_ndtri().transpose(0, 1)
    }
}

/// Quantiles of the columns of `values` `[n, columns]` float64, NaN where missing, at the levels
/// (i + ½)/m, `[columns, m]` ascending: m is `wanted`, at most 1,000. They are 0 for a column
/// without values.
pub(super) fn quantiles(values: &Tensor, wanted: i64) -> Tensor {
    let m = wanted.clamp(1, MOST);
    let knots = (0..values.size()[1]).map(|i| {
        let column = values.select(1, i);
        let (known, _) = column.masked_select(&column.isnan().logical_not()).sort(0, false);
        let n = known.size()[0];
        if n == 0 {
            return Tensor::zeros([m], (Kind::Double, values.device()));
        }
        let levels = (Tensor::arange(m, (Kind::Double, values.device())) + 0.5) / m as f64;
        between(&known.unsqueeze(0), &(levels * n as f64 - 0.5).unsqueeze(0)).squeeze_dim(0)
    });
    Tensor::stack(&knots.collect::<Vec<_>>(), 0)
}

/// Real positions of `values` `[columns, n]` among `knots` `[columns, m]`, which are ascending:
/// linear between two, 0 or m − 1 beyond them; of a value that several knots have, `within` of the
/// way from the first to the last of them.
pub(super) fn position(knots: &Tensor, values: &Tensor, within: &Tensor) -> Tensor {
    let place = |right: bool| {
        let side = if right { "right" } else { "left" };
        values.searchsorted(knots, false, right, side, None::<&Tensor>)
    };
    let (from, to) = (place(false), place(true));
    let last = knots.size()[1] - 1;
    let at = |place: &Tensor| knots.gather(1, &place.clamp(0, last), false);
    let (low, high) = (at(&(&from - 1)), at(&from));
    let step = (&high - &low).clamp_min(f64::MIN_POSITIVE);
    let inside = (&from - 1).to_kind(Kind::Double) + (values - &low) / step;
    let spike = &from + (&to - 1 - &from) * within;
    spike.where_self(&to.gt_tensor(&from), &inside).clamp(0.0, last as f64)
}

/// Positions in (0, 1) `[columns, n]` of numbers of this shape: those of equal numbers of a column
/// divide it evenly, in random order.
fn spread(values: &Tensor) -> Tensor {
    let (columns, n) = values.size2().unwrap_or((0, 0));
    let position = |column: i64| {
        let mut order: Vec<i64> = (0..n).collect();
        order.shuffle(&mut rust_rng(0, Purpose::Spread, column as u64));
        let order = Tensor::from_slice(&order).to_device(values.device());
        let own = values.select(0, column).index_select(0, &order);
        let (sorted, by_value) = own.sort_stable(true, 0, false);
        let place = |right: bool| {
            let side = if right { "right" } else { "left" };
            sorted.searchsorted(&sorted, false, right, side, None::<&Tensor>)
        };
        let (first, end) = (place(false), place(true));
        let number = Tensor::arange(n, (Kind::Int64, values.device())) - &first;
        let even = (number.to_kind(Kind::Double) + 0.5) / (end - first);
        even.index_copy(0, &order.index_select(0, &by_value), &even)
    };
    if columns * n == 0 {
        return values.zeros_like();
    }
    Tensor::stack(&(0..columns).map(position).collect::<Vec<_>>(), 0)
}

/// Values at real positions between those of `sorted` `[columns, m]`, linear; the ends beyond them.
pub(super) fn between(sorted: &Tensor, position: &Tensor) -> Tensor {
    let last = sorted.size()[1] - 1;
    let position = position.clamp(0.0, last as f64);
    let low = position.nan_to_num(Some(0.0), None, None).floor().to_kind(Kind::Int64);
    let at = |place: &Tensor| sorted.gather(1, place, false);
    let (from, to) = (at(&low), at(&(&low + 1).clamp_max(last)));
    &from + (to - &from) * (position - low.to_kind(Kind::Double))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, seed_torch};
    use tch::Device;

    const CPU: (Kind, Device) = (Kind::Double, Device::Cpu);

    fn fit(values: &Tensor) -> Quantiles {
        let entries = Tensor::arange(values.size()[1], (Kind::Int64, Device::Cpu));
        Quantiles::fit(values, entries, Ties::Equal)
    }

    #[test]
    fn numbers_of_any_distribution_become_normal_and_come_back() {
        let _stream = seed_torch(5, Purpose::Train, 0);
        let heavy = Tensor::randn([3000], CPU) / Tensor::randn([3000], CPU);
        let spiked = Tensor::randn([3000], CPU).clamp_min(0.3).exp();
        let table = Tensor::stack(&[heavy, spiked], 1);
        let quantiles = fit(&table);
        let normal = quantiles.apply(&table, &table);
        let (mean, deviation) =
            (normal.select(1, 0).mean(Kind::Double), normal.select(1, 0).std(false));
        assert!(mean.double_value(&[]).abs() < 0.01, "{mean}");
        assert!((deviation.double_value(&[]) - 1.0).abs() < 0.01, "{deviation}");
        let back = quantiles.undo(&normal, &table);
        // Beyond the outermost quantiles, 1.5 rows at each end, values are cut.
        let off = (&back - &table).abs().gt(1e-9).to_kind(Kind::Double).sum(Kind::Double);
        assert!(off.double_value(&[]) <= 8.0, "{off}");
        let lowest = 0.3_f64.exp();
        let spike = |t: &Tensor| {
            (t.select(1, 1) - lowest).abs().lt(1e-9).to_kind(Kind::Double).mean(Kind::Double)
        };
        let drawn =
            quantiles.undo(&Tensor::randn([40_000, 2], CPU), &Tensor::zeros([40_000, 2], CPU));
        let share = (spike(&drawn) - spike(&table)).double_value(&[]);
        assert!(share.abs() < 0.01, "{share}");
    }

    #[test]
    fn few_rows_gaps_and_constants_are_mapped_too() {
        let nan = f64::NAN;
        let table = Tensor::from_slice(&[1.0, nan, 4.0, 2.0, 3.0, 4.0, 5.0, nan, 4.0]).view([3, 3]);
        let quantiles = fit(&table);
        let normal = quantiles.apply(&table, &table);
        assert!(normal.isnan().equal(&table.isnan()));
        assert!(quantiles.undo(&normal, &table).allclose(&table, 1e-12, 0.0, true));
        assert!(normal.select(1, 2).abs().max().double_value(&[]) < 1e-12);
        let middle = normal.select(1, 0).get(1).double_value(&[]);
        assert!(middle.abs() < 1e-12);
    }
    #[test]
    fn spread_counts_are_normal_and_independent_and_come_back() {
        let _stream = seed_torch(6, Purpose::Train, 0);
        // Four values each, independent of each other; and one that is the same in both.
        let counts = Tensor::randint(4, [4000, 2], CPU);
        let table = Tensor::cat(&[counts.shallow_clone(), counts.narrow(1, 0, 1)], 1);
        let quantiles = Quantiles { ties: Ties::Spread, ..fit(&table) };
        let normal = quantiles.apply(&table, &table);
        assert!(quantiles.undo(&normal, &table).equal(&table));
        assert!(quantiles.apply(&table, &table).equal(&normal), "the same each time");
        let (sorted, _) = normal.sort(0, false);
        let level = (Tensor::arange(4000, CPU) + 0.5) / 4000.0;
        let off = (sorted.special_ndtr() - level.unsqueeze(1)).abs().max().double_value(&[]);
        assert!(off < 0.002, "{off} from a normal distribution");
        let inside = counts.select(1, 0).eq(2.0).logical_and(&counts.select(1, 1).eq(2.0));
        let inside = normal.index(&[Some(inside)]).transpose(0, 1).corrcoef();
        let most = (inside - Tensor::eye(3, CPU)).abs().max().double_value(&[]);
        assert!(most < 0.25, "order shared by columns: correlation {most}");
        let middle = fit(&table).apply(&table, &table);
        assert_eq!(middle.select(1, 0).unique_dim(0, true, false, false).0.size(), [4]);
    }
}
