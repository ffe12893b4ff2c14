//! The path of a model, from noise to data.

pub use crate::component::{PathPoint, Reading, rows};
pub use crate::point::*;

use crate::component::{Coefficients, GaussianPath, NoiseSchedule, Objective, PathContext};
use crate::error::Result;
use crate::registry::Component;
use tch::{Device, Tensor};

/// The path of a model, with the noise schedule that it follows, if any.
pub struct Path {
    form: Box<dyn GaussianPath>,
    bounded: bool,
    scheduled: bool,
    device: Device,
}

impl std::fmt::Debug for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { bounded, scheduled, .. } = self;
        write!(f, "Path {{ bounded: {bounded}, scheduled: {scheduled} }}")
    }
}

impl Path {
    /// Builds the path of a component, with the experiment's noise schedule, whose parameters are
    /// on `device`.
    ///
    /// # Errors
    /// Errors of the component.
    pub fn build(
        component: &Component<dyn GaussianPath>,
        schedule: Option<Box<dyn NoiseSchedule>>,
        device: Device,
    ) -> Result<Self> {
        let given = schedule.is_some();
        let context = PathContext::new(schedule);
        let form = component.build(&context)?;
        let scheduled = given && context.is_taken();
        Ok(Self { bounded: form.bounded()?, form, scheduled, device })
    }

    /// True if the path of a component follows the experiment's noise schedule.
    ///
    /// # Errors
    /// Errors of the component.
    pub fn follows_schedule(component: &Component<dyn GaussianPath>) -> Result<bool> {
        /// Any schedule, to see whether it is taken.
        struct Linear;
        impl NoiseSchedule for Linear {
            fn gamma(&self, t: &Tensor) -> Result<Tensor> {
                Ok(t * 10.0 - 5.0)
            }
        }
        let context = PathContext::new(Some(Box::new(Linear)));
        component.build(&context)?;
        Ok(context.is_taken())
    }

    /// The path of a built component, whose parameters are on `device`.
    ///
    /// # Errors
    /// Errors of the component.
    pub fn of(form: Box<dyn GaussianPath>, device: Device) -> Result<Self> {
        Ok(Self { bounded: form.bounded()?, form, scheduled: false, device })
    }

    /// True if the log-SNR is finite at both ends.
    pub fn bounded(&self) -> bool {
        self.bounded
    }

    /// True if the path follows the experiment's noise schedule.
    pub fn scheduled(&self) -> bool {
        self.scheduled
    }

    /// Device of the path's parameters.
    pub fn device(&self) -> Device {
        self.device
    }

    /// The path at times `t`, `[batch]` in [0, 1].
    ///
    /// # Errors
    /// Errors of the path and its noise schedule.
    pub fn at(&self, t: &Tensor) -> Result<PathPoint<'_>> {
        Ok(self.point(t.shallow_clone(), self.form.coefficients(t)?))
    }

    fn point(&self, t: Tensor, at: Coefficients) -> PathPoint<'_> {
        PathPoint::new(&*self.form, self.bounded, t, at)
    }

    /// Times at which the log-SNR is `gamma`, in its shape.
    ///
    /// # Errors
    /// Errors of the path and its noise schedule.
    pub fn time_of(&self, gamma: &Tensor) -> Result<Tensor> {
        self.form.time_of(gamma)
    }

    /// The path at the single clock value `s`, in float64 and on the device of `like`.
    ///
    /// # Errors
    /// Errors of the path and its noise schedule.
    pub fn at_clock(&self, s: f64, clock: Clock, like: &Tensor) -> Result<PathPoint<'_>> {
        self.at_clocks(like.new_full([1], s, (tch::Kind::Double, like.device())), clock)
    }

    /// The path at clock values `s`, `[n]` in float64.
    ///
    /// # Errors
    /// Errors of the path and its noise schedule.
    pub fn at_clocks(&self, s: Tensor, clock: Clock) -> Result<PathPoint<'_>> {
        match clock {
            Clock::Time => self.at(&s),
            Clock::Gamma => {
                let t = self.time_of(&s)?;
                let at = self.form.coefficients_at_gamma(&s, &t)?;
                Ok(self.point(t, at))
            }
        }
    }

    /// The clock that solvers step in by default: γ where it is finite at both ends, otherwise t.
    /// The exception is an objective whose velocity is infinite at t = 0 of a path with infinite
    /// log-SNR (noise prediction: v = (z − e)/t on straight lines): there γ is used, because errors
    /// would be amplified from the start. At t = 1 (data prediction: v = (h − z)/(1 − t)) they are
    /// damped.
    ///
    /// # Errors
    /// Errors of the path and the objective.
    pub fn natural_clock(&self, objective: &dyn Objective) -> Result<Clock> {
        if self.bounded {
            return Ok(Clock::Gamma);
        }
        let [start, _] = self.readable_ends(objective)?;
        Ok(if start { Clock::Time } else { Clock::Gamma })
    }

    /// True for each end, t = 0 and t = 1, at which data, noise and velocity follow from the
    /// objective's output.
    ///
    /// # Errors
    /// Errors of the path and the objective.
    pub fn readable_ends(&self, objective: &dyn Objective) -> Result<[bool; 2]> {
        let ends = Tensor::from_slice(&[0.0, 1.0]).to_device(self.device);
        let ends = self.at(&ends)?;
        let reading = Reading::new(objective, &ends)?;
        let determinant = reading.determinant();
        Ok([0, 1].map(|end| {
            let d = determinant.double_value(&[end]);
            d != 0.0 && d.is_finite()
        }))
    }

    /// Log-SNR at both ends, (γ(0), γ(1)); infinite ends are cut off at [`END_GAP`].
    ///
    /// # Errors
    /// Errors of the path and its noise schedule.
    pub fn gamma_range(&self) -> Result<(f64, f64)> {
        self.form.gamma_range(self.device)
    }

    /// Standard deviation of z at t = 0: sampling starts from it times z_0.
    ///
    /// # Errors
    /// Errors of the path and its noise schedule.
    pub fn start_scale(&self) -> Result<f64> {
        self.form.start_scale(self.device)
    }

    /// True if the path goes from the noise itself to the data itself: (a, b) = (0, 1) at t = 0 and
    /// (1, 0) at t = 1. Only then can noise of any distribution be joined with the data.
    ///
    /// # Errors
    /// Errors of the path and its noise schedule.
    pub fn interpolates(&self) -> Result<bool> {
        let ends = self.at(&Tensor::from_slice(&[0.0, 1.0]).to_device(self.device))?;
        let is = |t: &Tensor, values: [f64; 2]| {
            [0, 1].iter().zip(values).all(|(i, value)| t.double_value(&[*i]) == value)
        };
        Ok(is(&ends.a, [0.0, 1.0]) && is(&ends.b, [1.0, 0.0]))
    }

    /// True if the objective's output is dz/dt of this path everywhere.
    ///
    /// # Errors
    /// Errors of the path and the objective.
    pub fn is_velocity(&self, objective: &dyn Objective) -> Result<bool> {
        let options = (tch::Kind::Double, self.device);
        let point = self.at(&Tensor::linspace(0.0, 1.0, 5, options))?;
        let (p, q) = objective.mix(&point)?;
        let (a_rate, b_rate) = point.rates(Clock::Time)?;
        let same = |x: &Tensor, y: &Tensor| (x - y).abs().le(1e-9).all().int64_value(&[]) == 1;
        Ok(same(&(p + a_rate.zeros_like()), &a_rate) && same(&(q + b_rate.zeros_like()), &b_rate))
    }
}
