//! Tests of the kit: every kind has a twin, a small component that passes all checks and, with each
//! of its faults, fails the check of that name.

mod coupling;
mod data_source;
mod fault;
mod guidance;
mod loss_weighting;
mod lr_schedule;
mod metric;
mod noise_schedule;
mod objective;
mod optimizer;
mod parts;
mod path;
mod projection;
mod recovery;
mod solver;
mod source;
mod spec;
mod step_grid;
mod stopping;
mod time_sampler;
mod tracker;

use super::{Failure, Kit, Verdict, check, conforms, kit, report, verdicts};
use crate::component::NoiseSchedule;
use crate::registry::registry;
use fault::Fault;

fn yaml(text: &str) -> serde_yaml::Value {
    serde_yaml::from_str(text).unwrap()
}

fn twin(kind: &str, fault: &str) -> Vec<Failure> {
    check(kind, &yaml(&format!("{{ type: twin, fault: '{fault}' }}"))).unwrap()
}

fn names(failures: &[Failure]) -> Vec<&str> {
    failures.iter().map(|f| f.check).collect()
}

/// Checks of a component's declaration, which a parameter cannot make fail: `spec.rs` has a
/// component for each.
const DECLARED: [&str; 2] = ["documented", "example"];

#[test]
fn the_healthy_twin_of_every_kind_passes() {
    for kind in registry().kinds().keys() {
        let found = twin(kind, "");
        assert!(found.is_empty(), "{}", report(kind, "twin", &found));
    }
}

#[test]
fn every_check_of_every_kind_fails_a_twin_that_is_made_to_fail_it() {
    let mut undetected = Vec::new();
    for kit in inventory::iter::<Kit> {
        for (name, about) in (kit.checks)().into_iter().filter(|(n, _)| !DECLARED.contains(n)) {
            assert!(!about.is_empty(), "{} {name}", kit.kind);
            let found = twin(kit.kind, name);
            if !names(&found).contains(&name) {
                undetected.push(format!("{} {name}: fails {:?}", kit.kind, names(&found)));
            }
        }
    }
    assert!(undetected.is_empty(), "{}", undetected.join("\n"));
}

/// Further faults of a check.
#[test]
fn subtler_faults_are_found_too() {
    let faults = [
        ("noise_schedule", "unused_variable", "gradients"),
        ("noise_schedule", "flat", "increasing"),
        ("noise_schedule", "endless", "finite_ends"),
        ("network", "unused_variable", "gradients"),
        ("network", "deaf", "gradients"),
        ("network", "widens", "shape"),
        ("network", "float64_alone", "shape"),
        ("lr_schedule", "negative_beyond", "beyond"),
        ("optimizer", "changes_gradient", "in_place"),
        ("solver", "swallows_nan", "reports"),
        ("solver", "too_noisy", "order"),
        ("solver", "forgets_the_end", "observes"),
        ("data_source", "empty", "rows"),
        ("data_source", "torch_seed", "same_seed"),
        ("stopping", "needs_a_loss", "answers"),
        ("recovery", "ends_at_once", "same_history"),
        ("tracker", "forgets", "goes_on"),
        ("source", "float64_alone", "shape"),
        ("source", "uniform", "standard_normal"),
        ("metric", "apart", "needs"),
        ("metric", "first_row_of_a_table", "row_order"),
        ("metric", "missing_cells", "finite"),
        ("coupling", "beyond", "rows"),
        ("loss_weighting", "float32_alone", "shape"),
        ("loss_weighting", "negative", "finite"),
        ("loss_weighting", "half_the_bound", "variational_bound"),
        ("time_sampler", "slope_of_two", "shape"),
        ("time_sampler", "infinite", "between_ends"),
        ("time_sampler", "beyond_log_snr", "between_ends"),
        ("time_sampler", "constant", "increasing"),
        ("time_sampler", "falling_slope", "slope"),
        ("time_sampler", "half_the_clock", "slope"),
        ("coupling", "nearest_to_zero", "marginals"),
        ("step_grid", "no_nodes", "nodes"),
        ("projection", "flat", "shape"),
        ("step_grid", "not_finite", "nodes"),
        ("step_grid", "repeats_a_node", "increasing"),
    ];
    for (kind, fault, check) in faults {
        let found = twin(kind, fault);
        assert!(names(&found).contains(&check), "{kind} {fault}: {:?}", names(&found));
    }
}

#[test]
fn a_panic_in_a_component_is_a_failure_with_its_message() {
    let found = twin("noise_schedule", "panics");
    let shape = found.iter().find(|f| f.check == "shape").unwrap();
    assert_eq!(shape.to_string(), "shape: noise_schedule `twin`: on purpose");
    // A check that does not use log-SNR still passes.
    assert!(!names(&found).contains(&"round_trip") && !names(&found).contains(&"builds"));
}

#[test]
fn what_does_not_build_is_told_once() {
    for kind in registry().kinds().keys() {
        let found = twin(kind, "builds");
        assert_eq!(names(&found), ["builds"], "{kind}");
        assert!(found[0].message.contains("nothing is built"), "{}", found[0]);
        assert!(report(kind, "twin", &found).ends_with("they were not run"), "{kind}");
    }
}

#[test]
fn a_check_that_needs_what_was_not_built_is_not_passed() {
    let kit = kit("noise_schedule").unwrap();
    let count = |found: &[Failure], verdict| {
        verdicts(kit, found).iter().filter(|(_, of_check)| *of_check == verdict).count()
    };
    let all = (kit.checks)().len();
    let unbuilt = twin("noise_schedule", "builds");
    assert_eq!(count(&unbuilt, Verdict::Failed), 1);
    // Checks of the spec alone: round_trip, documented, example.
    assert_eq!((count(&unbuilt, Verdict::Passed), count(&unbuilt, Verdict::NotRun)), (3, all - 4));
    let falling = twin("noise_schedule", "increasing");
    assert_eq!(count(&falling, Verdict::NotRun), 0);
    assert_eq!(count(&falling, Verdict::Failed), falling.len());
}

#[test]
fn the_message_lists_every_failed_check_with_found_and_expected() {
    let twin = noise_schedule::Twin { fault: yaml_fault("increasing") };
    let panic = std::panic::catch_unwind(|| conforms::<dyn NoiseSchedule>(twin)).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    let expected = "noise_schedule `twin` fails 2 checks\n\
                    - increasing: log-SNR is 5.0000 at t = 0 and -5.0000 at t = 1, expected to rise\n\
                    - derivative: gamma_prime is -1.000e1 somewhere, expected 0 or above";
    assert_eq!(text, expected);
}

fn yaml_fault(name: &str) -> Fault {
    crate::registry::Parameter::read(&name.into()).unwrap()
}

#[test]
fn a_component_is_checked_by_its_names_alone() {
    let error = |kind: &str, text: &str| check(kind, &yaml(text)).unwrap_err().to_string();
    assert!(check("noise-schedule", &yaml("twin")).unwrap().is_empty());
    assert_eq!(
        error("schedule", "twin").lines().next(),
        Some("unknown kind of component `schedule`")
    );
    assert!(error("solver", "eulre").contains("unknown solver `eulre`"));
    assert_eq!(
        error("solver", "{ type: twin, falt: x }"),
        "unknown key `falt`\n  at falt\n  help: did you mean `fault`? known keys: fault"
    );
    assert_eq!(error("solver", "{ type: twin, fault: [1] }"), "needs text, got a list\n  at fault");
}

#[test]
fn every_kind_has_a_starter_that_declares_the_placeholder_once() {
    for kit in inventory::iter::<Kit> {
        let source = kit.starter;
        for once in ["triflow::component! {", "= \"my_component\" {", "triflow::testing::conforms("]
        {
            assert_eq!(source.matches(once).count(), 1, "{}: {once}", kit.kind);
        }
        assert!(source.starts_with("//! ") && !source.contains("plugin!"), "{}", kit.kind);
        assert!(source.contains("pub struct MyComponent: "), "{}", kit.kind);
        assert!(check(kit.kind, &yaml("my_component")).unwrap().is_empty(), "{}", kit.kind);
    }
}

#[test]
fn the_starter_of_a_noise_schedule_is_at_most_30_lines_of_code() {
    let kit = kit("noise_schedule");
    let code = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with("//");
    assert!(kit.unwrap().starter.lines().filter(code).count() <= 30);
}

#[test]
fn every_kind_has_a_kit() {
    for kind in registry().kinds().keys() {
        assert_eq!(kit(kind).unwrap().kind, *kind);
    }
}

#[test]
fn names_of_checks_differ_within_a_kind() {
    for kit in inventory::iter::<Kit> {
        let mut all: Vec<_> = (kit.checks)().into_iter().map(|(name, _)| name).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count, "{}", kit.kind);
    }
}
