use super::expect::ensure;
use super::{Check, Conformance, Kit};
use crate::component::{Epoch, LossTerm, Stopping};
use crate::error::Result;
use crate::registry::Component;

inventory::submit!(Kit::of::<dyn Stopping>());

impl Conformance for dyn Stopping {
    const CHECKS: &'static [Check<Self>] = &[
        Check { name: "empty", about: "training does not end before its first epoch", run: empty },
        Check {
            name: "answers",
            about: "losses that fall, rise, stay or were not measured have an answer; a reason is one line",
            run: answers,
        },
        Check {
            name: "same_history",
            about: "the same epochs have the same answer, also after others and when built again",
            run: same_history,
        },
        Check {
            name: "validates",
            about: "a rule that says it needs no validation rows does not look at them",
            run: validates,
        },
    ];
    const STARTER: &'static str = include_str!("starters/stopping.rs");

    fn try_build(component: &Component<Self>) -> Result<()> {
        component.build(&())?.validates().map(|_| ())
    }
}

/// Epochs of the histories that the checks try.
const EPOCHS: u64 = 60;

/// The loss in an epoch, on training or validation rows; `None` if it was not measured.
type Losses = fn(f64) -> Option<f64>;

/// Losses over the epochs: a name, and the values on the training and the validation rows.
const COURSES: [(&str, Losses, Losses); 7] = [
    ("fall", |n| Some(1.0 / n), |n| Some(2.0 / n)),
    ("rise", |n| Some(n), |n| Some(2.0 * n)),
    ("stay", |_| Some(1.0), |_| Some(1.0)),
    ("are 0", |_| Some(0.0), |_| Some(0.0)),
    ("are negative", |n| Some(-n), |n| Some(-1.0 / n)),
    ("are those of the training rows alone", |n| Some(1.0 / n), |_| None),
    ("were not measured", |_| None, |_| None),
];

fn history(train: Losses, val: Losses) -> Vec<Epoch> {
    let terms = |value: Option<f64>| vec![value; LossTerm::ALL.len()];
    let epoch = |n: u64| Epoch {
        epoch: n,
        step: 10 * n,
        train: terms(train(n as f64)),
        val: terms(val(n as f64)),
        ..Epoch::default()
    };
    (1..=EPOCHS).map(epoch).collect()
}

/// The answers after each epoch of a history.
fn decisions(rule: &dyn Stopping, epochs: &[Epoch]) -> Result<Vec<Option<String>>> {
    (1..=epochs.len()).map(|n| rule.stop(&epochs[..n])).collect()
}

fn empty(component: &Component<dyn Stopping>) -> Result<()> {
    let reason = component.build(&())?.stop(&[])?;
    ensure(reason.is_none(), || format!("ends before the first epoch: {reason:?}"))
}

fn answers(component: &Component<dyn Stopping>) -> Result<()> {
    let rule = component.build(&())?;
    for (name, train, val) in COURSES {
        for reason in decisions(&*rule, &history(train, val))?.into_iter().flatten() {
            ensure(!reason.trim().is_empty() && !reason.contains('\n'), || {
                format!("ends where losses {name} with the reason {reason:?}, expected one line")
            })?;
        }
    }
    // Epochs without lists of losses.
    rule.stop(&[Epoch::default()]).map(|_| ())
}

fn same_history(component: &Component<dyn Stopping>) -> Result<()> {
    let (rule, again) = (component.build(&())?, component.build(&())?);
    let all = COURSES.map(|(_, train, val)| history(train, val));
    let first = all.iter().map(|epochs| decisions(&*rule, epochs)).collect::<Result<Vec<_>>>()?;
    for ((name, ..), (epochs, first)) in COURSES.iter().zip(all.iter().zip(&first)) {
        let (later, built_again) = (decisions(&*rule, epochs)?, decisions(&*again, epochs)?);
        ensure(later == *first && built_again == *first, || {
            format!(
                "where losses {name} the answers differ the second time; compute them from the \
                 epochs alone"
            )
        })?;
    }
    Ok(())
}

fn validates(component: &Component<dyn Stopping>) -> Result<()> {
    let rule = component.build(&())?;
    if rule.validates()?.is_some() {
        return Ok(());
    }
    for (name, train, val) in COURSES {
        let (with, without) = (history(train, val), history(train, |_| None));
        ensure(decisions(&*rule, &with)? == decisions(&*rule, &without)?, || {
            format!(
                "says it needs no validation rows, but where losses {name} its answer changes \
                 without them; return the term from `validates`"
            )
        })?;
    }
    Ok(())
}
