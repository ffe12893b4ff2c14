use super::Times;
use super::quadrature::{Integrals, integrate};
use crate::component::{LossWeighting, Objective, Weight};
use crate::error::{Error, Result};
use crate::path::{Clock, Path, PathPoint, Reading};
use tch::Tensor;

/// Largest weight on a path of unbounded log-SNR, where no weight that is the same loss for every
/// objective is bounded.
pub const UNBOUNDED_CAP: f64 = 10.0;

/// Largest relative error of a mean for which no other variable of integration is tried.
const EXACT: f64 = 1e-9;

/// Weight of errors over time, for one objective on one path.
pub struct Weights {
    /// The weighting; `None`: 1 at all times.
    weighting: Option<Box<dyn LossWeighting>>,
    mean_flow: f64,
    mean_data: f64,
}

impl std::fmt::Debug for Weights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Weights").field("means", &self.means()).finish_non_exhaustive()
    }
}

impl Weights {
    /// Weights of 1 at all times.
    pub fn one() -> Self {
        Self { weighting: None, mean_flow: 1.0, mean_data: 1.0 }
    }

    /// The weights of a weighting.
    ///
    /// # Errors
    /// [`Error::Component`]: the weighting or the path fails.
    pub fn new(weighting: Box<dyn LossWeighting>, path: &Path) -> Result<Self> {
        let point = path.at(&Tensor::from_slice(&[0.5]).to_device(path.device()))?;
        let one = matches!(weighting.weight(&point)?, Weight::One);
        Ok(Self { weighting: (!one).then_some(weighting), ..Self::one() })
    }

    /// True if the weighting makes the loss the variational bound.
    ///
    /// # Errors
    /// [`Error::Component`]: the weighting fails.
    pub fn is_variational_bound(&self) -> Result<bool> {
        self.weighting.as_ref().map_or(Ok(false), |weighting| weighting.is_variational_bound())
    }

    /// Divides each weight by its mean over the times of training, which is exact to 1e-9 for a
    /// weight that is smooth up to kinks.
    ///
    /// # Errors
    /// [`Error::Config`]: a mean is 0 or not finite. [`Error::Component`]: a component fails.
    pub fn normalised(self, path: &Path, objective: &dyn Objective, times: &Times) -> Result<Self> {
        if self.is_one() {
            return Ok(self);
        }
        let [mean_flow, mean_data] = self.measure(path, objective, times)?;
        for mean in [mean_flow, mean_data] {
            if !(mean > 0.0 && mean.is_finite()) {
                let message = format!("its mean over time is {mean}, and cannot be divided by");
                return Err(Error::config("loss.weighting", message)
                    .help("use another weighting, or set `loss.normalise: false`"));
            }
        }
        Ok(Self { mean_flow, mean_data, ..self })
    }

    /// Means over the times of training of the weights of flow, and of recon and reg.
    fn measure(&self, path: &Path, objective: &dyn Objective, times: &Times) -> Result<[f64; 2]> {
        let both = |point: &PathPoint<'_>| {
            let one = |weight: Option<Tensor>| weight.unwrap_or_else(|| point.t.ones_like());
            let flow = one(self.flow(&Reading::new(objective, point)?)?);
            Ok(Tensor::stack(&[flow, one(self.data(point)?)], 0))
        };
        let over = |range, values: &dyn Fn(&Tensor) -> Result<Tensor>| {
            integrate(range, path.device(), values)
        };
        if !times.keep_the_loss() {
            let of_quantiles = over((0.0, 1.0), &|u| both(&times.at(u, path)?.0))?;
            return Ok(of_quantiles.values);
        }
        // ∫ w dt = ∫ (w/γ') dγ. The latter is exact where γ' is large, at the ends of a path, and
        // the former where γ' is 0.
        let mut best: Option<Integrals> = None;
        for clock in [Clock::Gamma, Clock::Time] {
            let found = match clock {
                Clock::Gamma if !path.bounded() => continue,
                Clock::Gamma => over(path.gamma_range()?, &|gamma| {
                    let point = path.at_clocks(gamma.shallow_clone(), Clock::Gamma)?;
                    Ok(both(&point)? / point.gamma_prime()?)
                })?,
                Clock::Time => over((0.0, 1.0), &|t| both(&path.at(t)?))?,
            };
            if best.is_none_or(|best| found.relative_error() < best.relative_error()) {
                best = Some(found);
            }
            if found.relative_error() <= EXACT {
                break;
            }
        }
        Ok(best.map_or([f64::NAN; 2], |best| best.values))
    }

    /// Divisors of the weights of flow, and of recon and reg: their exact means over time, or 1.
    pub fn means(&self) -> (f64, f64) {
        (self.mean_flow, self.mean_data)
    }

    /// True if every weight is 1 at all times.
    pub fn is_one(&self) -> bool {
        self.weighting.is_none()
    }

    /// Weight of the squared error of the output, `[batch]`; `None` for 1.
    ///
    /// # Errors
    /// [`Error::Component`]: the weighting or the path fails.
    pub fn flow(&self, reading: &Reading<'_>) -> Result<Option<Tensor>> {
        let Some(weighting) = &self.weighting else { return Ok(None) };
        let point = reading.point();
        let weight = reading.weight_of_output(&weighting.weight(point)?)?;
        Ok(weight.map(|weight| scaled(&weight, point, self.mean_flow)))
    }

    /// Weight of recon and reg, `[batch]`: the number that the weighting gives, whichever error it
    /// is of; `None` for 1.
    ///
    /// # Errors
    /// [`Error::Component`]: the weighting fails.
    pub fn data(&self, point: &PathPoint<'_>) -> Result<Option<Tensor>> {
        let Some(weighting) = &self.weighting else { return Ok(None) };
        let weight = weighting.weight(point)?;
        Ok(weight.value().map(|weight| scaled(weight, point, self.mean_data)))
    }
}

/// A weight, within the cap of its path and divided by its mean.
fn scaled(weight: &Tensor, point: &PathPoint<'_>, mean: f64) -> Tensor {
    let weight = match point.bounded() {
        true => weight.shallow_clone(),
        false => weight.clamp_max(UNBOUNDED_CAP),
    };
    if mean == 1.0 { weight } else { weight / mean }
}
