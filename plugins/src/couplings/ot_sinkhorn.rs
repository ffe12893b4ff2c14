//! Entropic optimal transport within a batch.

use super::squared_distances;
use rand::RngExt as _;
use triflow::prelude::*;

triflow::component! {
    /// Drawn from the entropic transport plan between the two samples of a batch: for each z_1 one z_0,
    /// which may serve several.
    ///
    /// The plan P minimises Σ P·|z_1 − z_0|² − ε·(entropy of P) under uniform marginals, by Sinkhorn's iteration
    /// in the log domain. ε → 0 gives `ot_exact`, ε → ∞ `independent`. An iteration costs n².
    #[reference = "Cuturi 2013, arXiv 1306.0895; Tong et al. 2023, arXiv 2302.00482"]
    pub struct OtSinkhorn: Coupling, CouplingSpec = "ot_sinkhorn" {
        /// ε as a share of the mean cost of all pairs, above 0.
        pub epsilon: f64 = 0.05,
        /// Most iterations.
        pub iterations: usize = 500,
        /// Stop where no marginal of the source is further off than this, relatively.
        pub tolerance: f64 = 1e-3,
    }
}

impl Spec<dyn Coupling> for OtSinkhorn {
    fn build(&self, _: &CouplingContext) -> Result<Box<dyn Coupling>> {
        for (key, value) in [("epsilon", self.epsilon), ("tolerance", self.tolerance)] {
            if !(value.is_finite() && value > 0.0) {
                return Err(Error::config(key, format!("needs a number above 0, got {value}")));
            }
        }
        if self.iterations == 0 {
            return Err(Error::config("iterations", "needs at least 1, got 0"));
        }
        Ok(Box::new(self.clone()))
    }
}

impl Coupling for OtSinkhorn {
    fn pair(&self, rows: &Pairing<'_>) -> Result<Vec<usize>> {
        let n = rows.len();
        let mut scores = squared_distances(rows.target, rows.source);
        let mean = scores.iter().sum::<f64>() / scores.len() as f64;
        if mean == 0.0 {
            return Ok((0..n).collect());
        }
        let scale = -1.0 / (self.epsilon * mean);
        scores.iter_mut().for_each(|cost| *cost *= scale);
        let of_source = self.potential(&scores, n);
        let mut rng = rows.rng();
        // A row of the plan is the law of z_0 given z_1.
        Ok(scores
            .chunks_exact(n)
            .map(|row| {
                let weights = row.iter().zip(&of_source).map(|(s, g)| s + g);
                let largest = weights.clone().fold(f64::NEG_INFINITY, f64::max);
                let sums: Vec<f64> = weights
                    .scan(0.0, |sum, w| {
                        *sum += (w - largest).exp();
                        Some(*sum)
                    })
                    .collect();
                let at = rng.random::<f64>() * sums[n - 1];
                sums.partition_point(|sum| *sum <= at).min(n - 1)
            })
            .collect())
    }
}

impl OtSinkhorn {
    /// The potential of the source over ε, for scores −cost/ε. ε falls to its value by halves, which takes
    /// far fewer iterations than to begin with it.
    fn potential(&self, scores: &[f64], n: usize) -> Vec<f64> {
        let (mut f, mut g) = (vec![0.0; n], vec![0.0; n]);
        let mut share = (self.epsilon).min(1.0);
        for _ in 0..self.iterations {
            let mut used = vec![0.0; n];
            for (row, f) in scores.chunks_exact(n).zip(&mut f) {
                *f = -log_sum_exp(row.iter().zip(&g).map(|(s, g)| share * s + g));
            }
            let mut largest = vec![f64::NEG_INFINITY; n];
            for (row, f) in scores.chunks_exact(n).zip(&f) {
                for (largest, s) in largest.iter_mut().zip(row) {
                    *largest = largest.max(share * s + f);
                }
            }
            for (row, f) in scores.chunks_exact(n).zip(&f) {
                for ((used, s), largest) in used.iter_mut().zip(row).zip(&largest) {
                    *used += (share * s + f - largest).exp();
                }
            }
            let mut worst: f64 = 0.0;
            for ((g, used), largest) in g.iter_mut().zip(&used).zip(&largest) {
                let new = -(largest + used.ln());
                worst = worst.max((*g - new).exp_m1().abs());
                *g = new;
            }
            if share < 1.0 {
                let next = (share * 2.0).min(1.0);
                g.iter_mut().for_each(|g| *g *= next / share);
                share = next;
            } else if worst < self.tolerance {
                break;
            }
        }
        g
    }
}

fn log_sum_exp(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = values.clone().fold(f64::NEG_INFINITY, f64::max);
    largest + values.map(|v| (v - largest).exp()).sum::<f64>().ln()
}
