//! The clocks of solvers, and the nodes of their steps.

use crate::error::{Error, Result};
use crate::registry::{
    Group as _, Mapping, NoCommon, Parameter, Setting, Shape, Variant, Yaml, needs, read_variant,
    tagged, unknown_word,
};

/// The variable that a solver steps in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// Time t in \[0, 1\]; t = 0 is noise, t = 1 is data.
    Time,
    /// Log-SNR γ, increasing from noise to data.
    Gamma,
}

/// The grid of a sampler's steps: N + 1 nodes from noise to data, in the grid's clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StepGrid {
    /// Equal steps in time t.
    Time,
    /// Equal steps in log-SNR γ.
    Gamma,
    /// Equal steps of σ^(1/ρ) with σ = b/a = e^(−γ/2), stepped in log-SNR: the larger ρ, the more
    /// steps near the data (Karras et al. 2022, arXiv 2206.00364, eq. 5).
    Karras {
        /// ρ, above 0.
        rho: f64,
    },
}

crate::parameters! {
    /// Keys of the grid `karras`.
    pub struct KarrasKeys {
        /// ρ: the larger, the more steps near the data.
        #[range(above = 0)]
        pub rho: f64 = 7.0,
    }
}

impl Parameter for StepGrid {
    fn shape() -> Shape {
        let variant = |name, fields| Variant { name, description: String::new(), fields };
        Shape::Variants(vec![
            variant("time", Vec::new()),
            variant("gamma", Vec::new()),
            variant("karras", KarrasKeys::fields()),
        ])
    }

    fn read(yaml: &Yaml) -> Result<Self> {
        match tagged(yaml) {
            Some(("time", keys)) => read_variant::<NoCommon>("time", keys).map(|_| Self::Time),
            Some(("gamma", keys)) => read_variant::<NoCommon>("gamma", keys).map(|_| Self::Gamma),
            Some(("karras", keys)) => {
                let KarrasKeys { rho } = read_variant("karras", keys)?;
                Ok(Self::Karras { rho })
            }
            Some((other, _)) => Err(unknown_word(other, &["time", "gamma", "karras"])),
            None if yaml.is_mapping() => Err(Error::config("", "`type` is missing")),
            None => Err(needs("a name, or a map with `type: NAME`", yaml)),
        }
    }
}

impl Setting for StepGrid {
    fn write(&self) -> Result<Yaml> {
        let mut map = Mapping::new();
        let name = match self {
            Self::Time => "time",
            Self::Gamma => "gamma",
            Self::Karras { .. } => "karras",
        };
        map.insert("type".into(), name.into());
        if let Self::Karras { rho } = self {
            map.insert("rho".into(), (*rho).into());
        }
        Ok(Yaml::Mapping(map))
    }
}

/// Nodes of a solver's steps, from noise to data, in the clock of the ODE (t or γ).
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// N + 1 nodes, increasing.
    pub nodes: Vec<f64>,
}

impl Grid {
    /// `steps` equal steps (at least one) from `from` to `to`. Nodes are computed, not accumulated.
    pub fn uniform(from: f64, to: f64, steps: usize) -> Self {
        let n = steps.max(1);
        let node = |i: usize| if i == n { to } else { from + (to - from) * i as f64 / n as f64 };
        Self { nodes: (0..=n).map(node).collect() }
    }

    /// First node; 0 in an empty grid.
    pub fn start(&self) -> f64 {
        self.nodes.first().copied().unwrap_or(0.0)
    }

    /// Last node; 1 in an empty grid.
    pub fn end(&self) -> f64 {
        self.nodes.last().copied().unwrap_or(1.0)
    }
}

impl StepGrid {
    /// The clock in which solvers step.
    pub fn clock(self) -> Clock {
        match self {
            Self::Time => Clock::Time,
            Self::Gamma | Self::Karras { .. } => Clock::Gamma,
        }
    }

    /// `steps + 1` nodes from `start` to `end`, both in the grid's clock.
    pub fn nodes(self, start: f64, end: f64, steps: usize) -> Grid {
        let mut grid = Grid::uniform(start, end, steps);
        if let Self::Karras { rho } = self {
            let root = |gamma: f64| (-gamma / (2.0 * rho)).exp();
            let (from, to) = (root(start), root(end));
            let n = grid.nodes.len() - 1;
            for (i, node) in grid.nodes.iter_mut().enumerate().take(n).skip(1) {
                *node = -2.0 * rho * (from + (to - from) * i as f64 / n as f64).ln();
            }
        }
        grid
    }
}

impl std::fmt::Display for StepGrid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Time => f.write_str("time"),
            Self::Gamma => f.write_str("gamma"),
            Self::Karras { rho } => write!(f, "karras({rho})"),
        }
    }
}

impl From<Clock> for StepGrid {
    fn from(clock: Clock) -> Self {
        match clock {
            Clock::Time => Self::Time,
            Clock::Gamma => Self::Gamma,
        }
    }
}

/// Distance from t = 0 and t = 1 at which a clock starts and ends where the path is singular there.
pub const END_GAP: f64 = 1e-3;
