//! The scripts of the guide to clusters, run as a scheduler runs them.

use super::results;
use crate::command::Folder;
use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// One model with the seeds that the scripts ask for: five runs.
const TINY: &str = "
data: { type: two_moons, samples: 300, val_samples: 50, test_samples: 200 }
crn: { network: { hidden_dims: [8] } }
training: { epochs: 1, batch_size: 200 }
comparison: { over: { objective: [ct] }, draws: 1, points: 100, curve: null }
";

/// The block of the guide in this language that has these words.
fn script(language: &str, words: &str) -> String {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/clusters.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let open = format!("```{language}\n");
    let blocks = guide.split(&open).skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.into_iter().find(|block| block.contains(words)).unwrap().to_owned()
}

/// A script in a shell that finds the command.
fn shell(folder: &Folder, script: &str) -> Command {
    let mut command = Command::new("bash");
    let binary = Path::new(env!("CARGO_BIN_EXE_triflow")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    command.args(["-c", script]).current_dir(folder.path());
    command.env("PATH", format!("{}:{path}", binary.display())).env("OMP_NUM_THREADS", "1");
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

fn all_succeed(children: Vec<Child>) {
    for child in children {
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}

/// True if the report has five seeds with a value each.
fn is_whole(folder: &Folder) -> bool {
    let found = results(&folder.join("sweep"));
    let values = found["cells"][0]["metrics"][0]["spread"]["values"].as_array().unwrap();
    values.len() == 5 && values.iter().all(Value::is_number)
}

#[test]
fn the_job_array_of_the_guide_trains_every_run() {
    let folder = Folder::new();
    folder.write("my.yaml", TINY);
    let script = script("bash", "SLURM_ARRAY_TASK_ID");
    let array = script.lines().find_map(|line| line.strip_prefix("#SBATCH --array=1-")).unwrap();
    let tasks = 1..=array.parse::<u64>().unwrap();
    let task = |id: u64| {
        let mut command = shell(&folder, &script);
        command.env("SLURM_ARRAY_TASK_ID", id.to_string());
        command.env("SLURM_ARRAY_TASK_COUNT", array).env("SLURM_CPUS_PER_TASK", "1");
        command.spawn().unwrap()
    };
    all_succeed(tasks.map(task).collect());
    folder.succeeds(&["compare", "--collect", "sweep"]);
    assert!(is_whole(&folder));
}

#[test]
fn the_pods_of_the_guide_train_every_run() {
    let folder = Folder::new();
    folder.write("my.yaml", TINY);
    let job: Value = serde_yaml::from_str(&script("yaml", "kind: Job")).unwrap();
    let completions = job["spec"]["completions"].as_u64().unwrap();
    let container = &job["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["command"], serde_json::json!(["sh", "-c"]));
    let script = container["args"][0].as_str().unwrap();
    let pod = |index: u64| {
        let mut command = shell(&folder, script);
        command.env("JOB_COMPLETION_INDEX", index.to_string()).spawn().unwrap()
    };
    all_succeed((0..completions).map(pod).collect());
    folder.succeeds(&["compare", "--collect", "sweep"]);
    assert!(is_whole(&folder));
}
