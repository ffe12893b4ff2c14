use serde::{Deserialize, Serialize};

crate::choices! {
    /// A term of the loss, or their weighted sum.
    pub enum LossTerm {
        /// The weighted sum of the others, which is minimised.
        Total = "total",
        /// The error of the network's output against the objective's target.
        Flow = "flow",
        /// The reconstruction from z_t.
        Recon = "recon",
        /// The regulariser |dz/dt|².
        Reg = "reg",
        /// The reconstruction from z_1.
        Vae = "vae",
        /// KL of z_0 from N(0, I).
        Kl = "kl",
    }
}

impl LossTerm {
    /// All terms, in the order in which histories and files list them.
    pub const ALL: [Self; 6] =
        [Self::Total, Self::Flow, Self::Recon, Self::Reg, Self::Vae, Self::Kl];
}

/// Losses of one epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Number of the epoch, from 1.
    pub epoch: u64,
    /// Number of steps taken by its end.
    pub step: u64,
    /// Mean of each loss term over the training rows, in the order of [`LossTerm::ALL`]; null if it
    /// was not measured or not finite.
    pub train: Vec<Option<f64>>,
    /// Mean of each loss term over the validation rows, in the same order; null if it was not
    /// measured or not finite.
    pub val: Vec<Option<f64>>,
    /// Mean Euclidean norm of the gradient over the steps, before it is clipped; null if it was not
    /// measured.
    #[serde(default)]
    pub gradient_norm: Option<f64>,
}

impl Epoch {
    /// Mean of a term over the training rows; `None` if it was not measured or not finite.
    pub fn train_term(&self, term: LossTerm) -> Option<f64> {
        self.train.get(term as usize).copied().flatten()
    }

    /// Mean of a term over the validation rows; `None` if it was not measured or not finite.
    pub fn val_term(&self, term: LossTerm) -> Option<f64> {
        self.val.get(term as usize).copied().flatten()
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
