use super::squared_distances;
use rand::RngExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use triflow::log;
use triflow::metrics;
use triflow::prelude::*;

triflow::component! {
    /// Entropic optimal transport within a batch: z_0 is drawn from the Sinkhorn plan given z_1.
    ///
    /// The plan P minimises Σ P·|z_1 − z_0|² − ε·(entropy of P) under uniform marginals, by
    /// Sinkhorn's iteration in the log domain. ε → 0 gives `ot_exact`, ε → ∞ `independent`. One z_0
    /// may be drawn for several z_1. An iteration takes about n² operations for a batch of n rows.
    #[reference = "Cuturi 2013, arXiv 1306.0895; Tong et al. 2023, arXiv 2302.00482"]
    pub struct OtSinkhorn: Coupling = "ot_sinkhorn" {
        /// ε as a share of the mean cost of all pairs.
        #[range(above = 0)]
        pub epsilon: f64 = 0.05,
        /// Largest number of iterations.
        #[range(min = 1)]
        pub iterations: usize = 500,
        /// Largest relative error of the marginal of the source at which the iteration stops, above
        /// 0.
        #[range(above = 0)]
        pub tolerance: f64 = 1e-3,
    }
}

impl Spec<dyn Coupling> for OtSinkhorn {
    fn build(&self, _: &CouplingContext) -> Result<Box<dyn Coupling>> {
        Ok(Box::new(Sinkhorn { spec: self.clone(), warned: AtomicBool::new(false) }))
    }
}

struct Sinkhorn {
    spec: OtSinkhorn,
    /// `true` once a warning about a plan that has not converged was logged.
    warned: AtomicBool,
}

impl Coupling for Sinkhorn {
    fn pair(&self, rows: &Pairing<'_>) -> Result<Vec<usize>> {
        let n = rows.len();
        let mut scores = squared_distances(rows.target, rows.source);
        let mean = metrics::mean(&scores);
        if mean == 0.0 {
            return Ok((0..n).collect());
        }
        let scale = -1.0 / (self.spec.epsilon * mean);
        scores.iter_mut().for_each(|cost| *cost *= scale);
        let Plan { source_potential, shortfall } = self.spec.plan(&scores, n);
        if let Some(why) = shortfall.filter(|_| !self.warned.swap(true, Ordering::Relaxed)) {
            log::warn!("ot_sinkhorn: {why} (further warnings are suppressed)");
        }
        let mut rng = rows.rng();
        // A row of the plan is the distribution of z_0 given z_1.
        Ok(scores
            .chunks_exact(n)
            .map(|row| {
                let weights = row.iter().zip(&source_potential).map(|(s, g)| s + g);
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

/// Result of Sinkhorn's iteration.
struct Plan {
    /// Dual potential of the source, divided by ε.
    source_potential: Vec<f64>,
    /// The reason why the plan is not the requested one; `None` if it is.
    shortfall: Option<String>,
}

impl OtSinkhorn {
    /// The plan for `scores` −cost/ε, `[n, n]`. ε is halved down to its value, which takes far
    /// fewer iterations than starting with it.
    fn plan(&self, scores: &[f64], n: usize) -> Plan {
        let (mut f, mut g) = (vec![0.0; n], vec![0.0; n]);
        let mut share = (self.epsilon).min(1.0);
        // Marginal error and share of the last iteration.
        let (mut error, mut reached) = (f64::INFINITY, share);
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
            (error, reached) = (worst, share);
            if share < 1.0 {
                let next = (share * 2.0).min(1.0);
                g.iter_mut().for_each(|g| *g *= next / share);
                share = next;
            } else if worst < self.tolerance {
                return Plan { source_potential: g, shortfall: None };
            }
        }
        let shortfall = match reached < 1.0 {
            true => format!(
                "{} iterations end at ε = {:.3} of the mean cost rather than {}",
                self.iterations,
                self.epsilon / reached,
                self.epsilon
            ),
            false => format!(
                "after {} iterations a marginal is off by {error:.1e}, more than the tolerance of \
                 {:.1e}",
                self.iterations, self.tolerance
            ),
        };
        Plan {
            source_potential: g,
            shortfall: Some(format!("{shortfall}: raise `iterations` or `epsilon`")),
        }
    }
}

fn log_sum_exp(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = values.clone().fold(f64::NEG_INFINITY, f64::max);
    largest + values.map(|v| (v - largest).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_that_has_not_converged_is_reported() {
        let n = 20;
        let cost = |i: usize, j: usize| ((i * 7 % n) as f64 - (j * 3 % n) as f64).powi(2);
        let shortfall = |spec: OtSinkhorn| {
            let mut scores: Vec<f64> = (0..n * n).map(|at| cost(at / n, at % n)).collect();
            let mean = metrics::mean(&scores);
            scores.iter_mut().for_each(|c| *c /= -spec.epsilon * mean);
            spec.plan(&scores, n).shortfall
        };
        assert_eq!(shortfall(OtSinkhorn::default()), None);
        let short = shortfall(OtSinkhorn { iterations: 2, ..OtSinkhorn::default() }).unwrap();
        assert!(short.starts_with("2 iterations end at ε = 0.500 of the mean cost"), "{short}");
        let strict = OtSinkhorn { iterations: 10, tolerance: 1e-14, ..OtSinkhorn::default() };
        let strict = shortfall(strict).unwrap();
        assert!(strict.starts_with("after 10 iterations a marginal is off by "), "{strict}");
    }
}
