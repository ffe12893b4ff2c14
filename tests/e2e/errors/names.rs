//! Names that do not exist, values that a key cannot have, and command lines that are wrong.

use super::{KEYS, answers, kinds, known};
use crate::command::Folder;

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
                 help: did you mean `diffusion`? known objectives: ct, diffusion, edm, \
                 flow_matching, score, v",
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
            (
                &["describe", "solver", "euler", "--plot", "--out", "solver.png"],
                "--plot is for noise schedules and paths\n  help: triflow describe path rectified --plot --out path.png",
            ),
            (
                &["describe", "noise_schedule", "cosine", "--plot", "--out", "cosine.txt"],
                "--out cosine.txt: the name must end in .png",
            ),
            (
                &["describe", "path", "rectified", "--plot", "--out", "path.png", "--set", "n=2"],
                "unknown key `n`\n  at path.n (--set n=2)\n  help: there are no keys here",
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
            // The error names the file with the key, not the one that extends it.
            (
                &["validate", "over.yaml"],
                "unknown key `epoch`\n  at training.epoch (e.yaml:1)\n  \
                 help: did you mean `epochs`? known keys: epochs, steps, batch_size, parts, row_weights, optimizer, lr_schedule, \
                 stopping, on_divergence, clip_grad_norm, dropout_epochs, ema, condition_dropout, mask_columns, freeze, flip, capture, time_sampling, precision, seed",
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
                "unknown loss weighting `fild`\n  at loss.weighting (--set loss.weighting=fild)\n  \
                 help: did you mean `field`? known loss weightings: edm, elbo, field, min_snr, none, \
                 sigmoid, snr_slope",
            ),
            (
                &["train", "--set", "training.lr_schedule=cos"],
                "unknown lr schedule `cos`\n  at training.lr_schedule (--set training.lr_schedule=cos)\n  \
                 help: known lr schedules: constant, cosine, inverse_sqrt, linear; a plugin's is known once \
                 `plugins` or `--plugin` names its library",
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
                "needs a list, as [8], got 8\n  \
                 at crn.network.hidden_dims (--set crn.network.hidden_dims=8)",
            ),
            (
                &["train", "--set", "data.split.train=most"],
                "needs a share such as 0.1, or with `by` a list of values, got `most`\n  \
                 at data.split.train (--set data.split.train=most)",
            ),
            (
                &["train-gen", "--set", "metrics.extra=recall"],
                "needs a list, as [recall], got `recall`\n  \
                 at metrics.extra (--set metrics.extra=recall)",
            ),
            (
                &["train-gen", "--set", "metrics.extra=[{type: recall, k: 2}, recall]"],
                "two metrics are called `recall`\n  \
                 at metrics.extra[1].name (--set metrics.extra=[{type: recall, k: 2}, recall])\n  \
                 help: give one of them another `name`",
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
                "needs an interval such as `5 epochs`, `1000 steps` or `10 minutes`, above 0, got `often`\n  \
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
                "needs at least 1, got 0\n  at crn.network.hidden_dims[0] (--hidden-dims)",
            ),
            (
                &["train", "--set", "sampling.solver={type: dopri5, rtol: 0}"],
                "needs a number above 0, got 0\n  \
                 at sampling.solver.rtol (--set sampling.solver={type: dopri5, rtol: 0})",
            ),
            (
                &["train-gen", "--set", "noise_schedule.alpha_bar_min=2"],
                "needs 0 < alpha_bar_min < 1, got 2\n  \
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
    // The text is clap's: only the exit code and the advice are tested.
    let done = folder.run(&["train", "--num_epoch", "3"]);
    assert_eq!(done.code, 2);
    assert!(done.err.contains("a similar argument exists: '--num-epochs'"), "{}", done.err);
}
