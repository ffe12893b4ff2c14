use super::code_of;
use super::learner::Target;
use crate::table::{TableColumn, TableRows};

/// Number of trees for each output.
const TREES: usize = 60;
/// Number of splits from the root to a leaf, at most.
const DEPTH: usize = 5;
/// Number of rows of a leaf, at least.
const LEAST: usize = 10;
/// Share of a tree's output that is added.
const RATE: f64 = 0.2;
/// Weight of half the squared outputs of the leaves beside the summed loss.
const PENALTY: f64 = 1.0;
/// Number of bins of a number, without that of missing cells.
const BINS: usize = 64;

/// Outputs for the rows `test` of gradient-boosted trees (Friedman 2001, doi
/// 10.1214/aos/1013203451) that are fitted to `target` of the rows `train`: those of
/// [`Learner::outputs`](super::learner::Learner::outputs). The column `without` is left out.
///
/// A tree splits all rows by one column after the other, so that it sees dependence. Numbers are in
/// bins of equally many rows, a missing cell has a bin of its own, and the categories of a node are
/// in the order of their mean slopes. Leaves take a Newton step (Chen and Guestrin 2016, arXiv
/// 1603.02754). The outcome depends on the data alone.
pub fn outputs(
    (train, test): (TableRows<'_>, TableRows<'_>),
    without: Option<usize>,
    target: Target<'_>,
) -> Vec<Vec<f64>> {
    let columns = (0..train.columns.len()).filter(|number| Some(*number) != without);
    let columns: Vec<Column> = columns.map(|number| Column::new(train, test, number)).collect();
    let mut fitted = vec![vec![0.0; train.len()]; target.outputs()];
    let mut predicted = vec![vec![0.0; test.len()]; target.outputs()];
    for _ in 0..TREES {
        let (slopes, chances) = target.slopes(&fitted);
        for (output, slopes) in slopes.iter().enumerate() {
            let curvature =
                |row: usize| chances.get(output).map_or(1.0, |p| p[row] * (1.0 - p[row]));
            let curvatures: Vec<f64> = (0..train.len()).map(curvature).collect();
            let mut tree = Tree { columns: &columns, slopes, curvatures: &curvatures };
            let rows = [(0..train.len()).collect(), (0..test.len()).collect()];
            tree.grow(rows, 0, [&mut fitted[output], &mut predicted[output]]);
        }
    }
    predicted
}

/// A column in bins.
struct Column {
    /// Bin of each training row and of each test row.
    codes: [Vec<usize>; 2],
    /// Number of bins.
    count: usize,
    /// True if the bins have no order.
    is_category: bool,
}

impl Column {
    fn new(train: TableRows<'_>, test: TableRows<'_>, number: usize) -> Self {
        let sides = [train, test].map(|rows| rows.column(number).collect::<Vec<f64>>());
        let column: &TableColumn = &train.columns[number];
        if let Some(names) = column.names().map(<[String]>::len) {
            let codes = sides
                .map(|cells| cells.iter().map(|cell| code_of(*cell, names)).collect::<Vec<_>>());
            // Every node has a sum for each bin: names without a row have none.
            let mut used = codes.concat();
            used.sort_unstable();
            used.dedup();
            let place = |code: usize| used.partition_point(|own| *own < code);
            let codes = codes.map(|codes| codes.into_iter().map(place).collect());
            return Self { codes, count: used.len(), is_category: true };
        }
        let mut there: Vec<f64> = sides[0].iter().copied().filter(|v| !v.is_nan()).collect();
        there.sort_unstable_by(f64::total_cmp);
        // A value is in the bin of the edges that are below it; the first bin is of missing cells.
        let mut edges: Vec<f64> =
            (1..BINS).filter_map(|i| there.get(i * there.len() / BINS).copied()).collect();
        edges.dedup();
        let code = |cell: &f64| match cell.is_nan() {
            true => 0,
            false => 1 + edges.partition_point(|edge| edge <= cell),
        };
        let codes = sides.each_ref().map(|cells| cells.iter().map(code).collect());
        Self { codes, count: edges.len() + 2, is_category: false }
    }
}

/// A tree while it grows: derivatives of the loss by the output of each training row.
struct Tree<'a> {
    columns: &'a [Column],
    slopes: &'a [f64],
    curvatures: &'a [f64],
}

/// Sums over rows of their slopes and curvatures, and their number.
#[derive(Clone, Copy, Default)]
struct Sums {
    slope: f64,
    curvature: f64,
    rows: usize,
}

impl Sums {
    fn plus(self, other: Self) -> Self {
        Self {
            slope: self.slope + other.slope,
            curvature: self.curvature + other.curvature,
            rows: self.rows + other.rows,
        }
    }

    /// Twice the decrease of the loss by the best output of these rows.
    fn gain(self) -> f64 {
        self.slope * self.slope / (self.curvature + PENALTY)
    }
}

impl Tree<'_> {
    /// Adds the outputs of the node of these training and test rows to theirs.
    fn grow(&mut self, rows: [Vec<usize>; 2], depth: usize, to: [&mut Vec<f64>; 2]) {
        let all = rows[0].iter().fold(Sums::default(), |sum, row| sum.plus(self.of(*row)));
        let split = (depth < DEPTH).then(|| self.split(&rows[0], all)).flatten();
        let Some((column, is_low)) = split else {
            let step = -RATE * all.slope / (all.curvature + PENALTY);
            for (rows, to) in rows.iter().zip(to) {
                rows.iter().for_each(|row| to[*row] += step);
            }
            return;
        };
        let codes = &self.columns[column].codes;
        let mut low = [Vec::new(), Vec::new()];
        let mut high = [Vec::new(), Vec::new()];
        for (side, rows) in rows.iter().enumerate() {
            let part = rows.iter().copied().partition(|row| is_low[codes[side][*row]]);
            (low[side], high[side]) = part;
        }
        let [fitted, predicted] = to;
        self.grow(low, depth + 1, [fitted, predicted]);
        self.grow(high, depth + 1, [fitted, predicted]);
    }

    fn of(&self, row: usize) -> Sums {
        Sums { slope: self.slopes[row], curvature: self.curvatures[row], rows: 1 }
    }

    /// The column by which these rows are split best, and its bins of the lower part; `None` if no
    /// column has two parts of enough rows. A split without gain counts: parts may depend on other
    /// columns though the whole does not.
    fn split(&self, rows: &[usize], all: Sums) -> Option<(usize, Vec<bool>)> {
        let mut best: Option<(f64, usize, Vec<usize>)> = None;
        for (number, column) in self.columns.iter().enumerate() {
            let mut bins = vec![Sums::default(); column.count];
            for row in rows {
                let bin = &mut bins[column.codes[0][*row]];
                *bin = bin.plus(self.of(*row));
            }
            let mut order: Vec<usize> =
                (0..column.count).filter(|bin| bins[*bin].rows > 0).collect();
            if column.is_category {
                let mean = |bin: usize| bins[bin].slope / (bins[bin].curvature + PENALTY);
                order.sort_by(|a, b| mean(*a).total_cmp(&mean(*b)));
            }
            let mut low = Sums::default();
            for (place, bin) in order.iter().enumerate() {
                low = low.plus(bins[*bin]);
                let high = Sums {
                    slope: all.slope - low.slope,
                    curvature: all.curvature - low.curvature,
                    rows: all.rows - low.rows,
                };
                if high.rows < LEAST {
                    break;
                }
                let gain = low.gain() + high.gain();
                let is_better = best.as_ref().is_none_or(|(most, ..)| gain > *most);
                if low.rows >= LEAST && is_better {
                    best = Some((gain, number, order[..=place].to_vec()));
                }
            }
        }
        let (_, number, bins) = best?;
        let mut is_low = vec![false; self.columns[number].count];
        bins.into_iter().for_each(|bin| is_low[bin] = true);
        Some((number, is_low))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows<'a>(columns: &'a [TableColumn], values: &'a [f64]) -> TableRows<'a> {
        TableRows { columns, values }
    }

    #[test]
    fn two_leaves_come_closer_to_their_means_with_every_tree() {
        let columns = [TableColumn::category("k", ["a", "b"].map(str::to_owned).to_vec())];
        let cells: Vec<f64> = (0..100).map(|i| f64::from(i % 2)).collect();
        let truth: Vec<f64> = cells.iter().map(|cell| 2.0 * cell - 1.0).collect();
        let (train, test) = (rows(&columns, &cells), rows(&columns, &[0.0, 1.0]));
        let found = outputs((train, test), None, Target::Numbers(&truth));
        let left = (1.0 - RATE * 50.0 / (50.0 + PENALTY)).powi(TREES as i32);
        for (found, expected) in found[0].iter().zip([left - 1.0, 1.0 - left]) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
    }

    #[test]
    fn a_gap_tells_a_class_and_so_does_a_pair_of_columns_alone() {
        let columns = ["x", "a", "b"].map(TableColumn::number);
        let (mut cells, mut gap, mut odd) = (Vec::new(), Vec::new(), Vec::new());
        for i in 0..400_usize {
            let (a, b) = (i * 7919 % 101, i * 104_729 % 103);
            gap.push(usize::from(i % 3 == 0));
            odd.push(usize::from((a > 50) != (b > 51)));
            let x = if i % 3 == 0 { f64::NAN } else { (i * 31 % 17) as f64 };
            cells.extend([x, a as f64, b as f64]);
        }
        let all = rows(&columns, &cells);
        let right = |labels: &[usize]| {
            let found = outputs((all, all), None, Target::Classes(labels, 2));
            let pairs = found[0].iter().zip(labels);
            pairs.filter(|(odds, label)| (**odds > 0.0) == (**label == 1)).count()
        };
        assert_eq!(right(&gap), 400);
        assert!(right(&odd) > 390, "{}", right(&odd));
        let three: Vec<usize> = gap.iter().zip(&odd).map(|(gap, odd)| gap * (1 + odd)).collect();
        let found = outputs((all, all), Some(1), Target::Classes(&three, 3));
        let is_first = |row: usize| found[0][row] > found[1][row].max(found[2][row]);
        assert!((0..400).all(|row| is_first(row) == (three[row] == 0)));
    }

    #[test]
    fn a_column_that_is_left_out_teaches_nothing() {
        let columns = ["x", "label"].map(TableColumn::number);
        let labels: Vec<usize> = (0..200).map(|i| i * 7919 % 211 % 2).collect();
        let cells: Vec<f64> = labels.iter().flat_map(|label| [1.0, *label as f64]).collect();
        let all = rows(&columns, &cells);
        let odds = |without| outputs((all, all), without, Target::Classes(&labels, 2)).remove(0);
        assert!(odds(None).iter().zip(&labels).all(|(odds, y)| (*odds > 0.0) == (*y == 1)));
        let blind = odds(Some(1));
        assert!(blind.iter().all(|value| *value == blind[0]));
    }
}
