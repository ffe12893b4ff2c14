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
