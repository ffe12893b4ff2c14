use super::features::{Features, Network};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};
use triflow::prelude::*;
use triflow::tch::{self, Kind};

triflow::component! {
    /// Fréchet distance between Gaussians fitted to generated and held-out points: |m₁ − m₂|² +
    /// tr(S₁ + S₂ − 2(S₁S₂)^½).
    ///
    /// With the features of an Inception network it is the FID. It is measured only where
    /// `metrics.extra` lists it. Its estimate is biased upwards, the more the fewer rows there are
    /// for each dimension: compare values of equally many rows, and each with its floor.
    #[reference = "Heusel et al. 2017, arXiv 1706.08500"]
    pub struct FrechetDistance: Metric = "frechet_distance" {
        /// Features of a network, instead of the points; null: the points as they are, in the units
        /// of `metrics.units`.
        pub features: Option<Features> = None,
    }
}

impl Spec<dyn Metric> for FrechetDistance {
    fn build(&self, ctx: &MetricContext) -> Result<Box<dyn Metric>> {
        let network = self.features.as_ref().map(|features| Network::load(features, ctx));
        Ok(Box::new(Distance { network: network.transpose()?, held_out: Mutex::default() }))
    }
}

struct Distance {
    network: Option<Network>,
    /// Fit of the last held-out points, which generated ones and real ones are compared with, under
    /// a hash of their values.
    held_out: Mutex<Option<(u64, Gaussian)>>,
}

impl Distance {
    fn fit(&self, input: &MetricInput<'_>, points: Points<'_>) -> Result<Gaussian> {
        let rows = match &self.network {
            Some(network) => network.features(input, points)?,
            None => Tensor::from_slice(points.values()).view([points.len() as i64, -1]),
        };
        Ok(Gaussian::fit(&rows))
    }
}

impl Metric for Distance {
    fn info(&self) -> Result<MetricInfo> {
        let info = MetricInfo::of_samples("Fréchet distance", Better::Less).ranked(35);
        Ok(MetricInfo { on_request: true, ..info })
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        let samples = input.samples()?;
        let (generated, real) = (samples.generated, samples.held_out.points());
        if generated.len() < 2 || real.len() < 2 {
            return Ok(None);
        }
        tch::no_grad(|| {
            let mut hasher = DefaultHasher::new();
            (real.dim(), input.shape).hash(&mut hasher);
            real.values().iter().for_each(|value| value.to_bits().hash(&mut hasher));
            let hash = hasher.finish();
            let mut held_out = self.held_out.lock().unwrap_or_else(PoisonError::into_inner);
            let known = held_out.take().filter(|(of, _)| *of == hash);
            let (_, real) = match known {
                Some(known) => held_out.insert(known),
                None => held_out.insert((hash, self.fit(input, real)?)),
            };
            Ok(Some(self.fit(input, generated)?.distance(real)))
        })
    }
}

/// A Gaussian fitted to rows.
#[derive(Debug)]
pub struct Gaussian {
    /// Mean, `[d]`.
    mean: Tensor,
    /// A matrix R `[r, d]` with covariance RᵀR, r at most d and the number of rows.
    root: Tensor,
}

impl Gaussian {
    /// The Gaussian with the mean and the unbiased covariance of at least two rows `[n, d]`.
    pub fn fit(rows: &Tensor) -> Self {
        let rows = rows.to_kind(Kind::Double).to_device(tch::Device::Cpu);
        let (n, d) = (rows.size()[0], rows.size()[1]);
        let mean = rows.mean_dim([0].as_slice(), false, Kind::Double);
        let centred = (rows - &mean) / ((n - 1) as f64).sqrt();
        let root = if n > d { Tensor::linalg_qr(&centred, "r").1 } else { centred };
        Self { mean, root }
    }

    /// Fréchet distance to another Gaussian, at least 0.
    ///
    /// S₁S₂ = R₁ᵀR₁R₂ᵀR₂ has the eigenvalues of (R₁R₂ᵀ)(R₁R₂ᵀ)ᵀ besides zeros, so that the trace of
    /// its root is the sum of the singular values of R₁R₂ᵀ: exact also for covariances without an
    /// inverse, and without the root of a rounding error.
    pub fn distance(&self, other: &Self) -> f64 {
        let sum = |t: Tensor| t.sum(Kind::Double).double_value(&[]);
        let squares = |t: &Tensor| sum(t.square());
        let product = self.root.matmul(&other.root.tr());
        let (_, singular, _) = product.svd(true, false);
        let between = squares(&(&self.mean - &other.mean));
        (between + squares(&self.root) + squares(&other.root) - 2.0 * sum(singular)).max(0.0)
    }
}
