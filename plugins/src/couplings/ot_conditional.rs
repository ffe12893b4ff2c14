use super::squared_distances;
use std::collections::HashMap;
use triflow::metrics::{assign, optimal_matching};
use triflow::prelude::*;

triflow::component! {
    /// Optimal transport within a batch that keeps the distribution of z_0 under each condition.
    ///
    /// Row i of z_0 is taken as drawn under condition i. Without `ratio`, for classes, z_0 and z_1
    /// are matched at the least sum of |z_1 − z_0|² among rows of equal condition; a row whose
    /// condition occurs once in the batch keeps its z_0. With `ratio`, for conditions that are
    /// numbers, the cost is |z_1 − z_0|² + w·|c_1 − c_0|². The weight w is chosen in each batch so
    /// that the share `ratio` of all pairs costs at most as much as the z_1's own pair. The
    /// distribution is then kept approximately, less well for a larger `ratio`.
    #[reference = "Cheng and Schwing 2025, arXiv 2503.10636"]
    #[aliases("c2ot")]
    pub struct OtConditional: Coupling = "ot_conditional" {
        /// Share of the pairs that transport may choose, for conditions that are
        /// numbers; null: the pairs of equal condition, for classes.
        #[range(above = 0, max = 1)]
        pub ratio: Option<f64> = None,
    }
}

impl Spec<dyn Coupling> for OtConditional {
    fn build(&self, ctx: &CouplingContext) -> Result<Box<dyn Coupling>> {
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
            None => match_equal_conditions(rows, condition),
            Some(ratio) => {
                let n = rows.len();
                let mut costs = squared_distances(rows.target, rows.source);
                let distances = squared_distances(condition, condition);
                let weight = condition_weight(&costs, &distances, n, ratio);
                for (cost, distance) in costs.iter_mut().zip(&distances) {
                    *cost += weight * distance;
                }
                assign(&costs, n)
            }
        }
    }

    fn keeps_condition(&self) -> Result<bool> {
        Ok(true)
    }
}

/// Optimal matching within each group of rows with equal conditions.
fn match_equal_conditions(rows: &Pairing<'_>, condition: Points<'_>) -> Result<Vec<usize>> {
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

/// The weight w under which the share `ratio` of all pairs (i, j) has cost_ij + w·distance_ij ≤
/// cost_ii. Each pair has it up to a threshold of w, so that w is a quantile of the thresholds.
fn condition_weight(costs: &[f64], distances: &[f64], n: usize, ratio: f64) -> f64 {
    let mut thresholds: Vec<f64> = (0..n * n)
        .map(|at| {
            let own = costs[at / n * (n + 1)];
            match (own - costs[at], distances[at]) {
                (gain, 0.0) if gain >= 0.0 => f64::INFINITY,
                (_, 0.0) => f64::NEG_INFINITY,
                (gain, distance) => gain / distance,
            }
        })
        .collect();
    let kept = ((ratio * (n * n) as f64).ceil() as usize).clamp(1, n * n);
    let (_, weight, _) = thresholds.select_nth_unstable_by(kept - 1, |a, b| b.total_cmp(a));
    // An infinite threshold (pairs of equal condition alone exceed the share) is replaced by a
    // weight at which one pair of unequal conditions costs more than any matching of equal ones.
    let most = costs.iter().fold(0.0_f64, |a, b| a.max(*b)) * n as f64;
    let least = distances.iter().filter(|d| **d > 0.0).fold(f64::INFINITY, |a, b| a.min(*b));
    weight.clamp(0.0, if least.is_finite() { most / least } else { 0.0 })
}
