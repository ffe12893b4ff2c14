use super::results::Better;
use crate::config::{Comparison, Task};
use crate::error::{Error, Result};
use crate::measure::{Catalogue, Goal, Measure, goals};

/// Key of the metrics that an experiment lists.
const LISTED: &str = "metrics.extra";

/// Largest number of held-out points: distances between all pairs take 8·n² bytes.
const MOST_POINTS: i64 = 50_000;
/// Largest number of draws.
const MOST_DRAWS: u64 = 10_000;
/// Largest number of network evaluations a sample.
const MOST_EVALUATIONS: usize = 1_000_000;

/// Checks the settings of a comparison with the metrics of `catalogue` before it is planned; an
/// error names the key.
pub(super) fn check(comparison: &Comparison, catalogue: &Catalogue) -> Result<()> {
    if comparison.over.is_empty() {
        return Err(Error::config("comparison.over", "nothing varies")
            .help("such as `--over objective=flow_matching,diffusion,ct`"));
    }
    if comparison.seeds < 1 {
        return Err(Error::config("comparison.seeds", "needs at least 1"));
    }
    points("comparison.points", comparison.points)?;
    draws("comparison.draws", comparison.draws)?;
    if let Some(name) = &comparison.metric {
        decides(name, comparison, catalogue).map_err(|e| e.under("comparison.metric"))?;
    }
    if let Some(curve) = &comparison.curve {
        if curve.solvers.is_empty() {
            return Err(Error::config("comparison.curve.solvers", "needs at least one solver")
                .help("leave the curve out with `curve: null` or `--no-curve`"));
        }
        let out_of_range = |n: &usize| !(1..=MOST_EVALUATIONS).contains(n);
        if curve.nfe.is_empty() || curve.nfe.iter().any(out_of_range) {
            let message = format!("needs numbers of evaluations from 1 to {MOST_EVALUATIONS}");
            return Err(Error::config("comparison.curve.nfe", message));
        }
        points("comparison.curve.points", curve.points)?;
        draws("comparison.curve.draws", curve.draws)?;
    }
    comparison.budget.map_or(Ok(()), |budget| budget.check())
}

/// Checks that the metric that decides can rank cells, and will be measured.
fn decides(name: &str, comparison: &Comparison, catalogue: &Catalogue) -> Result<()> {
    let metric = catalogue.named(name)?;
    if metric.info().better == Better::None {
        let message =
            format!("`{name}` has no better or worse values, so it cannot rank the cells");
        return Err(Error::config("", message));
    }
    if metric.is_of_likelihood() && comparison.likelihood.is_none() {
        let message = format!("`{name}` is measured with the likelihood alone");
        return Err(Error::config("", message)
            .help("`comparison.likelihood` names the solver that measures it"));
    }
    let varies =
        comparison.over.keys().any(|key| key.as_str().is_some_and(|key| key.starts_with(LISTED)));
    if metric.is_left_out() && !varies {
        let message = format!("`{name}` is measured on request alone");
        return Err(Error::config("", message).help(format!("list it in `{LISTED}`")));
    }
    Ok(())
}

/// Checks that the metric that decides, if one is named, is of the task of a cell.
pub(super) fn check_task(metric: Option<&str>, task: Task, catalogue: &Catalogue) -> Result<()> {
    let Some(name) = metric else { return Ok(()) };
    let (metric, goals) = (catalogue.named(name)?, goals(task));
    if metric.info().goals.iter().any(|goal| goals.contains(goal)) {
        return Ok(());
    }
    let names = |goals: &[Goal]| goals.iter().map(|goal| goal.name()).collect::<Vec<_>>();
    let (of, needed) = (names(&metric.info().goals).join(", "), names(goals).join(" or "));
    let mut known: Vec<_> = goals.iter().flat_map(|goal| catalogue.of_goal(*goal)).collect();
    known.retain(|metric| metric.info().better != Better::None);
    let known: Vec<_> = known.into_iter().map(Measure::name).collect();
    let message = format!("`{name}` is a metric of {of}, and the task is {needed}");
    Err(Error::config("comparison.metric", message)
        .help(format!("metrics of {needed}: {}", known.join(", "))))
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

    fn error_of(set: impl FnOnce(&mut Comparison)) -> String {
        let mut comparison: Comparison = serde_yaml::from_str("{ over: { a: [1] } }").unwrap();
        set(&mut comparison);
        check(&comparison, &Catalogue::lenient(&[])).unwrap_err().to_string()
    }

    #[test]
    fn every_limit_names_its_key() {
        let error = error_of(|c| c.over.clear());
        assert!(error.contains("nothing varies\n  at comparison.over"), "{error}");
        let error = error_of(|c| c.seeds = 0);
        assert!(error.contains("needs at least 1\n  at comparison.seeds"), "{error}");
        let error = error_of(|c| c.points = 1_000_000);
        let message = "needs from 2 to 50000 points, got 1000000\n  at comparison.points";
        assert!(error.contains(message), "{error}");
        let error = error_of(|c| c.draws = 0);
        assert!(error.contains("got 0\n  at comparison.draws"), "{error}");
        let error = error_of(|c| c.curve = Some(CurveOfAll::default()));
        let message = "needs at least one solver\n  at comparison.curve.solvers";
        assert!(error.contains(message), "{error}");
        // The solvers of a curve are in another crate, so its other limits are checked directly.
        assert!(points("k", CurveOfAll::default().points).is_ok());
        assert!(draws("k", CurveOfAll::default().draws).is_ok());
    }
}
