//! Parameters of a trained run to begin with.

use super::FilePath;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A part of a model that has parameters of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelPart {
    /// From the target to the latent.
    Encoder,
    /// From the latent to the target.
    Decoder,
    /// The conditional network.
    Crn,
    /// What shapes the path.
    NoiseSchedule,
}

impl ModelPart {
    /// What the names of its parameters begin with.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Encoder => "encoder.",
            Self::Decoder => "decoder.",
            Self::Crn => "crn.",
            Self::NoiseSchedule => "noise_schedule.",
        }
    }
}

/// Parameters to begin with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StartFrom {
    /// The run's folder. Its running means are taken where it samples with them.
    pub run: FilePath,
    /// The parts that are taken from it; null: every part that has parameters.
    #[serde(default)]
    pub parts: Option<Vec<ModelPart>>,
}
