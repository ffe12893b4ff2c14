//! Flags of experiments: what is trained, and how.

use crate::endings;
use clap::Args;
use std::path::PathBuf;

/// Headings under which the help lists the flags.
const MODEL: &str = "Model options";
const TRAINING: &str = "Training options";
const LOSS: &str = "Loss options";

/// The flags that determine an experiment. A flag overrides --set, which overrides the file.
///
/// Values are read as YAML by the experiment itself, so that a wrong one gives the same error
/// wherever it was written.
#[derive(Args, Debug)]
pub struct ExperimentArgs {
    /// Experiment file; without it the defaults are used, which `triflow init` prints.
    #[arg(long, alias = "config-file", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// A flag of another program, which has no meaning here.
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "")]
    pub config_class: Option<String>,
    /// Set a key of the experiment, such as crn.network.hidden_dims=[64,64] (repeatable).
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    #[arg(long, value_name = "PATH", help = format!(
        "{}, or a folder for a data source that reads one [default: two moons]",
        endings::read("Data file with x and y")
    ))]
    pub data_path: Option<PathBuf>,
    /// Objective: flow_matching, diffusion, ct or that of a plugin [default: flow_matching].
    #[arg(long, value_name = "NAME", help_heading = MODEL)]
    pub model_type: Option<String>,
    /// Noise schedule for diffusion and ct, see `triflow list noise_schedule` [default: linear].
    #[arg(long, value_name = "NAME", help_heading = MODEL)]
    pub noise_schedule: Option<String>,
    /// Learn the noise schedule with the model.
    #[arg(long, help_heading = MODEL)]
    pub noise_schedule_learnable: bool,
    /// Encoder, see `triflow list encoder` [default: identity].
    #[arg(long, value_name = "NAME", help_heading = MODEL)]
    pub encoder_model_type: Option<String>,
    /// Decoder, see `triflow list decoder` [default: identity].
    #[arg(long, value_name = "NAME", help_heading = MODEL)]
    pub decoder_model_type: Option<String>,
    /// Head of the decoder: linear, softmax or none.
    #[arg(long, value_name = "HEAD", help_heading = MODEL)]
    pub decoder_type: Option<String>,
    /// Conditional residual network (CRN), see `triflow list crn` [default: vanilla].
    #[arg(long, value_name = "NAME", help_heading = MODEL)]
    pub crn_type: Option<String>,
    /// Backbone network of the CRN, see `triflow list network` [default: mlp].
    #[arg(long, value_name = "NAME", help_heading = MODEL)]
    pub network_type: Option<String>,
    /// Widths of the hidden layers of the backbone, such as 64 64 [default: 64 64 64].
    #[arg(long, num_args = 1.., value_name = "N", help_heading = MODEL)]
    pub hidden_dims: Option<Vec<String>>,
    /// Shape of one latent [default: the target's].
    #[arg(long, alias = "latent-dim", num_args = 1.., value_name = "N", help_heading = MODEL)]
    pub latent_shape: Option<Vec<String>>,
    /// Shape of one x, checked against the data [default: the data's].
    #[arg(long, alias = "input-dim", num_args = 1.., value_name = "N", help_heading = MODEL)]
    pub input_shape: Option<Vec<String>>,
    /// Shape of one y, checked against the data [default: the data's].
    #[arg(long, alias = "output-dim", num_args = 1.., value_name = "N", help_heading = MODEL)]
    pub output_shape: Option<Vec<String>>,
    /// Number of training epochs [default: 50].
    #[arg(long, value_name = "N", help_heading = TRAINING)]
    pub num_epochs: Option<String>,
    /// Rows of one training step, at least 1 [default: 256].
    #[arg(long, value_name = "N", help_heading = TRAINING)]
    pub batch_size: Option<String>,
    /// Learning rate of the optimizer [default: 0.001].
    #[arg(long, value_name = "RATE", help_heading = TRAINING)]
    pub learning_rate: Option<String>,
    /// Optimizer, see `triflow list optimizer` [default: adam].
    #[arg(long, value_name = "NAME", help_heading = TRAINING)]
    pub optimizer: Option<String>,
    /// Apply dropout only in the first N epochs [default: all].
    #[arg(long, value_name = "N", help_heading = TRAINING)]
    pub dropout_epochs: Option<String>,
    /// Weight of the reconstruction loss from z_t, at least 0 [default: 0].
    #[arg(long, value_name = "WEIGHT", help_heading = LOSS)]
    pub recon_weight: Option<String>,
    /// Weight of the regularization loss |dz/dt|², at least 0 [default: 0].
    #[arg(long, value_name = "WEIGHT", help_heading = LOSS)]
    pub reg_weight: Option<String>,
    /// Weight of the encoder-decoder reconstruction loss, at least 0 [default: 1 for generation, 0
    /// for regression].
    #[arg(long, value_name = "WEIGHT", help_heading = LOSS)]
    pub vae_weight: Option<String>,
    /// Weight the flow loss over time by the signal-to-noise ratio: true or false [default: true
    /// for diffusion and ct, false for flow_matching].
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", help_heading = LOSS)]
    pub use_snr_weight: Option<String>,
    /// Train an unconditional generative model.
    #[arg(long, help_heading = MODEL)]
    pub unconditional: bool,
    /// Random seed, at least 0 [default: 42].
    #[arg(long, value_name = "N")]
    pub seed: Option<String>,
    /// Device to train on: auto, cpu, cuda or cuda:N [default: auto].
    #[arg(long, value_name = "NAME")]
    pub device: Option<String>,
    /// Folder in which run folders are created [default: artifacts].
    #[arg(long, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,
}
