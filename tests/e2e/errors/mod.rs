//! Errors for bad input: the exact text, and exit code 2. Each says what is wrong, where it was
//! written and what would be right, in the user's words.

mod files;
mod names;

use crate::command::{Folder, TINY};
use triflow::registry::registry;

/// Asserts the error of each command line; `[…]` in the text stands for the folder.
fn answers(folder: &Folder, cases: &[(&[&str], &str)]) {
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(args, expected)| {
            let done = folder.run(args);
            let error = done.err.replace(folder.path().to_str().unwrap(), "[…]");
            let expected = format!("error: {expected}");
            (done.code != 2 || error != expected).then(|| {
                format!("{args:?} left with {}\n{error}\nrather than\n{expected}\n", done.code)
            })
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().flatten().collect();
    assert!(left.iter().all(|e| e.file_name() != "artifacts"), "a run folder was made: {left:?}");
}

const KEYS: &str = "task, unconditional, input_shape, output_shape, latent_shape, data, objective, path, \
                    noise_schedule, encoder, decoder, crn, source, coupling, loss, training, checkpoint, start_from, \
                    sampling, metrics, tracking, comparison, device, threads, output_dir, plugins";

/// Names of the built-in components of a kind, as errors list them.
fn known(kind: &str) -> String {
    triflow_plugins::link();
    let all: Vec<_> = registry().list(Some(kind)).iter().map(|entry| entry.info.name).collect();
    all.join(", ")
}

fn kinds() -> String {
    let all: Vec<_> = registry().kinds().into_keys().collect();
    all.join(", ")
}

#[test]
fn what_would_be_biased_or_mean_nothing_is_refused_with_the_reason() {
    let folder = Folder::new();
    answers(
        &folder,
        &[
            (
                &["train-gen", "--set", "coupling=ot_exact"],
                "`ot_exact` ignores the condition: training would see another distribution of z_0 for \
                 each condition, but sampling starts from the overall one, so samples would be biased\n  \
                 at coupling (--set coupling=ot_exact)\n  \
                 help: use a coupling that keeps the condition (`triflow list coupling` shows all), or \
                 set `coupling.allow_biased: true` to accept the bias",
            ),
            (
                &["train-gen", "--model-type", "diffusion", "--set", "source=uniform"],
                "the path `variance_preserving` needs Gaussian noise that is independent of the data, but the \
                 source `uniform` is not N(0, I)\n  at path\n  \
                 help: use a path from z_0 itself to the data, such as straight lines, with an objective that \
                 predicts the velocity",
            ),
        ],
    );
}

#[test]
fn what_cannot_be_learned_soundly_is_refused() {
    let folder = Folder::new();
    let learnable = ["train-gen", "--model-type", "diffusion", "--noise-schedule-learnable"];
    answers(
        &folder,
        &[
            (
                &["train-gen", "--noise-schedule-learnable"],
                "the path `rectified` has no noise schedule to learn\n  \
                 at noise_schedule.learnable (--noise-schedule-learnable)\n  \
                 help: use a path that follows one, or leave the schedule fixed",
            ),
            (
                &[&learnable[..], &["--set", "loss.weighting=none"]].concat(),
                "a learnable noise schedule is only sound under the full variational bound\n  \
                 at loss.weighting (--set loss.weighting=none)\n  help: leave weighting, use_snr_weight, \
                 normalise, recon, vae_noised, vae_weight, kl_weight and time_sampling to their defaults",
            ),
            (
                &["train", "--encoder-model-type", "linear"],
                "an encoder with parameters collapses when nothing is reconstructed\n  \
                 at loss.vae_weight\n  help: set `loss.vae_weight: 1.0`, or use one without parameters",
            ),
            (
                &["train-gen", "--set", "training.time_sampling=importance"],
                "`importance` needs a log-SNR that is finite at both ends of the path, which it is not here\n  \
                 at training.time_sampling (--set training.time_sampling=importance)\n  \
                 help: use another time sampler (`triflow list time_sampler`), or another path",
            ),
            (
                &[&learnable[..], &["--set", "training.time_sampling=logit_normal"]].concat(),
                "a learnable noise schedule is only sound under the full variational bound\n  \
                 at training.time_sampling (--set training.time_sampling=logit_normal)\n  help: leave \
                 weighting, use_snr_weight, normalise, recon, vae_noised, vae_weight, kl_weight and \
                 time_sampling to their defaults",
            ),
            (
                &["train", "--unconditional"],
                "regression has a condition; only generation can go without\n  \
                 at unconditional (--unconditional)",
            ),
        ],
    );
}

#[test]
fn a_device_that_is_not_there_says_what_was_looked_for_and_where() {
    let folder = Folder::new();
    answers(
        &folder,
        &[(
            &["train", "--device", "gpu"],
            "unknown device `gpu`\n  at device (--device)\n  help: use auto, cpu, cuda or cuda:N",
        )],
    );
    // No machine has this many devices.
    for device in ["cuda", "cuda:99"] {
        let done = folder.run(&[&["train", "--device", device], &TINY[..6]].concat());
        if done.code == 0 {
            assert_eq!(device, "cuda");
            continue;
        }
        assert_eq!(done.code, 2, "{}", done.err);
        let lines: Vec<&str> = done.err.lines().collect();
        if done.err.contains("LibTorch's CUDA half is loaded") {
            assert!(lines[1].starts_with("  help: use "), "{}", done.err);
            continue;
        }
        assert_eq!(
            lines[0],
            format!("error: device `{device}`: this LibTorch is for the CPU only")
        );
        let looked = lines[1].strip_prefix("  looked for ").unwrap();
        let looked = std::path::Path::new(looked.strip_suffix(", which is not there").unwrap());
        assert!(looked.ends_with("libtorch_cuda.so") && !looked.exists(), "{}", looked.display());
        assert!(looked.with_file_name("libtorch_cpu.so").is_file(), "{}", looked.display());
        assert_eq!(
            lines[2..],
            [
                "  help: set up the full LibTorch with `make libtorch-cuda`, put one on LD_LIBRARY_PATH, \
              or use device `cpu`"
            ]
        );
    }
}

#[test]
fn training_that_diverges_says_what_to_try() {
    let folder = Folder::new();
    let run = [&["train-gen", "--learning-rate", "1e30"], &TINY[..]].concat();
    let done = folder.run(&run);
    assert_eq!(done.code, 1);
    assert_eq!(
        done.err.lines().filter(|line| !line.contains("gradient norm")).collect::<Vec<_>>(),
        [
            "  there is no checkpoint before it",
            "  help: try a lower training.optimizer.learning_rate, or set training.clip_grad_norm",
        ]
    );
    let first = "error: the loss term `flow` is no longer finite at step 2 (epoch 1, learning rate \
                 1.00e30, gradient norm ";
    assert!(done.err.starts_with(first), "{}", done.err);
}

#[cfg(unix)]
#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    use std::process::Stdio;
    let folder = Folder::new();
    let mut command = folder.command(&["schema"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let done = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(done.stderr).unwrap(), "");
    assert!(done.status.code().is_none(), "{}", done.status);
}
