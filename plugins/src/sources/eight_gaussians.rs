use std::f64::consts::TAU;
use triflow::prelude::*;
use triflow::tch::{Device, Kind};

triflow::component! {
    /// Eight equally likely Gaussians in the plane, evenly spaced on a circle.
    ///
    /// The first is centred at (radius, 0). It is the source of the benchmark 8gaussians → moons,
    /// whose public code passes √0.1 as the covariance, so that the variance is 0.316.
    #[reference = "Tong et al. 2023, arXiv 2302.00482"]
    #[aliases("8gaussians")]
    pub struct EightGaussians: Source = "eight_gaussians" {
        /// Radius of the circle.
        #[range(min = 0)]
        pub radius: f64 = 5.0,
        /// Variance of each Gaussian in each coordinate.
        #[range(min = 0)]
        pub variance: f64 = 0.1_f64.sqrt(),
    }
}

impl Spec<dyn Source> for EightGaussians {
    fn build(&self, ctx: &SourceContext) -> Result<Box<dyn Source>> {
        if ctx.z_shape != [2] {
            let message = format!(
                "eight Gaussians lie in the plane, but a latent has shape {}",
                shape_text(&ctx.z_shape)
            );
            return Err(
                Error::config("", message).help("take a source that fits, such as `uniform`")
            );
        }
        Ok(Box::new(self.clone()))
    }
}

impl Source for EightGaussians {
    fn draw(&self, draws: &dyn Draws, shape: &[i64], options: (Kind, Device)) -> Result<Tensor> {
        let which = draws.integers(8, &shape[..1], options.1)?;
        let angle = which.to_kind(options.0) * (TAU / 8.0);
        let centre = Tensor::stack(&[angle.cos(), angle.sin()], 1) * self.radius;
        Ok(centre + draws.normal(shape, options)? * self.variance.sqrt())
    }
}
