use triflow::prelude::*;

triflow::component! {
    /// The exact prediction of any objective on any path, for data from a mixture of Gaussians.
    ///
    /// Given z, component k has the probability r_k ∝ w_k·N(z; a·c_k, V·I), V = a²s² + b². The
    /// best predictions are the means over k of c_k + a·s²·(z − a·c_k)/V for the data and of
    /// b·(z − a·c_k)/V for the noise.
    pub struct ExactMixture: Crn = "exact_mixture" {
        /// Centres c of the components.
        pub centres: Vec<Vec<f64>> = vec![vec![-1.0, 0.0], vec![1.0, 0.0]],
        /// Weights w of the components; empty: all alike.
        #[range(above = 0)]
        pub weights: Vec<f64> = vec![],
        /// Standard deviation s of every component in every dimension.
        #[range(min = 0)]
        pub deviation: f64 = 0.5,
    }
}

impl Spec<dyn Crn> for ExactMixture {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn Crn>> {
        let (k, d) = (self.centres.len(), ctx.latent()?.iter().product::<i64>());
        if k == 0 || self.centres.iter().any(|centre| centre.len() as i64 != d) {
            return Err(Error::config("centres", format!("needs centres of {d} numbers each")));
        }
        if !self.weights.is_empty() && self.weights.len() != k {
            return Err(Error::config("weights", format!("needs {k} numbers, one a centre")));
        }
        let weights = if self.weights.is_empty() { vec![1.0; k] } else { self.weights.clone() };
        let tensor = |numbers: &[f64]| {
            Tensor::from_slice(numbers).to_device(ctx.vars.device()).to_kind(ctx.vars.kind())
        };
        Ok(Box::new(Mixture {
            centres: tensor(&self.centres.concat()).view([1, k as i64, d]),
            log_weights: tensor(&weights).log(),
            variance: self.deviation.powi(2),
        }))
    }
}

struct Mixture {
    /// `[1, k, d]`
    centres: Tensor,
    /// `[k]`
    log_weights: Tensor,
    variance: f64,
}

impl Crn for Mixture {
    fn forward(&self, input: &CrnInput<'_>, _: Pass) -> Result<Tensor> {
        let (z, point) = (input.state, input.reading.point());
        let column = |t: &Tensor| t.to_kind(z.kind()).view([-1, 1, 1]);
        let (a, b) = (column(&point.a), column(&point.b));
        let total = a.square() * self.variance + b.square();
        let from_centre = z.flatten(1, -1).unsqueeze(1) - &a * &self.centres;
        let squares = (from_centre.square() / &total).sum_dim_intlist(2, true, z.kind());
        let weights = (self.log_weights.view([1, -1, 1]) - squares * 0.5).softmax(1, z.kind());
        let shift = from_centre / total;
        let mean = |of: Tensor| (of * &weights).sum_dim_intlist(1, false, z.kind()).view_as(z);
        let data = mean(&self.centres + &shift * a * self.variance);
        Ok(input.reading.target(&data, &mean(shift * b)).to_kind(z.kind()))
    }
}
