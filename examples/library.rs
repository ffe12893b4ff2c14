//! triflow as a library, on tensors in memory: training, prediction with error bars, conditional
//! and unconditional generation, and trajectories of samples from noise to data.
//!
//!     cargo run --release --example library

use triflow::component::{Columns, Splits};
use triflow::config::{ExperimentBuilder, Task};
use triflow::prelude::*;
use triflow::rng::{Purpose, Streams, seed_torch};
use triflow::sample::Trajectory;
use triflow::tch::{Device, Kind};
use triflow::train::Control;
use triflow::{Experiment, Trained, Trainer};
use triflow_plugins::loss_weightings::Field;
use triflow_plugins::noise_schedules::Cosine;
use triflow_plugins::objectives::{Ct, Diffusion};
use triflow_plugins::optimizers::Adam;

const STEPS: usize = 20;

/// `n` rows of x `[n, 1]`, uniform on [−1, 1], and y = x² plus noise of standard deviation 0.1.
fn parabola(n: i64) -> Columns {
    let x = Tensor::rand([n, 1], (Kind::Float, Device::Cpu)) * 2.0 - 1.0;
    let y = x.square() + Tensor::randn_like(&x) * 0.1;
    Columns { x: Some(x), y: Some(y), ..Columns::default() }
}

/// Trains an experiment for 30 epochs on 4,000 rows of the parabola, with 1,000 for validation.
fn fit(experiment: ExperimentBuilder) -> Result<Trained> {
    let stream = seed_torch(1, Purpose::Data, 0);
    let data = Splits { train: parabola(4000), val: Some(parabola(1000)), ..Splits::default() };
    drop(stream);
    let optimizer = Adam { learning_rate: 0.005, ..Adam::default() };
    let experiment = experiment.epochs(30).ema(0.99).optimizer(optimizer).build()?;
    let mut trainer = Trainer::with_tables(experiment, data)?;
    trainer.fit(&mut |_, event| {
        if let Some(epoch) = event.epoch
            && epoch.epoch % 10 == 0
            && let (Some(Some(train)), Some(Some(val))) = (epoch.train.first(), epoch.val.first())
        {
            println!("  epoch {:2}: loss {train:.4}, validation {val:.4}", epoch.epoch);
        }
        Ok(Control::Continue)
    })?;
    Ok(trainer.into_trained())
}

/// Mean and standard deviation of all values.
fn moments(values: &Tensor) -> (f64, f64) {
    let mean = values.mean(Kind::Double).double_value(&[]);
    (mean, values.to_kind(Kind::Double).std(true).double_value(&[]))
}

fn main() -> Result<()> {
    triflow_plugins::link();
    println!("regression, x → y");
    let mut model = fit(Experiment::builder().task(Task::Regression))?;
    let x = Tensor::from_slice(&[-1.0f32, -0.5, 0.0, 0.5, 1.0]).view([5, 1]);
    // Without a seed from z_0 = 0, one prediction a row; with a seed the mean of 200 draws.
    let point = model.predict(&x, None, 1)?.mean;
    let drawn = model.predict(&x, Some(7), 200)?;
    for i in 0..5 {
        let at = |t: &Tensor| t.double_value(&[i, 0]);
        let (x, y) = (at(&x), at(&point));
        println!(
            "  y({x:4.1}) = {y:.3}, drawn {:.3} ± {:.3}, truly {:.3} ± 0.100",
            at(&drawn.mean),
            at(&drawn.deviation),
            x * x
        );
    }

    println!("conditional generation, y → x, by target prediction");
    let mut model = fit(Experiment::builder()
        .task(Task::Generation)
        .objective(Ct::default())
        .noise_schedule(Cosine::default())
        .weighting(Field::default()))?;
    // A single condition without the batch axis, and a batch of 1,000 equal ones.
    let single = model.generate(&Tensor::from_slice(&[0.25f32]), Some(STEPS), Some(1))?;
    let many = model.generate(
        &Tensor::full([1000, 1], 0.25, (Kind::Float, Device::Cpu)),
        None,
        Some(1),
    )?;
    let left = many.lt(0.0).to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
    println!(
        "  x for y = 0.25: one is {:.2}; of 1,000 {:.0} % are negative, |x| = {:.2} ± {:.2}, \
         truly 50 %, 0.46 ± 0.13",
        single.double_value(&[0]),
        100.0 * left,
        moments(&many.abs()).0,
        moments(&many.abs()).1
    );

    println!("unconditional generation of x, by noise prediction");
    let mut model = fit(Experiment::builder()
        .task(Task::Generation)
        .unconditional(true)
        .objective(Diffusion::default())
        .noise_schedule(Cosine::default()))?;
    let samples = model.sample(&[10, 100], Some(STEPS), 3)?;
    let (mean, deviation) = moments(&samples);
    println!(
        "  samples {:?}: {mean:.2} ± {deviation:.2}, truly 0.00 ± {:.2}",
        samples.size(),
        1.0 / 3f64.sqrt()
    );

    println!("their trajectory from noise to data, in latent units");
    let z0 = model.z0(1000, Some(&Streams::new(3, 0)))?;
    let (plan, mut trajectory) = (model.plan(), Trajectory::default());
    let end = model.sample_latents(&z0, None, &plan, &mut trajectory)?;
    for state in trajectory.states.iter().step_by(5) {
        println!("  deviation {:.3}", moments(state).1);
    }
    println!("  {} network evaluations a sample", end.nfe);
    Ok(())
}
