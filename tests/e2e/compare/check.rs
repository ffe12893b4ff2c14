//! Faults that every run would have are found before the first one, and told once.

use super::{cell, results};
use crate::command::Folder;

const TABLE: &str = "
data: { type: table, path: d.csv, y: kind }
crn: { network: { hidden_dims: [8] } }
training: { epochs: 1 }
sampling: { steps: 2 }
comparison:
  over: { objective: [flow_matching, ct] }
  seeds: 2
  draws: 1
  curve: null
";

fn table() -> Folder {
    let folder = Folder::new();
    let row = |i: usize| format!("{},{}\n", (i as f64).sin(), ["red", "blue"][i % 2]);
    folder.write("d.csv", &("size,kind\n".to_owned() + &(0..100).map(row).collect::<String>()));
    folder.write("own.yaml", TABLE);
    folder
}

#[test]
fn a_name_that_no_run_can_use_is_told_once_before_any_run_and_leaves_no_folder() {
    let folder = table();
    let compare = ["compare", "--config", "own.yaml", "--out", "c"];
    let metric = "metrics.extra=[{ type: efficacy, target: kin }]";
    for (set, why) in [
        ("data.y=kin", "there is no column `kin`; did you mean `kind`?"),
        ("data.path=e.csv", "e.csv"),
        (metric, "there is no column `kin`"),
    ] {
        for more in [&[][..], &["--dry-run"]] {
            let error = folder.fails(&[&compare[..], &["--set", set], more].concat());
            assert_eq!(error.matches(why).count(), 1, "{error}");
            assert!(!error.contains("seed 42") && !error.contains("--resume"), "{error}");
            assert!(!folder.join("c").exists());
        }
    }
    let error = folder.fails(&[&compare[..], &["--set", metric]].concat());
    assert!(error.contains("at metrics.extra[0].target (--set"), "{error}");
    folder.write(
        "wrong.yaml",
        &TABLE.replace(
            "comparison:",
            "metrics: { extra: [{ type: efficacy, target: kin }] }\ncomparison:",
        ),
    );
    let error = folder.fails(&["validate", "wrong.yaml"]);
    assert!(error.contains("there is no column `kin`"), "{error}");
}

#[test]
fn a_cell_whose_data_cannot_be_read_is_told_once_and_the_others_are_trained() {
    let folder = table();
    folder.write(
        "some.yaml",
        "extends: own.yaml
comparison:
  over:
    table:
      whole: { training.ema: 0.9 }
      wrong: { data.x: [sise] }
",
    );
    let compare = ["compare", "--config", "some.yaml", "--out", "c"];
    let done = folder.run(&[&compare[..], &["--dry-run"]].concat());
    assert_eq!(done.code, 1, "{}", done.err);
    assert!(done.out.contains("there is no column `sise`"), "{}", done.out);
    assert!(!folder.join("c").exists());
    for args in [&compare[..], &["compare", "--resume", "c"]] {
        let done = folder.run(args);
        assert_eq!(done.code, 1, "{}", done.err);
        assert_eq!(done.err.matches("there is no column `sise`").count(), 1, "{}", done.err);
        assert!(done.err.contains("wrong is impossible: "), "{}", done.err);
        assert!(done.err.contains("1 of 2 cells are impossible\n"), "{}", done.err);
        assert!(!done.err.contains("--resume"), "{}", done.err);
        let found = results(&folder.join("c"));
        let errors = cell(&found, "wrong")["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 1, "{errors:?}");
        let why = errors[0].as_str().unwrap();
        assert!(why.starts_with("seeds 42, 43: ") && why.contains("`sise`"), "{why}");
        assert_eq!(cell(&found, "whole")["errors"], serde_json::json!([]));
    }
}
