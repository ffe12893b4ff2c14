//! The typed form of an experiment file.

use super::layers::Flags;
use super::{Comparison, Every, FilePath, FurtherFiles, KeepBest, ModelPart, StartFrom, Task};
use crate::component::{
    Coupling, Crn, DataSource, Decoder, Encoder, GaussianPath, Guidance, LossWeighting, LrSchedule,
    Metric, NoiseSchedule, Objective, Optimizer, Projection, Recovery, Solver, Source, StepGrid,
    Stopping, TimeSampler, Tracker,
};
use crate::device;
use crate::error::{Error, Result};
use crate::registry::{Component, Setting as _, yaml_text};
use crate::{choices, parameters};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use tch::{Device, Kind};

parameters! {
    /// An experiment: everything that determines a run. `null` means "decided by the task, the
    /// objective or the data".
    pub struct Experiment {
        /// The task: which of x and y is the condition and which the target; null: the command's.
        pub task: Option<Task> = None,
        /// Generation without condition.
        pub unconditional: bool = false,
        /// Shape of one x; null: that of the data, from which another is an error.
        pub input_shape: Option<Vec<i64>> = None,
        /// Shape of one y; null: that of the data, from which another is an error.
        pub output_shape: Option<Vec<i64>> = None,
        /// Shape of one latent z; null: the target's shape.
        #[range(min = 1)]
        pub latent_shape: Option<Vec<i64>> = None,
        /// Source of the rows x and y.
        pub data: Component<dyn DataSource>,
        /// The network's prediction target.
        pub objective: Component<dyn Objective>,
        /// The path from noise to data; null: the objective's own.
        pub path: Option<Component<dyn GaussianPath>> = None,
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
        pub loss: LossConfig,
        /// Options of training.
        pub training: Training,
        /// Intervals and number of checkpoints.
        pub checkpoint: Checkpointing = Checkpointing::default(),
        /// The trained run that the initial parameters come from; null: they are drawn.
        pub start_from: Option<StartFrom> = None,
        /// Options of sampling.
        pub sampling: Sampling,
        /// Options of measuring samples.
        pub metrics: Metrics = Metrics::default(),
        /// Records of the run beside the run folder, such as of a server that several people see.
        pub tracking: Vec<Component<dyn Tracker>> = Vec::new(),
        /// Options of `triflow compare`.
        #[unwritten]
        pub comparison: Comparison = Comparison::default(),
        /// Device: `auto`, `cpu`, `cuda` or `cuda:N`.
        pub device: String = "auto".to_owned(),
        /// CPU threads; null: chosen by the arithmetic of a forward pass.
        #[range(min = 1)]
        pub threads: Option<usize> = None,
        /// Folder in which run folders are made.
        pub output_dir: PathBuf = PathBuf::from("artifacts"),
        /// Shared libraries with further components, or folders of them. Layers add to each other's
        /// list, and a plugin that was loaded otherwise and is used here is added.
        pub plugins: Vec<FilePath> = Vec::new(),
        /// The keys that command-line flags gave.
        #[hidden]
        pub flags: Flags = Flags::default(),
        /// Keys of the data source for files beside the experiment's own data.
        #[hidden]
        pub further: FurtherFiles = FurtherFiles::default(),
    }
}

impl Experiment {
    /// Values of all keys, by dotted paths such as `training.batch_size`.
    ///
    /// # Errors
    /// [`Error::Runtime`]: a value cannot be expressed in JSON.
    pub fn keys(&self) -> Result<BTreeMap<String, Value>> {
        fn add(key: &str, value: Value, keys: &mut BTreeMap<String, Value>) {
            match value {
                Value::Object(map) => map.into_iter().for_each(|(name, value)| {
                    let inner = if key.is_empty() { name } else { format!("{key}.{name}") };
                    add(&inner, value, keys);
                }),
                value => {
                    keys.insert(key.to_owned(), value);
                }
            }
        }
        let value = serde_json::to_value(self).map_err(|e| Error::runtime(e.to_string()))?;
        let mut keys = BTreeMap::new();
        add("", value, &mut keys);
        Ok(keys)
    }
}

choices! {
    /// Comparison of a reconstruction with its target.
    pub enum Reconstruction {
        /// Squared error.
        Mse = "mse",
        /// Cross-entropy of logits over the last axis.
        CrossEntropy = "cross_entropy",
        /// Squared error of numbers, and cross-entropy of the logits of each category of a row.
        Blocks = "blocks",
        /// No reconstruction term.
        None = "none",
    }
}

choices! {
    /// Reduction over the entries of one sample.
    pub enum Reduction {
        /// The mean; KL is divided by the latent's dimension to match.
        Mean = "mean",
        /// The sum.
        Sum = "sum",
    }
}

parameters! {
    /// The loss: flow + recon_weight·recon + reg_weight·reg + vae_weight·vae + kl_weight·kl.
    pub struct LossConfig {
        /// Comparison of reconstructions with targets; null: by the output of the decoder,
        /// cross-entropy for logits and squared error for values.
        pub recon: Option<Reconstruction> = None,
        /// Weight of the reconstruction from z_t.
        #[range(min = 0)]
        pub recon_weight: f64 = 0.0,
        /// Weight of |dz/dt|².
        #[range(min = 0)]
        pub reg_weight: f64 = 0.0,
        /// Weight of the reconstruction from z_1; null: 1 for generation, 0 for regression.
        #[range(min = 0)]
        pub vae_weight: Option<f64> = None,
        /// Weight of KL(z_0).
        #[range(min = 0)]
        pub kl_weight: f64 = 1.0,
        /// True to apply `weighting`; null: true where a weighting is given, and on a path whose
        /// log-SNR is finite at both ends, otherwise false.
        pub use_snr_weight: Option<bool> = None,
        /// Weight of the error over time.
        pub weighting: Component<dyn LossWeighting>,
        /// True to divide the weight by its exact mean over the times of training; null: true
        /// unless the schedule is learned.
        pub normalise: Option<bool> = None,
        /// True to reconstruct from the noisy z at t = 1 instead of z_1; null: true if the schedule
        /// is learned.
        pub vae_noised: Option<bool> = None,
        /// Reduction over the entries of one sample.
        pub reduction: Reduction = Reduction::Mean,
    }
}

choices! {
    /// Precision of parameters and arithmetic.
    pub enum Precision {
        /// 32 bits.
        Float32 = "float32",
        /// 64 bits.
        Float64 = "float64",
        /// Matrix products of the CRN in bfloat16; parameters, their gradients and everything else
        /// in 32 bits. Faster on a GPU and on processors with AVX-512 BF16 or AMX.
        Bf16 = "bf16" | "bfloat16",
    }
}

choices! {
    /// Weights by which the training rows are drawn.
    pub enum RowWeights {
        /// Every class as often as any other.
        Balanced = "balanced",
        /// Each row in proportion to the weight that the data give it, in the column or array that
        /// `data.weights` names.
        Given = "given",
    }
}

choices! {
    /// Capture of training steps as CUDA graphs, each of which is launched as a whole.
    pub enum Capture {
        /// On CUDA, if `libtriflow_cuda.so` is there and nothing in a step forbids it.
        Auto = "auto",
        /// Never.
        Off = "off",
    }
}

parameters! {
    /// Options of training.
    pub struct Training {
        /// Passes over the training rows; with 0 the model keeps its initial parameters.
        #[range(max = 1_u64 << 40)]
        pub epochs: u64 = 50,
        /// Total number of steps, instead of `epochs`; null: those of the epochs.
        #[range(max = 1_u64 << 50)]
        pub steps: Option<u64> = None,
        /// Rows in each step.
        #[range(min = 1, max = 1_i64 << 31)]
        pub batch_size: i64 = 256,
        /// Parts of a batch, each with random numbers of its own. Their gradients are added up: one
        /// after the other, so that memory follows the part and not the batch (gradient
        /// accumulation), or by as many processes as divide it. Null: as many as processes begin
        /// the training.
        #[range(min = 1, max = 1_i64 << 20)]
        #[unwritten]
        pub parts: Option<i64> = None,
        /// Weights by which the training rows are drawn; null: each once an epoch. An epoch has as
        /// many draws as there are rows, of row i n·w_i/Σw on average, so that the loss is the
        /// weighted mean over the rows. The loss on the validation rows has no weights.
        #[unwritten]
        pub row_weights: Option<RowWeights> = None,
        /// Update rule of the parameters.
        pub optimizer: Component<dyn Optimizer>,
        /// Learning rate over training, as a factor on the optimizer's own.
        pub lr_schedule: Component<dyn LrSchedule>,
        /// Rule by which training ends before its planned steps.
        pub stopping: Component<dyn Stopping>,
        /// Answer to a loss, a gradient or a parameter that is no longer finite.
        pub on_divergence: Component<dyn Recovery>,
        /// Largest Euclidean norm of the gradient over all parameters, to which longer ones are
        /// scaled; null: no limit.
        #[range(above = 0)]
        pub clip_grad_norm: Option<f64> = None,
        /// Number of first epochs with dropout; null: all epochs.
        pub dropout_epochs: Option<u64> = None,
        /// Decay of the exponential moving average (EMA) of the parameters; null: no average.
        #[range(min = 0, below = 1)]
        pub ema: Option<f64> = Some(0.999),
        /// Probability that a row is trained without its condition; `sampling.guidance` needs it
        /// above 0.
        #[range(min = 0, below = 1)]
        pub condition_dropout: f64 = 0.0,
        /// Share of the training rows that are given some of their own cells, so that the model can
        /// fill in missing ones (`triflow impute`); null: none, and it cannot.
        #[range(above = 0, max = 1)]
        #[unwritten]
        pub mask_columns: Option<f64> = None,
        /// Parts that keep their initial parameters, such as an encoder and a decoder from
        /// `start_from`.
        #[unwritten]
        pub freeze: Vec<ModelPart> = Vec::new(),
        /// True to mirror each training image left to right with probability 1/2 each time it is
        /// used.
        #[unwritten]
        pub flip: bool = false,
        /// Capture of training steps as CUDA graphs.
        #[unwritten]
        pub capture: Capture = Capture::Auto,
        /// Distribution of the times t.
        pub time_sampling: Component<dyn TimeSampler>,
        /// Precision of parameters and arithmetic.
        pub precision: Precision = Precision::Float32,
        /// Seed of all random numbers.
        pub seed: u64 = 42,
    }
}

choices! {
    /// Random numbers behind z_0.
    pub enum Noise {
        /// Independent samples of `source`.
        Independent = "independent",
        /// A scrambled Sobol' set (randomised quasi-Monte Carlo), for the standard normal source:
        /// each sample is N(0, I), but together they fill the space evenly, so that means over
        /// samples have less noise.
        Sobol = "sobol",
    }
}

parameters! {
    /// Options of checkpoints.
    pub struct Checkpointing {
        /// Interval between checkpoints: epochs, steps, or seconds, minutes or hours of the clock.
        pub every: Every = Every::Epochs(5),
        /// Number of latest checkpoints that are kept.
        pub keep: usize = 3,
        /// Loss term, such as `total` or `flow`, or metric of samples or predictions; the weights
        /// of the epoch with its best value on the validation rows are kept in
        /// `checkpoints/best.safetensors`. Null: none are.
        pub keep_best: Option<KeepBest> = None,
        /// Number of epochs after which the metric in `keep_best` is measured again.
        #[range(min = 1)]
        #[unwritten]
        pub measure_every: u64 = 1,
    }
}

parameters! {
    /// Options of sampling.
    pub struct Sampling {
        /// Solver that integrates from noise to data.
        pub solver: Component<dyn Solver>,
        /// Number of steps of a solver with fixed steps.
        #[range(min = 1, max = 1_000_000)]
        pub steps: usize = 20,
        /// Number of passes over each step; before another, noise takes the state back to its
        /// beginning. More make samples with given entries or a force more accurate, at as many
        /// times the cost (Lugmayr et al. 2022, arXiv 2201.09865).
        #[range(min = 1, max = 1000)]
        #[unwritten]
        pub repeats: usize = 1,
        /// Spacing of the steps; null: equal in log-SNR (γ) on a path where it is finite, else in
        /// time t (in γ there too for an objective that predicts noise).
        pub grid: Option<Component<dyn StepGrid>> = None,
        /// True to return the predicted clean latent at the end instead of the state, which may
        /// still hold noise; null: true if it does.
        pub final_denoise: Option<bool> = None,
        /// Random numbers behind z_0.
        pub noise: Noise = Noise::Independent,
        /// Scale w of classifier-free guidance: the output is unconditional + w·(conditional −
        /// unconditional). 1: as trained; above 1 the condition has more weight. Needs
        /// `training.condition_dropout` (Ho & Salimans 2022, arXiv 2207.12598).
        pub guidance: f64 = 1.0,
        /// Interval of times t in which `guidance` applies; outside the scale is 1 (Kynkäänniemi et
        /// al. 2024, arXiv 2404.07724).
        #[range(min = 0, max = 1)]
        pub guidance_interval: [f64; 2] = [0.0, 1.0],
        /// A further force that is added while sampling; null: none.
        pub steering: Option<Component<dyn Guidance>> = None,
        /// A projection of the predicted data while sampling, such as onto the values of a pixel;
        /// null: none.
        pub projection: Option<Component<dyn Projection>> = None,
        /// True to sample with the EMA weights.
        pub use_ema: bool = true,
        /// True to move generated rows, as little as possible, so that each column has the
        /// distribution that it has in the training rows.
        #[unwritten]
        pub match_marginals: bool = false,
        /// Rows that are sampled at once, on which the memory depends; null: rows with some 10⁶
        /// numbers together, at most 16,384.
        #[range(min = 1)]
        pub block: Option<i64> = None,
    }
}

impl Sampling {
    /// Builds the solver.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config): it cannot be built.
    pub fn build_solver(&self) -> Result<Box<dyn Solver>> {
        self.solver.build(&()).map_err(|e| e.under("sampling.solver"))
    }

    /// Builds the step grid; `None` for equal steps in the path's natural clock.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config): it cannot be built.
    pub fn build_grid(&self) -> Result<Option<Box<dyn StepGrid>>> {
        let built = self.grid.as_ref().map(|grid| grid.build(&())).transpose();
        built.map_err(|e| e.under("sampling.grid"))
    }

    /// Builds the force; `None` without one.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config): it cannot be built.
    pub fn build_steering(&self) -> Result<Option<Box<dyn Guidance>>> {
        let built = self.steering.as_ref().map(|steering| steering.build(&())).transpose();
        built.map_err(|e| e.under("sampling.steering"))
    }

    /// Builds the projection of the predicted data; `None` without one.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config): it cannot be built.
    pub fn build_projection(&self) -> Result<Option<Box<dyn Projection>>> {
        let built = self.projection.as_ref().map(|projection| projection.build(&())).transpose();
        built.map_err(|e| e.under("sampling.projection"))
    }
}

parameters! {
    /// Options of measuring samples.
    pub struct Metrics {
        /// Units of distances, neighbours and kernels between generated and held-out points, and of
        /// principal components in pictures; null: the data's own if the columns share one scale
        /// (no standard deviation is more than twice another), else standardised.
        pub units: Option<MetricUnits> = None,
        /// Metrics that are measured besides those of the task, or in place of those of the same
        /// name: with other parameters, or only on request.
        #[unwritten]
        pub extra: Vec<Component<dyn Metric>> = Vec::new(),
    }
}

choices! {
    /// Units in which points are compared.
    pub enum MetricUnits {
        /// Units of the model's normaliser: each column has standard deviation 1 over the training
        /// rows.
        Standardised = "standardised",
        /// The data's own units.
        Data = "data",
    }
}

impl Experiment {
    /// Text of an experiment file with this content.
    ///
    /// # Errors
    /// [`Error::Runtime`](crate::Error::Runtime): a value cannot be expressed in YAML.
    pub fn to_yaml(&self) -> Result<String> {
        yaml_text(&self.write()?)
    }

    /// The content of an experiment file as JSON, which is YAML as well; numbers that JSON cannot
    /// express are not among its values.
    ///
    /// # Errors
    /// [`Error::Runtime`](crate::Error::Runtime): a value cannot be expressed in JSON.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(&self.write()?).map_err(|e| Error::runtime(e.to_string()))
    }

    /// The path, set or the objective's own.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config): the objective cannot be built, or its path is not
    /// registered.
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

    /// Element type and device of its tensors.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device): the device is not there.
    pub(crate) fn options(&self) -> Result<(Kind, Device)> {
        let kind = match self.training.precision {
            Precision::Float32 | Precision::Bf16 => Kind::Float,
            Precision::Float64 => Kind::Double,
        };
        Ok((kind, device::choose(&self.device)?))
    }
}
