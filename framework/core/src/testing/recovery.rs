use super::expect::ensure;
use super::{Check, Conformance, Kit};
use crate::component::{Recovery, Restore};
use crate::error::Result;
use crate::registry::Component;

inventory::submit!(Kit::of::<dyn Recovery>());

impl Conformance for dyn Recovery {
    const CHECKS: &'static [Check<Self>] = &[
        Check { name: "factor", about: "a factor is finite and above 0", run: factor },
        Check {
            name: "ends",
            about: "a training that always diverges at the same step ends at some time",
            run: ends,
        },
        Check {
            name: "same_history",
            about: "the same returns have the same answer, also after others and when built again",
            run: same_history,
        },
    ];
    const STARTER: &'static str = include_str!("starters/recovery.rs");

    fn try_build(component: &Component<Self>) -> Result<()> {
        component.build(&())?.factor(&[]).map(|_| ())
    }
}

/// Number of returns after which a training should have ended.
const MOST: usize = 10_000;

/// The answers at each divergence of a training that always diverges `after` steps behind the state
/// at `step`, up to the end of the training.
fn course(recovery: &dyn Recovery, step: u64, after: u64) -> Result<Vec<Option<f64>>> {
    let (mut before, mut answers) = (Vec::new(), Vec::new());
    while before.len() < MOST {
        let answer = recovery.factor(&before)?;
        answers.push(answer);
        let Some(factor) = answer else { break };
        before.push(Restore { diverged: step + after, step, factor });
    }
    Ok(answers)
}

fn factor(component: &Component<dyn Recovery>) -> Result<()> {
    let recovery = component.build(&())?;
    for factor in course(&*recovery, 10, 7)?.into_iter().flatten() {
        ensure(factor.is_finite() && factor > 0.0, || {
            format!("the factor is {factor}, expected a number above 0")
        })?;
    }
    Ok(())
}

fn ends(component: &Component<dyn Recovery>) -> Result<()> {
    let answers = course(&*component.build(&())?, 0, 1)?;
    ensure(answers.last() == Some(&None), || {
        format!("goes on after {MOST} returns to the same state; limit their number")
    })
}

fn same_history(component: &Component<dyn Recovery>) -> Result<()> {
    let (recovery, again) = (component.build(&())?, component.build(&())?);
    let all = |recovery: &dyn Recovery| {
        [(0, 1), (10, 7), (1000, 1)].map(|(step, after)| course(recovery, step, after))
    };
    let first = all(&*recovery).into_iter().collect::<Result<Vec<_>>>()?;
    for other in [all(&*recovery), all(&*again)] {
        let other = other.into_iter().collect::<Result<Vec<_>>>()?;
        ensure(other == first, || {
            "the answers differ the second time; compute them from the returns alone".to_owned()
        })?;
    }
    Ok(())
}
