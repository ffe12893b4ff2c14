//! Numbers that change from step to step, copied to the device many steps ahead, so that no step
//! waits for them and a replayed step reads its own.

use crate::component::{LrSchedule, Restore};
use crate::error::{Error, Result};
use tch::{Device, Kind, Tensor};

/// Number of steps whose numbers are copied at once.
const AHEAD: u64 = 1024;

/// The numbers of one step, each `[]` in the parameters' precision.
#[derive(Debug)]
pub(super) struct Rates {
    /// Number of steps, including this one.
    pub step: Tensor,
    pub learning_rate: Tensor,
    /// Weight of the new parameters in the EMA.
    pub share: Tensor,
}

impl From<&Tensor> for Rates {
    /// Splits a row `[3]` of [`Schedule`].
    fn from(row: &Tensor) -> Self {
        let [step, learning_rate, share] = [0, 1, 2].map(|i| row.get(i));
        Self { step, learning_rate, share }
    }
}

/// The numbers of all steps.
#[derive(Debug)]
pub(super) struct Schedule {
    /// The optimizer's learning rate, which the schedule multiplies.
    base: f64,
    factor: Box<dyn LrSchedule>,
    /// Returns of the training, each with a factor.
    restores: Vec<Restore>,
    /// Decay of the EMA; `None` without one.
    decay: Option<f64>,
    total: u64,
    options: (Kind, Device),
    /// The first step whose numbers are on the device, and the rows from it on, `[steps, 3]`.
    ahead: Option<(u64, Tensor)>,
}

impl Schedule {
    /// Numbers of `total` steps with the learning rate `base` times `factor` and an EMA of this
    /// decay, of the precision and on the device of `like`.
    pub(super) fn new(
        (base, factor): (f64, Box<dyn LrSchedule>),
        decay: Option<f64>,
        total: u64,
        like: &Tensor,
    ) -> Self {
        let options = (like.kind(), like.device());
        Self { base, factor, restores: Vec::new(), decay, total, options, ahead: None }
    }

    /// This schedule after returns of the training.
    #[must_use]
    pub(super) fn after(self, restores: &[Restore]) -> Self {
        Self { restores: restores.to_vec(), ..self }
    }

    /// The [`Rates`] of `step`, which counts from 0, as a row `[3]`.
    pub(super) fn row(&mut self, step: u64) -> Result<Tensor> {
        let first = step - step % AHEAD;
        let rows = match &self.ahead {
            Some((from, rows)) if *from == first => rows,
            _ => {
                let steps = first..self.total.min(first + AHEAD);
                let rows = steps.map(|step| self.numbers(step)).collect::<Result<Vec<_>>>()?;
                let rows =
                    Tensor::from_slice(rows.as_flattened()).view([-1, 3]).to_kind(self.options.0);
                &self.ahead.insert((first, rows.to_device(self.options.1))).1
            }
        };
        Ok(rows.get((step - first) as i64))
    }

    fn numbers(&self, step: u64) -> Result<[f64; 3]> {
        let n = (step + 1) as f64;
        // At the beginning, the average covers only the steps taken so far.
        let share = self.decay.map_or(0.0, |decay| 1.0 - decay.min((1.0 + n) / (10.0 + n)));
        Ok([n, self.learning_rate(step)?, share])
    }

    /// Learning rate of `step`, which counts from 0.
    pub(super) fn learning_rate(&self, step: u64) -> Result<f64> {
        let factor = self.factor.factor(step, self.total)?;
        if !(factor.is_finite() && factor >= 0.0) {
            let message = format!(
                "the learning-rate schedule gives the factor {factor} at step {step} of {}; it needs a \
                 number of at least 0",
                self.total
            );
            return Err(Error::runtime(message));
        }
        let returns = self.restores.iter().filter(|restore| restore.step <= step);
        Ok(returns.fold(self.base * factor, |rate, restore| rate * restore.factor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Falls from 1 to a half over the training; NaN at step 2,000 if `breaks`.
    #[derive(Clone, Copy)]
    struct Fall {
        breaks: bool,
    }

    impl LrSchedule for Fall {
        fn factor(&self, step: u64, total: u64) -> Result<f64> {
            let share = step as f64 / total as f64;
            Ok(if self.breaks && step == 2000 { f64::NAN } else { 1.0 - 0.5 * share })
        }
    }

    const FALL: Fall = Fall { breaks: false };

    /// 3,000 steps at 0.4 with an EMA of decay 0.99.
    fn schedule(factor: Fall) -> Schedule {
        let like = Tensor::zeros([1], (Kind::Double, Device::Cpu));
        Schedule::new((0.4, Box::new(factor)), Some(0.99), 3000, &like)
    }

    #[test]
    fn the_rate_is_the_factor_times_the_base_and_the_mean_grows_longer() {
        let mut schedule = schedule(FALL);
        for (step, learning_rate, share) in [
            (0, 0.4, 9.0 / 11.0),
            (3, 0.4 - 0.2 / 1000.0, 9.0 / 14.0),
            (9, 0.4 - 0.6 / 1000.0, 0.45),
            (888, 0.3408, 9.0 / 899.0),
            (1500, 0.3, 0.01),
            (2999, 0.2 + 0.2 / 3000.0, 0.01),
        ] {
            let found = Vec::<f64>::try_from(schedule.row(step).unwrap()).unwrap();
            assert_eq!(found[0], step as f64 + 1.0);
            assert!((found[1] - learning_rate).abs() < 1e-12, "{step}: {found:?}");
            assert!((found[2] - share).abs() < 1e-12, "{step}: {found:?}");
        }
    }

    #[test]
    fn numbers_are_those_of_the_step_wherever_training_goes_on() {
        let mut whole = schedule(FALL);
        let rows: Vec<Tensor> = (0..3000).map(|step| whole.row(step).unwrap()).collect();
        for step in [0, 1, 500, 1023, 1024, 1025, 2047, 2048, 2999] {
            assert_eq!(schedule(FALL).row(step).unwrap(), rows[step as usize], "{step}");
            // Back to an earlier one.
            assert_eq!(whole.row(step).unwrap(), rows[step as usize], "{step}");
        }
    }

    #[test]
    fn a_factor_that_is_no_number_is_an_error_that_names_its_step() {
        let error = schedule(Fall { breaks: true }).row(1500).unwrap_err().to_string();
        let expected = "the learning-rate schedule gives the factor NaN at step 2000 of 3000; it \
                        needs a number of at least 0";
        assert_eq!(error, expected);
    }
}
