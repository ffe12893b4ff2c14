//! Comparison of the builds of host and plugin. Rust has no stable ABI, so both need the same
//! compiler, target, source of the framework, crates whose types cross the boundary, and flags that
//! change layouts.

use std::collections::BTreeMap;

/// Panic strategy of this build; a build script does not get it from the profile.
#[cfg(panic = "unwind")]
macro_rules! panic_strategy {
    () => {
        "unwind"
    };
}
#[cfg(not(panic = "unwind"))]
macro_rules! panic_strategy {
    () => {
        "abort"
    };
}

/// Version of LibTorch at build time, such as "2.11.0".
pub const LIBTORCH_VERSION: &str = env!("TRIFLOW_LIBTORCH_VERSION");

/// Version of tch at build time, such as "0.24.0".
pub const TCH_VERSION: &str = env!("TRIFLOW_TCH_VERSION");

/// Build of this copy of the framework, as lines of `key: value`.
pub const FINGERPRINT: &str = concat!(
    "triflow: ",
    env!("CARGO_PKG_VERSION"),
    " (source ",
    env!("TRIFLOW_SOURCE"),
    ")\nrustc: ",
    env!("TRIFLOW_RUSTC"),
    "\ntarget: ",
    env!("TRIFLOW_TARGET"),
    "\npanic: ",
    panic_strategy!(),
    "\nunstable flags: ",
    env!("TRIFLOW_UNSTABLE_FLAGS"),
    "\ntch: ",
    env!("TRIFLOW_TCH_VERSION"),
    "\nlibtorch: ",
    env!("TRIFLOW_LIBTORCH_VERSION"),
    "\n",
);

/// A fact in which the builds of host and plugin differ.
#[derive(Debug, PartialEq, Eq)]
pub struct Difference {
    /// Key of the fact, such as `rustc`.
    pub fact: String,
    /// Value of the plugin.
    pub plugin: String,
    /// Value of the host.
    pub host: String,
}

/// Differences between the fingerprints of a plugin and a host; empty if the plugin fits.
pub fn differences(plugin: &str, host: &str) -> Vec<Difference> {
    let facts = |text: &str| -> BTreeMap<String, String> {
        text.lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(fact, value)| (fact.to_owned(), value.to_owned()))
            .collect()
    };
    let (plugin, host) = (facts(plugin), facts(host));
    let all: std::collections::BTreeSet<_> = plugin.keys().chain(host.keys()).collect();
    let of = |facts: &BTreeMap<String, String>, fact: &str| {
        facts.get(fact).cloned().unwrap_or_else(|| "not said".into())
    };
    all.into_iter()
        .filter(|fact| plugin.get(*fact) != host.get(*fact))
        .map(|fact| Difference {
            fact: fact.clone(),
            plugin: of(&plugin, fact),
            host: of(&host, fact),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_fits_itself_and_says_everything_that_matters() {
        assert!(differences(FINGERPRINT, FINGERPRINT).is_empty());
        for fact in ["triflow", "rustc", "target", "panic", "unstable flags", "tch", "libtorch"] {
            let line = FINGERPRINT.lines().find(|l| l.starts_with(&format!("{fact}: ")));
            let line = line.unwrap_or_else(|| panic!("no {fact} in\n{FINGERPRINT}"));
            assert!(line.len() > fact.len() + 2, "{line}");
        }
        assert!(!FINGERPRINT.contains(": unknown"), "{FINGERPRINT}");
    }

    #[test]
    fn what_differs_is_named_with_both_sides() {
        let found =
            differences("rustc: 1.80\ntch: 0.1\n", "rustc: 1.95\ntch: 0.1\npanic: unwind\n");
        let text = |d: &Difference| format!("{} {} {}", d.fact, d.plugin, d.host);
        assert_eq!(
            found.iter().map(text).collect::<Vec<_>>(),
            ["panic not said unwind", "rustc 1.80 1.95"]
        );
    }
}
