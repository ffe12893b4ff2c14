use triflow::prelude::*;
use triflow::tch::Device;

/// Coefficients as functions of the log-SNR of a noise schedule, which is finite.
pub(super) trait Form {
    /// Coefficients and the path's own log-SNR where that of the schedule is `gamma`.
    fn at(&self, gamma: &Tensor) -> Coefficients;

    /// Rates (da/dγ, db/dγ) in the path's own log-SNR γ.
    fn rates(&self, point: &PathPoint<'_>) -> (Tensor, Tensor);

    /// Log-SNR of the schedule where that of the path is `gamma`: the same unless overridden.
    fn of_schedule(&self, gamma: &Tensor) -> Tensor {
        gamma.shallow_clone()
    }

    /// Derivative of the path's log-SNR with respect to that of the schedule; `None`: 1.
    fn stretch(&self, point: &PathPoint<'_>) -> Option<Tensor> {
        let _ = point;
        None
    }

    /// Standard deviation of z at t = 0, where the path's log-SNR is `gamma`.
    fn start_scale(&self, gamma: f64) -> f64 {
        let _ = gamma;
        1.0
    }

    /// Factor of z in the input of the network; `None`: 1.
    fn input_scale(&self, point: &PathPoint<'_>) -> Option<Tensor> {
        let _ = point;
        None
    }
}

/// A path that follows the experiment's noise schedule.
pub(super) struct Scheduled<F> {
    form: F,
    schedule: Box<dyn NoiseSchedule>,
}

impl<F: Form> Scheduled<F> {
    /// The path of the form with the schedule of the context.
    pub fn new(form: F, ctx: &PathContext) -> Result<Self> {
        Ok(Self { form, schedule: ctx.take_schedule()? })
    }
}

impl<F: Form> GaussianPath for Scheduled<F> {
    fn coefficients(&self, t: &Tensor) -> Result<Coefficients> {
        Ok(self.form.at(&self.schedule.gamma(t)?))
    }

    fn coefficients_at_gamma(&self, gamma: &Tensor, _: &Tensor) -> Result<Coefficients> {
        let at = self.form.at(&self.form.of_schedule(gamma));
        Ok(Coefficients { gamma: Some(gamma.shallow_clone()), ..at })
    }

    fn rates(&self, point: &PathPoint<'_>, clock: Clock) -> Result<(Tensor, Tensor)> {
        let (a, b) = self.form.rates(point);
        match clock {
            Clock::Gamma => Ok((a, b)),
            Clock::Time => {
                let rate = point.gamma_prime()?;
                Ok((a * &rate, b * rate))
            }
        }
    }

    fn gamma_prime(&self, point: &PathPoint<'_>) -> Result<Tensor> {
        let rate = self.schedule.gamma_prime(&point.t)?;
        Ok(match self.form.stretch(point) {
            Some(stretch) => rate * stretch,
            None => rate,
        })
    }

    fn time_of(&self, gamma: &Tensor) -> Result<Tensor> {
        self.schedule.time_of(&self.form.of_schedule(gamma))
    }

    fn bounded(&self) -> Result<bool> {
        Ok(true)
    }

    fn start_scale(&self, device: Device) -> Result<f64> {
        Ok(self.form.start_scale(self.gamma_range(device)?.0))
    }

    fn input_scale(&self, point: &PathPoint<'_>) -> Result<Option<Tensor>> {
        Ok(self.form.input_scale(point))
    }
}
