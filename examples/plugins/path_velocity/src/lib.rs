//! A plugin with one component, an objective.

use triflow::prelude::*;

triflow::plugin!();

triflow::component! {
    /// Velocity of the path: the network predicts dz/dt, on any path.
    ///
    /// Output = a'·data + b'·noise. On straight lines it is flow matching; on other paths the
    /// solver still integrates the output as it is.
    #[reference = "Albergo et al. 2023, arXiv 2303.08797"]
    pub struct PathVelocity: Objective = "path_velocity" {}
}

impl Spec<dyn Objective> for PathVelocity {
    fn build(&self, (): &()) -> Result<Box<dyn Objective>> {
        Ok(Box::new(self.clone()))
    }
}

impl Objective for PathVelocity {
    fn mix(&self, point: &PathPoint<'_>) -> Result<(Tensor, Tensor)> {
        point.rates(Clock::Time)
    }

    fn default_path(&self) -> Result<&'static str> {
        Ok("variance_preserving")
    }
}

#[cfg(test)]
mod tests {
    use super::PathVelocity;
    use triflow::path::Path;
    use triflow::prelude::*;
    use triflow::tch::{Device, Kind};

    #[test]
    fn conforms() {
        triflow::testing::conforms(PathVelocity::default());
    }

    struct Curved;

    impl GaussianPath for Curved {
        fn coefficients(&self, t: &Tensor) -> Result<Coefficients> {
            Ok(Coefficients::new(t.square(), t.square() * t * -1.0 + 1.0))
        }
    }

    #[test]
    fn the_target_is_the_slope_of_a_curved_path() {
        let path = Path::of(Box::new(Curved), Device::Cpu).unwrap();
        let t = Tensor::linspace(0.1, 0.9, 5, (Kind::Double, Device::Cpu));
        let (p, q) = PathVelocity::default().mix(&path.at(&t).unwrap()).unwrap();
        let at = |shift: f64| Curved.coefficients(&(&t + shift)).unwrap();
        let (before, after) = (at(-1e-5), at(1e-5));
        for (rate, slope) in [(p, after.a - before.a), (q, after.b - before.b)] {
            assert!((rate - slope / 2e-5).abs().max().double_value(&[]) < 1e-8);
        }
    }
}
