//! Unusual and damaged files: read correctly, or refused with advice.

use crate::command::{Folder, text};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const SMALL: [&str; 8] =
    ["--num-epochs", "1", "--device", "cpu", "--hidden-dims", "8", "--set", "sampling.steps=3"];

fn shared(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data");
    folder.join(name).to_str().unwrap().to_owned()
}

fn train(folder: &Folder, file: &str, args: &[&str]) -> PathBuf {
    folder.train(&[&["train-gen", "--data-path", &shared(file)], &SMALL[..], args].concat())
}

/// Samples of a run as lines of a table.
fn generate(folder: &Folder, run: &Path, n: &str) -> Vec<String> {
    folder.succeeds(&["generate", "--run", text(run), "--n", n, "--out", "s.csv"]);
    let written = std::fs::read_to_string(folder.join("s.csv")).unwrap();
    written.lines().map(str::to_owned).collect()
}

#[test]
fn labels_are_generated_by_the_names_of_the_file_alone_and_alike() {
    let folder = Folder::new();
    for (file, classes) in [
        ("labels_from_1.csv", &["1", "2", "3"][..]),
        ("labels_gap.csv", &["0", "10", "5"]),
        ("labels_pm1.csv", &["-1", "1"]),
        ("labels_bool.csv", &["False", "True"]),
    ] {
        let run = train(&folder, file, &[]);
        let mut count = BTreeMap::new();
        for line in &generate(&folder, &run, "3")[1..] {
            *count.entry(line.rsplit(',').next().unwrap().to_owned()).or_insert(0) += 1;
        }
        let expected = classes.iter().map(|class| ((*class).to_owned(), 3)).collect();
        assert_eq!(count, expected, "{file}");
    }
}

#[test]
fn tables_of_other_programs_are_read_as_they_are() {
    let folder = Folder::new();
    let latin = ["--set", "data.encoding=latin1", "--set", "data.x=[größe,länge]"];
    let columns = ["--set", "data.x=[x0]", "--set", "data.y=[label]"];
    for (file, args, expected) in [
        ("index_pandas.csv", &[][..], "x: 1 column (x0); y: 2 classes (30 × 0, 30 × 1)"),
        ("index_r.csv", &[], "x: 1 column (x0); y: 2 classes"),
        ("trailing_comma.csv", &[], "x: 1 column (x0); y: 2 classes"),
        ("tab.tsv", &[], "x: 2 columns (x0, x1); y: 2 classes"),
        ("semicolon_decimal_comma.csv", &[], "x: 2 columns (x0, x1); y: 2 classes"),
        ("unasked_text.csv", &columns, "x: 1 column (x0); y: 2 classes"),
        ("latin1.csv", &latin, "x: 2 columns (größe, länge); y: 2 classes"),
        ("gap_in_used.csv", &["--set", "data.missing=drop"], "54 of 60 rows are used"),
    ] {
        folder.write("e.yaml", "task: generation\n");
        let path = shared(file);
        let args = [&["validate", "e.yaml", "--data-path", &path][..], args].concat();
        let done = folder.command(&args).output().unwrap();
        let log = String::from_utf8(done.stderr).unwrap();
        assert!(
            done.status.success() && log.contains(expected),
            "{file}: no `{expected}` in\n{log}"
        );
        let nameless =
            log.contains("column 0 (counted from 0) holds names of rows and is passed over");
        assert_eq!(nameless, file.starts_with("index_"), "{log}");
    }
}

#[test]
fn what_a_table_leaves_open_is_an_error_with_the_choice() {
    let folder = Folder::new();
    for (file, keys, expected) in [
        (
            "y_and_label.csv",
            &[][..],
            "both `y` and `label` may be y; say which it is, with data.y=[y] or data.y=[label]",
        ),
        (
            "gap_in_used.csv",
            &["--set", "data.missing=error"],
            "line 2: column `x0`: the cell holds `NA`; fill it, or leave such rows out with",
        ),
        (
            "class_named_class.csv",
            &[],
            "say which it is, as data.y=[class]; the file has the columns x0, x1, class;",
        ),
        (
            "latin1.csv",
            &[],
            "line 1 is not UTF-8; name the encoding of the text, as `data.encoding=latin1`",
        ),
    ] {
        let path = shared(file);
        let args = [&["train-gen", "--data-path", &path], keys].concat();
        let error = folder.fails(&args);
        assert!(error.contains(expected), "{file}: no `{expected}` in\n{error}");
    }
}

#[test]
fn times_with_a_large_offset_keep_their_digits() {
    let folder = Folder::new();
    let file = shared("offset_time.csv");
    folder.succeeds(&["data", "csv", "--set", &format!("path={file}"), "--out", "copy.csv"]);
    let first = |text: &str| -> Vec<f64> {
        text.lines().skip(1).map(|line| line.split(',').next().unwrap().parse().unwrap()).collect()
    };
    let real = first(&std::fs::read_to_string(&file).unwrap());
    let copied = first(&std::fs::read_to_string(folder.join("copy.csv")).unwrap());
    assert_eq!(copied, real);
    let run = train(&folder, "offset_time.csv", &["--unconditional"]);
    let drawn = first(&generate(&folder, &run, "50").join("\n"));
    let (least, most) = (real[0], real[real.len() - 1]);
    let width = most - least;
    assert!(drawn.iter().all(|x| (least - width..most + width).contains(x)), "{drawn:?}");
    // Neighbours in float32 differ by 128 there. Whole numbers are rounded.
    assert!(drawn.iter().all(|x| x.fract() == 0.0), "{drawn:?}");
    let mut values: Vec<u64> = drawn.iter().map(|x| x.to_bits()).collect();
    values.sort_unstable();
    values.dedup();
    assert!(values.len() > 30, "{drawn:?}");
}

#[test]
fn the_columns_of_a_table_are_shown_with_what_each_would_be() {
    let folder = Folder::new();
    let mixed = shared("mixed_table.csv");
    let keys = ["--set", "y=kind", "--set", "columns.mass_g=ignore"];
    let shown = folder.succeeds(&[&["data", "inspect", &mixed][..], &keys].concat());
    assert!(shown.lines().all(|line| line.chars().count() <= 100), "{shown}");
    let words: Vec<&str> = shown.split_whitespace().collect();
    let text = words.join(" ");
    for part in [
        "format text (UTF-8) separated by commas rows 330 columns 5",
        "COLUMN TYPE DISTINCT MISSING RANGE VALUES USE",
        "beak_mm number 158 32.9 to 52.9",
        "isle category 3 east 46 %, north 36 %,",
        "sex category 2 5 f 53 %, m 47 %",
        "ignored",
        "y: labels of 3",
    ] {
        assert!(text.contains(part), "no `{part}` in\n{shown}");
    }
    let nested = folder.succeeds(&["data", "inspect", &shared("types/zstd.parquet")]);
    assert!(nested.contains("format   Parquet") && nested.contains("nested"), "{nested}");
    let error = folder.fails(&["data", "inspect", &mixed, "--set", "columns.mas_g=ignore"]);
    assert!(error.contains("there is no column `mas_g`; did you mean `mass_g`?"), "{error}");
    let error = folder.fails(&["data", "inspect", &mixed, "--set", "y=kinds"]);
    assert!(error.contains("there is no column `kinds`; did you mean `kind`?"), "{error}");
}

#[test]
fn scales_that_differ_are_said() {
    let folder = Folder::new();
    folder.write("e.yaml", "task: generation\n");
    let file = shared("mixed_table.csv");
    let keys = ["--set", "data.x=[beak_mm,mass_g]", "--set", "data.y=[kind]"];
    let args = [&["validate", "e.yaml", "--data-path", &file][..], &keys].concat();
    let log = String::from_utf8(folder.command(&args).output().unwrap().stderr).unwrap();
    for part in ["y: 3 classes (160 × ada, 102 × bel, 68 × cor)", "the scales of x differ 144-fold"]
    {
        assert!(log.contains(part), "no `{part}` in\n{log}");
    }
}

#[test]
fn an_array_that_the_file_does_not_hold_is_refused() {
    let folder = Folder::new();
    std::fs::write(folder.join("sparse.npz"), npy_header("(3000000000, 2)")).unwrap();
    std::fs::write(folder.join("huge.npz"), npy_header("(4611686018427387904,)")).unwrap();
    for (file, keep) in [("sparse.npz", "device"), ("sparse.npz", "disk"), ("huge.npz", "device")] {
        let keep = format!("data.keep={keep}");
        let error =
            folder.fails(&["train-gen", "--unconditional", "--data-path", file, "--set", &keep]);
        assert!(error.contains(&format!("{file}: array `x` is damaged: ")), "{error}");
    }
}

/// A NumPy archive with an array `x` of float32 that has a header and no values.
fn npy_header(shape: &str) -> Vec<u8> {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
    let header = format!("{header:<117}\n");
    let array = [b"\x93NUMPY\x01\x00v\x00".as_slice(), header.as_bytes()].concat();
    stored("x.npy", &array)
}

/// A zip archive of one uncompressed entry.
fn stored(name: &str, data: &[u8]) -> Vec<u8> {
    let crc = data.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    });
    let size = u32::try_from(data.len()).unwrap().to_le_bytes();
    let length = u16::try_from(name.len()).unwrap().to_le_bytes();
    // Version, flags, method, time and date; checksum; both sizes; lengths of the name and of the
    // extra field.
    let entry = [
        &[20, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &(!crc).to_le_bytes()[..],
        &size,
        &size,
        &length,
        &[0, 0],
    ]
    .concat();
    let local = [b"PK\x03\x04", entry.as_slice(), name.as_bytes(), data].concat();
    let central = [b"PK\x01\x02\x14\x00", entry.as_slice(), &[0; 14], name.as_bytes()].concat();
    let sizes =
        [central.len(), local.len()].map(|n| u32::try_from(n).unwrap().to_le_bytes()).concat();
    let end = [b"PK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00".as_slice(), &sizes, &[0, 0]].concat();
    [local, central, end].concat()
}

#[test]
fn keys_and_maps_of_any_depth_are_refused() {
    let folder = Folder::new();
    let key = format!("{}=1", ["a"; 500].join("."));
    assert!(
        folder
            .fails(&["train-gen", "--set", &key])
            .starts_with("error: a key has at most 64 parts\n")
    );
    folder.write("deep.yaml", &("[".repeat(100_000) + &"]".repeat(100_000)));
    assert!(folder.fails(&["validate", "deep.yaml"]).contains("at most 64 deep\n  in deep.yaml:1"));
}
