//! What bad input is answered: the exact text, and exit code 2. It says what is wrong, where it was written
//! and what would be right, in the words of the one who wrote it.

use crate::command::{Folder, TINY};
use triflow::io::{NamedArray, npz};
use triflow::registry::registry;

/// Checks each command line's answer; `[…]` in the text stands for the folder.
fn answers(folder: &Folder, cases: &[(&[&str], &str)]) {
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(args, expected)| {
            let done = folder.run(args);
            let said = done.err.replace(folder.path().to_str().unwrap(), "[…]");
            let expected = format!("error: {expected}");
            (done.code != 2 || said != expected).then(|| {
                format!("{args:?} left with {}\n{said}\nrather than\n{expected}\n", done.code)
            })
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().flatten().collect();
    assert!(left.iter().all(|e| e.file_name() != "artifacts"), "a run folder was made: {left:?}");
}

const KEYS: &str = "task, unconditional, input_shape, output_shape, latent_shape, data, objective, path, \
                    noise_schedule, encoder, decoder, crn, source, coupling, loss, training, checkpoint, start_from, \
                    sampling, metrics, comparison, device, threads, output_dir, plugins";

/// Names of the built-in components of a kind, as they are listed.
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
fn unknown_components_answer_with_the_nearest() {
    let folder = Folder::new();
    folder.write("e.yaml", "crn: { type: vanilla, network: { type: mpl } }\n");
    answers(
        &folder,
        &[
            (
                &["train-gen", "--model-type", "difusion"],
                "unknown objective `difusion`\n  at objective (--model-type)\n  \
                 help: did you mean `diffusion`? known objectives: ct, diffusion, flow_matching",
            ),
            (
                &["train", "--config", "e.yaml"],
                &format!(
                    "unknown network `mpl`\n  at crn.network (e.yaml:1)\n  \
                     help: did you mean `mlp`? known networks: {}",
                    known("network")
                ),
            ),
            (
                &["run", "e.yaml", "--network-type", "mlp", "--set", "sampling.solver=eulr"],
                &format!(
                    "unknown solver `eulr`\n  at sampling.solver (--set sampling.solver=eulr)\n  \
                     help: did you mean `euler`? known solvers: {}",
                    known("solver")
                ),
            ),
            (
                &["data", "two_moon", "--out", "d.npz"],
                &format!(
                    "unknown data source `two_moon`\n  \
                     help: did you mean `two_moons`? known data sources: {}",
                    known("data_source")
                ),
            ),
            (
                &["list", "solvers"],
                &format!(
                    "unknown kind of component `solvers`\n  help: did you mean `solver`? known kinds: {}",
                    kinds()
                ),
            ),
            (
                &["describe", "colour", "red"],
                &format!("unknown kind of component `colour`\n  help: known kinds: {}", kinds()),
            ),
            (
                &["describe", "solver", "magic"],
                &format!(
                    "unknown solver `magic`\n  help: known solvers: {}; a plugin's is known once `plugins` or `--plugin` names \
                     its library",
                    known("solver")
                ),
            ),
            (
                &["describe", "solver", "euler", "--eval"],
                "--eval is for noise schedules\n  help: triflow describe noise_schedule cosine --eval",
            ),
        ],
    );
}

#[test]
fn misspelt_keys_and_values_answer_with_the_nearest() {
    let folder = Folder::new();
    folder.write("e.yaml", "training: { epoch: 3 }\n");
    folder.write("over.yaml", "extends: e.yaml\n");
    answers(
        &folder,
        &[
            (
                &["train", "--set", "trainning.epochs=3"],
                &format!(
                    "unknown key `trainning`\n  at trainning (--set trainning.epochs=3)\n  \
                     help: did you mean `training`? known keys: {KEYS}"
                ),
            ),
            // The file in which it stands, not the one that extends it.
            (
                &["validate", "over.yaml"],
                "unknown key `epoch`\n  at training.epoch (e.yaml:1)\n  \
                 help: did you mean `epochs`? known keys: epochs, steps, batch_size, optimizer, lr_schedule, \
                 clip_grad_norm, dropout_epochs, ema, condition_dropout, freeze, flip, capture, time_sampling, precision, seed",
            ),
            (
                &["train", "--set", "crn.network.hiden_dims=[8]"],
                "unknown key `hiden_dims`\n  \
                 at crn.network.hiden_dims (--set crn.network.hiden_dims=[8])\n  \
                 help: did you mean `hidden_dims`? known keys: hidden_dims, activation, dropout",
            ),
            (
                &["train", "--set", "data.splt.train=1"],
                "unknown key `splt`\n  at data.splt (--set data.splt.train=1)\n  help: did you mean `split`? \
                 known keys: samples, val_samples, test_samples, seed, noise, noise_law, scale, shift, standardise, \
                 split, classes, keep",
            ),
            (
                &["train", "--set", "loss.weighting=fild"],
                "unknown value `fild`\n  at loss.weighting (--set loss.weighting=fild)\n  \
                 help: did you mean `field`? known values: elbo, field, min_snr, seed, none",
            ),
            (
                &["train", "--set", "training.lr_schedule=cos"],
                "unknown value `cos`\n  at training.lr_schedule.type (--set training.lr_schedule=cos)\n  \
                 help: known values: constant, cosine",
            ),
            (
                &["init", "--task", "generate"],
                "unknown value `generate`\n  at task (--task)\n  \
                 help: did you mean `generation`? known values: regression, generation, \
                 sequence",
            ),
            (
                &["describe", "noise_schedule", "cosine", "--eval", "--set", "r=1"],
                "unknown key `r`\n  at noise_schedule.r (--set r=1)\n  \
                 help: known keys: s, alpha_bar_min, alpha_bar_max, learnable",
            ),
        ],
    );
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
                "the variance-preserving path needs Gaussian noise that is independent of the data, but the \
                 source `uniform` is not N(0, I)\n  at path\n  \
                 help: set `path: rectified`, with an objective that predicts the velocity",
            ),
        ],
    );
}

#[test]
fn wrong_types_are_named_as_in_yaml() {
    let folder = Folder::new();
    folder.write("e.yaml", "training:\n  epochs: many\n");
    answers(
        &folder,
        &[
            (
                &["validate", "e.yaml"],
                "needs a whole number of at least 0, got `many`\n  at training.epochs (e.yaml:2)",
            ),
            (
                &["train", "--num-epochs", "-3"],
                "needs a whole number of at least 0, got -3\n  at training.epochs (--num-epochs)",
            ),
            (
                &["train", "--hidden-dims", "8", "eight"],
                "needs a whole number, got `eight`\n  at crn.network.hidden_dims[1] (--hidden-dims)",
            ),
            (
                &["train", "--set", "crn.network.hidden_dims=8"],
                "needs a list, as [64, 64], got 8\n  \
                 at crn.network.hidden_dims (--set crn.network.hidden_dims=8)",
            ),
            (
                &["train", "--set", "data.split.train=most"],
                "needs a number, got `most`\n  at data.split.train (--set data.split.train=most)",
            ),
            (&["train", "--set", "loss=3"], "needs a map of keys, got 3\n  at loss (--set loss=3)"),
            (
                &["train", "--set", "objective=[ct]"],
                "needs a name, or a map with `type: NAME`, got a list\n  at objective (--set objective=[ct])",
            ),
            (
                &["train", "--set", "unconditional=perhaps"],
                "needs true or false, got `perhaps`\n  at unconditional (--set unconditional=perhaps)",
            ),
            (
                &["train", "--set", "checkpoint.every=often"],
                "needs an interval such as `5 epochs` or `1000 steps`, above 0, got `often`\n  \
                 at checkpoint.every (--set checkpoint.every=often)",
            ),
        ],
    );
}

#[test]
fn numbers_out_of_range_are_refused_before_anything_runs() {
    let folder = Folder::new();
    answers(
        &folder,
        &[
            (
                &["train", "--batch-size", "0"],
                "needs at least 1, got 0\n  at training.batch_size (--batch-size)",
            ),
            (
                &["train", "--batch-size", "-1"],
                "needs at least 1, got -1\n  at training.batch_size (--batch-size)",
            ),
            (
                &["train", "--num-epochs", "2000000000000"],
                "needs at most 1099511627776, got 2000000000000\n  at training.epochs (--num-epochs)",
            ),
            (
                &["train", "--set", "sampling.steps=0"],
                "needs at least 1, got 0\n  at sampling.steps (--set sampling.steps=0)",
            ),
            (
                &["train", "--set", "threads=0"],
                "needs at least 1, got 0\n  at threads (--set threads=0)",
            ),
            (
                &["train", "--learning-rate", "-1"],
                "needs a number above 0, got -1\n  at training.optimizer.learning_rate (--learning-rate)",
            ),
            (
                &["train", "--set", "training.ema=1.5"],
                "needs 0 <= ema < 1, got 1.5\n  at training.ema (--set training.ema=1.5)",
            ),
            (
                &["train", "--set", "crn.network.dropout=1.5"],
                "needs 0 <= dropout < 1, got 1.5\n  \
                 at crn.network.dropout (--set crn.network.dropout=1.5)",
            ),
            (
                &["train", "--hidden-dims", "0"],
                "needs at least one positive width\n  at crn.network.hidden_dims (--hidden-dims)",
            ),
            (
                &["train", "--set", "sampling.solver={type: dopri5, rtol: 0}"],
                "needs a number above 0, got 0\n  \
                 at sampling.solver.rtol (--set sampling.solver={type: dopri5, rtol: 0})",
            ),
            (
                &["train-gen", "--set", "noise_schedule.alpha_bar_min=2"],
                "needs 0 < alpha_bar_min < alpha_bar_max < 1\n  \
                 at noise_schedule.alpha_bar_min (--set noise_schedule.alpha_bar_min=2)",
            ),
            (
                &["data", "two_moons", "--set", "noise=-1", "--out", "d.npz"],
                "needs a number of at least 0, got -1\n  at data.noise (--set noise=-1)",
            ),
        ],
    );
}

#[test]
fn files_that_are_missing_or_unreadable_are_named() {
    let folder = Folder::new();
    folder.write("over.yaml", "extends: base.yaml\n");
    folder.write("self.yaml", "extends: self.yaml\n");
    folder.write("half.yaml", "training: { epochs: 3\n");
    folder.write("list.yaml", "- epochs\n");
    folder.write("data.yaml", "data: { type: npz, path: rows.npz }\n");
    folder.write("rows.txt", "1\n");
    answers(
        &folder,
        &[
            (
                &["run", "my.yaml"],
                "there is no experiment file my.yaml\n  \
                 help: `triflow init > my.yaml` writes one to start from",
            ),
            (
                &["train", "--config", "over.yaml"],
                "there is no experiment file base.yaml\n  at extends (over.yaml)\n  \
                 help: a relative path in `extends` starts at the file that it stands in",
            ),
            (&["validate", "self.yaml"], "self.yaml extends itself\n  at extends (self.yaml)"),
            (
                &["validate", "half.yaml"],
                "not YAML: did not find expected ',' or '}' at line 2 column 1, while parsing a flow \
                 mapping at line 1 column 11\n  in half.yaml",
            ),
            (&["validate", "list.yaml"], "an experiment is a map of keys\n  in list.yaml"),
            (
                &["train", "--config", "data.yaml"],
                "[…]/rows.npz: no such file; a path in an experiment file is relative to that file, one in \
                 a flag to the current folder",
            ),
            (
                &["train", "--data-path", "rows.csv"],
                "rows.csv: no such file; a path in an experiment file is relative to that file, one in a \
                 flag to the current folder",
            ),
            (
                &["train", "--data-path", "rows.txt"],
                "rows.txt: no data source reads .txt files; known endings: .csv, .tsv, .csv.gz, .tsv.gz, \
                 .npz, .npy, .safetensors",
            ),
            (
                &["train", "--data-path", "old.pkl"],
                "old.pkl: pickles are not read, because reading one runs what is in it; convert it once \
                 with\n  python3 -c \"import pickle, numpy as np; d = pickle.load(open('old.pkl', 'rb')); \
                 np.savez('old.npz', x=d['x'], y=d['y'])\"",
            ),
            (
                &["generate", "--run", "gone", "--out", "s.npz"],
                "gone is not a run folder: it has no config.yaml",
            ),
        ],
    );
}

#[test]
fn data_that_cannot_be_used_say_which_row() {
    let folder = Folder::new();
    folder.write("ragged.csv", "x0,x1,label\n1,2,0\n1,2\n");
    folder.write("nan.csv", "x0,x1,label\n1,2,0\n3,nan,1\n");
    folder.write("words.csv", "x,y\n1,2\n3,four\n");
    folder.write("named.csv", "height,kind\n1,2\n3,4\n");
    folder.write("alone.csv", "x\n1\n2\n3\n4\n");
    let array =
        |name: &str, values: Vec<f32>| NamedArray::new(name, vec![values.len()], values).unwrap();
    let file =
        |name: &str, arrays: &[NamedArray]| npz::write_npz(&folder.join(name), arrays).unwrap();
    file("nan.npz", &[array("x", vec![1.0, 2.0, f32::NAN]), array("y", vec![1.0; 3])]);
    file("ragged.npz", &[array("x", vec![1.0; 3]), array("y", vec![1.0; 4])]);
    answers(
        &folder,
        &[
            (
                &["train", "--data-path", "ragged.csv"],
                "[…]/ragged.csv: line 3: 2 cells, but line 1 has 3",
            ),
            (
                &["train", "--data-path", "nan.csv"],
                "[…]/nan.csv: line 3: column `x1`: the cell holds `nan`; fill it, or leave such rows out with data.missing=drop",
            ),
            (
                &["train", "--data-path", "words.csv"],
                "[…]/words.csv: line 3: column `y`: `four` is not a number; if y holds class labels, set data.labels=true",
            ),
            (
                &["train", "--data-path", "named.csv"],
                "[…]/named.csv: x and y cannot be identified by name; say which columns are which, such as \
                 data.x=[height] and data.y=[kind]; known columns: height, kind",
            ),
            (
                &["train", "--data-path", "nan.npz"],
                "[…]/nan.npz: array `x`: row 2 (counted from 0) holds NaN; remove or fill such rows first",
            ),
            (
                &["train", "--data-path", "ragged.npz"],
                "[…]/ragged.npz: array `x` has 3 rows, but `y` has 4",
            ),
            (
                &["train", "--data-path", "alone.csv"],
                "the data have no y, which the task needs\n  at data (--data-path)\n  \
                 help: the file has the columns x",
            ),
            (
                &["train-gen", "--data-path", "alone.csv"],
                "the data have no y, which the task needs\n  at data (--data-path)\n  \
                 help: the file has the columns x; or generate without it: `unconditional: true`, or \
                 --unconditional",
            ),
        ],
    );
}

#[test]
fn splits_that_leave_nothing_are_refused() {
    let folder = Folder::new();
    answers(
        &folder,
        &[
            (
                &["train", "--set", "data.samples=200", "--set", "data.split.train=0"],
                "no row to train on: of 200 rows 0 for training, 20 for validation, 20 for test\n  \
                 at data.split (--set data.split.train=0)\n  \
                 help: shares are such as { train: 0.8, val: 0.1, test: 0.1 }",
            ),
            (
                &["train", "--set", "data.split={train: 0.8, val: 0.5}"],
                "shares must lie in [0, 1] and add up to at most 1, got [0.8, 0.5]\n  \
                 at data.split (--set data.split={train: 0.8, val: 0.5})",
            ),
            (
                &["train", "--set", "data.samples=0"],
                "needs at least 2 points, got 0\n  at data.samples (--set data.samples=0)",
            ),
        ],
    );
}

#[test]
fn shapes_that_disagree_name_both() {
    let folder = Folder::new();
    answers(
        &folder,
        &[
            (
                &["train-gen", "--input-shape", "3"],
                "input_shape is [3], but x of the data has shape [2]\n  at input_shape (--input-shape)\n  \
                 help: remove it: shapes come from the data",
            ),
            (
                &["train", "--output-dim", "3"],
                "output_shape is [3], but y of the data has shape [2]\n  at output_shape (--output-shape)\n  \
                 help: remove it: shapes come from the data",
            ),
            (
                &["train-gen", "--latent-shape", "3"],
                "encoder `identity` keeps the target's shape [2], but latent_shape is [3]\n  \
                 at latent_shape (--latent-shape)\n  \
                 help: leave latent_shape out, or choose another encoder, such as `linear`",
            ),
            (
                &["train-gen", "--latent-shape", "0", "--encoder-model-type", "linear"],
                "needs sizes of at least 1, got [0]\n  at latent_shape (--latent-shape)",
            ),
            (
                &["train-gen", "--decoder-model-type", "mlp", "--decoder-type", "none"],
                "decoder `mlp` with head `none` gives 64 values, but the target [2] has 2\n  \
                 at decoder.head (--decoder-type)\n  \
                 help: use head `linear` or `softmax`, or make the shapes agree",
            ),
            (
                &["train-gen", "--encoder-model-type", "mlp", "--latent-shape", "3"],
                "decoder `identity` with head `none` gives 3 values, but the target [2] has 2\n  \
                 at decoder.head\n  help: use head `linear` or `softmax`, or make the shapes agree",
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
                "the rectified path has no noise schedule to learn\n  \
                 at noise_schedule.learnable (--noise-schedule-learnable)\n  \
                 help: set `path: variance_preserving`, or leave the schedule fixed",
            ),
            (
                &[&learnable[..], &["--set", "loss.weighting=none"]].concat(),
                "a learnable noise schedule is only sound under the full variational bound\n  \
                 at loss.weighting (--set loss.weighting=none)\n  help: leave weighting, use_snr_weight, \
                 normalise, recon, vae_noised, vae_weight and kl_weight to their defaults",
            ),
            (
                &["train", "--encoder-model-type", "linear"],
                "an encoder with parameters collapses when nothing is reconstructed\n  \
                 at loss.vae_weight\n  help: set `loss.vae_weight: 1.0`, or use one without parameters",
            ),
            (
                &["train-gen", "--set", "training.time_sampling=importance"],
                "`importance` needs a bounded log-SNR, which the rectified path does not have\n  \
                 at training.time_sampling (--set training.time_sampling=importance)\n  \
                 help: use `stratified` or `uniform`",
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
    // However many there are, there are fewer.
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
fn folders_that_cannot_be_written_are_named() {
    let folder = Folder::new();
    // Nobody, not even root, makes a folder below a file.
    folder.write("file", "");
    let train = [&["train-gen", "--output-dir", "file/runs"], &TINY[..]].concat();
    answers(
        &folder,
        &[(
            &train,
            "cannot make the folder file/runs/flow_matching_gen: not a directory\n  \
             at output_dir (--output-dir)",
        )],
    );
    let done = folder.run(&["data", "two_moons", "--out", "file/moons.npz"]);
    assert_eq!(
        done.err,
        "error: --out file/moons.npz: there is no folder file\n  help: create it first, or name another"
    );
    assert_eq!(done.code, 2);
}

#[test]
fn the_command_line_itself_is_checked() {
    let folder = Folder::new();
    answers(
        &folder,
        &[
            (
                &["train", "--set", "training.epochs"],
                "`--set training.epochs` has no `=`\n  help: write `--set training.epochs=10`",
            ),
            (
                &["data", "two_moons", "--set", "samples", "--out", "d.npz"],
                "`--set samples` has no `=`\n  help: write `--set samples=1000`",
            ),
            (
                &["train", "--set", "=3"],
                "`--set =3` does not name a key\n  help: write `--set training.epochs=10`",
            ),
            (
                &["train", "--config_class", "my.Config"],
                "--config_class: a configuration is a file, not code\n  \
                 help: use `extends:` in YAML, or the library",
            ),
            (
                &["run", "mine.yaml", "--config", "other.yaml"],
                "--config other.yaml: the experiment file is mine.yaml already\n  \
                 help: leave --config out; a file builds on another by `extends:`",
            ),
        ],
    );
    // The rest is clap's; only that it is a refusal with advice is ours.
    let done = folder.run(&["train", "--num_epoch", "3"]);
    assert_eq!(done.code, 2);
    assert!(done.err.contains("a similar argument exists: '--num-epochs'"), "{}", done.err);
}

#[test]
fn training_that_diverges_says_what_to_try() {
    let folder = Folder::new();
    let run = [&["train-gen", "--learning-rate", "1e30"], &TINY[..]].concat();
    let done = folder.run(&run);
    assert_eq!(done.code, 1);
    assert_eq!(
        done.err,
        "error: the loss is no longer finite in epoch 1\n  \
         help: try a lower training.optimizer.learning_rate, or set training.clip_grad_norm"
    );
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
