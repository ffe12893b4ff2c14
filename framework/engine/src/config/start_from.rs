use super::FilePath;
use crate::{choices, parameters};

choices! {
    /// A part of a model that has parameters of its own.
    pub enum ModelPart {
        /// The map from the target to the latent.
        Encoder = "encoder",
        /// The map from the latent to the target.
        Decoder = "decoder",
        /// The conditional residual network (CRN).
        Crn = "crn",
        /// The noise schedule, if it is learned.
        NoiseSchedule = "noise_schedule",
    }
}

impl ModelPart {
    /// All parts.
    pub const ALL: [Self; 4] = [Self::Encoder, Self::Decoder, Self::Crn, Self::NoiseSchedule];

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

parameters! {
    /// A trained run that initial parameters come from.
    pub struct StartFrom {
        /// The run's folder. Its EMA weights are taken if it samples with them.
        pub run: FilePath,
        /// The parts that are taken from it; null: every part with parameters.
        pub parts: Option<Vec<ModelPart>> = None,
    }
}
