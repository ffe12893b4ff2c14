use triflow::prelude::*;

triflow::component! {
    /// An exponential integrator, order 1 or 2: exact for Gaussian data of deviation σ_data.
    ///
    /// Let V = a²·σ_data² + b² and θ = arctan(a·σ_data/b). With the predicted data written as those
    /// for N(0, σ_data²) plus (b·σ_data/√V)·F, the ODE is d(z/√V)/dθ = F on every path, which is
    /// not stiff. A step takes F from the line through its last two values (order 2) or from the
    /// last (order 1). For data from N(0, σ_data²·I) one step is exact. 1 evaluation a step.
    #[reference = "Karras et al. 2022, arXiv 2206.00364, section 5; \
                   Lu and Song 2024, arXiv 2410.11081, section 4.1"]
    pub struct Exponential: Solver = "exponential" {
        /// Standard deviation σ_data of the latents; 1 for standardised data.
        #[range(above = 0)]
        pub sigma_data: f64 = 1.0,
        /// Order of the method, 1 or 2.
        #[range(min = 1, max = 2)]
        pub order: usize = 2,
    }
}

impl Spec<dyn Solver> for Exponential {
    fn build(&self, (): &()) -> Result<Box<dyn Solver>> {
        Ok(Box::new(self.clone()))
    }
}

impl Exponential {
    /// √V.
    fn scale(&self, level: Level) -> f64 {
        (level.a * self.sigma_data).hypot(level.b)
    }

    /// θ.
    fn angle(&self, level: Level) -> f64 {
        (level.a * self.sigma_data).atan2(level.b)
    }

    /// F at the start of a step.
    fn residual(&self, step: &Step<'_, Self>) -> Result<Tensor> {
        let (at, s) = (step.from, self.sigma_data);
        let scale = self.scale(at);
        Ok((step.predicted()? * scale - step.z * (at.a * s * s / scale)) / (at.b * s))
    }
}

impl Stepper for Exponential {
    type Node = Level;
    /// F, and the step in θ.
    type Memory = (Tensor, f64);

    fn step(&self, step: &Step<'_, Self>) -> Result<Stepped<Self::Memory>> {
        let residual = self.residual(step)?;
        let angle = self.angle(step.to) - self.angle(step.from);
        let extrapolated = match step.before {
            Some((earlier, last_angle)) if self.order == 2 => {
                &residual + (&residual - earlier) * (0.5 * angle / last_angle)
            }
            _ => residual.shallow_clone(),
        };
        let scale = self.scale(step.to);
        let z = step.z * (scale / self.scale(step.from)) + extrapolated * (scale * angle);
        Ok(Stepped::to(z).remember((residual, angle)))
    }

    fn order(&self) -> usize {
        self.order
    }
}
