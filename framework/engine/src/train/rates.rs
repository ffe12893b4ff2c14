//! Numbers that change from step to step, copied to the device many steps ahead, so that no step
//! waits for them and a replayed step reads its own.

use crate::config::{LrSchedule, Training};
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
    factor: LrSchedule,
    decay: Option<f64>,
    total: u64,
    options: (Kind, Device),
    /// The first step whose numbers are on the device, and the rows from it on, `[steps, 3]`.
    ahead: Option<(u64, Tensor)>,
}

impl Schedule {
    /// Numbers of `total` steps with the optimizer's learning rate `base`, of the precision and on
    /// the device of `like`.
    pub(super) fn new(config: &Training, base: f64, total: u64, like: &Tensor) -> Self {
        let options = (like.kind(), like.device());
        let (factor, decay) = (config.lr_schedule, config.ema);
        Self { base, factor, decay, total, options, ahead: None }
    }

    /// The [`Rates`] of `step`, which counts from 0, as a row `[3]`.
    pub(super) fn row(&mut self, step: u64) -> Tensor {
        let first = step - step % AHEAD;
        let rows = match &self.ahead {
            Some((from, rows)) if *from == first => rows,
            _ => {
                let steps = first..self.total.min(first + AHEAD);
                let rows: Vec<f64> = steps.flat_map(|step| self.numbers(step)).collect();
                let rows = Tensor::from_slice(&rows).view([-1, 3]).to_kind(self.options.0);
                &self.ahead.insert((first, rows.to_device(self.options.1))).1
            }
        };
        rows.get((step - first) as i64)
    }

    fn numbers(&self, step: u64) -> [f64; 3] {
        let n = (step + 1) as f64;
        // At the beginning, the average covers only the steps taken so far.
        let share = self.decay.map_or(0.0, |decay| 1.0 - decay.min((1.0 + n) / (10.0 + n)));
        [n, self.base * self.factor.factor(step, self.total), share]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_step_wherever_training_goes_on() {
        let factor = LrSchedule::Cosine { warmup: 10, floor: 0.1 };
        let like = Tensor::zeros([1], (Kind::Double, Device::Cpu));
        let new = || Schedule {
            base: 0.5,
            factor,
            decay: Some(0.99),
            total: 3000,
            options: (like.kind(), like.device()),
            ahead: None,
        };
        let mut whole = new();
        for step in 0..3000u64 {
            let row = whole.row(step);
            if step % 500 == 3 || step % AHEAD < 2 || step == 2999 {
                assert_eq!(row, new().row(step), "{step}");
                let n = step as f64 + 1.0;
                let mean = 1.0 - f64::min(0.99, (1.0 + n) / (10.0 + n));
                let wanted = [n, 0.5 * factor.factor(step, 3000), mean];
                assert_eq!(Vec::<f64>::try_from(row).unwrap(), wanted, "{step}");
            }
        }
    }
}
