//! States of sampled rows along their paths.

use super::Trained;
use crate::error::{Error, Result};
use crate::path::Clock;
use crate::sample::Trajectory;
use tch::{Device, Tensor};

/// States along the paths of rows, at the steps of the solver.
#[derive(Debug)]
pub struct Trajectories {
    /// Times t of the states, from noise to data.
    pub times: Vec<f64>,
    /// States `[n, times, …z_shape]` in the model's units, the first of them z_0.
    pub states: Tensor,
}

/// States that are kept, block by block.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    clock: Vec<f64>,
    blocks: Vec<Tensor>,
}

impl Kept {
    /// Adds the states of a block of rows.
    ///
    /// # Errors
    /// [`Error::Config`]: they are at other steps than those of the blocks before.
    pub fn add(&mut self, block: &Trajectory) -> Result<()> {
        if self.blocks.is_empty() {
            self.clock.clone_from(&block.clock);
        } else if self.clock != block.clock {
            let message = "an adaptive solver takes other steps in each block of rows, so that \
                           their states have no common times";
            return Err(Error::config("sampling.block", message)
                .help("set it to the number of samples, or choose a solver of fixed steps"));
        }
        self.blocks.push(Tensor::stack(&block.states, 1).to_device(Device::Cpu));
        Ok(())
    }
}

impl Trained {
    /// Keeps the states of all rows that are sampled from now on, until
    /// [`take_trajectories`](Self::take_trajectories).
    pub fn keep_trajectories(&mut self) {
        self.trajectories = Some(Kept::default());
    }

    /// The states that were kept; `None` if none were.
    ///
    /// # Errors
    /// [`Error::Component`]: the path or the grid fails.
    pub fn take_trajectories(&mut self) -> Result<Option<Trajectories>> {
        let Some(Kept { clock, blocks }) = self.trajectories.take() else { return Ok(None) };
        if blocks.is_empty() {
            return Ok(None);
        }
        let times = match self.clock()? {
            Clock::Time => clock,
            Clock::Gamma => {
                let clock = Tensor::from_slice(&clock).to_device(self.device());
                let times = tch::no_grad(|| self.model.path().time_of(&clock))?;
                Vec::try_from(times.to_device(Device::Cpu))?
            }
        };
        Ok(Some(Trajectories { times, states: Tensor::cat(&blocks, 0) }))
    }
}
