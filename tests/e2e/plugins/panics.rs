//! A panic in a plugin, in the host below it or in training is an error, and nothing is lost.

use super::{folder_with, with_log};
use crate::command::{TINY, text};

#[test]
fn a_panic_inside_a_plugin_is_an_error_that_names_it() {
    let folder = folder_with(&["panics"]);
    let plugin = ["--plugin", "plugins/libpanics.so", "--model-type", "diffusion"];
    let train = |at: &str| {
        let schedule = format!("noise_schedule={{type: panics, at: {at}}}");
        let args = [&["train-gen"], &TINY[..], &plugin, &["--set", &schedule]].concat();
        with_log(&folder, &args)
    };
    let who = "noise_schedule `panics` of the plugin panics 0.1.0: ";
    for (at, message) in [
        ("build", "asked to panic while it is built"),
        ("gamma", "asked to panic while it runs"),
        ("libtorch", "shapes cannot be multiplied"),
        ("bomb", "panicked"),
    ] {
        let done = train(at);
        assert_eq!(done.code, 1, "{at}: {}", done.err);
        let last = done.err.lines().last().unwrap();
        assert!(last.starts_with(&format!("error: {who}")) && last.contains(message), "{last}");
    }
    let done = train("nowhere");
    assert_eq!(done.code, 0, "{}", done.err);
    // Broken defaults of a component are an error only if it is used.
    assert!(!done.err.contains("ERROR"), "{}", done.err);
    let in_default = &["--plugin", "plugins/libpanics.so"];
    for args in [
        &["describe", "noise_schedule", "panics_in_default"][..],
        &["train-gen", "--noise-schedule", "panics_in_default", "--model-type", "diffusion"],
    ] {
        let done = with_log(&folder, &[args, in_default].concat());
        assert_eq!(done.code, 1, "{args:?}: {}", done.err);
        let who = "error: noise_schedule `panics_in_default` of the plugin panics 0.1.0: ";
        assert!(done.err.contains(who) && done.err.contains("while it is read"), "{}", done.err);
    }
    // A panic during a drop cannot be returned: it is logged, and the work continues.
    let done = train("drop");
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.err.contains("asked to panic while it is dropped"), "{}", done.err);
    // Messages that a plugin logs are in the log of the host.
    assert!(done.err.contains("[INFO ] panics at \"drop\""), "{}", done.err);
}

#[test]
fn a_panic_of_the_host_below_a_plugins_solver_is_an_error() {
    let folder = folder_with(&["panics"]);
    let plugin = ["--plugin", "plugins/libpanics.so"];
    let solver = "of the plugin panics 0.1.0: asks for the field at a state of shape [";
    for (by, part) in [("shape", solver), ("kind", "error: ")] {
        let set = format!("by={by}");
        let check = ["check", "solver", "asks_wrongly", "--set", &set];
        let done = with_log(&folder, &[&check[..], &plugin].concat());
        assert_eq!(done.code, 1, "{}", done.err);
        assert!(done.out.contains("FAILED"), "{}", done.out);
        let solver = format!("sampling.solver={{type: asks_wrongly, by: {by}}}");
        let train = [&["train-gen"], &TINY[..], &plugin, &["--set", &solver]].concat();
        let done = with_log(&folder, &train);
        assert_eq!(done.code, 1, "{}", done.err);
        let last = done.err.lines().last().unwrap();
        assert!(last.starts_with("error: ") && last.contains(part), "{}", done.err);
        // A panic of the host's own code is not reported as one of the plugin.
        assert_eq!(last.contains("of the plugin"), by == "shape", "{last}");
    }
}

#[test]
fn a_panic_in_training_leaves_the_last_checkpoint_whole() {
    let folder = folder_with(&["panics"]);
    let args = [
        &["train-gen"],
        &TINY[..],
        &["--plugin", "plugins/libpanics.so", "--set", "checkpoint={every: 2 steps, keep: 9}"],
        &["--set", "training.optimizer={type: panics_at_step, step: 7}"],
    ];
    let done = with_log(&folder, &args.concat());
    assert_eq!(done.code, 1, "{}", done.err);
    let who = "error: optimizer `panics_at_step` of the plugin panics 0.1.0: ";
    assert!(done.err.contains(who) && done.err.contains("panic at step 7"), "{}", done.err);
    let run = done.err.split("into ").nth(1).and_then(|rest| rest.lines().next()).unwrap();
    let run = folder.join(run);
    assert!(run.join("checkpoints/step_000000006.safetensors").is_file());
    assert!(!run.join("manifest.json").exists());
    let generate = ["generate", "--run", text(&run), "--labels", "0", "--out", "s.npz"];
    folder.succeeds(&generate);
    // Resumed, the run continues from there and panics again.
    let done = with_log(&folder, &["resume", "--run", text(&run)]);
    assert_eq!(done.code, 1, "{}", done.err);
    assert!(done.err.contains("panic at step 7"), "{}", done.err);
}
