//! Files and folders that are missing or unreadable, and data that cannot be used.

use super::answers;
use crate::command::{Folder, TINY};
use triflow::io::{NamedArray, npz};

#[test]
fn files_that_are_missing_or_unreadable_are_named() {
    let folder = Folder::new();
    folder.write("over.yaml", "extends: base.yaml\n");
    folder.write("self.yaml", "extends: self.yaml\n");
    folder.write("half.yaml", "training: { epochs: 3\n");
    folder.write("list.yaml", "- epochs\n");
    folder.write("empty.yaml", "");
    folder.write("comments.yaml", "# task: generation\n\n---\n");
    folder.write("braces.yaml", "{}\n");
    folder.write("over_empty.yaml", "extends: empty.yaml\n");
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
            (
                &["run", "empty.yaml"],
                "the experiment file empty.yaml holds no key\n  help: `triflow init` prints one to start \
                 from; without any file the defaults are used",
            ),
            (
                &["train-gen", "--config", "comments.yaml"],
                "the experiment file comments.yaml holds no key\n  help: `triflow init` prints one to \
                 start from; without any file the defaults are used",
            ),
            (
                &["compare", "--config", "braces.yaml"],
                "the experiment file braces.yaml holds no key\n  help: `triflow init` prints one to \
                 start from; without any file the defaults are used",
            ),
            (
                &["validate", "over_empty.yaml"],
                "the experiment file empty.yaml holds no key\n  at extends (over_empty.yaml)\n  \
                 help: `triflow init` prints one to start from; without any file the defaults are used",
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
                "rows.txt: no data source reads .txt files; known endings: .npz, .npy, .safetensors, \
                 .csv, .tsv, .csv.gz, .tsv.gz, .parquet, .feather, .arrow",
            ),
            (
                &["train", "--data-path", "old.pkl"],
                "old.pkl: pickles are not read, because reading one runs what is in it; convert it once \
                 with\n  python3 -c \"import pickle, numpy as np; d = pickle.load(open('old.pkl', 'rb')); \
                 np.savez('old.npz', x=d['x'], y=d['y'])\"",
            ),
            (
                &["generate", "--run", "gone", "--out", "s.npz"],
                "gone is not a run folder: it has no config.yaml\n  help: a run that was stopped before it \
                 wrote that file is begun again by its first command",
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
                &["train", "--data-path", "nan.csv", "--set", "data.missing=error"],
                "[…]/nan.csv: line 3: column `x1`: the cell holds `nan`; fill it, or leave such rows out with data.missing=drop",
            ),
            (
                &["train", "--data-path", "words.csv"],
                "[…]/words.csv: line 3: column `y`: `four` is not a number; if y holds class labels, set data.labels=true",
            ),
            (
                &["train", "--data-path", "named.csv"],
                "the data have no y, which the task needs\n  at data (--data-path)\n  \
                 help: say which it is, as data.y=[kind]; the file has the columns height, kind",
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
                "needs at least 2, got 0\n  at data.samples (--set data.samples=0)",
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
                "needs at least 1, got 0\n  at latent_shape[0] (--latent-shape)",
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
fn folders_that_cannot_be_written_are_named() {
    let folder = Folder::new();
    // Not even root can make a folder below a file.
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
