//! Number of threads that a run takes.

use crate::command::{Folder, bytes};

#[test]
fn threads_follow_the_arithmetic_of_a_network_not_its_parameters() {
    let folder = Folder::new();
    let threads = |name: &str, network: &str| -> usize {
        let experiment = format!(
            "task: {{ type: sequence, mode: predict }}\n\
             data: {{ type: damped_oscillators, samples: 400, val_samples: 10, test_samples: 10 }}\n\
             crn: {{ network: {network} }}\n\
             training: {{ steps: 2, batch_size: 256 }}\n\
             sampling: {{ steps: 2 }}\ndevice: cpu\n"
        );
        folder.write(&format!("{name}.yaml"), &experiment);
        let mut command = folder.command(&["-q", "run", &format!("{name}.yaml")]);
        // The other tests say one thread with it.
        let done = command.env_remove("OMP_NUM_THREADS").output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let run = folder.join(String::from_utf8(done.stdout).unwrap().trim());
        let config = String::from_utf8(bytes(&run.join("config.yaml"))).unwrap();
        let line = config.lines().find_map(|line| line.strip_prefix("threads: "));
        line.unwrap().parse().unwrap()
    };
    let cores = std::thread::available_parallelism().unwrap().get();
    // Some 7,000 parameters at each of 64 positions of 256 rows, and 38,000 used once a row.
    let shared =
        threads("shared", "{ type: temporal_conv, width: 32, blocks: 2, condition: before }");
    let once = threads("once", "{ type: mlp, hidden_dims: [128, 128] }");
    assert_eq!((shared, once), (cores, 1));
}
