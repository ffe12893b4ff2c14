use triflow::kernels::sinusoids;
use triflow::prelude::*;

triflow::parameters! {
    /// Sinusoidal features of time: sin(S·w_i·t) and cos(S·w_i·t) with w_i in geometric progression
    /// from 1 down to 1/10000 (Vaswani et al. 2017, arXiv 1706.03762).
    pub struct TimeEmbedding {
        /// Number of features: even, at least 4; or 1 for t itself.
        #[range(min = 1, max = MAX_FEATURES)]
        pub dim: i64 = 64,
        /// Scale S of time: 1000 is usual for images, less is smoother in t.
        #[range(above = 0)]
        pub scale: f64 = 10.0,
    }
}

/// Largest number of features.
const MAX_FEATURES: i64 = 1 << 16;

/// Ratio of the longest period to the shortest.
const MAX_PERIOD: f64 = 1e4;

impl TimeEmbedding {
    /// The frequencies S·w_i, `[dim / 2]` (`[0]` for t itself), in the precision and on the device
    /// of `vars`.
    ///
    /// # Errors
    /// `dim` is neither 1 nor an even number from 4 to 65,536, or `scale` is not above 0 and
    /// finite.
    pub fn frequencies(&self, vars: &nn::Path) -> Result<Tensor> {
        if self.dim == 1 {
            return Ok(Tensor::zeros([0], (vars.kind(), vars.device())));
        }
        if self.dim < 4 || self.dim % 2 != 0 {
            return Err(Error::config(
                "time_embedding.dim",
                format!("needs an even number of at least 4, or 1, got {}", self.dim),
            ));
        }
        let half = self.dim / 2;
        let w: Vec<f64> = (0..half)
            .map(|i| self.scale * MAX_PERIOD.powf(-(i as f64) / (half - 1) as f64))
            .collect();
        Ok(Tensor::from_slice(&w).to_kind(vars.kind()).to_device(vars.device()))
    }
}

/// Features of times `[batch]`, `[batch, dim]`: sines, then cosines; t itself without frequencies.
pub fn embed(time: &Tensor, frequencies: &Tensor) -> Tensor {
    if frequencies.numel() == 0 {
        return time.to_kind(frequencies.kind()).unsqueeze(-1);
    }
    if same_in_all_rows(time) {
        let one = embed(&time.narrow(0, 0, 1).copy(), frequencies);
        return one.expand([time.size()[0], -1], false);
    }
    sinusoids(&time.to_kind(frequencies.kind()), frequencies)
}

/// `true` if all rows are one row in memory (stride 0), as the time is along a path.
pub fn same_in_all_rows(x: &Tensor) -> bool {
    x.size()[0] > 1 && x.stride()[0] == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use triflow::tch::{Device, Kind};

    /// Origin of the vectors: an independent numpy script, see `tests/golden`.
    #[test]
    fn features_equal_the_golden_vectors() {
        let golden: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/golden/networks.json")).unwrap();
        let g = &golden["time_embedding"];
        let t: Vec<f64> = serde_json::from_value(g["t"].clone()).unwrap();
        for (scale, key) in [(1000.0, "value"), (100.0, "value_scale_100")] {
            let mut vs = nn::VarStore::new(Device::Cpu);
            vs.set_kind(Kind::Double);
            let w = TimeEmbedding { dim: 8, scale }.frequencies(&vs.root()).unwrap();
            let ours: Vec<Vec<f64>> = Vec::try_from(embed(&Tensor::from_slice(&t), &w)).unwrap();
            let expected: Vec<Vec<f64>> = serde_json::from_value(g[key].clone()).unwrap();
            for (a, b) in ours.iter().flatten().zip(expected.iter().flatten()) {
                assert!((a - b).abs() < 1e-10, "{a} {b}");
            }
        }
    }
}
