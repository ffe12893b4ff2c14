//! The assignment problem: one column for each row of a square matrix of costs, each column once, so that
//! the total is least.
//!
//! Prices of the columns come from an auction whose least raise falls by and by (Bertsekas 1988); then rows
//! bid without one, so that what they hold is the best they can have (Jonker and Volgenant 1987); the few
//! rows that are left get their column along shortest augmenting paths, which makes the result exact. On
//! points of the plane that is some ten times as fast as augmenting paths alone.

use crate::error::{Error, Result};

const NONE: usize = usize::MAX;
/// By what the auction's least raise falls from round to round.
const FALL: f64 = 5.0;
/// Most bids of a round, in rows: prices that take longer are left to the augmenting paths.
const BIDS: usize = 12;

/// For each row of an n x n matrix of costs its column in the assignment with the least total cost.
pub fn assign(costs: &[f64], n: usize) -> Result<Vec<usize>> {
    if Some(costs.len()) != n.checked_mul(n) {
        return Err(Error::runtime(format!("{} costs are no matrix of {n} x {n}", costs.len())));
    }
    if costs.iter().any(|c| !c.is_finite()) {
        return Err(Error::runtime("no assignment was found: are all costs finite?"));
    }
    let mut market = Market { costs, n, prices: vec![0.0; n], row_of: vec![NONE; n] };
    let spread = costs.iter().fold(0.0_f64, |a, c| a.max(c.abs()));
    let mut raise = spread / 8.0;
    while raise * n as f64 > spread / 8.0 {
        market.auction(raise);
        raise /= FALL;
    }
    for row in market.bid_exactly() {
        market.augment(row);
    }
    let mut column_of = vec![0; n];
    for (column, row) in market.row_of.into_iter().enumerate() {
        column_of[row] = column;
    }
    Ok(column_of)
}

struct Market<'c> {
    costs: &'c [f64],
    n: usize,
    /// What a column costs beside the entry itself.
    prices: Vec<f64>,
    /// Who holds a column.
    row_of: Vec<usize>,
}

/// A row's best column, and the costs of the best and the second.
struct Offers {
    best: usize,
    second: usize,
    lowest: f64,
    next: f64,
}

impl Market<'_> {
    fn row(&self, row: usize) -> &[f64] {
        &self.costs[row * self.n..(row + 1) * self.n]
    }

    fn offers(&self, row: usize) -> Offers {
        let mut found = Offers { best: 0, second: 0, lowest: f64::INFINITY, next: f64::INFINITY };
        for (column, (cost, price)) in self.row(row).iter().zip(&self.prices).enumerate() {
            let total = cost + price;
            if total < found.next {
                if total < found.lowest {
                    (found.second, found.next) = (found.best, found.lowest);
                    (found.best, found.lowest) = (column, total);
                } else {
                    (found.second, found.next) = (column, total);
                }
            }
        }
        if self.n == 1 {
            found.next = found.lowest;
        }
        found
    }

    /// All rows bid anew; a bid raises the price by `raise` more than is needed to be beaten.
    fn auction(&mut self, raise: f64) {
        self.row_of.fill(NONE);
        let mut waiting: Vec<usize> = (0..self.n).rev().collect();
        for _ in 0..BIDS * self.n {
            let Some(row) = waiting.pop() else { return };
            let Offers { best, lowest, next, .. } = self.offers(row);
            self.prices[best] += next - lowest + raise;
            let beaten = std::mem::replace(&mut self.row_of[best], row);
            if beaten != NONE {
                waiting.push(beaten);
            }
        }
    }

    /// All rows bid anew, just as much as makes the best column as dear as the second: what a row holds is
    /// then as cheap for it as anything. Returns the rows that are left without.
    fn bid_exactly(&mut self) -> Vec<usize> {
        self.row_of.fill(NONE);
        let mut waiting: Vec<usize> = (0..self.n).rev().collect();
        let mut left = Vec::new();
        for _ in 0..4 * self.n {
            let Some(row) = waiting.pop() else { break };
            let Offers { mut best, second, lowest, next } = self.offers(row);
            let rises = next > lowest;
            if rises {
                self.prices[best] += next - lowest;
            } else if self.row_of[best] != NONE {
                best = second;
            }
            let beaten = std::mem::replace(&mut self.row_of[best], row);
            if beaten != NONE {
                // Where no price rises they could go on forever.
                if rises { waiting.push(beaten) } else { left.push(beaten) }
            }
        }
        left.append(&mut waiting);
        left
    }

    /// Gives `start` a column along the path that raises the total least.
    fn augment(&mut self, start: usize) {
        let n = self.n;
        // Cost of the way to each column, and infinity where the way is settled.
        let mut way: Vec<f64> =
            self.row(start).iter().zip(&self.prices).map(|(c, p)| c + p).collect();
        let mut closed = vec![0.0; n];
        // Settled columns in order, with what a way through their row costs beside its entries.
        let mut settled: Vec<(usize, f64)> = Vec::new();
        let (end, total) = loop {
            let (mut nearest, mut cost) = (NONE, f64::INFINITY);
            for (column, (way, closed)) in way.iter().zip(&closed).enumerate() {
                let open = way + closed;
                if open < cost {
                    (nearest, cost) = (column, open);
                }
            }
            let row = self.row_of[nearest];
            if row == NONE {
                break (nearest, cost);
            }
            let through = cost - (self.costs[row * n + nearest] + self.prices[nearest]);
            closed[nearest] = f64::INFINITY;
            settled.push((nearest, through));
            let entries = self.costs[row * n..(row + 1) * n].iter().zip(&self.prices);
            for ((way, closed), (c, p)) in way.iter_mut().zip(&closed).zip(entries) {
                let new = c + p + through + closed;
                *way = if new < *way { new } else { *way };
            }
        };
        // Back along the way, which is known by its cost.
        let (mut column, mut before) = (end, settled.len());
        let mut path = vec![];
        loop {
            let at = |row: usize| self.costs[row * n + column] + self.prices[column];
            let last = (0..before).find(|k| {
                let (through, extra) = settled[*k];
                at(self.row_of[through]) + extra + 0.0 == way[column]
            });
            match last {
                _ if at(start) == way[column] => {
                    path.push((column, start));
                    break;
                }
                Some(k) => {
                    path.push((column, self.row_of[settled[k].0]));
                    (column, before) = (settled[k].0, k);
                }
                None => {
                    path.push((column, start));
                    break;
                }
            }
        }
        for (column, _) in settled {
            self.prices[column] += total - way[column];
        }
        for (column, row) in path {
            self.row_of[column] = row;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::cloud;
    use super::*;

    fn total(costs: &[f64], n: usize, columns: &[usize]) -> f64 {
        columns.iter().enumerate().map(|(row, column)| costs[row * n + column]).sum()
    }

    /// What the crate `lsap` finds, by augmenting paths alone.
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
                // On a grid many assignments are equally good.
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

    #[test]
    fn what_is_no_matrix_of_numbers_is_refused() {
        assert!(assign(&[0.0; 3], 2).is_err());
        assert!(assign(&[f64::NAN; 4], 2).is_err());
        assert!(assign(&[], 0).unwrap().is_empty());
    }
}
