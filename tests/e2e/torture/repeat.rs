//! Every task with every objective: two runs with one seed have the same bytes, and so has one that
//! was killed in between.

use super::{assert_same, can_trace, files, on_two_threads, trials};
use crate::command::Folder;
use crate::torture::Event;

/// Objectives with their noise schedules.
const OBJECTIVES: [&str; 3] = [
    "objective: flow_matching",
    "objective: diffusion\nnoise_schedule: cosine",
    "objective: ct\nnoise_schedule: cosine",
];

/// Tasks with the keys that they need.
const TASKS: [(&str, &str); 7] = [
    ("classification", "task: regression\ndata: { type: two_moons, samples: 300 }"),
    ("regression", "task: regression\ndata: { type: swiss_roll, samples: 300 }"),
    ("generation", "task: generation\ndata: { type: eight_gaussians, samples: 300 }"),
    (
        "unconditional generation",
        "task: generation\nunconditional: true\ndata: { type: pinwheel, samples: 300 }",
    ),
    (
        "generation of a table",
        "task: generation\nunconditional: true\ndata: { type: table, path: t.csv }\nencoder: mixed\n\
         decoder: mixed",
    ),
    (
        "prediction of sequences",
        "task: { type: sequence, mode: predict }\ndata: { type: damped_oscillators, samples: 200 }",
    ),
    (
        "generation of sequences",
        "task: { type: sequence, mode: generate }\ndata: { type: lorenz, samples: 200 }",
    ),
];

fn folder((_, keys): (&str, &str), objective: &str) -> Folder {
    let folder = Folder::new();
    let network = match keys.contains("sequence") {
        true => "{ type: temporal_conv, width: 8, blocks: 1, dropout: 0.1 }",
        false => "{ type: mlp, hidden_dims: [16], dropout: 0.1 }",
    };
    folder.write(
        "e.yaml",
        &format!(
            "{keys}\n{objective}\ncrn: {{ type: vanilla, network: {network} }}\n\
             training: {{ epochs: 2, batch_size: 50 }}\ncheckpoint: {{ every: 3 steps }}\n\
             sampling: {{ solver: euler, steps: 4 }}\ndevice: cpu\n"
        ),
    );
    let rows = (0..200).map(|i| format!("{}.5,{}\n", i * 7 % 31, ["a", "b", "c"][i * i % 3]));
    folder.write("t.csv", &(String::from("size,kind\n") + &rows.collect::<String>()));
    folder
}

#[test]
fn every_task_and_objective_repeats_itself_also_after_a_kill() {
    let traced = can_trace();
    let all = TASKS.len() * OBJECTIVES.len();
    let n = trials(TASKS.len(), all);
    on_two_threads(n, |i| {
        // Few trials take each task once, and the objectives in turn.
        let (task, objective) = (TASKS[i % TASKS.len()], OBJECTIVES[(i / TASKS.len() + i) % 3]);
        let folder = folder(task, objective);
        let run = |name: &'static str| ["-q", "run", "e.yaml", "--run-dir", name];
        let what = format!("{} by {objective}", task.0);
        folder.succeeds(&run("one")[1..]);
        let expected = files(&folder.join("one"));
        folder.succeeds(&run("two")[1..]);
        assert_same(&folder.join("two"), &expected, &what);
        if traced {
            // The second checkpoint is being named.
            let event = Event::nth_of("renameat", 4);
            let killed = event.spoils(&folder, &run("three"), "signal=KILL").output().unwrap();
            assert!(!killed.status.success(), "{what}");
            folder.succeeds(&run("three")[1..]);
            assert_same(&folder.join("three"), &expected, &what);
        }
    });
    println!("{n} of {all} tasks with objectives: same bytes again, and after a kill");
}
