use crate::error::Result;
use crate::registry::{Parameter, Setting, Shape, Yaml};
use std::sync::atomic::{AtomicU64, Ordering};

/// Fault of a twin: the name of the check that must fail; empty in the correct twin.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fault(String);

impl Fault {
    pub(super) fn is(&self, name: &str) -> bool {
        self.0 == name
    }

    /// Returns `wrong` with this fault, otherwise `right`.
    pub(super) fn choose<T>(&self, name: &str, wrong: T, right: T) -> T {
        if self.is(name) { wrong } else { right }
    }

    /// Returns 0, or with the fault `same_seed`, `pure` or `repeatable` a new number at each call.
    pub(super) fn drift(&self) -> f64 {
        static CALLS: AtomicU64 = AtomicU64::new(1);
        let drift = || CALLS.fetch_add(1, Ordering::Relaxed) as f64 * 1e-3;
        let drifts = ["same_seed", "pure", "repeatable"].iter().any(|fault| self.is(fault));
        if drifts { drift() } else { 0.0 }
    }
}

impl Parameter for Fault {
    fn shape() -> Shape {
        Shape::Text
    }

    fn read(yaml: &Yaml) -> Result<Self> {
        String::read(yaml).map(Self)
    }
}

impl Setting for Fault {
    fn write(&self) -> Result<Yaml> {
        // Written YAML differs from what was read.
        let more = if self.0.starts_with("round_trip") { "!" } else { "" };
        Ok(format!("{}{more}", self.0).into())
    }
}
