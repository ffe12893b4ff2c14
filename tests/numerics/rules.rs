//! Every rule of what fits what refuses an experiment that breaks it, with its key.

use std::collections::BTreeSet;
use triflow::component::{Columns, Splits};
use triflow::config::Layers;
use triflow::prelude::*;
use triflow::tch::{Device, Kind};
use triflow::{Experiment, Trainer};

/// Rows that an experiment is tried on.
#[derive(Clone, Copy)]
enum Data {
    /// x `[24, 2]` and labels y.
    Labelled,
    /// x `[24, 2]` and numbers y `[24, 1]`.
    Numbers,
    /// The labelled rows, with a z_0 `[24, 3]`.
    WrongZ0,
    /// x `[24, 1, 4, 4]` and labels y.
    Images,
    /// x `[24, 5, 2]` of different lengths and numbers y of the same.
    Sequences,
}

fn rows(data: Data) -> Splits {
    let ramp = |shape: &[i64]| {
        let n = shape.iter().product::<i64>();
        Tensor::arange(n, (Kind::Float, Device::Cpu)).sin().reshape(shape)
    };
    let labels = Tensor::arange(24, (Kind::Int64, Device::Cpu)).remainder(2);
    let plain = |x: &[i64], y| Columns { x: Some(ramp(x)), y: Some(y), ..Columns::default() };
    let train = match data {
        Data::Labelled => plain(&[24, 2], labels),
        Data::Numbers => plain(&[24, 2], ramp(&[24, 1])),
        Data::WrongZ0 => Columns { z0: Some(ramp(&[24, 3])), ..plain(&[24, 2], labels) },
        Data::Images => plain(&[24, 1, 4, 4], labels),
        Data::Sequences => {
            let lengths = || Some(&labels * 2 + 3);
            Columns {
                x_lengths: lengths(),
                y_lengths: lengths(),
                ..plain(&[24, 5, 2], ramp(&[24, 5, 1]))
            }
        }
    };
    Splits { train, ..Splits::default() }
}

triflow::component! {
    /// Keeps the parameters: its learning rate is 0.
    pub struct Still: Optimizer = "still" {}
}

impl Spec<dyn Optimizer> for Still {
    fn build(&self, (): &()) -> Result<Box<dyn Optimizer>> {
        Ok(Box::new(self.clone()))
    }
}

impl Optimizer for Still {
    fn learning_rate(&self) -> Result<f64> {
        Ok(0.0)
    }

    fn moments(&self) -> Result<Vec<(&'static str, f64)>> {
        Ok(vec![])
    }

    fn step(&self, _: &mut Tensor, _: &Tensor, _: &mut OptimizerState, _: &Tensor) -> Result<()> {
        Ok(())
    }
}

/// The error of an experiment on rows; `None` if it can be trained.
fn error_of(yaml: &str, data: Data) -> Option<String> {
    triflow_plugins::link();
    let mut layers = Layers::new().unwrap();
    let base = "{ device: cpu, task: generation, data: { split: { val: 0.25, test: 0 } }, \
                crn: { network: { type: mlp, hidden_dims: [8] } } }";
    layers.add_text(base, "base").unwrap();
    layers.add_text(yaml, "test").unwrap();
    let trainer = Trainer::with_tables(layers.finish().unwrap(), rows(data));
    trainer.err().map(|e| e.to_string())
}

/// A rule, an experiment that breaks it, rows, the key of the error and a part of its message.
type Broken = (&'static str, &'static str, Data, &'static str, &'static str);

const BROKEN: &[Broken] = &[
    (
        "a prediction has a condition",
        "{ task: regression, unconditional: true }",
        Data::Numbers,
        "unconditional",
        "regression has a condition",
    ),
    (
        "a guided model was trained without its condition too",
        "sampling: { guidance: 2 }",
        Data::Labelled,
        "sampling.guidance",
        "never trained without its condition",
    ),
    (
        "the interval of guidance does not end before it begins",
        "sampling: { guidance_interval: [0.8, 0.2] }",
        Data::Labelled,
        "sampling.guidance_interval",
        "needs from <= to, got [0.8, 0.2]",
    ),
    (
        "a guided model has a condition",
        "{ unconditional: true, sampling: { guidance: 2 }, training: { condition_dropout: 0.1 } }",
        Data::Labelled,
        "sampling.guidance",
        "a model without a condition",
    ),
    (
        "columns are masked in rows of a table",
        "{ task: regression, training: { mask_columns: 0.5 } }",
        Data::Numbers,
        "training.mask_columns",
        "only the cells of rows that are generated",
    ),
    (
        "columns are matched in rows of a table",
        "{ task: regression, sampling: { match_marginals: true } }",
        Data::Numbers,
        "sampling.match_marginals",
        "only columns of rows that are generated",
    ),
    (
        "a decoder of logits has labels to learn",
        "{ task: regression, decoder: { type: mlp, head: softmax }, loss: { vae_weight: 1 } }",
        Data::Numbers,
        "decoder",
        "the targets are no labels",
    ),
    (
        "an encoder and a decoder belong together",
        "encoder: one_hot",
        Data::Numbers,
        "decoder",
        "decoder `identity` does not read the latents of encoder `one_hot`",
    ),
    (
        "an encoder and a decoder belong together",
        "decoder: mixed",
        Data::Numbers,
        "decoder",
        "decoder `mixed` reads latents of encoder `mixed`, not of `identity`",
    ),
    (
        "a learnable schedule is followed by the path",
        "noise_schedule: { type: sigmoid, learnable: true }",
        Data::Labelled,
        "noise_schedule.learnable",
        "the path `rectified` has no noise schedule",
    ),
    (
        "pairs are of latents that training does not change",
        "{ encoder: mlp, coupling: ot_conditional }",
        Data::Labelled,
        "coupling",
        "an encoder with parameters computes a new z_1",
    ),
    (
        "a coupling keeps the condition, or its bias is accepted",
        "coupling: ot_exact",
        Data::Labelled,
        "coupling",
        "`ot_exact` ignores the condition",
    ),
    (
        "a coupling pairs whole batches",
        "{ coupling: { type: ot_conditional, batch: 10 }, training: { batch_size: 8 } }",
        Data::Labelled,
        "coupling.batch",
        "needs a multiple of training.batch_size, 8, got 10",
    ),
    (
        "without Gaussian noise, the path leads from z_0 itself to the data",
        "{ source: uniform, path: variance_preserving }",
        Data::Labelled,
        "path",
        "the path `variance_preserving` needs Gaussian noise",
    ),
    (
        "without Gaussian noise, the velocity is predicted",
        "{ coupling: ot_conditional, objective: ct, path: rectified }",
        Data::Labelled,
        "objective",
        "with the coupling `ot_conditional` z_0 depends on the data",
    ),
    (
        "without Gaussian noise, steps are in time",
        "{ source: uniform, sampling: { grid: gamma } }",
        Data::Labelled,
        "sampling.grid",
        "a step in log-SNR needs Gaussian noise",
    ),
    (
        "without Gaussian noise, no step is repeated",
        "{ source: uniform, sampling: { repeats: 2 } }",
        Data::Labelled,
        "sampling.repeats",
        "a step that is repeated needs Gaussian noise",
    ),
    (
        "without Gaussian noise, no noise is removed at the end",
        "{ source: uniform, sampling: { final_denoise: true } }",
        Data::Labelled,
        "sampling.final_denoise",
        "a last step that removes noise needs Gaussian noise",
    ),
    (
        "without Gaussian noise, no force is added",
        "{ source: uniform, sampling: { steering: { type: toward, to: [0, 0], strength: 1 } } }",
        Data::Labelled,
        "sampling.steering",
        "a force, which is added to a score, needs Gaussian noise",
    ),
    (
        "without Gaussian noise, the solver needs only the velocity",
        "{ source: uniform, sampling: { solver: dpmpp } }",
        Data::Labelled,
        "sampling.solver",
        "the solver `dpmpp` needs Gaussian noise",
    ),
    (
        "Sobol' points are of N(0, I)",
        "{ source: uniform, sampling: { noise: sobol } }",
        Data::Labelled,
        "sampling.noise",
        "the source `uniform` is not N(0, I)",
    ),
    (
        "a prediction starts from the centre of N(0, I)",
        "{ task: regression, source: uniform }",
        Data::Numbers,
        "source",
        "a prediction starts from z_0 = 0",
    ),
    (
        "a convex CRN can represent the prediction",
        "{ objective: ct, crn: { type: potential, network: convex } }",
        Data::Labelled,
        "crn",
        "gradient of a convex function",
    ),
    (
        "the time sampler suits the path",
        "training: { time_sampling: importance }",
        Data::Labelled,
        "training.time_sampling",
        "needs a log-SNR that is finite at both ends",
    ),
    (
        "a learned schedule is trained by the variational bound",
        "{ objective: diffusion, noise_schedule: { type: sigmoid, learnable: true }, \
         loss: { kl_weight: 0 } }",
        Data::Labelled,
        "loss.kl_weight",
        "only sound under the full variational bound",
    ),
    (
        "a learned encoder or decoder is reconstructed",
        "{ encoder: mlp, loss: { vae_weight: 0 } }",
        Data::Labelled,
        "loss.vae_weight",
        "an encoder with parameters collapses",
    ),
    (
        "an infinite output has a weight that vanishes",
        "{ objective: score, path: rectified, loss: { use_snr_weight: false } }",
        Data::Labelled,
        "loss.use_snr_weight",
        "target is infinite at an end",
    ),
    (
        "the terms of the loss are finite",
        "{ objective: diffusion, path: rectified, loss: { recon_weight: 1 } }",
        Data::Labelled,
        "loss.recon_weight",
        "makes the term infinite",
    ),
    (
        "what is frozen has parameters",
        "training: { freeze: [encoder] }",
        Data::Labelled,
        "training.freeze",
        "`encoder` has no parameters",
    ),
    (
        "freezing leaves a parameter to learn",
        "training: { freeze: [crn] }",
        Data::Labelled,
        "training.freeze",
        "no parameter is left to learn",
    ),
    (
        "what is mirrored is an image",
        "training: { flip: true }",
        Data::Labelled,
        "training.flip",
        "only images [channels, height, width]",
    ),
    (
        "what is mirrored is not paired",
        "{ coupling: ot_conditional, training: { flip: true } }",
        Data::Images,
        "training.flip",
        "z_0 is paired with the images",
    ),
    (
        "a force while sampling fits the latents",
        "sampling: { steering: { type: toward, to: [1, 2, 3] } }",
        Data::Labelled,
        "sampling.steering.to",
        "has 3 numbers for latents of 2",
    ),
    (
        "a learning rate is above 0",
        "training: { optimizer: still }",
        Data::Labelled,
        "training.optimizer.learning_rate",
        "needs a number above 0, got 0",
    ),
    (
        "the stopping rule watches a term of the model",
        "training: { stopping: { type: patience, term: kl, epochs: 2 } }",
        Data::Labelled,
        "training.stopping",
        "no loss term `kl`",
    ),
    (
        "the stopping rule has validation rows",
        "{ data: { split: { val: 0 } }, training: { stopping: patience } }",
        Data::Labelled,
        "training.stopping",
        "needs validation rows",
    ),
    (
        "a training returns to checkpoints whose steps are planned",
        "{ checkpoint: { every: 5 minutes }, training: { on_divergence: restore_and_halve_lr } }",
        Data::Labelled,
        "checkpoint.every",
        "by the clock",
    ),
    (
        "sequences are not paired",
        "{ task: sequence, coupling: { type: ot_exact, allow_biased: true } }",
        Data::Sequences,
        "coupling",
        "sequences of different lengths",
    ),
    (
        "rows that bring their z_0 have one",
        "coupling: given",
        Data::Labelled,
        "coupling",
        "but the training rows have none",
    ),
    (
        "z_0 of a row has the shape of a latent",
        "coupling: given",
        Data::WrongZ0,
        "data",
        "z0 has rows of shape [3], but a latent has shape [2]",
    ),
];

#[test]
fn an_experiment_that_breaks_a_rule_is_refused_with_its_key() {
    let wrong = BROKEN.iter().filter_map(|(rule, yaml, data, key, message)| {
        let error = error_of(yaml, *data);
        let fits = error.as_ref().is_some_and(|error| {
            error.contains(message) && error.contains(&format!("\n  at {key}"))
        });
        (!fits).then(|| format!("{rule}: {yaml}\n{}", error.unwrap_or("is taken".into())))
    });
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_rule_is_broken_by_an_experiment_here() {
    let broken: BTreeSet<_> = BROKEN.iter().map(|(rule, ..)| *rule).collect();
    let rules: BTreeSet<_> = Experiment::rules().collect();
    assert_eq!(broken, rules);
}

#[test]
fn what_no_rule_forbids_is_trained() {
    for (yaml, data) in [
        ("{}", Data::Labelled),
        ("task: regression", Data::Numbers),
        ("{ source: uniform, sampling: { grid: time, solver: midpoint } }", Data::Labelled),
        ("{ encoder: mlp, training: { freeze: [encoder] } }", Data::Labelled),
        ("{ coupling: ot_conditional, training: { batch_size: 8 } }", Data::Labelled),
        ("task: sequence", Data::Sequences),
        ("{ encoder: one_hot, decoder: one_hot }", Data::Numbers),
        ("{ encoder: one_hot, decoder: mlp }", Data::Numbers),
    ] {
        assert_eq!(error_of(yaml, data), None, "{yaml}");
    }
}
