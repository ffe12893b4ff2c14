use super::Draws;
use crate::component_kind;
use tch::{Device, Kind as DType, Tensor};

/// Context in which a source is built.
#[derive(Clone, Debug)]
pub struct SourceContext {
    /// Shape of one z_0, which is that of a latent.
    pub z_shape: Vec<i64>,
    /// Seed of the experiment, for a source that generates or reads something when it is built.
    /// Later draws come from the [`Draws`] that [`draw`](Source::draw) receives.
    pub seed: u64,
}

component_kind! {
    /// The distribution of z_0: the noise of training and the start of sampling.
    kind "source", context<'a> SourceContext;

    /// Draws z_0.
    pub trait Source {
        /// n independent draws of z_0 in `shape`, `[n, …z_shape]`, each from its own row of
        /// `draws`, in the given precision and on the given device.
        ///
        /// Other generators, such as `Tensor::randn`, repeat under one seed as well, but a sample
        /// then depends on the number of samples drawn with it.
        fn draw(&self, draws: &dyn Draws, shape: &[i64], options: (DType, Device)) -> Result<Tensor>;
    }
    provided {
        /// True if the distribution is N(0, I). For any other, score, log-SNR and change of path
        /// are undefined, and the engine refuses methods that need them.
        fn is_standard_normal(&self) -> Result<bool> {
            Ok(false)
        }
    }
}
