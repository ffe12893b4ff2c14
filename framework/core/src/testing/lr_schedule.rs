use super::expect::ensure;
use super::{Check, Conformance, Kit};
use crate::component::LrSchedule;
use crate::error::Result;
use crate::registry::Component;

inventory::submit!(Kit::of::<dyn LrSchedule>());

impl Conformance for dyn LrSchedule {
    const CHECKS: &'static [Check<Self>] = &[
        Check {
            name: "finite",
            about: "the factor is finite and at least 0 at every step of a training",
            run: finite,
        },
        Check {
            name: "beyond",
            about: "so it is beyond the last step, and for a training of 0 or 1 steps",
            run: beyond,
        },
        Check {
            name: "trains",
            about: "a training of 1000 steps has a factor above 0",
            run: trains,
        },
        Check {
            name: "same_arguments",
            about: "the same step and total give the same factor, also after others and when built again",
            run: same_arguments,
        },
    ];
    const STARTER: &'static str = include_str!("starters/lr_schedule.rs");

    fn try_build(component: &Component<Self>) -> Result<()> {
        component.build(&()).map(|_| ())
    }
}

/// Length of the training that most checks try.
const TOTAL: u64 = 1000;

/// The factor at a step, checked to be finite and at least 0.
fn factor(schedule: &dyn LrSchedule, step: u64, total: u64) -> Result<f64> {
    let factor = schedule.factor(step, total)?;
    ensure(factor.is_finite() && factor >= 0.0, || {
        format!("the factor is {factor} at step {step} of {total}, expected a number of at least 0")
    })?;
    Ok(factor)
}

fn finite(component: &Component<dyn LrSchedule>) -> Result<()> {
    let schedule = component.build(&())?;
    for total in [2, 7, TOTAL] {
        (0..total).try_for_each(|step| factor(&*schedule, step, total).map(|_| ()))?;
    }
    Ok(())
}

fn beyond(component: &Component<dyn LrSchedule>) -> Result<()> {
    let schedule = component.build(&())?;
    for total in [0, 1, 2, TOTAL, u64::MAX] {
        for step in [0, 1, total, total.saturating_add(1), u64::MAX - 1, u64::MAX] {
            factor(&*schedule, step, total)?;
        }
    }
    Ok(())
}

fn trains(component: &Component<dyn LrSchedule>) -> Result<()> {
    let schedule = component.build(&())?;
    for step in 0..TOTAL {
        if schedule.factor(step, TOTAL)? > 0.0 {
            return Ok(());
        }
    }
    ensure(false, || format!("the factor is 0 at all of {TOTAL} steps"))
}

fn same_arguments(component: &Component<dyn LrSchedule>) -> Result<()> {
    let (schedule, again) = (component.build(&())?, component.build(&())?);
    let first = (0..TOTAL).map(|step| schedule.factor(step, TOTAL)).collect::<Result<Vec<_>>>()?;
    // In another order, and between other totals.
    for step in (0..TOTAL).rev() {
        schedule.factor(step, 3 * TOTAL)?;
        let (once, twice) = (schedule.factor(step, TOTAL)?, again.factor(step, TOTAL)?);
        let before = first[step as usize];
        ensure(once == before && twice == before, || {
            format!(
                "the factor at step {step} of {TOTAL} is {before}, later {once} and built again \
                 {twice}; compute it from the arguments alone"
            )
        })?;
    }
    Ok(())
}
