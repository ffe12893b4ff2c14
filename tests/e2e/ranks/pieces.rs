//! Trainings whose gradient is summed in pieces while the backward pass goes on.

use super::{EXPERIMENT, Ranks, apart, assert_same, codes, signalled, train};
use crate::command::Folder;

/// Weights of two layers that are pieces of their own, of 4 MiB each and a little more.
fn large(precision: &str) -> String {
    let width = if precision == "float64" { 725 } else { 1025 };
    let experiment = EXPERIMENT
        .replace("hidden_dims: [16, 16]", &format!("hidden_dims: [{width}, {width}, {width}]"));
    experiment
        .replace("precision: float64", &format!("precision: {precision}"))
        .replace("epochs: 4", "epochs: 2")
}

#[test]
fn any_number_of_ranks_trains_the_same_large_model() {
    let folder = Folder::new();
    folder.write("e.yaml", &large("float64"));
    for size in [1, 2, 4] {
        train(&folder, size, &format!("of_{size}"));
    }
    assert_same(&folder, "of_1", "of_2", 1e-12);
    assert_same(&folder, "of_1", "of_4", 1e-12);
}

#[test]
fn two_ranks_with_a_part_each_have_the_bits_of_one_with_both() {
    let folder = Folder::new();
    folder.write("e.yaml", &large("float32").replace("parts: 4", "parts: 2"));
    train(&folder, 1, "of_1");
    train(&folder, 2, "of_2");
    assert_eq!(apart(&folder, "of_1", "of_2"), 0.0);
}

#[test]
fn a_rank_without_rows_takes_part_in_all_sums() {
    let folder = Folder::new();
    // 81 rows are two batches of 40 and one of 1, which is in the last part.
    let experiment = large("float64").replace("samples: 270", "samples: 101");
    folder.write("e.yaml", &experiment.replace("batch_size: 32", "batch_size: 40"));
    train(&folder, 1, "of_1");
    train(&folder, 4, "of_4");
    assert_same(&folder, "of_1", "of_4", 1e-12);
}

#[test]
fn a_rank_lost_in_a_backward_pass_ends_all_and_leaves_a_run_that_goes_on() {
    let folder = Folder::new();
    // Most of a step is its backward pass.
    let long = large("float32").replace("epochs: 2", "epochs: 12");
    folder.write("e.yaml", &(long + "checkpoint: { every: 7 steps }\n"));
    train(&folder, 1, "at_once");
    for victim in [1, 0] {
        let _ = std::fs::remove_dir_all(folder.join("run"));
        let done = signalled(&folder, 2, victim, "-KILL");
        assert_eq!((done[victim].code, done[1 - victim].code), (-1, 1), "{done:?}");
        let told = &done[1 - victim].err;
        assert!(told.contains("error: a rank was lost"), "{told}");
        let all = Ranks::start(&folder, 2, |_| vec!["-q", "run", "e.yaml", "--run-dir", "run"]);
        assert_eq!(codes(&all.finish()), [0, 0]);
        assert_same(&folder, "at_once", "run", 1e-4);
    }
}
