//! Arithmetic that the schedules share: the warm-up, and the way from its end to that of training.

/// Factor of the linear rise at `step`, from 1/warmup at step 0 to 1 at the last of `warmup` steps
/// and after it.
pub(super) fn rise(step: u64, warmup: u64) -> f64 {
    if step < warmup { (step + 1) as f64 / warmup as f64 } else { 1.0 }
}

/// Share of the steps after the warm-up that are over, in \[0, 1\].
pub(super) fn progress(step: u64, warmup: u64, total: u64) -> f64 {
    let (over, all) = (step.saturating_sub(warmup), total.saturating_sub(warmup).max(1));
    (over as f64 / all as f64).min(1.0)
}
