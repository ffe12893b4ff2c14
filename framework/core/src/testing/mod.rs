//! The conformance kit: checks that a component does what its kind promises, in one line of a unit
//! test.
//!
//! Each kind has a list of checks, described in one sentence each. A component passes, or each
//! failure says what was found and what was expected. The checks hold for every component of a
//! kind; the values of one formula are for the author's own tests.

mod coupling;
mod crn;
mod data_source;
mod decoder;
mod encoder;
mod expect;
mod guidance;
mod loss_weighting;
mod lr_schedule;
mod metric;
mod network;
mod noise_schedule;
mod objective;
mod optimizer;
mod parameters;
mod part;
mod path;
pub mod paths;
mod projection;
mod recovery;
mod seeds;
mod solver;
mod source;
mod spec;
mod step_grid;
mod stopping;
mod time_sampler;
mod tracker;

#[cfg(test)]
mod starters;
#[cfg(test)]
mod tests;

use crate::error::{Error, Result};
use crate::registry::{Component, Kind, Spec, guard_engine, registry};
use crate::rng::{Purpose, seed_torch};
use std::fmt::{self, Display};

/// A check that a component fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Name of the check, such as `round_trip`.
    pub check: &'static str,
    /// The result, and what was expected.
    pub message: String,
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.message.replace('\n', "\n  "))
    }
}

/// A check that every component of kind `K` must pass.
pub struct Check<K: Kind + ?Sized> {
    /// Name of the check, in snake_case.
    pub name: &'static str,
    /// The property checked, in one sentence.
    pub about: &'static str,
    /// Checks a component; the error says what was found and what was expected.
    pub run: fn(&Component<K>) -> Result<()>,
}

impl<K: Kind + ?Sized> fmt::Debug for Check<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.about)
    }
}

/// Checks and starter of a kind.
pub trait Conformance: Kind {
    /// Checks of the kind; [`checks`] adds those that all kinds share.
    const CHECKS: &'static [Check<Self>];
    /// Source of a small component of this kind, as a starting point for an author: the type is
    /// called `MyComponent`, the component `my_component`.
    const STARTER: &'static str;

    /// Builds the component with the shapes that the kit tries.
    ///
    /// # Errors
    /// Error of the last build if it builds with none of them.
    fn try_build(component: &Component<Self>) -> Result<()>;
}

/// Checks and starter of a kind, without its type.
#[derive(Debug)]
pub struct Kit {
    /// Name of the kind.
    pub kind: &'static str,
    /// Names and descriptions of the checks.
    pub checks: fn() -> Vec<(&'static str, &'static str)>,
    /// Source of a small component, as a starting point for an author.
    pub starter: &'static str,
    /// Runs the checks on a component given as YAML.
    pub check: fn(&serde_yaml::Value) -> Result<Vec<Failure>>,
}
inventory::collect!(Kit);

impl Kit {
    /// The kit of kind `K`.
    pub const fn of<K: Conformance + ?Sized>() -> Self {
        Self {
            kind: K::NAME,
            checks: descriptions::<K>,
            starter: K::STARTER,
            check: check_yaml::<K>,
        }
    }
}

/// The kit of the kind called `kind`.
///
/// # Errors
/// [`Error::Config`] for an unknown kind; [`Error::Runtime`] for a kind without checks.
pub fn kit(kind: &str) -> Result<&'static Kit> {
    let kind = registry().kind(kind)?.name;
    let found = inventory::iter::<Kit>.into_iter().find(|kit| kit.kind == kind);
    found.ok_or_else(|| Error::runtime(format!("the kind {kind} has no conformance kit")))
}

/// All checks of kind `K`; those that all kinds share come first.
pub fn checks<K: Conformance + ?Sized>() -> impl Iterator<Item = &'static Check<K>> {
    spec::Shared::<K>::OF_SPECS.iter().chain([spec::Shared::<K>::BUILDS]).chain(K::CHECKS)
}

/// Names and descriptions of all checks of kind `K`.
pub fn descriptions<K: Conformance + ?Sized>() -> Vec<(&'static str, &'static str)> {
    checks::<K>().map(|check| (check.name, check.about)).collect()
}

/// Checks that a component passes all checks of its kind; for use in a unit test.
///
/// ```
/// # extern crate triflow_core as triflow;
/// # use triflow::prelude::*;
/// # triflow::component! {
/// #     /// Log-SNR that rises in a straight line.
/// #     pub struct Steady: NoiseSchedule = "steady" {
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
/// With the list of failed checks, if there are any.
#[track_caller]
pub fn conforms<K: Conformance + ?Sized>(spec: impl Spec<K>) {
    let component: Component<K> = spec.into();
    let found = failures(&component);
    assert!(found.is_empty(), "{}", report(K::NAME, component.name(), &found));
}

/// Report of the failed checks: `noise_schedule `x` fails 2 checks`, and a line for each.
pub fn report(kind: &str, name: &str, failures: &[Failure]) -> String {
    let plural = if failures.len() == 1 { "" } else { "s" };
    let mut text = format!("{kind} `{name}` fails {} check{plural}", failures.len());
    text.extend(failures.iter().map(|failure| format!("\n- {failure}")));
    if unbuilt(failures) {
        text += "\nthe other checks need a built component: they were not run";
    }
    text
}

/// Result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The component has the property.
    Passed,
    /// The component does not have the property.
    Failed,
    /// The check was not run, because the component could not be built.
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

/// Result of every check of a kind, by name, given all `failures`.
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

/// True if the component could not be built, so that the checks of the built thing were not run.
fn unbuilt(failures: &[Failure]) -> bool {
    failures.iter().any(|failure| failure.check == spec::BUILDS)
}

/// Runs all checks of a kind and returns those that the component fails; empty if it conforms. A
/// panic in the component is a failure.
pub fn failures<K: Conformance + ?Sized>(component: &Component<K>) -> Vec<Failure> {
    // Random numbers of the kit are the same in every run.
    let _stream = seed_torch(seeds::KIT, Purpose::Init, 0);
    let run = |check: &Check<K>| {
        let error = guard_engine(|| (check.run)(component)).err()?;
        Some(Failure { check: check.name, message: error.to_string() })
    };
    let mut found: Vec<Failure> = spec::Shared::OF_SPECS.iter().filter_map(run).collect();
    match run(spec::Shared::BUILDS) {
        // Without a built component the other checks would repeat the error.
        Some(unbuilt) => found.push(unbuilt),
        None => found.extend(K::CHECKS.iter().filter_map(run)),
    }
    found
}

/// Runs all checks on a component of `kind` given as YAML, such as `{type: cosine, s: 0.01}` or a
/// bare name.
///
/// # Errors
/// [`Error::Config`] for an unknown kind, name or key.
pub fn check(kind: &str, yaml: &serde_yaml::Value) -> Result<Vec<Failure>> {
    (kit(kind)?.check)(yaml)
}

/// Runs all checks of kind `K` on a component given as YAML.
///
/// # Errors
/// [`Error::Config`] for an unknown name or key.
pub fn check_yaml<K: Conformance + ?Sized>(yaml: &serde_yaml::Value) -> Result<Vec<Failure>> {
    Ok(failures(&spec::parse::<K>(yaml)?))
}
