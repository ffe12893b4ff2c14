//! The conformance kit: holds a component to what its kind promises, in one line of a unit test.
//!
//! Every kind has a list of checks, one sentence each; a component passes all of them or learns what was
//! found and what was expected. The kit asks only what is true of every component of a kind: the golden
//! values of one formula stay the business of its author's own tests.

mod coupling;
mod crn;
mod data_source;
mod decoder;
mod encoder;
mod expect;
mod guidance;
mod network;
mod noise_schedule;
mod objective;
mod optimizer;
mod parameters;
mod part;
mod seeds;
mod solver;
mod source;
mod spec;

#[cfg(test)]
mod starters;
#[cfg(test)]
mod tests;

use crate::error::{Error, Result};
use crate::registry::{Component, Kind, Spec, guard_engine, registry};
use crate::rng::{Purpose, seed_torch};
use std::fmt::{self, Display};

/// A check that a component has not passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Name of the check, such as `round_trip`.
    pub check: &'static str,
    /// What was found, and what was expected.
    pub message: String,
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.message.replace('\n', "\n  "))
    }
}

/// One thing that every component of kind `K` promises.
pub struct Check<K: Kind + ?Sized> {
    /// Its name, in snake_case.
    pub name: &'static str,
    /// The promise, in one sentence.
    pub about: &'static str,
    /// Holds a component to it; the error says what was found and what was expected.
    pub run: fn(&Component<K>) -> Result<()>,
}

impl<K: Kind + ?Sized> fmt::Debug for Check<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.about)
    }
}

/// What the kit knows of a kind.
pub trait Conformance: Kind {
    /// The kind's own checks; [`checks`] adds those that all kinds share.
    const CHECKS: &'static [Check<Self>];
    /// Source of a small component of this kind from which to begin one's own: the type is called
    /// `MyComponent`, and the component `my_component`.
    const STARTER: &'static str;

    /// Builds the component in the kit's surroundings; an error if it builds in none of them.
    fn try_build(component: &Component<Self>) -> Result<()>;
}

/// The kit of one kind.
#[derive(Debug)]
pub struct Kit {
    /// The kind's name.
    pub kind: &'static str,
    /// Names of the checks, and what each asks.
    pub checks: fn() -> Vec<(&'static str, &'static str)>,
    /// Source of a small component from which to begin one's own.
    pub starter: &'static str,
    /// Runs the checks on a component as YAML says it.
    pub check: fn(&serde_yaml::Value) -> Result<Vec<Failure>>,
}
inventory::collect!(Kit);

impl Kit {
    /// That of kind `K`.
    pub const fn of<K: Conformance + ?Sized>() -> Self {
        Self {
            kind: K::NAME,
            checks: descriptions::<K>,
            starter: K::STARTER,
            check: check_yaml::<K>,
        }
    }
}

/// The kit of a kind.
///
/// # Errors
/// An unknown kind.
pub fn kit(kind: &str) -> Result<&'static Kit> {
    let kind = registry().kind(kind)?.name;
    let found = inventory::iter::<Kit>.into_iter().find(|kit| kit.kind == kind);
    found.ok_or_else(|| Error::runtime(format!("the kind {kind} has no conformance kit")))
}

/// Every check of kind `K`, those that all kinds share first.
pub fn checks<K: Conformance + ?Sized>() -> impl Iterator<Item = &'static Check<K>> {
    spec::Shared::<K>::OF_SPECS.iter().chain([spec::Shared::<K>::BUILDS]).chain(K::CHECKS)
}

/// Names of all checks of kind `K`, and what each asks, in one sentence.
pub fn descriptions<K: Conformance + ?Sized>() -> Vec<(&'static str, &'static str)> {
    checks::<K>().map(|check| (check.name, check.about)).collect()
}

/// Panics with the list of failed checks, if any.
///
/// ```
/// # extern crate triflow_core as triflow;
/// # use triflow::prelude::*;
/// # triflow::component! {
/// #     /// Log-SNR that rises in a straight line.
/// #     pub struct Steady: NoiseSchedule, NoiseScheduleSpec = "steady" {
/// #         /// log-SNR at t = 1; at t = 0 it is the negative.
/// #         pub end: f64 = 5.0,
/// #     }
/// # }
/// # impl Spec<dyn NoiseSchedule> for Steady {
/// #     fn build(&self, _: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
/// #         Ok(Box::new(self.clone()))
/// #     }
/// # }
/// # impl NoiseSchedule for Steady {
/// #     fn gamma(&self, t: &Tensor) -> Result<Tensor> {
/// #         Ok((t * 2.0 - 1.0) * self.end)
/// #     }
/// # }
/// triflow::testing::conforms(Steady::default());
/// ```
///
/// # Panics
/// If a check fails.
#[track_caller]
pub fn conforms<K: Conformance + ?Sized>(spec: impl Spec<K>) {
    let component: Component<K> = spec.into();
    let found = failures(&component);
    assert!(found.is_empty(), "{}", report(K::NAME, component.name(), &found));
}

/// `noise_schedule `x` fails 2 checks`, and the failures below it, one a line.
pub fn report(kind: &str, name: &str, failures: &[Failure]) -> String {
    let plural = if failures.len() == 1 { "" } else { "s" };
    let mut text = format!("{kind} `{name}` fails {} check{plural}", failures.len());
    text.extend(failures.iter().map(|failure| format!("\n- {failure}")));
    if unbuilt(failures) {
        text += "\nthe other checks need what it builds: they were not run";
    }
    text
}

/// What became of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The component keeps what it promises.
    Passed,
    /// The component does not.
    Failed,
    /// The component did not build, so there was nothing to ask.
    NotRun,
}

impl Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passed => "passed",
            Self::Failed => "FAILED",
            Self::NotRun => "not run",
        })
    }
}

/// What became of every check of a kind, by name, where `failures` are all that failed.
pub fn verdicts(kit: &Kit, failures: &[Failure]) -> Vec<(&'static str, Verdict)> {
    let mut run = true;
    let verdict = |(name, _)| {
        let failed = failures.iter().any(|failure| failure.check == name);
        let verdict = match (run, failed) {
            (false, _) => Verdict::NotRun,
            (true, true) => Verdict::Failed,
            (true, false) => Verdict::Passed,
        };
        run &= !(failed && name == spec::BUILDS);
        (name, verdict)
    };
    (kit.checks)().into_iter().map(verdict).collect()
}

/// Whether nothing was built, so that the checks of what is built were not run.
fn unbuilt(failures: &[Failure]) -> bool {
    failures.iter().any(|failure| failure.check == spec::BUILDS)
}

/// Every check that the component fails; empty if it conforms. A panic inside the component is a failure.
pub fn failures<K: Conformance + ?Sized>(component: &Component<K>) -> Vec<Failure> {
    // The kit's own draws are the same every time.
    let _stream = seed_torch(seeds::KIT, Purpose::Init, 0);
    let run = |check: &Check<K>| {
        let error = guard_engine(|| (check.run)(component)).err()?;
        Some(Failure { check: check.name, message: error.to_string() })
    };
    let mut found: Vec<Failure> = spec::Shared::OF_SPECS.iter().filter_map(run).collect();
    match run(spec::Shared::BUILDS) {
        // Whatever else is asked would only say the same again.
        Some(unbuilt) => found.push(unbuilt),
        None => found.extend(K::CHECKS.iter().filter_map(run)),
    }
    found
}

/// The same for a component as YAML says it, such as `{type: cosine, s: 0.01}` or a bare name; an unknown
/// kind or name, or a wrong key, is an error.
pub fn check(kind: &str, yaml: &serde_yaml::Value) -> Result<Vec<Failure>> {
    (kit(kind)?.check)(yaml)
}

/// [`check`] for a kind that is known as a type.
pub fn check_yaml<K: Conformance + ?Sized>(yaml: &serde_yaml::Value) -> Result<Vec<Failure>> {
    Ok(failures(&spec::parse::<K>(yaml)?))
}
