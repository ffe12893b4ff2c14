//! A program of one's own that trains in several processes, with a component that draws.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use triflow::component::{Draws, Source, SourceContext};
use triflow::io::{NamedArray, safetensors};
use triflow::prelude::*;
use triflow::tch::{Device, Kind};
use triflow::train::Control;
use triflow::{Experiment, Group, Trainer};

/// File in which a process of the test leaves its model; set for those only.
const MODEL: &str = "TRIFLOW_TEST_MODEL";
/// Longest wait for a process.
const LIMIT: Duration = Duration::from_secs(60);

triflow::component! {
    /// Points with radii of their own, from LibTorch's generator.
    pub struct Spread: Source = "spread" {}
}

impl Spec<dyn Source> for Spread {
    fn build(&self, _: &SourceContext) -> Result<Box<dyn Source>> {
        Ok(Box::new(self.clone()))
    }
}

impl Source for Spread {
    fn draw(&self, _: &dyn Draws, shape: &[i64], options: (Kind, Device)) -> Result<Tensor> {
        Ok(Tensor::randn(shape, options) * (Tensor::rand([shape[0], 1], options) + 0.5))
    }
}

/// Trains in the group of the environment, and saves the parameters and the losses.
fn train_and_save(file: &Path) -> Result<()> {
    triflow_plugins::link();
    let experiment = Experiment::from_yaml(
        "{ task: generation, device: cpu, threads: 1, source: spread, \
         data: { type: two_moons, samples: 100 }, \
         crn: { network: { hidden_dims: [8], dropout: 0.1 } }, \
         training: { epochs: 3, batch_size: 32, parts: 2, precision: float64 } }",
    )?;
    let group = Group::of_environment(LIMIT)?;
    let base = Path::new("");
    let mut trainer = Trainer::in_group(&group, experiment, |e| Trainer::new(e, base))?;
    let complete = trainer.fit(&mut |_, _| Ok(Control::Continue))?;
    assert!(complete && trainer.group().size() == group.size());
    let all = trainer.trained().parameters().into_iter().map(|(_, t)| t.reshape([-1]));
    let mut values = Vec::<f64>::try_from(Tensor::cat(&all.collect::<Vec<_>>(), 0))?;
    let losses = trainer.history().epochs.iter().flat_map(|epoch| epoch.train.iter().flatten());
    values.extend(losses);
    let array = NamedArray::new("values", vec![values.len()], values)?;
    safetensors::write_safetensors(file, &[array], &Default::default())
}

/// Starts this test in a process of its own, as a rank of several.
fn start(file: &Path, (rank, size): (usize, usize), port: u16) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let name = "group::a_program_trains_the_same_model_by_one_process_and_by_two";
    command.args(["--exact", name]).env(MODEL, file).env("OMP_NUM_THREADS", "1");
    command.env("MASTER_ADDR", "127.0.0.1").env("MASTER_PORT", port.to_string());
    command.env("RANK", rank.to_string()).env("WORLD_SIZE", size.to_string());
    command.stdout(Stdio::null()).spawn().unwrap()
}

/// Trains with `size` processes; the values that each has afterwards.
fn trained(folder: &Path, size: usize) -> Vec<Vec<f64>> {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let file = |rank| folder.join(format!("{rank}_of_{size}"));
    let ranks: Vec<Child> = (0..size).map(|rank| start(&file(rank), (rank, size), port)).collect();
    let began = Instant::now();
    for mut rank in ranks {
        while rank.try_wait().unwrap().is_none() {
            if began.elapsed() > LIMIT {
                rank.kill().unwrap();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(rank.wait().unwrap().success());
    }
    let read = |rank| {
        let arrays = safetensors::read_safetensors(&file(rank)).unwrap().arrays;
        arrays[0].data.to_f64()
    };
    (0..size).map(read).collect()
}

#[test]
fn a_program_trains_the_same_model_by_one_process_and_by_two() {
    if let Some(file) = std::env::var_os(MODEL) {
        train_and_save(Path::new(&file)).unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (trained(folder.path(), 1), trained(folder.path(), 2));
    // All processes have the same bits.
    assert_eq!(two[0], two[1]);
    assert_eq!(one[0].len(), two[0].len());
    for (one, two) in one[0].iter().zip(&two[0]) {
        assert!((one - two).abs() <= 1e-12 * (1.0 + one.abs()), "{one}, {two}");
    }
}
