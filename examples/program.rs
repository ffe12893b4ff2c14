//! A generative model of labelled points: trained on tensors, saved, loaded and sampled.

use std::path::Path;
use triflow::component::{Columns, Splits};
use triflow::rng::{Purpose, seed_torch};
use triflow::tch::{Device, Kind, Tensor};
use triflow::train::Control;
use triflow::{Experiment, Result, Trained, Trainer};

/// Keys of an experiment file. Those left out have defaults, which `triflow init` prints.
const EXPERIMENT: &str = "
task: generation
training:
  epochs: 20
  batch_size: 100
  ema: 0.99
  optimizer: { type: adam, learning_rate: 0.005 }
";

/// Training rows: points x `[n, 2]` around (−1, −1) and (1, 1), and their labels y `[n]`, 0 and 1.
fn rows(n: i64) -> Columns {
    let y = Tensor::arange(n, (Kind::Int64, Device::Cpu)).remainder(2);
    let noise = Tensor::randn([n, 2], (Kind::Float, Device::Cpu)) * 0.3;
    let x = noise + y.unsqueeze(1) * 2.0 - 1.0;
    Columns { x: Some(x), y: Some(y), ..Columns::default() }
}

fn train() -> Result<Trained> {
    let stream = seed_torch(1, Purpose::Data, 0);
    let data = Splits { train: rows(2000), val: Some(rows(400)), ..Splits::default() };
    drop(stream);
    let mut trainer = Trainer::with_tables(Experiment::from_yaml(EXPERIMENT)?, data)?;
    trainer.fit(&mut |_, event| {
        if let Some(epoch) = event.epoch
            && let (Some(Some(train)), Some(Some(val))) = (epoch.train.first(), epoch.val.first())
        {
            println!("epoch {:2}: loss {train:.3}, validation {val:.3}", epoch.epoch);
        }
        Ok(Control::Continue)
    })?;
    Ok(trainer.into_trained())
}

fn main() -> Result<()> {
    // Links the built-in components into the program.
    triflow_plugins::link();
    let file = Path::new("model.safetensors");
    train()?.save(file)?;
    let mut model = Trained::load(Experiment::from_yaml(EXPERIMENT)?, file)?;
    for label in 0..2 {
        // Labels `[n]` → points `[n, 2]`, from the z_0 of seed 7.
        let labels = Tensor::full([500], label, (Kind::Int64, Device::Cpu));
        let points = model.generate(&labels, None, Some(7))?;
        let mean: Vec<f64> = points.mean_dim(0, false, Kind::Double).try_into()?;
        println!(
            "label {label}: {:?} samples, mean ({:.2}, {:.2})",
            points.size(),
            mean[0],
            mean[1]
        );
    }
    Ok(())
}
