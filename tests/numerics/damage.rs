//! Damaged files of a run: none is accepted as valid, and what can be restored is.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::path::{Path, PathBuf};
use triflow::run::{self, Run, RunObserver, Weights};
use triflow::tch::Tensor;
use triflow::train::{Event, State};
use triflow::{Error, Experiment};

/// An experiment of 4 steps an epoch, 12 in all.
const EXPERIMENT: &str = "
task: generation
data: { type: two_moons, samples: 160 }
crn: { type: vanilla, network: { type: mlp, hidden_dims: [4] } }
training: { epochs: 3, batch_size: 32, ema: 0.9 }
checkpoint: { every: 2 steps, keep: 3, keep_best: total }
sampling: { solver: euler, steps: 2 }
device: cpu
";

/// Number of damages of each file; 1,000 were tried by hand.
const DAMAGES: u64 = 300;

struct StopAt(u64, u64);

impl RunObserver for StopAt {
    fn step(&mut self, event: &Event<'_>) {
        self.1 = event.step;
    }

    fn stop(&self) -> bool {
        self.1 >= self.0
    }
}

fn experiment(folder: &Path) -> Experiment {
    triflow_plugins::link();
    let mut experiment = Experiment::from_yaml(EXPERIMENT).unwrap();
    experiment.output_dir = folder.into();
    experiment
}

fn stopped_at(folder: &Path, step: u64) -> PathBuf {
    let done = run::train(experiment(folder), Path::new(""), &mut StopAt(step, 0));
    let Err(Error::Interrupted { run }) = done else { panic!("{done:?}") };
    run
}

fn checkpoint(run: &Path, step: u64) -> PathBuf {
    run.join(format!("checkpoints/step_{step:09}.safetensors"))
}

/// The bytes with random damage: a flipped bit, a block of other bytes, of zeros or of bytes from
/// elsewhere in the file, a missing end, or no bytes at all.
fn damaged(original: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = original.to_vec();
    let at = rng.random_range(0..original.len());
    let end = (at + rng.random_range(1..64_usize)).min(original.len());
    match rng.random_range(0..20_u32) {
        0..8 => bytes[at] ^= 1 << rng.random_range(0..8_u32),
        8..11 => bytes[at..end].iter_mut().for_each(|byte| *byte = rng.random()),
        11..14 => bytes[at..end].fill(0),
        14..16 => {
            let from = rng.random_range(0..=original.len() - (end - at));
            bytes.copy_within(from..from + end - at, at);
        }
        16..19 => bytes.truncate(at),
        _ => bytes.clear(),
    }
    bytes
}

/// Number of damages of a file after which reading succeeds with wrong content.
fn accepted<T: PartialEq>(path: &Path, seed: u64, read: impl Fn() -> Result<T, Error>) -> u64 {
    let (original, truth) = (std::fs::read(path).unwrap(), read().unwrap());
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut accepted = 0;
    for _ in 0..DAMAGES {
        std::fs::write(path, damaged(&original, &mut rng)).unwrap();
        match read() {
            Ok(other) => accepted += u64::from(other != truth),
            Err(Error::Data { .. }) => {}
            Err(e) => panic!("{e:?}"),
        }
    }
    std::fs::write(path, original).unwrap();
    accepted
}

#[test]
fn no_damage_to_a_checkpoint_or_to_parameters_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let run = run::train(experiment(folder.path()), Path::new(""), &mut ()).unwrap();
    let state = checkpoint(&run.path, 12);
    let read = || {
        let state = State::load(&state)?;
        let bits = |t: &Tensor| Vec::<f64>::try_from(t.to_kind(triflow::tch::Kind::Double));
        let tensors: Vec<_> =
            state.tensors.iter().map(|(name, t)| (name.clone(), bits(t).unwrap())).collect();
        Ok((state.step, tensors, state.history))
    };
    assert_eq!(accepted(&state, 1, read), 0);
    for (file, weights) in
        [("params.safetensors", Weights::Last), ("checkpoints/best.safetensors", Weights::Best)]
    {
        let read = || {
            let mut model = run.load_as(experiment(folder.path()), weights)?;
            let plan = model.plan();
            let sampled = model.sample_latents(
                &Tensor::ones([2, 2], triflow::tch::kind::FLOAT_CPU),
                None,
                &plan,
                &mut (),
            )?;
            let sampled = model.present(&sampled.z)?.reshape([-1]);
            Ok(Vec::<f32>::try_from(sampled).unwrap())
        };
        assert_eq!(accepted(&run.file(file), 2, read), 0);
    }
}

#[test]
fn a_damaged_checkpoint_gives_way_to_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let complete = run::train(experiment(folder.path()), Path::new(""), &mut ()).unwrap();
    let stopped = stopped_at(folder.path(), 7);
    let newest = checkpoint(&stopped, 7);
    let mut bytes = std::fs::read(&newest).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&newest, bytes).unwrap();
    // The model of the unfinished run is that of the previous checkpoint as well.
    let left = Run::open(&stopped).unwrap().load().unwrap();
    let before = State::load(&checkpoint(&stopped, 6)).unwrap();
    let flat = |name: &str| &before.tensors.iter().find(|(n, _)| n == name).unwrap().1;
    let named = left.parameters().into_iter().map(|(_, t)| t.reshape([-1])).collect::<Vec<_>>();
    assert_eq!(&Tensor::cat(&named, 0), flat("parameters"));
    let run = run::resume(&stopped, &mut ()).unwrap();
    for name in ["params.safetensors", "history.json", "metrics.json"] {
        let read = |run: &Run| std::fs::read(run.file(name)).unwrap();
        assert!(read(&run) == read(&complete), "{name} differs");
    }
}

#[test]
fn a_run_whose_checkpoints_are_all_damaged_says_so_and_does_not_begin_anew() {
    let folder = tempfile::tempdir().unwrap();
    let stopped = stopped_at(folder.path(), 3);
    for step in [2, 3] {
        std::fs::write(checkpoint(&stopped, step), "").unwrap();
    }
    let error = run::resume(&stopped, &mut ()).unwrap_err().to_string();
    assert!(
        error.contains("checkpoints: holds no checkpoint that can be used; of the last one: ")
            && error.contains("step_000000003.safetensors: ")
            && error.contains("help: remove it, and `triflow resume --run "),
        "{error}"
    );
    std::fs::remove_dir_all(stopped.join("checkpoints")).unwrap();
    assert!(run::resume(&stopped, &mut ()).is_ok());
}

#[test]
fn a_checkpoint_of_another_step_than_its_history_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let stopped = stopped_at(folder.path(), 7);
    for (step, why) in [
        (u64::MAX, "it is at step 18446744073709551615, but the run ends at step 12"),
        (9, "its history has 1 epochs, but at step 9 there are 2 of 4 steps"),
    ] {
        let mut state = State::load(&checkpoint(&stopped, 7)).unwrap();
        state.step = step;
        // Saved again, the file has a valid digest.
        let path = checkpoint(&stopped, 9);
        state.save(&path).unwrap();
        let mut trainer = triflow::Trainer::new(experiment(folder.path()), Path::new("")).unwrap();
        let error = trainer.restore(State::load(&path).unwrap()).unwrap_err().to_string();
        assert_eq!(error, format!("does not fit this run: {why}"));
        assert_eq!(trainer.step(), 0);
    }
    // The run continues from the previous checkpoint.
    assert!(run::resume(&stopped, &mut ()).is_ok());
}

#[test]
fn damaged_parameters_name_the_checkpoint_that_makes_them_again() {
    let folder = tempfile::tempdir().unwrap();
    let run = run::train(experiment(folder.path()), Path::new(""), &mut ()).unwrap();
    let params = run.file("params.safetensors");
    let complete = std::fs::read(&params).unwrap();
    let mut bytes = complete.clone();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&params, bytes).unwrap();
    std::fs::write(checkpoint(&run.path, 12), "").unwrap();
    let error = run.load().unwrap_err().to_string();
    let help = format!(
        "help: move it away, and `triflow resume --run {}` makes it again from {}",
        run.path.display(),
        checkpoint(&run.path, 10).display()
    );
    assert!(error.ends_with(&help), "{error}\n{help}");
    // While the file exists, the run is finished.
    let error = run::resume(&run.path, &mut ()).unwrap_err().to_string();
    assert!(error.contains("is finished"), "{error}");
    std::fs::rename(&params, run.file("damaged.safetensors")).unwrap();
    run::resume(&run.path, &mut ()).unwrap();
    assert!(std::fs::read(&params).unwrap() == complete);
}

#[test]
fn units_that_are_not_finite_are_refused() {
    use triflow::io::{ArrayData, safetensors};
    let folder = tempfile::tempdir().unwrap();
    let run = run::train(experiment(folder.path()), Path::new(""), &mut ()).unwrap();
    let params = run.file("params.safetensors");
    let file = safetensors::read_safetensors(&params).unwrap();
    for (name, value, why) in [
        ("units.target.mean", f32::NAN, "is not finite"),
        ("units.target.deviation", f32::INFINITY, "is not finite and at least 0"),
        ("units.target.deviation", -1.0, "is not finite and at least 0"),
    ] {
        let mut file = file.clone();
        let array = file.arrays.iter_mut().find(|a| a.name == name).unwrap();
        let ArrayData::F32(values) = &mut array.data else { panic!("{array:?}") };
        values[0] = value;
        safetensors::write_safetensors(&params, &file.arrays, &file.metadata).unwrap();
        let error = run.load().unwrap_err().to_string();
        let why = format!("the units of the data are damaged: `{name}` {why}");
        assert!(error.contains("params.safetensors: ") && error.ends_with(&why), "{error}");
    }
}

/// Stops once the training is done, before measurements.
#[derive(Default)]
struct StopAfterTraining(bool);

impl RunObserver for StopAfterTraining {
    fn note(&mut self, _text: &str) {
        self.0 = true;
    }

    fn stop(&self) -> bool {
        self.0
    }
}

#[test]
fn a_run_stopped_while_it_is_measured_is_measured_by_resume_without_training_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut experiment = experiment(folder.path());
    // No checkpoint is saved.
    experiment.checkpoint.every = triflow::config::Every::Steps(1000);
    experiment.checkpoint.keep_best = None;
    let complete = run::train(experiment.clone(), Path::new(""), &mut ()).unwrap();
    let done = run::train(experiment, Path::new(""), &mut StopAfterTraining::default());
    let Err(Error::Interrupted { run }) = done else { panic!("{done:?}") };
    assert!(run.join("params.safetensors").exists() && !run.join("manifest.json").exists());
    let run = run::resume(&run, &mut StopAt(1, 0)).unwrap();
    for name in ["params.safetensors", "history.json", "metrics.json", "samples.npz"] {
        let read = |run: &Run| std::fs::read(run.file(name)).unwrap();
        assert!(read(&run) == read(&complete), "{name} differs");
    }
    assert!(run.file("trajectories.png").exists() && run.file("manifest.json").exists());
}

/// Removes the run's folder at a given step.
struct Remove(PathBuf, u64);

impl RunObserver for Remove {
    fn start(&mut self, _trainer: &triflow::Trainer, run: &Run) {
        self.0.clone_from(&run.path);
    }

    fn step(&mut self, event: &Event<'_>) {
        if event.step == self.1 {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }
}

#[test]
fn a_run_folder_that_was_removed_is_not_made_again() {
    let folder = tempfile::tempdir().unwrap();
    for step in [3, 12] {
        let mut watch = Remove(PathBuf::new(), step);
        let error = run::train(experiment(folder.path()), Path::new(""), &mut watch);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("was removed or has lost its config.yaml"), "{error}");
        assert!(!watch.0.exists());
    }
}

/// Tries to resume the run while it is at work.
struct Twice(PathBuf, Vec<String>);

impl RunObserver for Twice {
    fn start(&mut self, _trainer: &triflow::Trainer, run: &Run) {
        self.0.clone_from(&run.path);
        self.1.push(run::resume(&run.path, &mut ()).unwrap_err().to_string());
    }
}

#[test]
fn a_run_folder_has_one_process_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut watch = Twice(PathBuf::new(), Vec::new());
    let run = run::train(experiment(folder.path()), Path::new(""), &mut watch).unwrap();
    let by = format!("is in use by process {} on ", std::process::id());
    assert!(watch.1.len() == 1 && watch.1[0].contains(&by), "{:?}", watch.1);
    assert!(!run.file(".lock").exists());
}

#[test]
fn files_of_the_users_in_checkpoints_are_neither_removed_nor_taken() {
    let folder = tempfile::tempdir().unwrap();
    let stopped = stopped_at(folder.path(), 7);
    let mine = ["mine.safetensors", "step_8.safetensors", "step_000000008 (copy).safetensors"];
    for name in mine {
        std::fs::write(stopped.join("checkpoints").join(name), "mine").unwrap();
    }
    let link = checkpoint(&stopped, 11);
    std::os::unix::fs::symlink("mine.safetensors", &link).unwrap();
    run::resume(&stopped, &mut ()).unwrap();
    for name in mine {
        let read = std::fs::read(stopped.join("checkpoints").join(name)).unwrap();
        assert_eq!(read, b"mine");
    }
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
}
