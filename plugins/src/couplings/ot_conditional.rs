//! Optimal transport that leaves the condition alone.

use super::squared_distances;
use std::collections::HashMap;
use triflow::metrics::{assign, optimal_matching};
use triflow::prelude::*;

triflow::component! {
    /// Optimal transport within a batch that leaves the law of z_0 under each condition what it is.
    ///
    /// Row i of z_0 is taken as drawn under condition i. Without `ratio`, for classes, z_0 and z_1 are paired
    /// at the least sum of |z_1 − z_0|² among rows of equal condition; a row that is alone in a batch with its
    /// condition keeps its z_0. With it, for conditions that are
    /// numbers, the cost is |z_1 − z_0|² + w·|c_1 − c_0|², where w is found in each batch: of all pairs, the share
    /// `ratio` costs no more than the z_1's own row does. The law is then kept nearly, the less the larger `ratio`.
    #[reference = "Cheng and Schwing 2025, arXiv 2503.10636"]
    #[aliases("c2ot")]
    pub struct OtConditional: Coupling, CouplingSpec = "ot_conditional" {
        /// Share of the pairs that stay open to transport, in (0, 1], for conditions that are numbers; null:
        /// those of equal condition, for classes.
        pub ratio: Option<f64> = None,
    }
}

impl Spec<dyn Coupling> for OtConditional {
    fn build(&self, ctx: &CouplingContext) -> Result<Box<dyn Coupling>> {
        if let Some(ratio) = self.ratio.filter(|r| !(*r > 0.0 && *r <= 1.0)) {
            return Err(Error::config("ratio", format!("needs 0 < ratio <= 1, got {ratio}")));
        }
        if ctx.condition_shape.is_none() {
            let message = "this model has no condition to keep";
            return Err(Error::config("", message).help("take `ot_exact`"));
        }
        if self.ratio.is_none() && ctx.conditions_repeat == Some(false) {
            let message = "no two rows have the same condition, so that nothing can be paired";
            return Err(Error::config("coupling.ratio", message)
                .help("for conditions that are numbers set `ratio: 0.05`"));
        }
        Ok(Box::new(self.clone()))
    }
}

impl Coupling for OtConditional {
    fn pair(&self, rows: &Pairing<'_>) -> Result<Vec<usize>> {
        let condition = rows.condition.ok_or_else(|| Error::runtime("there is no condition"))?;
        match self.ratio {
            None => within_equals(rows, condition),
            Some(ratio) => {
                let n = rows.len();
                let mut costs = squared_distances(rows.target, rows.source);
                let apart = squared_distances(condition, condition);
                let weight = weight(&costs, &apart, n, ratio);
                for (cost, apart) in costs.iter_mut().zip(&apart) {
                    *cost += weight * apart;
                }
                assign(&costs, n)
            }
        }
    }

    fn keeps_condition(&self) -> Result<bool> {
        Ok(true)
    }
}

fn within_equals(rows: &Pairing<'_>, condition: Points<'_>) -> Result<Vec<usize>> {
    let mut groups: HashMap<Vec<u64>, Vec<usize>> = HashMap::new();
    for (i, row) in condition.rows().enumerate() {
        // −0 and 0 are one condition.
        groups.entry(row.iter().map(|v| (v + 0.0).to_bits()).collect()).or_default().push(i);
    }
    let n = rows.len();
    let mut pairs: Vec<usize> = (0..n).collect();
    for group in groups.values() {
        let pick = |points: Points<'_>| -> Vec<f64> {
            group.iter().flat_map(|i| points.row(*i)).copied().collect()
        };
        let (target, source) = (pick(rows.target), pick(rows.source));
        let matching = optimal_matching(
            Points::new(&target, rows.target.dim())?,
            Points::new(&source, rows.source.dim())?,
        )?;
        for (i, j) in group.iter().zip(matching) {
            pairs[*i] = group[j];
        }
    }
    Ok(pairs)
}

/// The weight w under which the share `ratio` of all pairs (i, j) has cost_ij + w·apart_ij ≤ cost_ii: each
/// pair stops doing so at a w of its own, so that w is one of those in order.
fn weight(costs: &[f64], apart: &[f64], n: usize, ratio: f64) -> f64 {
    let mut ends: Vec<f64> = (0..n * n)
        .map(|at| {
            let own = costs[at / n * (n + 1)];
            match (own - costs[at], apart[at]) {
                (gain, 0.0) if gain >= 0.0 => f64::INFINITY,
                (_, 0.0) => f64::NEG_INFINITY,
                (gain, apart) => gain / apart,
            }
        })
        .collect();
    let kept = ((ratio * (n * n) as f64).ceil() as usize).clamp(1, n * n);
    let (_, end, _) = ends.select_nth_unstable_by(kept - 1, |a, b| b.total_cmp(a));
    // Where equal conditions alone are more than that, all others cost more than any transport.
    let most = costs.iter().fold(0.0_f64, |a, b| a.max(*b)) * n as f64;
    let least = apart.iter().filter(|a| **a > 0.0).fold(f64::INFINITY, |a, b| a.min(*b));
    end.clamp(0.0, if least.is_finite() { most / least } else { 0.0 })
}
