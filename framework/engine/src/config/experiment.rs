//! The typed form of an experiment: everything that determines a run.

use super::layers::Flags;
use super::{Comparison, Every, FilePath, LossTerm, ModelPart, StartFrom, Task};
use crate::component::{
    Coupling, Crn, DataSource, Decoder, Encoder, Guidance, NoiseSchedule, Objective, Optimizer,
    Solver, Source,
};
use crate::error::{Error, Result};
use crate::path::{PathKind, StepGrid};
use crate::registry::Component;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One experiment. `null` means "decided by the task, the objective or the data".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// What is learned from what; the command decides when null.
    #[serde(default)]
    pub task: Option<Task>,
    /// Generation without condition.
    #[serde(default)]
    pub unconditional: bool,
    /// Shape of one x; null: from the data. Given and different: an error.
    #[serde(default)]
    pub input_shape: Option<Vec<i64>>,
    /// Shape of one y; null: from the data. Given and different: an error.
    #[serde(default)]
    pub output_shape: Option<Vec<i64>>,
    /// Shape of one latent; null: the target's shape.
    #[serde(default)]
    pub latent_shape: Option<Vec<i64>>,
    /// Where x and y come from.
    pub data: Component<dyn DataSource>,
    /// What the network predicts.
    pub objective: Component<dyn Objective>,
    /// The path from noise to data; null: the objective's own.
    #[serde(default)]
    pub path: Option<PathKind>,
    /// Shapes the variance-preserving path; not used by the rectified one.
    pub noise_schedule: Component<dyn NoiseSchedule>,
    /// From the target to the latent.
    pub encoder: Component<dyn Encoder>,
    /// From the latent to the target.
    pub decoder: Component<dyn Decoder>,
    /// The conditional network.
    pub crn: Component<dyn Crn>,
    /// The law of z_0.
    pub source: Component<dyn Source>,
    /// How z_0 and z_1 are paired in training.
    pub coupling: Component<dyn Coupling>,
    /// What is minimised.
    #[serde(default)]
    pub loss: LossConfig,
    /// How it is minimised.
    pub training: Training,
    /// When the state is saved.
    #[serde(default)]
    pub checkpoint: Checkpointing,
    /// The trained run whose parameters are those to begin with; null: drawn anew.
    #[serde(default)]
    pub start_from: Option<StartFrom>,
    /// How samples are drawn.
    pub sampling: Sampling,
    /// How samples are measured.
    #[serde(default)]
    pub metrics: Metrics,
    /// What `triflow compare` varies.
    #[serde(default, skip_serializing_if = "Comparison::is_default")]
    pub comparison: Comparison,
    /// `auto`, `cpu`, `cuda` or `cuda:N`.
    #[serde(default = "auto")]
    pub device: String,
    /// CPU threads; null: by model size.
    #[serde(default)]
    pub threads: Option<usize>,
    /// Where run folders are made.
    #[serde(default = "artifacts")]
    pub output_dir: PathBuf,
    /// Shared libraries with further components, or folders of them. Those of every layer count; what is
    /// loaded otherwise and used here is added.
    #[serde(default)]
    pub plugins: Vec<FilePath>,
    /// What flags gave, of all this.
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

/// How a reconstruction is compared with its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reconstruction {
    /// Squared error.
    Mse,
    /// Cross-entropy of logits over the last axis.
    CrossEntropy,
    /// Not at all.
    None,
}

/// How an error is weighted over time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Weighting {
    /// SNR' on the error in target space, expressed in the space of the output: the variational bound, one
    /// and the same loss for every objective. On the rectified path min(2t/(1 − t), 10) on the velocity.
    #[default]
    Elbo,
    /// The error of dz/dγ, integrated over γ: bounded, weighs an error by how far it moves the sample.
    Field,
    /// `elbo` with SNR capped at 5 (Hang et al. 2023, arXiv 2303.09556).
    MinSnr,
    /// SNR' on the raw output error, whatever the output is (1 on the rectified path).
    Seed,
    /// 1.
    None,
}

/// How the entries of one sample are summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// Their mean; KL divided by the latent's dimension to match.
    #[default]
    Mean,
    /// Their sum.
    Sum,
}

/// What is minimised: flow + recon_weight·recon + reg_weight·reg + vae_weight·vae + kl_weight·kl.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LossConfig {
    /// How reconstructions are compared; null: cross-entropy for logits, else squared error.
    pub recon: Option<Reconstruction>,
    /// Weight of the reconstruction from z_t.
    pub recon_weight: f64,
    /// Weight of |dz/dt|².
    pub reg_weight: f64,
    /// Weight of the reconstruction from z_1; null: 1 for generation, 0 for regression.
    pub vae_weight: Option<f64>,
    /// Weight of KL(z_0).
    pub kl_weight: f64,
    /// Whether `weighting` is used; null: true on the variance-preserving path, false on the rectified.
    pub use_snr_weight: Option<bool>,
    /// The weight over time.
    pub weighting: Weighting,
    /// Divide the weight by its exact mean; null: true unless the schedule is learned.
    pub normalise: Option<bool>,
    /// Reconstruct from the noisy z at t = 1 rather than from z_1; null: only when the schedule is learned.
    pub vae_noised: Option<bool>,
    /// Over the entries of one sample.
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

/// How times are drawn in training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimeSampling {
    /// One in each of `batch` equal intervals of \[0, 1\]: lower variance.
    #[default]
    Stratified,
    /// Independently uniform.
    Uniform,
    /// Log-SNR uniform (stratified), the weight divided accordingly; variance-preserving path only.
    Importance,
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
    /// The CRN multiplies in bfloat16; parameters, their gradients and all else have 32 bits. Faster on a GPU and on
    /// processors with AVX-512 BF16 or AMX.
    #[serde(rename = "bf16", alias = "bfloat16")]
    Bf16,
}

/// The learning rate over training, as a factor of the optimizer's own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum LrSchedule {
    /// The same throughout, after `warmup` steps of linear rise.
    Constant {
        /// Steps of linear rise from 0.
        #[serde(default)]
        warmup: u64,
    },
    /// Falls along half a cosine to `floor`, after `warmup` steps of linear rise.
    Cosine {
        /// Steps of linear rise from 0.
        #[serde(default)]
        warmup: u64,
        /// Factor at the end.
        #[serde(default)]
        floor: f64,
    },
}

impl LrSchedule {
    /// The factor at `step` (from 0) of `total`.
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

/// Whether a device captures steps: launches them as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Capture {
    /// On CUDA, with `libtriflow_cuda.so`, as long as nothing in a step forbids it.
    #[default]
    Auto,
    /// Never.
    Off,
}

impl Capture {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
    fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}

/// How the loss is minimised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Passes over the training rows.
    #[serde(default = "epochs")]
    pub epochs: u64,
    /// Steps in all, in place of `epochs`; null: as many as the epochs have.
    #[serde(default)]
    pub steps: Option<u64>,
    /// Rows a step.
    #[serde(default = "batch_size")]
    pub batch_size: i64,
    /// The rule of each step.
    pub optimizer: Component<dyn Optimizer>,
    /// The learning rate over training.
    #[serde(default = "constant")]
    pub lr_schedule: LrSchedule,
    /// Longest gradient (Euclidean norm over all parameters); null: any.
    #[serde(default)]
    pub clip_grad_norm: Option<f64>,
    /// Dropout is active in the first so many epochs; null: in all.
    #[serde(default)]
    pub dropout_epochs: Option<u64>,
    /// Decay of the running mean of the parameters; null: none.
    #[serde(default = "ema")]
    pub ema: Option<f64>,
    /// Share of the rows that are trained without their condition, in \[0, 1): what `sampling.guidance` needs.
    #[serde(default)]
    pub condition_dropout: f64,
    /// Parts whose parameters stay as they begin, such as an encoder and a decoder from `start_from`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub freeze: Vec<ModelPart>,
    /// Whether images are mirrored left to right with probability 1/2 each time they are learned from.
    #[serde(default, skip_serializing_if = "is_false")]
    pub flip: bool,
    /// Whether steps are captured and replayed, where the device can.
    #[serde(default, skip_serializing_if = "Capture::is_auto")]
    pub capture: Capture,
    /// How times are drawn.
    #[serde(default)]
    pub time_sampling: TimeSampling,
    /// Precision of parameters and arithmetic.
    #[serde(default)]
    pub precision: Precision,
    /// Seed of everything that is drawn.
    #[serde(default = "seed")]
    pub seed: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
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

/// How z_0 is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Noise {
    /// Every sample by itself, from `source`.
    #[default]
    Independent,
    /// A scrambled Sobol' set, for the standard normal source: each sample N(0, I) still, but together they fill the space evenly, so that
    /// means over the samples, and the shares of modes, have less noise (randomised quasi-Monte Carlo).
    Sobol,
}

/// When the state is saved.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Checkpointing {
    /// How often.
    pub every: Every,
    /// How many of the latest are kept.
    pub keep: usize,
    /// The loss term, such as `total` or `flow`, whose lowest value on the validation rows is kept in
    /// `checkpoints/best.safetensors`; null: none is.
    pub keep_best: Option<LossTerm>,
}

impl Default for Checkpointing {
    fn default() -> Self {
        Self { every: Every::Epochs(5), keep: 3, keep_best: None }
    }
}

/// How samples are drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// How samples are carried from noise to data.
    pub solver: Component<dyn Solver>,
    /// Steps of a fixed-step solver.
    #[serde(default = "steps")]
    pub steps: usize,
    /// Where the steps are: equal in time or in log-SNR, or closer to the data; null: equal in γ on the variance-preserving path, t on the rectified (γ there
    /// too for an objective that predicts noise).
    #[serde(default)]
    pub grid: Option<StepGrid>,
    /// Return the predicted clean latent at the end rather than the state, which still holds noise; null:
    /// true where it does.
    #[serde(default)]
    pub final_denoise: Option<bool>,
    /// How z_0 is drawn.
    #[serde(default)]
    pub noise: Noise,
    /// Scale w of classifier-free guidance: the output is unconditional + w·(conditional − unconditional); 1:
    /// as trained; above, the condition counts for more. Needs `training.condition_dropout`
    /// (Ho & Salimans 2022, arXiv 2207.12598).
    #[serde(default = "one")]
    pub guidance: f64,
    /// The times t between which `guidance` acts; outside it is 1 (Kynkäänniemi et al. 2024,
    /// arXiv 2404.07724).
    #[serde(default = "always")]
    pub guidance_interval: [f64; 2],
    /// A further force along the way; null: none.
    #[serde(default)]
    pub steering: Option<Component<dyn Guidance>>,
    /// Whether the running mean of the parameters is used.
    #[serde(default = "yes")]
    pub use_ema: bool,
    /// Rows that are sampled at once, which memory follows; null: as many as have some 10⁶ numbers, at most
    /// 16,384.
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

/// How samples are measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// The units of distances, neighbours and kernels between generated and held-out points, and of principal
    /// components in pictures; null: the data's own where their columns share one scale (no deviation is more
    /// than twice another), else standardised.
    pub units: Option<MetricUnits>,
}

/// Units in which points are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MetricUnits {
    /// Those of the model's normaliser: each column has deviation 1 in training.
    Standardised,
    /// Those of the data.
    Data,
}

impl Experiment {
    /// As an experiment file.
    pub fn to_yaml(&self) -> Result<String> {
        serde_yaml::to_string(self).map_err(|e| Error::runtime(e.to_string()))
    }

    /// The seed of everything that is drawn.
    pub fn seed(&self) -> u64 {
        self.training.seed
    }
}
