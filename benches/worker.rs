//! The triflow side of `make bench`: training and sampling with the ordinary engine and components.
//!
//!     bench_worker CONFIG train|euler|midpoint   works for the seconds that each line of standard
//!                                                input gives, and answers with a line: units a
//!                                                second, CPU seconds a unit
//!     bench_worker CONFIG check OUT              writes a loss and its inputs for the other sides
//!     bench_worker CONFIG start                  prints seconds to the end of the first step
//!
//! THREADS and PRECISION in the environment set the experiment's `threads` and
//! `training.precision`.

use std::path::Path;
use std::time::Instant;
use triflow::component::{Columns, Splits};
use triflow::io::{safetensors, to_array};
use triflow::path::rows;
use triflow::prelude::*;
use triflow::rng::{Purpose, Streams, seed_torch};
use triflow::tch::{self, Device, Kind};
use triflow::train::Control;
use triflow::{Experiment, Trainer};

/// Number of rows of the data, unless the file sets `rows`.
const ROWS: i64 = 8192;

/// Random rows of the problem: conditions y `[rows, 2]`, targets x `[rows, features...]`.
fn data(rows: i64, features: &[i64]) -> Splits {
    let _stream = seed_torch(0, Purpose::Data, 0);
    let normal =
        |shape: &[i64]| Tensor::randn([&[rows][..], shape].concat(), (Kind::Float, Device::Cpu));
    let train = Columns { x: Some(normal(features)), y: Some(normal(&[2])), ..Columns::default() };
    Splits { train, ..Splits::default() }
}

/// CPU time of this process (user and system), in seconds.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = text.rsplit(") ").next().unwrap_or_default().split(' ');
    let ticks: f64 = fields.skip(11).take(2).filter_map(|f| f.parse::<f64>().ok()).sum();
    ticks / 100.0
}

/// Peak resident memory of this process, in MiB.
fn peak_memory() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() / 1024
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let began = Instant::now();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [config, what, rest @ ..] = arguments.as_slice() else {
        return Err("usage: bench_worker CONFIG train|euler|midpoint|start|check OUT".into());
    };
    triflow_plugins::link();
    triflow::memory::keep_freed();
    let text = std::fs::read_to_string(config)?;
    let numbers: serde_yaml::Value = serde_yaml::from_str(&text)?;
    let number = |name: &str| numbers["bench"][name].as_i64().unwrap_or_default();
    let mut experiment: serde_yaml::Mapping = serde_yaml::from_str(&text)?;
    experiment.remove("bench");
    if let Ok(threads) = std::env::var("THREADS") {
        experiment.insert("threads".into(), threads.parse::<u64>()?.into());
    }
    if let Ok(precision) = std::env::var("PRECISION") {
        experiment["training"]["precision"] = precision.into();
    }
    if what == "euler" || what == "midpoint" {
        let sampling = format!("{{ solver: {what}, steps: 20, noise: independent }}");
        experiment.insert("sampling".into(), serde_yaml::from_str(&sampling)?);
    }
    let experiment = Experiment::from_yaml(&serde_yaml::to_string(&experiment)?)?;
    let rows = numbers["bench"]["rows"].as_i64().unwrap_or(ROWS);
    let mut trainer = match numbers["data"]["path"] {
        serde_yaml::Value::Null => {
            let features = match &numbers["bench"]["features"] {
                serde_yaml::Value::Sequence(shape) => {
                    shape.iter().filter_map(serde_yaml::Value::as_i64).collect()
                }
                one => vec![one.as_i64().ok_or("bench.features is missing")?],
            };
            Trainer::with_tables(experiment, data(rows, &features))?
        }
        // The configuration names a file of rows.
        _ => Trainer::new(experiment, Path::new(""))?,
    };
    match what.as_str() {
        "check" => check(&trainer, Path::new(rest.first().ok_or("check needs a file OUT")?)),
        "start" => {
            trainer.fit(&mut |_, _| Ok(Control::Stop))?;
            println!("{}", began.elapsed().as_secs_f64());
            Ok(())
        }
        "train" => {
            let (mut serving, steps) = (Serving::start(), number("steps"));
            trainer.fit(&mut |_, event| {
                let due = event.step.is_multiple_of(steps as u64);
                Ok(if !due || serving.after(steps)? { Control::Continue } else { Control::Stop })
            })?;
            Ok(())
        }
        _ => {
            let n = number("points");
            let y = Tensor::randn([n, 2], (Kind::Float, trainer.trained().device()));
            let (trained, _) = trainer.trained_mut();
            let (mut serving, mut draw) = (Serving::start(), 0);
            loop {
                draw += 1;
                let z0 = trained.z0(n, Some(&Streams::new(1, draw)))?;
                let (condition, _) = trained.condition(&y)?;
                let plan = trained.plan();
                let sampled = trained.sample_latents(&z0, Some(&condition), &plan, &mut ())?;
                // Reading a number waits for the device.
                let _ = sampled.z.sum(Kind::Float).double_value(&[]);
                if !serving.after(n)? {
                    return Ok(());
                }
            }
        }
    }
}

type Answer = std::result::Result<(), Box<dyn std::error::Error>>;

/// Measures the rate of work over the seconds that each line of standard input requests.
struct Serving {
    began: Instant,
    cpu: f64,
    /// Requested seconds; `None` before the first line.
    requested: Option<f64>,
    units: i64,
    /// Seconds of the first work, with its warm-up.
    first: Option<f64>,
}

impl Serving {
    fn start() -> Self {
        Self { began: Instant::now(), cpu: 0.0, requested: None, units: 0, first: None }
    }

    /// Records `units` of work, and answers when the time is up. Returns `true` if work goes on.
    fn after(&mut self, units: i64) -> Result<bool> {
        self.units += units;
        let took = self.began.elapsed().as_secs_f64();
        match (self.requested, self.first) {
            (None, None) => {
                self.first = Some(took);
                return Ok(true);
            }
            (None, Some(first)) => println!("ready {first:.2} {}", peak_memory()),
            (Some(requested), _) if took < requested => return Ok(true),
            (Some(_), _) => {
                let units = self.units as f64;
                println!("{} {}", units / took, (cpu_seconds() - self.cpu) / units);
            }
        }
        let mut line = String::new();
        let bad = |e: &dyn std::fmt::Display| Error::runtime(format!("standard input: {e}"));
        if std::io::stdin().read_line(&mut line).map_err(|e| bad(&e))? == 0 {
            return Ok(false);
        }
        self.requested = Some(line.trim().parse().map_err(|e| bad(&e))?);
        (self.began, self.cpu, self.units) = (Instant::now(), cpu_seconds(), 0);
        Ok(true)
    }
}

/// Writes parameters, inputs and their loss to a safetensors file.
fn check(trainer: &Trainer, out: &Path) -> Answer {
    let trained = trainer.trained();
    let (model, n) = (trained.model(), 64);
    let _stream = seed_torch(7, Purpose::Data, 1);
    let normal = |shape: &[i64]| Tensor::randn(shape, (Kind::Float, Device::Cpu));
    let shape = [&[n][..], model.latent_shape()].concat();
    let (z0, z1, y) = (normal(&shape), normal(&shape), normal(&[n, 2]));
    let t = Tensor::rand([n], (Kind::Float, Device::Cpu));
    let mut all = vec![("z0", z0), ("z1", z1), ("y", y), ("t", t)];
    let mut parameters = trained.parameters();
    for (_, value) in &mut parameters {
        // The last layer starts at zero, which would hide errors of all others.
        let inputs: i64 = value.size().iter().skip(1).product();
        let noise = normal(&value.size()) * (0.3 / (inputs as f64).sqrt());
        *value = &*value + noise;
    }
    let loss = tch::no_grad(|| -> Result<Tensor> {
        for (name, mut own) in model.vars.variables() {
            if let Some((_, value)) = parameters.iter().find(|(n, _)| *n == name) {
                own.copy_(value);
            }
        }
        let [z0, z1, y, t] = [0, 1, 2, 3].map(|i: usize| &all[i].1);
        let z = z0 + rows(t, z0) * (z1 - z0);
        let condition = Condition::new(y.shallow_clone());
        let point = model.path().at(t)?;
        let reading = Reading::new(model.objective(), &point)?;
        let output = model.output(&z, &reading, Some(&condition), Pass::EVAL)?;
        Ok((output - (z1 - z0)).square().mean(Kind::Float))
    })?;
    all.push(("loss", loss.reshape([1])));
    let named = all.iter().map(|(name, t)| (*name, t));
    let named = named.chain(parameters.iter().map(|(name, t)| (name.as_str(), t)));
    let arrays = named.map(|(name, t)| to_array(name, t)).collect::<Result<Vec<_>>>()?;
    safetensors::write_safetensors(out, &arrays, &Default::default())?;
    Ok(())
}
