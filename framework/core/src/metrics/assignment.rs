//! The assignment problem: one column for each row of a square matrix of costs, each column once,
//! so that the total cost is minimal.
//!
//! An auction whose minimum raise is reduced from round to round finds prices of the columns
//! (Bertsekas 1988). Rows then bid without a minimum raise, until each has its cheapest column at
//! these prices (Jonker and Volgenant 1987). The few rows left over get a column along shortest
//! augmenting paths, which makes the result exact. On points of the plane this is some ten times as
//! fast as augmenting paths alone.

use crate::error::{Error, Result};

const NONE: usize = usize::MAX;
/// Factor by which the auction's minimum raise is reduced from round to round.
const FALL: f64 = 5.0;
/// Maximum number of bids in a round, per row; prices that need more are left to augmenting paths.
const BIDS: usize = 12;

/// Assignment of least total cost for an n × n matrix of `costs`, row by row: the column of each
/// row.
///
/// # Errors
/// [`Error::Runtime`] where there are not n² costs, a cost is not finite, or rounding breaks the
/// search.
pub fn assign(costs: &[f64], n: usize) -> Result<Vec<usize>> {
    if Some(costs.len()) != n.checked_mul(n) {
        return Err(Error::runtime(format!("{} costs are no matrix of {n} x {n}", costs.len())));
    }
    if costs.iter().any(|c| !c.is_finite()) {
        return Err(Error::runtime("no assignment was found: are all costs finite?"));
    }
    let mut auction = Auction { costs, n, prices: vec![0.0; n], row_of: vec![NONE; n] };
    let spread = costs.iter().fold(0.0_f64, |a, c| a.max(c.abs()));
    let mut raise = spread / 8.0;
    while raise * n as f64 > spread / 8.0 {
        auction.auction(raise);
        raise /= FALL;
    }
    for row in auction.bid_exactly() {
        auction.augment(row)?;
    }
    let mut column_of = vec![NONE; n];
    for (column, row) in auction.row_of.into_iter().enumerate() {
        *column_of.get_mut(row).ok_or_else(lost)? = column;
    }
    if column_of.contains(&NONE) {
        return Err(lost());
    }
    Ok(column_of)
}

/// Error where some row has no column: no assignment is returned rather than one that may not be
/// optimal.
fn lost() -> Error {
    Error::runtime("no assignment was found: are the costs too large for double precision?")
}

/// Shortens paths to columns where the one through a row is shorter, and returns the length of the
/// shortest to a column that is not settled.
fn shorten(way: &mut [f64], closed: &[f64], costs: &[f64], prices: &[f64], through: f64) -> f64 {
    let mut low = [f64::INFINITY; LANES];
    let mut see = |lane: usize, way: &mut f64, closed: f64, entry: f64| {
        *way = least(entry + through + closed, *way);
        low[lane] = least(*way + closed, low[lane]);
    };
    let whole = way.len() / LANES * LANES;
    let (head, tail) = way.split_at_mut(whole);
    let rows = closed.chunks_exact(LANES).zip(costs.chunks_exact(LANES));
    for ((way, (closed, costs)), prices) in
        head.chunks_exact_mut(LANES).zip(rows).zip(prices.chunks_exact(LANES))
    {
        for lane in 0..LANES {
            see(lane, &mut way[lane], closed[lane], costs[lane] + prices[lane]);
        }
    }
    for (lane, way) in tail.iter_mut().enumerate() {
        let at = whole + lane;
        see(lane, way, closed[at], costs[at] + prices[at]);
    }
    low.into_iter().fold(f64::INFINITY, least)
}

struct Auction<'c> {
    costs: &'c [f64],
    n: usize,
    /// Price of each column, added to the cost of an entry.
    prices: Vec<f64>,
    /// Row that holds each column, or [`NONE`].
    row_of: Vec<usize>,
}

/// Columns processed together, in one instruction where possible.
const LANES: usize = 8;

fn least(a: f64, b: f64) -> f64 {
    if a < b { a } else { b }
}

fn most(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

/// Best column of a row, and the totals of the best and second-best column.
struct Offers {
    best: usize,
    lowest: f64,
    next: f64,
}

impl Auction<'_> {
    fn row(&self, row: usize) -> &[f64] {
        &self.costs[row * self.n..(row + 1) * self.n]
    }

    fn offers(&self, row: usize) -> Offers {
        // Each lane has its own minima, so that the processor handles several columns at a time.
        let (mut low, mut second) = ([f64::INFINITY; LANES], [f64::INFINITY; LANES]);
        let row = self.row(row);
        let mut see = |lane: usize, total: f64| {
            second[lane] = least(second[lane], most(low[lane], total));
            low[lane] = least(low[lane], total);
        };
        let (costs, prices) = (row.chunks_exact(LANES), self.prices.chunks_exact(LANES));
        let rest = costs.remainder().iter().zip(prices.remainder());
        for (costs, prices) in costs.zip(prices) {
            for lane in 0..LANES {
                see(lane, costs[lane] + prices[lane]);
            }
        }
        for (lane, (cost, price)) in rest.enumerate() {
            see(lane, cost + price);
        }
        let (mut lowest, mut next) = (f64::INFINITY, f64::INFINITY);
        for total in low.into_iter().chain(second) {
            next = least(next, most(lowest, total));
            lowest = least(lowest, total);
        }
        let mut totals = row.iter().zip(&self.prices).map(|(cost, price)| cost + price);
        let best = totals.position(|total| total == lowest).unwrap_or_default();
        if self.n == 1 {
            next = lowest;
        }
        Offers { best, lowest, next }
    }

    /// The first column after `after` at which `row` has exactly the total `total`.
    fn column_at(&self, row: usize, total: f64, after: usize) -> Option<usize> {
        let mut totals = self.row(row).iter().zip(&self.prices).skip(after + 1);
        totals.position(|(cost, price)| cost + price == total).map(|at| after + 1 + at)
    }

    /// Lets all rows bid anew; a bid raises the price by `raise` more than is needed to outbid.
    fn auction(&mut self, raise: f64) {
        self.row_of.fill(NONE);
        let mut waiting: Vec<usize> = (0..self.n).rev().collect();
        for _ in 0..BIDS * self.n {
            let Some(row) = waiting.pop() else { return };
            let Offers { best, lowest, next } = self.offers(row);
            self.prices[best] += next - lowest + raise;
            let beaten = std::mem::replace(&mut self.row_of[best], row);
            if beaten != NONE {
                waiting.push(beaten);
            }
        }
    }

    /// Lets all rows bid anew, just enough that the best column costs as much as the second, so
    /// that no column is cheaper for a row than its own. Returns the rows without a column.
    fn bid_exactly(&mut self) -> Vec<usize> {
        self.row_of.fill(NONE);
        let mut waiting: Vec<usize> = (0..self.n).rev().collect();
        let mut left = Vec::new();
        for _ in 0..4 * self.n {
            let Some(row) = waiting.pop() else { break };
            let Offers { mut best, lowest, next } = self.offers(row);
            let rises = next > lowest;
            if rises {
                self.prices[best] += next - lowest;
            } else if self.row_of[best] != NONE {
                best = self.column_at(row, lowest, best).unwrap_or(best);
            }
            let beaten = std::mem::replace(&mut self.row_of[best], row);
            if beaten != NONE {
                // Where no price rises, rows could outbid each other for ever.
                if rises { waiting.push(beaten) } else { left.push(beaten) }
            }
        }
        left.append(&mut waiting);
        left
    }

    /// Gives `start` a column along the path that adds least to the total cost.
    fn augment(&mut self, start: usize) -> Result<()> {
        let n = self.n;
        // Length of the shortest path to each column.
        let mut way: Vec<f64> =
            self.row(start).iter().zip(&self.prices).map(|(c, p)| c + p).collect();
        // Infinity for settled columns, 0 for the others.
        let mut closed = vec![0.0; n];
        // Settled columns in order, with the length of a path through their row without its entry.
        let mut settled: Vec<(usize, f64)> = Vec::new();
        let mut cost = way.iter().copied().fold(f64::INFINITY, least);
        let (end, total) = loop {
            let open = |(way, closed): (&f64, &f64)| way + closed == cost;
            let nearest = way.iter().zip(&closed).position(open).ok_or_else(lost)?;
            let row = self.row_of[nearest];
            if row == NONE {
                break (nearest, cost);
            }
            let through = cost - (self.costs[row * n + nearest] + self.prices[nearest]);
            closed[nearest] = f64::INFINITY;
            settled.push((nearest, through));
            cost = shorten(&mut way, &closed, self.row(row), &self.prices, through);
        };
        // Follows the path back: the cheapest way to a column is straight from the start or over a
        // column settled before it. The search ends at the first that is no longer than the way.
        let (mut column, mut before) = (end, settled.len());
        let mut path = vec![];
        loop {
            let entry = |row: usize| self.costs[row * n + column] + self.prices[column];
            let (mut lowest, mut last) = (entry(start), None);
            for (k, (through, extra)) in settled[..before].iter().enumerate() {
                if lowest <= way[column] {
                    break;
                }
                let total = entry(self.row_of[*through]) + extra;
                if total < lowest {
                    (lowest, last) = (total, Some(k));
                }
            }
            let Some(k) = last else {
                path.push((column, start));
                break;
            };
            path.push((column, self.row_of[settled[k].0]));
            (column, before) = (settled[k].0, k);
        }
        for (column, _) in settled {
            self.prices[column] += total - way[column];
        }
        for (column, row) in path {
            self.row_of[column] = row;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::cloud;
    use super::*;

    fn total(costs: &[f64], n: usize, columns: &[usize]) -> f64 {
        columns.iter().enumerate().map(|(row, column)| costs[row * n + column]).sum()
    }

    /// Assignment by the crate `lsap`, which uses augmenting paths alone.
    fn reference(costs: &[f64], n: usize) -> Vec<usize> {
        let (rows, columns) = lsap::solve(n, n, &costs.to_vec(), false).unwrap();
        assert!(rows.into_iter().eq(0..n));
        columns
    }

    fn distances(x: &[f64], y: &[f64]) -> Vec<f64> {
        let row = |i: usize, j: usize| {
            (x[2 * i] - y[2 * j]).powi(2) + (x[2 * i + 1] - y[2 * j + 1]).powi(2)
        };
        let n = x.len() / 2;
        (0..n * n).map(|at| row(at / n, at % n)).collect()
    }

    #[test]
    fn no_assignment_is_cheaper() {
        for n in [1, 2, 3, 10, 57, 200] {
            for seed in 0..4 {
                let whole = |v: &f64| (v * 3.0).round();
                let (x, y) = (cloud(n, 2, 1.0, seed), cloud(n, 2, 4.0, seed + 10));
                let ring: Vec<f64> = x.iter().map(|v| v.signum() * 3.0 + v * 0.1).collect();
                // On a grid many assignments are optimal.
                let grid: Vec<f64> = x.iter().map(whole).collect();
                let other: Vec<f64> = y.iter().map(whole).collect();
                let negative: Vec<f64> = cloud(n, n, 2.0, seed).iter().map(|v| v - 1.0).collect();
                for costs in [
                    distances(&x, &y),
                    distances(&ring, &x),
                    distances(&grid, &other),
                    distances(&x, &x),
                    negative,
                    vec![2.5; n * n],
                    vec![0.0; n * n],
                ] {
                    let found = assign(&costs, n).unwrap();
                    let mut each = found.clone();
                    each.sort_unstable();
                    assert!(each.into_iter().eq(0..n), "{n} {seed}: {found:?}");
                    let best = total(&costs, n, &reference(&costs, n));
                    let excess = total(&costs, n, &found) - best;
                    assert!(excess.abs() < 1e-9 * (1.0 + best.abs()), "{n} {seed}: {excess:e}");
                }
            }
        }
    }

    /// Sums of numbers of very different sizes lose digits. The path back is found nevertheless,
    /// and the total cost is minimal up to rounding errors of the largest.
    #[test]
    fn costs_of_very_different_sizes_are_followed_back() {
        for seed in 0..20 {
            let n = 40;
            let exponents = cloud(n, n, 12.0, seed);
            let costs: Vec<f64> = exponents.iter().map(|e| 10f64.powf(*e)).collect();
            let found = assign(&costs, n).unwrap();
            let best = total(&costs, n, &reference(&costs, n));
            let excess = total(&costs, n, &found) - best;
            let rounding = n as f64 * f64::EPSILON * costs.iter().copied().fold(0.0, f64::max);
            assert!(excess.abs() < rounding, "{seed}: {excess:e} of {best:e}");
        }
    }

    /// Where prices overflow the result is an assignment of least cost or an error, never another
    /// assignment.
    #[test]
    fn costs_near_the_largest_number_give_the_least_total_or_an_error() {
        for (seed, size) in (0..20).flat_map(|seed| [1e290, 1e307, 1e308].map(|size| (seed, size)))
        {
            let n = 30;
            let costs: Vec<f64> = cloud(n, n, 1.0, seed).iter().map(|c| c.sin() * size).collect();
            let Ok(found) = assign(&costs, n) else {
                assert!(size > 1e300, "{size:e}");
                continue;
            };
            let small: Vec<f64> = costs.iter().map(|c| c / size).collect();
            let excess = total(&small, n, &found) - total(&small, n, &reference(&small, n));
            assert!(excess.abs() < 1e-9, "{seed} {size:e}: {excess:e}");
        }
    }

    #[test]
    fn what_is_no_matrix_of_numbers_is_refused() {
        assert!(assign(&[0.0; 3], 2).is_err());
        assert!(assign(&[f64::NAN; 4], 2).is_err());
        assert!(assign(&[], 0).unwrap().is_empty());
    }
}
