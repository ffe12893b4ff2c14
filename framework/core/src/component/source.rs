//! Sources: the law of z_0.

use super::Draws;
use crate::component_kind;
use tch::{Device, Kind as DType, Tensor};

/// What a source is built from.
#[derive(Clone, Debug)]
pub struct SourceContext {
    /// Shape of one z_0, that of a latent.
    pub z_shape: Vec<i64>,
    /// The experiment's seed, for a source that makes or reads something when it is built; what it draws
    /// later comes from the [`Draws`] that it is handed.
    pub seed: u64,
}

component_kind! {
    /// The law of z_0: what training mixes with the data, and where sampling starts.
    kind "source", spec SourceSpec, context<'a> SourceContext;

    /// Draws z_0.
    pub trait Source {
        /// z_0 of this shape, `[n, …z_shape]`: n independent rows, each made of what `draws` gives for it. In
        /// the given precision, on the given device.
        ///
        /// Numbers from elsewhere, such as `Tensor::randn`, are repeated under one seed as well; but samples
        /// then depend on how many are drawn at once.
        fn draw(&self, draws: &dyn Draws, shape: &[i64], options: (DType, Device)) -> Result<Tensor>;
    }
    provided {
        /// Whether the law is N(0, I). With any other, a score, a log-SNR and a change of path mean
        /// nothing, and the engine refuses what needs them.
        fn is_standard_normal(&self) -> Result<bool> {
            Ok(false)
        }
    }
}
