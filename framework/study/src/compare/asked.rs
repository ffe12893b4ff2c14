//! What a comparison may ask for, checked before anything is planned.

use super::results::Better;
use crate::config::Comparison;
use crate::error::{Error, Result};
use crate::measure::Metric;

/// Most held-out points that are measured: distances between all pairs take 8·n² bytes.
const MOST_POINTS: i64 = 50_000;
/// Most draws that a value is the mean of.
const MOST_DRAWS: u64 = 10_000;
/// Most network evaluations a sample.
const MOST_EVALUATIONS: usize = 1_000_000;

/// An error that names the key if something that is asked for cannot be.
pub(super) fn check(asked: &Comparison) -> Result<()> {
    if asked.over.is_empty() {
        return Err(Error::config("comparison.over", "nothing varies")
            .help("such as `--over objective=flow_matching,diffusion,ct`"));
    }
    if asked.seeds < 1 {
        return Err(Error::config("comparison.seeds", "needs at least 1"));
    }
    points("comparison.points", asked.points)?;
    draws("comparison.draws", asked.draws)?;
    if let Some(name) = &asked.metric {
        let metric = Metric::named(name).map_err(|e| e.under("comparison.metric"))?;
        if metric.info().better == Better::None {
            let message = format!("`{name}` describes, it does not judge: it cannot decide");
            return Err(Error::config("comparison.metric", message));
        }
    }
    if let Some(curve) = &asked.curve {
        if curve.solvers.is_empty() {
            return Err(Error::config("comparison.curve.solvers", "needs at least one solver")
                .help("leave the curve out with `curve: null` or `--no-curve`"));
        }
        let count = |n: &&usize| !(1..=MOST_EVALUATIONS).contains(*n);
        if curve.nfe.is_empty() || curve.nfe.iter().any(|n| count(&n)) {
            let message = format!("needs numbers of evaluations from 1 to {MOST_EVALUATIONS}");
            return Err(Error::config("comparison.curve.nfe", message));
        }
        points("comparison.curve.points", curve.points)?;
        draws("comparison.curve.draws", curve.draws)?;
    }
    asked.budget.map_or(Ok(()), |budget| budget.check())
}

fn points(key: &str, n: i64) -> Result<()> {
    if (2..=MOST_POINTS).contains(&n) {
        return Ok(());
    }
    let message = format!("needs from 2 to {MOST_POINTS} points, got {n}");
    Err(Error::config(key, message).help("distances between all pairs take 8·n² bytes"))
}

fn draws(key: &str, n: u64) -> Result<()> {
    if (1..=MOST_DRAWS).contains(&n) {
        return Ok(());
    }
    Err(Error::config(key, format!("needs from 1 to {MOST_DRAWS} draws, got {n}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::CurveOfAll;

    fn asked(yaml: &str) -> String {
        let asked: Comparison = serde_yaml::from_str(yaml).unwrap();
        check(&asked).unwrap_err().to_string()
    }

    #[test]
    fn every_limit_names_its_key() {
        for (yaml, message) in [
            ("{}", "nothing varies\n  at comparison.over"),
            ("{ over: { a: [1] }, seeds: 0 }", "needs at least 1\n  at comparison.seeds"),
            (
                "{ over: { a: [1] }, points: 1000000 }",
                "needs from 2 to 50000 points, got 1000000\n  at comparison.points",
            ),
            ("{ over: { a: [1] }, draws: 0 }", "got 0\n  at comparison.draws"),
            (
                "{ over: { a: [1] }, curve: {} }",
                "needs at least one solver\n  at comparison.curve.solvers",
            ),
        ] {
            let error = asked(yaml);
            assert!(error.contains(message), "{yaml}: {error}");
        }
        // Solvers belong to another crate: the rest of a curve is looked at by itself.
        assert!(points("k", CurveOfAll::default().points).is_ok());
        assert!(draws("k", CurveOfAll::default().draws).is_ok());
    }
}
