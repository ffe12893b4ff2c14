use crate::component::Observer;
use crate::error::Result;
use tch::Tensor;

/// An observer that keeps the states of a path: all of them, or evenly chosen ones, with the first
/// and the last.
#[derive(Debug)]
pub struct Trajectory {
    /// Times or log-SNRs of the states, as the grid's clock has them.
    pub clock: Vec<f64>,
    /// States, each `[n, …z_shape]`.
    pub states: Vec<Tensor>,
    /// Largest number of states that are kept.
    capacity: usize,
    /// One state in this many is kept.
    stride: usize,
    /// Number of states observed so far.
    observed: usize,
}

impl Default for Trajectory {
    fn default() -> Self {
        Self::of_at_most(usize::MAX)
    }
}

impl Trajectory {
    /// A trajectory of at most `states` states, 3 or more, so that memory does not grow with the
    /// number of steps.
    pub fn of_at_most(states: usize) -> Self {
        let capacity = states.max(3);
        Self { clock: Vec::new(), states: Vec::new(), capacity, stride: 1, observed: 0 }
    }
}

impl Observer for Trajectory {
    fn see(&mut self, s: f64, z: &Tensor) -> Result<()> {
        // The latest state is always kept because it may be the last one.
        if self.observed > 0 && !(self.observed - 1).is_multiple_of(self.stride) {
            self.clock.pop();
            self.states.pop();
        }
        if self.states.len() == self.capacity {
            let mut number = 0..;
            self.clock.retain(|_| number.next().is_none_or(|k: usize| k.is_multiple_of(2)));
            let mut number = 0..;
            self.states.retain(|_| number.next().is_none_or(|k: usize| k.is_multiple_of(2)));
            self.stride *= 2;
        }
        self.clock.push(s);
        self.states.push(z.shallow_clone());
        self.observed += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_states_are_kept_evenly_with_both_ends() {
        for (most, steps) in [(usize::MAX, 100), (33, 1000), (33, 32), (33, 33), (4, 17), (3, 1)] {
            let mut trajectory = Trajectory::of_at_most(most);
            for i in 0..=steps {
                trajectory.see(f64::from(i), &Tensor::from(f64::from(i))).unwrap();
                assert!(trajectory.states.len() <= most);
            }
            let states: Vec<f64> = trajectory.states.iter().map(|z| z.double_value(&[])).collect();
            assert_eq!(trajectory.clock, states);
            assert_eq!((states[0], states[states.len() - 1]), (0.0, f64::from(steps)));
            let inner = &states[..states.len() - 1];
            let gap = inner.get(1).map_or(0.0, |s| s - inner[0]);
            assert!(inner.windows(2).all(|pair| pair[1] - pair[0] == gap), "{states:?}");
            assert!(most > steps as usize || states.len() * 2 + 1 >= most, "{states:?}");
        }
    }
}
