//! Changes of generated rows by which each column has the distribution of the training rows.

use super::quantiles::{between, position, quantiles};
use super::units::Units;
use crate::error::{Error, Result};
use crate::table::Block;
use tch::{Device, Kind, Tensor};

/// Categories of a column, at most, whose shares are matched.
const MOST_CATEGORIES: i64 = 200;
/// Passes over the categories of a column, at most.
const PASSES: usize = 30;
/// Numbers that such a pass looks at, at most, which limits the rows of a column of many
/// categories.
const WORK: i64 = 1 << 28;

/// Changes of generated rows, in the model's units, by which each column has the distribution that
/// it has in the training rows: the optimal transport between the two distributions of a column,
/// which is the one that changes rows least.
///
/// A number goes from its quantile among generated rows to the same quantile of the training rows,
/// and one beyond the outermost quantiles to the outermost of these.
/// The most likely category is taken after a constant has been added to the probability of each
/// (semi-discrete optimal transport, whose potentials these constants are; Peyré and Cuturi 2019,
/// Computational Optimal Transport, section 5.2).
#[derive(Debug)]
pub struct Marginals {
    /// Numbers of the entries that are numbers, `[k]` int64.
    entries: Tensor,
    /// Quantiles of the generated numbers, `[k, m]` float64, ascending.
    drawn: Tensor,
    /// Quantiles of the training rows at the same levels, `[k, m]` float64, ascending.
    own: Tensor,
    /// Constant of each entry, `[entries]` float64; 0 for numbers.
    shift: Tensor,
}

/// Names of the tensors of the saved form.
const SAVED: [&str; 4] = ["entries", "drawn", "own", "shift"];

impl Marginals {
    /// The changes from `drawn` rows `[n, entries]`, as a model generates them, to training rows
    /// `own` `[k, entries]`, both in the model's units.
    pub(crate) fn fit(units: &Units, drawn: &Tensor, own: &Tensor) -> Self {
        let [drawn, own] = [drawn, own].map(|rows| rows.to_kind(Kind::Double));
        let options = (Kind::Double, drawn.device());
        let shift = Tensor::zeros([drawn.size()[1]], options);
        let mut from = 0;
        for block in units.target_blocks() {
            let width = block.width();
            if matches!(block, Block::Categories(2..=MOST_CATEGORIES)) {
                let of = |rows: &Tensor| rows.narrow(1, from, width);
                let shares = of(&own).mean_dim([0].as_slice(), false, Kind::Double);
                shift.narrow(0, from, width).copy_(&potentials(&of(&drawn), &shares));
            }
            from += width;
        }
        let layout = units.target_layout();
        let entries = match &layout {
            Some(layout) => layout.number_entries().shallow_clone(),
            None => Tensor::arange(drawn.size()[1], (Kind::Int64, drawn.device())),
        };
        let numbers = |rows: &Tensor| {
            let values = rows.index_select(1, &entries);
            match &layout {
                // A cell that is missing has a number without meaning.
                Some(layout) => values.masked_fill(&layout.gaps_of_numbers(rows), f64::NAN),
                None => values,
            }
        };
        let m = drawn.size()[0].min(own.size()[0]);
        let (drawn, own) = match entries.size()[0] {
            0 => (Tensor::zeros([0, m], options), Tensor::zeros([0, m], options)),
            _ => (quantiles(&numbers(&(drawn + &shift)), m), quantiles(&numbers(&own), m)),
        };
        Self { entries, drawn, own, shift }
    }

    /// Changes generated rows `[n, entries]` in the model's units.
    pub(crate) fn apply(&self, rows: &Tensor) -> Tensor {
        let rows = rows + self.shift.to_kind(rows.kind());
        if self.entries.size()[0] == 0 {
            return rows;
        }
        let values = rows.index_select(1, &self.entries).to_kind(Kind::Double);
        let values = values.transpose(0, 1).contiguous();
        let at = position(&self.drawn, &values, &values.full_like(0.5));
        let moved = between(&self.own, &at);
        rows.index_copy(1, &self.entries, &moved.transpose(0, 1).to_kind(rows.kind()))
    }

    pub(crate) fn shallow_clone(&self) -> Self {
        let [entries, drawn, own, shift] =
            [&self.entries, &self.drawn, &self.own, &self.shift].map(Tensor::shallow_clone);
        Self { entries, drawn, own, shift }
    }

    /// Saved form: tensors by name.
    pub(crate) fn to_parts(&self) -> Vec<(String, Tensor)> {
        let tensors = [&self.entries, &self.drawn, &self.own, &self.shift];
        let named = SAVED.into_iter().zip(tensors);
        named.map(|(name, tensor)| (format!("marginals.{name}"), tensor.shallow_clone())).collect()
    }

    /// Restores the result of [`to_parts`](Self::to_parts) for rows of `width` entries; `find`
    /// returns a tensor by its name. `None`: nothing is saved.
    ///
    /// # Errors
    /// [`Error::Runtime`]: a tensor is missing or damaged.
    pub(crate) fn from_parts(
        find: impl Fn(&str) -> Option<Tensor>,
        width: i64,
        device: Device,
    ) -> Result<Option<Self>> {
        let parts = SAVED.map(|name| find(&format!("marginals.{name}")));
        if parts.iter().all(Option::is_none) {
            return Ok(None);
        }
        let damaged = || Error::runtime("the distributions of columns (`marginals`) are damaged");
        let [Some(entries), Some(drawn), Some(own), Some(shift)] = parts else {
            return Err(damaged());
        };
        let all = |test: Tensor| test.all().int64_value(&[]) == 1;
        let sorted = |knots: &Tensor| all(knots.diff::<Tensor>(1, -1, None, None).ge(0.0));
        let finite = |t: &Tensor| t.kind() == Kind::Double && all(t.isfinite());
        let sound = entries.kind() == Kind::Int64
            && entries.dim() == 1
            && drawn.dim() == 2
            && drawn.size()[0] == entries.size()[0]
            && drawn.size()[1] > 0
            && own.size() == drawn.size()
            && shift.size() == [width]
            && all(entries.ge(0).logical_and(&entries.lt(width)))
            && [&drawn, &own].into_iter().all(|knots| finite(knots) && sorted(knots))
            && finite(&shift);
        if !sound {
            return Err(damaged());
        }
        let [entries, drawn, own, shift] =
            [entries, drawn, own, shift].map(|t| t.to_device(device));
        Ok(Some(Self { entries, drawn, own, shift }))
    }
}

/// Constants `[categories]` by which the largest of `scores` `[n, categories]` + constant is each
/// category's in a share `shares` of the rows; `shares` are divided by their sum. Each constant in
/// turn is the one that gives its category the right number of rows, which maximises the dual of
/// the transport's cost in one coordinate.
fn potentials(scores: &Tensor, shares: &Tensor) -> Tensor {
    let count = shares.size()[0];
    let n = scores.size()[0].min(WORK / (count * count).max(1));
    let scores = scores.narrow(0, 0, n).transpose(0, 1).contiguous();
    let mut shift = Tensor::zeros([count], (Kind::Double, scores.device()));
    let all = shares.sum(Kind::Double).double_value(&[]);
    if n == 0 || all <= 0.0 {
        return shift;
    }
    let wanted = (shares / all * n as f64).round().to_kind(Kind::Int64);
    for _ in 0..PASSES {
        let chosen = (&scores + shift.unsqueeze(1)).argmax(0, false);
        let off = chosen.bincount::<Tensor>(None, count) - &wanted;
        // As many rows as rounding leaves over.
        if off.abs().max().int64_value(&[]) <= 1 {
            break;
        }
        for j in 0..count {
            let others = (&scores + shift.unsqueeze(1)).index_fill(
                0,
                &Tensor::from_slice(&[j]).to_device(scores.device()),
                f64::NEG_INFINITY,
            );
            let ahead = others.amax([0].as_slice(), false) - scores.get(j);
            let (ahead, _) = ahead.sort(0, false);
            let own = wanted.int64_value(&[j]);
            let at = |i: i64| ahead.double_value(&[i.clamp(0, n - 1)]);
            let between = match own {
                0 => at(0) - f64::EPSILON * (1.0 + at(0).abs()),
                own if own >= n => at(n - 1) + f64::EPSILON * (1.0 + at(n - 1).abs()),
                own => 0.5 * (at(own - 1) + at(own)),
            };
            let _ = shift.get(j).fill_(between);
        }
        shift -= shift.mean(Kind::Double);
    }
    shift
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Names, Shapes};
    use crate::rng::{Purpose, seed_torch};
    use crate::table::TableColumn;

    const CPU: (Kind, Device) = (Kind::Double, Device::Cpu);

    fn units(columns: Vec<TableColumn>) -> Units {
        let width = crate::table::width_of(&columns);
        let shapes = Shapes { target: vec![width], condition: None };
        let names = Names { target: columns, ..Names::default() };
        Units { names, ..Units::plain(shapes, CPU) }
    }

    fn names(all: &[&str]) -> Vec<String> {
        all.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn numbers_get_the_distribution_of_the_training_rows_and_keep_their_order() {
        let _stream = seed_torch(1, Purpose::Data, 0);
        let own = Tensor::stack(&[Tensor::randn([4000], CPU).exp(), Tensor::rand([4000], CPU)], 1);
        let draw = || Tensor::randn([4000, 2], CPU) * 0.7 + 0.4;
        let units = units(TableColumn::numbers(names(&["a", "b"])));
        let marginals = Marginals::fit(&units, &draw(), &own);
        // Other rows of the same model.
        let drawn = draw();
        let moved = marginals.apply(&drawn);
        for column in 0..2 {
            let (own, _) = own.select(1, column).sort(0, false);
            let (sorted, order) = moved.select(1, column).sort(0, false);
            let level = own.searchsorted(&sorted, false, false, "left", None::<&Tensor>);
            let level = level.to_kind(Kind::Double) / 4000.0;
            let even = (Tensor::arange(4000, CPU) + 0.5) / 4000.0;
            let distance = (level - even).abs().max().double_value(&[]);
            assert!(distance < 0.04, "column {column}: {distance} from the training rows");
            assert_eq!(order, drawn.select(1, column).sort(0, false).1);
        }
        let before = drawn.select(1, 1).le(0.0).to_kind(Kind::Double).mean(Kind::Double);
        assert!(before.double_value(&[]) > 0.2, "rows that none of the training rows is like");
        assert!(moved.select(1, 1).min().double_value(&[]) > 0.0);
    }

    #[test]
    fn categories_and_gaps_get_the_shares_of_the_training_rows() {
        let _stream = seed_torch(2, Purpose::Data, 0);
        let columns = vec![
            TableColumn::category("kind", names(&["a", "b", "c"])),
            TableColumn { missing: true, ..TableColumn::number("mass") },
        ];
        let units = units(columns);
        let layout = units.target_layout().unwrap();
        let table = |shares: [f64; 3], gap: f64, shift: f64| {
            let kind = Tensor::from_slice(&shares).multinomial(5000, true).to_kind(Kind::Double);
            let mass = Tensor::randn([5000], CPU) + shift;
            let mass = mass.masked_fill(&Tensor::rand([5000], CPU).lt(gap), f64::NAN);
            Tensor::stack(&[kind, mass], 1)
        };
        let rows = |table: &Tensor| {
            let rows = layout.rows(&layout.cells(table), Kind::Double);
            rows.nan_to_num(Some(-9.0), None, None)
        };
        let soft = |table: &Tensor| {
            let rows = rows(table);
            let noise = Tensor::rand_like(&rows) * 0.9;
            let mass = layout.number_entries();
            (&rows + noise).index_copy(1, mass, &rows.index_select(1, mass))
        };
        let own = table([0.6, 0.3, 0.1], 0.2, 3.0);
        let draw = || soft(&table([0.5, 0.2, 0.3], 0.4, 0.0));
        let marginals = Marginals::fit(&units, &draw(), &rows(&own));
        let moved = layout.table(&marginals.apply(&draw()));
        for (code, expected) in [(0.0, 0.6), (1.0, 0.3), (2.0, 0.1)] {
            let share = moved.select(1, 0).eq(code).to_kind(Kind::Double).mean(Kind::Double);
            let share = share.double_value(&[]);
            assert!((share - expected).abs() < 0.03, "category {code}: {share}");
        }
        let mass = moved.select(1, 1);
        let gaps = mass.isnan().to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
        assert!((gaps - 0.2).abs() < 0.03, "{gaps} are missing");
        let mean = mass.nanmean([0].as_slice(), false, Kind::Double).double_value(&[]);
        assert!((mean - 3.0).abs() < 0.08, "mean of the known cells {mean}");
    }

    #[test]
    fn constants_change_as_few_rows_as_the_shares_need() {
        let _stream = seed_torch(3, Purpose::Data, 0);
        let scores = Tensor::rand([3000, 7], CPU).softmax(1, Kind::Double);
        let shares = Tensor::from_slice(&[0.3, 0.25, 0.2, 0.1, 0.08, 0.07, 0.0]);
        let shift = potentials(&scores, &shares);
        let chosen = (&scores + &shift).argmax(1, false);
        let counts = chosen.bincount::<Tensor>(None, 7).to_kind(Kind::Double);
        let off = (counts - &shares * 3000.0).abs().max().double_value(&[]);
        assert!(off <= 1.0, "{off} rows");
        // No dual value is larger: cost of the assignment = the dual, so it is optimal.
        let cost = scores.gather(1, &chosen.unsqueeze(1), false).sum(Kind::Double);
        let dual = (&scores + &shift).amax([1].as_slice(), false).sum(Kind::Double)
            - (&shift * &shares).sum(Kind::Double) * 3000.0;
        let gap = (cost - dual).abs().double_value(&[]) / 3000.0;
        assert!(gap < 1e-3, "duality gap {gap} a row");
    }

    #[test]
    fn what_is_saved_comes_back_and_damage_is_refused() {
        let units = units(vec![
            TableColumn::category("kind", names(&["a", "b"])),
            TableColumn::number("mass"),
        ]);
        let _stream = seed_torch(4, Purpose::Data, 0);
        let draw = || Tensor::rand([50, 3], CPU);
        let marginals = Marginals::fit(&units, &draw(), &draw());
        let saved = marginals.to_parts();
        let find = |name: &str| saved.iter().find(|(own, _)| own == name).map(|(_, t)| t.copy());
        let back = Marginals::from_parts(find, 3, Device::Cpu).unwrap().unwrap();
        let rows = draw();
        assert!(back.apply(&rows).equal(&marginals.apply(&rows)));
        assert!(Marginals::from_parts(|_| None, 3, Device::Cpu).unwrap().is_none());
        assert!(Marginals::from_parts(find, 2, Device::Cpu).is_err());
        for (name, _) in &saved {
            let lost = |own: &str| find(own).filter(|_| own != name);
            assert!(Marginals::from_parts(lost, 3, Device::Cpu).is_err(), "{name}");
            let other = |own: &str| match find(own) {
                Some(t) if own == name => Some(-(t + 1)),
                found => found,
            };
            let sorted = name.ends_with("drawn") || name.ends_with("own");
            let spoilt = sorted || name.ends_with("entries");
            assert_eq!(Marginals::from_parts(other, 3, Device::Cpu).is_err(), spoilt, "{name}");
        }
    }
}
