use super::FilePath;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A part of a model that has parameters of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelPart {
    /// The map from the target to the latent.
    Encoder,
    /// The map from the latent to the target.
    Decoder,
    /// The conditional residual network (CRN).
    Crn,
    /// The noise schedule, if it is learned.
    NoiseSchedule,
}

impl ModelPart {
    /// Beginning of the names of its parameters.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Encoder => "encoder.",
            Self::Decoder => "decoder.",
            Self::Crn => "crn.",
            Self::NoiseSchedule => "noise_schedule.",
        }
    }
}

/// A trained run that initial parameters come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StartFrom {
    /// The run's folder. Its EMA weights are taken if it samples with them.
    pub run: FilePath,
    /// The parts that are taken from it; null: every part with parameters.
    #[serde(default)]
    pub parts: Option<Vec<ModelPart>>,
}
