//! What the solvers of Gaussian paths share: a walk over the grid with the path's level at every node.

use triflow::prelude::*;

/// A state on its way over the grid.
pub struct Walk<'w> {
    field: &'w dyn Field,
    seen: &'w mut dyn Observer,
    nodes: &'w [f64],
    levels: Vec<Level>,
    at: usize,
    nfe: usize,
    /// The state.
    pub z: Tensor,
}

/// One step of a walk: where it starts and ends.
#[derive(Clone, Copy, Debug)]
pub struct Stride {
    /// Clock at the start.
    pub s: f64,
    /// The path at the start.
    pub from: Level,
    /// The path at the end.
    pub to: Level,
    /// Clock at the end.
    pub next: f64,
}

impl<'w> Walk<'w> {
    /// Shows the start to the observer.
    pub fn new(
        field: &'w dyn Field,
        z0: &Tensor,
        grid: &'w Grid,
        seen: &'w mut dyn Observer,
    ) -> Result<Self> {
        let levels = field.levels(&grid.nodes)?;
        seen.see(grid.start(), z0)?;
        let z = z0.shallow_clone();
        Ok(Self { field, seen, nodes: &grid.nodes, levels, at: 0, nfe: 0, z })
    }

    /// The path where the walk began.
    pub fn start(&self) -> Level {
        self.levels[0]
    }

    /// Steps in all.
    pub fn steps(&self) -> usize {
        self.nodes.len() - 1
    }

    /// How many steps are done.
    pub fn done(&self) -> usize {
        self.at
    }

    /// The next step; none at the end.
    pub fn step(&self) -> Option<Stride> {
        let (i, j) = (self.at, self.at + 1);
        let next = *self.nodes.get(j)?;
        Some(Stride { s: self.nodes[i], from: self.levels[i], to: self.levels[j], next })
    }

    /// The predicted data at the start of a step.
    pub fn predict(&mut self, step: Stride) -> Result<Tensor> {
        self.nfe += 1;
        self.field.data(&self.z, step.s)
    }

    /// The predicted data anywhere else.
    pub fn data(&mut self, z: &Tensor, s: f64) -> Result<Tensor> {
        self.nfe += 1;
        self.field.data(z, s)
    }

    /// Fresh noise like the state.
    pub fn noise(&self) -> Result<Tensor> {
        self.field.noise(&self.z)
    }

    /// Where the path has a log-SNR: clock and level.
    pub fn at_gamma(&self, gamma: f64) -> Result<(f64, Level)> {
        let s = self.field.clock_at(&[gamma])?[0];
        Ok((s, self.field.levels(&[s])?[0]))
    }

    /// Ends the step in the state `z`.
    pub fn arrive(&mut self, z: Tensor) -> Result<()> {
        self.z = z;
        self.at += 1;
        self.seen.see(self.nodes[self.at], &self.z)
    }

    /// The end of the walk.
    pub fn end(self) -> Result<Solution> {
        Solution::finite(self.z, self.nfe)
    }
}

impl Stride {
    /// e^(−H), H the step in half log-SNR ln(a/b): 0 where the data are pure at the end or absent at the
    /// start.
    pub fn decay(&self) -> f64 {
        (self.to.b / self.from.b) * (self.from.a / self.to.a)
    }

    /// H, the step in half log-SNR; may be infinite.
    pub fn length(&self) -> f64 {
        -self.decay().ln()
    }

    /// The state at the end for predicted data that stay the same: (b_t/b_s)·z + (a_t − a_s·b_t/b_s)·data.
    pub fn held(&self, z: &Tensor, data: &Tensor) -> Tensor {
        let ratio = self.to.b / self.from.b;
        z * ratio + data * (self.to.a - self.from.a * ratio)
    }

    /// The same where a share η of what noise the step removes is replaced by fresh noise.
    pub fn renoised(&self, walk: &Walk<'_>, data: &Tensor, eta: f64) -> Result<Tensor> {
        let z = &walk.z;
        if eta == 0.0 {
            return Ok(self.held(z, data));
        }
        let fresh = eta * self.to.b * (1.0 - self.decay().powi(2)).max(0.0).sqrt();
        let kept = (self.to.b.powi(2) - fresh.powi(2)).max(0.0).sqrt();
        let noise = self.from.noise(z, data);
        Ok(data * self.to.a + noise * kept + walk.noise()? * fresh)
    }
}

/// An error unless η is a churn.
pub fn check_churn(eta: f64) -> Result<()> {
    if eta.is_finite() && eta >= 0.0 {
        return Ok(());
    }
    Err(Error::config("eta", format!("needs a number of at least 0, got {eta}")))
}
