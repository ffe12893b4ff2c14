//! `generate` and `evaluate`: a trained run at work.

use super::print_json;
use crate::args::SamplingArgs;
use std::path::Path;
use triflow::config::Layers;
use triflow::io::{NamedArray, npz};
use triflow::run::Run;
use triflow::tch::{Device, Kind, Tensor};
use triflow::{Error, Result, Trainer};

/// The trained run, sampled as the flags say.
fn load(run: &Path, sampling: &SamplingArgs) -> Result<(Run, Trainer)> {
    let run = Run::open(run)?;
    let mut layers = Layers::new()?;
    layers.add_file(&run.file("config.yaml"))?;
    sampling.apply(&mut layers)?;
    let trainer = run.load_as(layers.finish()?)?;
    Ok((run, trainer))
}

/// Draws samples into a file.
pub fn generate(
    run: &Path,
    n: i64,
    labels: &[i64],
    sampling: &SamplingArgs,
    out: &Path,
) -> Result<()> {
    let (_, mut trainer) = load(run, sampling)?;
    let seed = sampling.seed.unwrap_or_else(|| trainer.experiment().seed());
    let condition = trainer.data().shapes().condition;
    let (samples, asked) = match condition {
        None => (trainer.sample(&[n], None, seed)?, None),
        Some(shape) => {
            let rows = if trainer.data().condition_is_label {
                let classes = shape[0];
                let labels: Vec<i64> =
                    if labels.is_empty() { (0..classes).collect() } else { labels.to_vec() };
                if let Some(bad) = labels.iter().find(|l| !(0..classes).contains(*l)) {
                    return Err(Error::config(
                        "",
                        format!("label {bad} is not one of 0 to {}", classes - 1),
                    ));
                }
                Tensor::from_slice(&labels)
                    .repeat_interleave_self_int(n, 0, None::<i64>)
                    .one_hot(classes)
            } else {
                return Err(Error::config("", "this run's condition is not a label")
                    .help("use the library's `generate` with the conditions"));
            };
            let samples = trainer.generate(&rows, None, Some(seed))?;
            (samples, Some(rows.argmax(-1, false)))
        }
    };
    let mut arrays = vec![array("samples", &samples)?];
    if let Some(labels) = asked {
        arrays.push(array("labels", &labels)?);
    }
    npz::write_npz(out, &arrays)?;
    println!("{} samples, seed {seed}, in {}", samples.size()[0], out.display());
    Ok(())
}

fn array(name: &str, tensor: &Tensor) -> Result<NamedArray> {
    let tensor = tensor.to_device(Device::Cpu);
    let shape = tensor.size().iter().map(|s| *s as usize).collect();
    let flat = tensor.reshape([-1]);
    if tensor.kind() == Kind::Int64 {
        NamedArray::new(name, shape, Vec::<i64>::try_from(flat)?)
    } else {
        NamedArray::new(name, shape, Vec::<f32>::try_from(flat.to_kind(Kind::Float))?)
    }
}

/// Measures a run again.
pub fn evaluate(run: &Path, sampling: &SamplingArgs) -> Result<()> {
    let (_, mut trainer) = load(run, sampling)?;
    print_json(&triflow::report::evaluate(&mut trainer)?.metrics)
}
