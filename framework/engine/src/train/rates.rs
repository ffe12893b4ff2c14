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

    /// 3,010 steps at 0.5, of which ten warm up; the rest fall along half a cosine to a tenth.
    fn schedule() -> Schedule {
        let yaml = include_str!("graph/tests.yaml");
        let mut config = crate::config::Experiment::from_yaml(yaml).unwrap().training;
        config.ema = Some(0.99);
        config.lr_schedule = LrSchedule::Cosine { warmup: 10, floor: 0.1 };
        let like = Tensor::zeros([1], (Kind::Double, Device::Cpu));
        Schedule::new(&config, 0.5, 3010, &like)
    }

    #[test]
    fn the_rate_rises_falls_along_a_cosine_and_the_mean_grows_longer() {
        let mut schedule = schedule();
        for (step, learning_rate, share) in [
            (0, 0.05, 9.0 / 11.0),
            (3, 0.2, 9.0 / 14.0),
            (9, 0.5, 0.45),
            (10, 0.5, 9.0 / 21.0),
            // A third of the way down the cosine is a half, half of it 0, two thirds −½.
            (1010, 0.3875, 0.01),
            (1510, 0.275, 0.01),
            (2010, 0.1625, 0.01),
            (888, 0.411_409_858, 9.0 / 899.0),
            (3009, 0.05, 0.01),
        ] {
            let found = Vec::<f64>::try_from(schedule.row(step)).unwrap();
            assert_eq!(found[0], step as f64 + 1.0);
            assert!((found[1] - learning_rate).abs() < 1e-6, "{step}: {found:?}");
            assert!((found[2] - share).abs() < 1e-12, "{step}: {found:?}");
        }
    }

    #[test]
    fn numbers_are_those_of_the_step_wherever_training_goes_on() {
        let mut whole = schedule();
        let rows: Vec<Tensor> = (0..3010).map(|step| whole.row(step)).collect();
        for step in [0, 1, 500, 1023, 1024, 1025, 2047, 2048, 3009] {
            assert_eq!(schedule().row(step), rows[step as usize], "{step}");
            // Back to an earlier one.
            assert_eq!(whole.row(step), rows[step as usize], "{step}");
        }
    }
}
