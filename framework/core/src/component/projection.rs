use crate::component_kind;
use tch::Tensor;

component_kind! {
    /// A projection of the predicted data while sampling, onto values that data can have.
    kind "projection", context<'a> ();

    /// Maps predicted data to the nearest that it allows. Noise and velocity follow from the
    /// projected data and the state, whatever the objective, so that every solver goes to them.
    pub trait Projection {
        /// The projection of `data` `[batch, …shape]`, in shape and precision of `data`: predicted
        /// targets in the data's own units where the latent is the target, otherwise latents. A
        /// row does not depend on the others, and projecting twice is the same as once.
        fn project(&self, data: &Tensor) -> Result<Tensor>;
    }

    provided {
        /// True if it projects targets `[batch, …target_shape]` as encoders take them, categories
        /// as probabilities, whatever the encoder: predicted latents are decoded before the
        /// projection, and encoded after it.
        fn decodes(&self) -> Result<bool> {
            Ok(false)
        }
    }
}
