use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A term of the loss, or their weighted sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LossTerm {
    /// The weighted sum of the others, which is minimised.
    Total,
    /// The error of the network's output against the objective's target.
    Flow,
    /// The reconstruction from z_t.
    Recon,
    /// The regulariser |dz/dt|².
    Reg,
    /// The reconstruction from z_1.
    Vae,
    /// KL of z_0 from N(0, I).
    Kl,
}

impl LossTerm {
    /// All terms, in the order in which histories and files list them.
    pub const ALL: [Self; 6] =
        [Self::Total, Self::Flow, Self::Recon, Self::Reg, Self::Vae, Self::Kl];

    /// Name in experiments, histories and pictures.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Flow => "flow",
            Self::Recon => "recon",
            Self::Reg => "reg",
            Self::Vae => "vae",
            Self::Kl => "kl",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_is_read_by_its_name_and_listed_at_its_place() {
        for (place, term) in LossTerm::ALL.into_iter().enumerate() {
            let read: LossTerm = serde_json::from_value(term.name().into()).unwrap();
            assert_eq!((read, read as usize), (term, place));
        }
    }
}
