//! The states that a path passes.

use crate::component::Observer;
use crate::error::Result;
use tch::Tensor;

/// Keeps states with their times: all of them, or evenly chosen ones, the first and the last among them.
#[derive(Debug)]
pub struct Trajectory {
    /// Clock values.
    pub clock: Vec<f64>,
    /// States, `[n, …z_shape]` each.
    pub states: Vec<Tensor>,
    /// How many are kept at most.
    most: usize,
    /// Of so many states one is kept.
    stride: usize,
    /// States that passed so far.
    passed: usize,
}

impl Default for Trajectory {
    fn default() -> Self {
        Self::of_at_most(usize::MAX)
    }
}

impl Trajectory {
    /// Keeps at most so many states, 3 at least: memory does not grow with the number of steps.
    pub fn of_at_most(states: usize) -> Self {
        let most = states.max(3);
        Self { clock: Vec::new(), states: Vec::new(), most, stride: 1, passed: 0 }
    }
}

impl Observer for Trajectory {
    fn see(&mut self, s: f64, z: &Tensor) -> Result<()> {
        // The last one was only kept in case that it is the end.
        if self.passed > 0 && !(self.passed - 1).is_multiple_of(self.stride) {
            self.clock.pop();
            self.states.pop();
        }
        if self.states.len() == self.most {
            let mut number = 0..;
            self.clock.retain(|_| number.next().is_none_or(|k: usize| k.is_multiple_of(2)));
            let mut number = 0..;
            self.states.retain(|_| number.next().is_none_or(|k: usize| k.is_multiple_of(2)));
            self.stride *= 2;
        }
        self.clock.push(s);
        self.states.push(z.shallow_clone());
        self.passed += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_states_are_kept_evenly_with_both_ends() {
        for (most, steps) in [(usize::MAX, 100), (33, 1000), (33, 32), (33, 33), (4, 17), (3, 1)] {
            let mut seen = Trajectory::of_at_most(most);
            for i in 0..=steps {
                seen.see(f64::from(i), &Tensor::from(f64::from(i))).unwrap();
                assert!(seen.states.len() <= most);
            }
            let states: Vec<f64> = seen.states.iter().map(|z| z.double_value(&[])).collect();
            assert_eq!(seen.clock, states);
            assert_eq!((states[0], states[states.len() - 1]), (0.0, f64::from(steps)));
            let inner = &states[..states.len() - 1];
            let gap = inner.get(1).map_or(0.0, |s| s - inner[0]);
            assert!(inner.windows(2).all(|pair| pair[1] - pair[0] == gap), "{states:?}");
            assert!(most > steps as usize || states.len() * 2 + 1 >= most, "{states:?}");
        }
    }
}
