//! The typed form of an experiment file.

use super::layers::Flags;
use super::{Comparison, Every, FilePath, LossTerm, ModelPart, StartFrom, Task};
use crate::component::{
    Coupling, Crn, DataSource, Decoder, Encoder, GaussianPath, Guidance, NoiseSchedule, Objective,
    Optimizer, Solver, Source, TimeSampler,
};
use crate::error::{Error, Result};
use crate::path::StepGrid;
use crate::registry::Component;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// An experiment: everything that determines a run. `null` means "decided by the task, the
/// objective or the data".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// The task: which of x and y is the condition and which the target; null: the command's.
    #[serde(default)]
    pub task: Option<Task>,
    /// Generation without condition.
    #[serde(default)]
    pub unconditional: bool,
    /// Shape of one x; null: that of the data, from which another is an error.
    #[serde(default)]
    pub input_shape: Option<Vec<i64>>,
    /// Shape of one y; null: that of the data, from which another is an error.
    #[serde(default)]
    pub output_shape: Option<Vec<i64>>,
    /// Shape of one latent z; null: the target's shape.
    #[serde(default)]
    pub latent_shape: Option<Vec<i64>>,
    /// Source of the rows x and y.
    pub data: Component<dyn DataSource>,
    /// The network's prediction target.
    pub objective: Component<dyn Objective>,
    /// The path from noise to data; null: the objective's own.
    #[serde(default)]
    pub path: Option<Component<dyn GaussianPath>>,
    /// Log-SNR over time, on a path that follows one.
    pub noise_schedule: Component<dyn NoiseSchedule>,
    /// Map from the target to the latent.
    pub encoder: Component<dyn Encoder>,
    /// Map from the latent to the target.
    pub decoder: Component<dyn Decoder>,
    /// The conditional residual network (CRN).
    pub crn: Component<dyn Crn>,
    /// The distribution of z_0.
    pub source: Component<dyn Source>,
    /// Pairing of z_0 and z_1 in training.
    pub coupling: Component<dyn Coupling>,
    /// The loss.
    #[serde(default)]
    pub loss: LossConfig,
    /// Options of training.
    pub training: Training,
    /// Intervals and number of checkpoints.
    #[serde(default)]
    pub checkpoint: Checkpointing,
    /// The trained run that the initial parameters come from; null: they are drawn.
    #[serde(default)]
    pub start_from: Option<StartFrom>,
    /// Options of sampling.
    pub sampling: Sampling,
    /// Options of measuring samples.
    #[serde(default)]
    pub metrics: Metrics,
    /// Options of `triflow compare`.
    #[serde(default, skip_serializing_if = "Comparison::is_default")]
    pub comparison: Comparison,
    /// Device: `auto`, `cpu`, `cuda` or `cuda:N`.
    #[serde(default = "auto")]
    pub device: String,
    /// CPU threads; null: chosen by the size of the model.
    #[serde(default)]
    pub threads: Option<usize>,
    /// Folder in which run folders are made.
    #[serde(default = "artifacts")]
    pub output_dir: PathBuf,
    /// Shared libraries with further components, or folders of them. Layers add to each other's
    /// list, and a plugin that was loaded otherwise and is used here is added.
    #[serde(default)]
    pub plugins: Vec<FilePath>,
    /// The keys that command-line flags gave.
    #[doc(hidden)]
    #[serde(skip)]
    pub flags: Flags,
}

fn auto() -> String {
    "auto".into()
}

fn artifacts() -> PathBuf {
    "artifacts".into()
}

/// Comparison of a reconstruction with its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reconstruction {
    /// Squared error.
    Mse,
    /// Cross-entropy of logits over the last axis.
    CrossEntropy,
    /// No reconstruction term.
    None,
}

/// Weight of the error over time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Weighting {
    /// SNR' on the error in target space, expressed in the space of the output: the variational
    /// bound (ELBO), the same loss for every objective. On the rectified path min(2t/(1 − t), 10)
    /// on the velocity.
    #[default]
    Elbo,
    /// The error of dz/dγ, integrated over γ: bounded, and proportional to how far an error moves
    /// the sample.
    Field,
    /// `elbo` with SNR capped at 5 (Hang et al. 2023, arXiv 2303.09556).
    MinSnr,
    /// SNR' on the error of the output as it is, whatever the objective (1 on the rectified path).
    Seed,
    /// The constant 1.
    None,
}

/// Reduction over the entries of one sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// The mean; KL is divided by the latent's dimension to match.
    #[default]
    Mean,
    /// The sum.
    Sum,
}

/// The loss: flow + recon_weight·recon + reg_weight·reg + vae_weight·vae + kl_weight·kl.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LossConfig {
    /// Comparison of reconstructions with targets; null: cross-entropy for logits, else squared
    /// error.
    pub recon: Option<Reconstruction>,
    /// Weight of the reconstruction from z_t.
    pub recon_weight: f64,
    /// Weight of |dz/dt|².
    pub reg_weight: f64,
    /// Weight of the reconstruction from z_1; null: 1 for generation, 0 for regression.
    pub vae_weight: Option<f64>,
    /// Weight of KL(z_0).
    pub kl_weight: f64,
    /// True to apply `weighting`; null: true on a path whose log-SNR is finite at both ends,
    /// otherwise false.
    pub use_snr_weight: Option<bool>,
    /// Weight of the error over time.
    pub weighting: Weighting,
    /// True to divide the weight by its exact mean over time; null: true unless the schedule is
    /// learned.
    pub normalise: Option<bool>,
    /// True to reconstruct from the noisy z at t = 1 instead of z_1; null: true if the schedule is
    /// learned.
    pub vae_noised: Option<bool>,
    /// Reduction over the entries of one sample.
    pub reduction: Reduction,
}

impl Default for LossConfig {
    fn default() -> Self {
        Self {
            recon: None,
            recon_weight: 0.0,
            reg_weight: 0.0,
            vae_weight: None,
            kl_weight: 1.0,
            use_snr_weight: None,
            weighting: Weighting::Elbo,
            normalise: None,
            vae_noised: None,
            reduction: Reduction::Mean,
        }
    }
}

/// Precision of parameters and arithmetic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 32 bits.
    #[default]
    Float32,
    /// 64 bits.
    Float64,
    /// Matrix products of the CRN in bfloat16; parameters, their gradients and everything else in
    /// 32 bits. Faster on a GPU and on processors with AVX-512 BF16 or AMX.
    #[serde(rename = "bf16", alias = "bfloat16")]
    Bf16,
}

/// Learning rate over training, as a factor on the optimizer's own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum LrSchedule {
    /// Constant after `warmup` steps of linear rise.
    Constant {
        /// Steps of linear rise from 0.
        #[serde(default)]
        warmup: u64,
    },
    /// Decay along half a cosine to `floor`, after `warmup` steps of linear rise.
    Cosine {
        /// Steps of linear rise from 0.
        #[serde(default)]
        warmup: u64,
        /// Factor at the end, in \[0, 1\].
        #[serde(default)]
        floor: f64,
    },
}

impl LrSchedule {
    /// Factor at `step`, which counts from 0, of `total` steps.
    pub fn factor(self, step: u64, total: u64) -> f64 {
        let (Self::Constant { warmup } | Self::Cosine { warmup, .. }) = self;
        let rise = if step < warmup { (step + 1) as f64 / warmup as f64 } else { 1.0 };
        rise * match self {
            Self::Constant { .. } => 1.0,
            Self::Cosine { floor, .. } => {
                let share =
                    step.saturating_sub(warmup) as f64 / total.saturating_sub(warmup).max(1) as f64;
                floor + (1.0 - floor) * 0.5 * (1.0 + (std::f64::consts::PI * share.min(1.0)).cos())
            }
        }
    }
}

/// Capture of training steps as CUDA graphs, each of which is launched as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Capture {
    /// On CUDA, if `libtriflow_cuda.so` is there and nothing in a step forbids it.
    #[default]
    Auto,
    /// Never.
    Off,
}

impl Capture {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde needs this signature")]
    fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}

/// Options of training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Passes over the training rows.
    #[serde(default = "epochs")]
    pub epochs: u64,
    /// Total number of steps, instead of `epochs`; null: those of the epochs.
    #[serde(default)]
    pub steps: Option<u64>,
    /// Rows in each step.
    #[serde(default = "batch_size")]
    pub batch_size: i64,
    /// Update rule of the parameters.
    pub optimizer: Component<dyn Optimizer>,
    /// Learning rate over training.
    #[serde(default = "constant")]
    pub lr_schedule: LrSchedule,
    /// Largest Euclidean norm of the gradient over all parameters, to which longer ones are scaled;
    /// null: no limit.
    #[serde(default)]
    pub clip_grad_norm: Option<f64>,
    /// Number of first epochs with dropout; null: all epochs.
    #[serde(default)]
    pub dropout_epochs: Option<u64>,
    /// Decay of the exponential moving average (EMA) of the parameters, in \[0, 1); null: no
    /// average.
    #[serde(default = "ema")]
    pub ema: Option<f64>,
    /// Probability in \[0, 1) that a row is trained without its condition; `sampling.guidance`
    /// needs it above 0.
    #[serde(default)]
    pub condition_dropout: f64,
    /// Parts that keep their initial parameters, such as an encoder and a decoder from
    /// `start_from`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub freeze: Vec<ModelPart>,
    /// True to mirror each training image left to right with probability 1/2 each time it is used.
    #[serde(default, skip_serializing_if = "is_false")]
    pub flip: bool,
    /// Capture of training steps as CUDA graphs.
    #[serde(default, skip_serializing_if = "Capture::is_auto")]
    pub capture: Capture,
    /// Distribution of the times t.
    pub time_sampling: Component<dyn TimeSampler>,
    /// Precision of parameters and arithmetic.
    #[serde(default)]
    pub precision: Precision,
    /// Seed of all random numbers.
    #[serde(default = "seed")]
    pub seed: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde needs this signature")]
fn is_false(value: &bool) -> bool {
    !value
}
fn epochs() -> u64 {
    50
}
fn batch_size() -> i64 {
    256
}
fn constant() -> LrSchedule {
    LrSchedule::Constant { warmup: 0 }
}
#[allow(clippy::unnecessary_wraps, reason = "serde's default has the field's type")]
fn ema() -> Option<f64> {
    Some(0.999)
}
fn seed() -> u64 {
    42
}

/// Random numbers behind z_0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Noise {
    /// Independent samples of `source`.
    #[default]
    Independent,
    /// A scrambled Sobol' set (randomised quasi-Monte Carlo), for the standard normal source: each
    /// sample is N(0, I), but together they fill the space evenly, so that means over samples have
    /// less noise.
    Sobol,
}

/// Options of checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Checkpointing {
    /// Interval between checkpoints.
    pub every: Every,
    /// Number of latest checkpoints that are kept.
    pub keep: usize,
    /// Loss term, such as `total` or `flow`; the weights at its lowest value on the validation rows
    /// are kept in `checkpoints/best.safetensors`. Null: none are.
    pub keep_best: Option<LossTerm>,
}

impl Default for Checkpointing {
    fn default() -> Self {
        Self { every: Every::Epochs(5), keep: 3, keep_best: None }
    }
}

/// Options of sampling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// Solver that integrates from noise to data.
    pub solver: Component<dyn Solver>,
    /// Number of steps of a solver with fixed steps.
    #[serde(default = "steps")]
    pub steps: usize,
    /// Spacing of the steps: equal in time or in log-SNR (γ), or closer to the data; null: equal
    /// in γ on the variance-preserving path, in t on the rectified (in γ there too for an
    /// objective that predicts noise).
    #[serde(default)]
    pub grid: Option<StepGrid>,
    /// True to return the predicted clean latent at the end instead of the state, which may still
    /// hold noise; null: true if it does.
    #[serde(default)]
    pub final_denoise: Option<bool>,
    /// Random numbers behind z_0.
    #[serde(default)]
    pub noise: Noise,
    /// Scale w of classifier-free guidance: the output is unconditional + w·(conditional −
    /// unconditional). 1: as trained; above 1 the condition has more weight. Needs
    /// `training.condition_dropout` (Ho & Salimans 2022, arXiv 2207.12598).
    #[serde(default = "one")]
    pub guidance: f64,
    /// Interval of times t in which `guidance` applies; outside the scale is 1 (Kynkäänniemi et
    /// al. 2024, arXiv 2404.07724).
    #[serde(default = "always")]
    pub guidance_interval: [f64; 2],
    /// A further force that is added while sampling; null: none.
    #[serde(default)]
    pub steering: Option<Component<dyn Guidance>>,
    /// True to sample with the EMA weights.
    #[serde(default = "yes")]
    pub use_ema: bool,
    /// Rows that are sampled at once, on which the memory depends; null: rows with some 10⁶
    /// numbers together, at most 16,384.
    #[serde(default)]
    pub block: Option<i64>,
}

fn steps() -> usize {
    20
}
fn yes() -> bool {
    true
}
fn always() -> [f64; 2] {
    [0.0, 1.0]
}
fn one() -> f64 {
    1.0
}

/// Options of measuring samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// Units of distances, neighbours and kernels between generated and held-out points, and of
    /// principal components in pictures; null: the data's own if the columns share one scale (no
    /// standard deviation is more than twice another), else standardised.
    pub units: Option<MetricUnits>,
}

/// Units in which points are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MetricUnits {
    /// Units of the model's normaliser: each column has standard deviation 1 over the training
    /// rows.
    Standardised,
    /// The data's own units.
    Data,
}

impl Experiment {
    /// Text of an experiment file with this content.
    ///
    /// # Errors
    /// [`Error::Runtime`]: a value cannot be expressed in YAML.
    pub fn to_yaml(&self) -> Result<String> {
        serde_yaml::to_string(self).map_err(|e| Error::runtime(e.to_string()))
    }

    /// The path, set or the objective's own.
    ///
    /// # Errors
    /// [`Error::Config`]: the objective cannot be built, or its path is not registered.
    pub fn path(&self) -> Result<Component<dyn GaussianPath>> {
        if let Some(path) = &self.path {
            return Ok(path.clone());
        }
        let objective = self.objective.build(&()).map_err(|e| e.under("objective"))?;
        Component::named(objective.default_path()?).map_err(|e| e.under("path"))
    }

    /// Seed of all random numbers.
    pub fn seed(&self) -> u64 {
        self.training.seed
    }
}
