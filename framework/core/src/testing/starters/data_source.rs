//! A data source: rows of x and y.

use triflow::prelude::*;
use triflow::rng::{Purpose, seed_torch};
use triflow::tch::{Device, Kind};

triflow::component! {
    /// Two rings in the plane: x is the point, y its ring (0 inner, 1 outer).
    pub struct MyComponent: DataSource = "my_component" {
        /// Number of points; every second one is on the outer ring.
        #[range(min = 2)]
        pub samples: i64 = 4000,
        /// Radius of the inner ring; the outer ring has radius 1.
        #[range(min = 0, below = 1)]
        pub inner: f64 = 0.5,
        /// Standard deviation of the normal noise added to both coordinates.
        pub noise: f64 = 0.05,
    }
}

impl Spec<dyn DataSource> for MyComponent {
    /// Checks the parameters and keeps the seed.
    fn build(&self, ctx: &DataContext) -> Result<Box<dyn DataSource>> {
        Ok(Box::new(Rings { spec: self.clone(), seed: ctx.seed }))
    }
}

struct Rings {
    spec: MyComponent,
    seed: u64,
}

impl DataSource for Rings {
    /// x is `[samples, 2]`, y `[samples]`; the engine splits off validation and test rows.
    fn load(&self) -> Result<Splits> {
        let _stream = seed_torch(self.seed, Purpose::Data, 0);
        let y = Tensor::arange(self.spec.samples, (Kind::Int64, Device::Cpu)).remainder(2);
        let radius = &y * (1.0 - self.spec.inner) + self.spec.inner;
        let options = (Kind::Float, Device::Cpu);
        let angle = Tensor::rand([self.spec.samples], options) * std::f64::consts::TAU;
        let circle = Tensor::stack(&[angle.cos(), angle.sin()], 1);
        let noise = Tensor::randn([self.spec.samples, 2], options) * self.spec.noise;
        let x = circle * radius.unsqueeze(1) + noise;
        Ok(Splits {
            train: Columns { x: Some(x), y: Some(y), ..Columns::default() },
            ..Splits::default()
        })
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn conforms() {
        triflow::testing::conforms(super::MyComponent::default());
    }
}
