//! Components that panic on request, for the tests of the command.

use triflow::prelude::*;

triflow::plugin!();

triflow::component! {
    /// A linear log-SNR that panics on request.
    pub struct Panics: NoiseSchedule = "panics" {
        /// Place of the panic: `build`, `gamma`, `libtorch` (an operator on mismatched shapes),
        /// `bomb` (with a payload that panics again when it is dropped) or `drop`; anything else:
        /// none.
        pub at: String = String::new(),
    }
}

impl Spec<dyn NoiseSchedule> for Panics {
    fn build(&self, _: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        assert_ne!(self.at, "build", "asked to panic while it is built");
        triflow::log::info!("panics at {:?}", self.at);
        Ok(Box::new(Schedule(self.at.clone())))
    }
}

struct Schedule(String);

impl NoiseSchedule for Schedule {
    fn gamma(&self, t: &Tensor) -> Result<Tensor> {
        match self.0.as_str() {
            "gamma" => panic!("asked to panic while it runs"),
            "bomb" => std::panic::panic_any(Bomb),
            "libtorch" => Ok(t.matmul(&Tensor::ones([7, 7], (t.kind(), t.device())))),
            _ => Ok(t * 10.0 - 5.0),
        }
    }
}

/// Panic payload that panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the bomb of the payload");
    }
}

impl Drop for Schedule {
    fn drop(&mut self) {
        assert_ne!(self.0, "drop", "asked to panic while it is dropped");
    }
}

triflow::component! {
    /// Gradient descent that panics at a step.
    pub struct PanicsAtStep: Optimizer = "panics_at_step" {
        /// Step of the panic, counted from 1.
        pub step: i64 = 10,
        /// Learning rate.
        pub learning_rate: f64 = 0.01,
    }
}

impl Spec<dyn Optimizer> for PanicsAtStep {
    fn build(&self, (): &()) -> Result<Box<dyn Optimizer>> {
        Ok(Box::new(self.clone()))
    }
}

impl Optimizer for PanicsAtStep {
    fn learning_rate(&self) -> Result<f64> {
        Ok(self.learning_rate)
    }

    fn moments(&self) -> Result<Vec<(&'static str, f64)>> {
        Ok(Vec::new())
    }

    fn step(
        &self,
        parameters: &mut Tensor,
        gradient: &Tensor,
        state: &mut OptimizerState,
        learning_rate: &Tensor,
    ) -> Result<()> {
        assert_ne!(state.step.int64_value(&[]), self.step, "asked to panic at step {}", self.step);
        *parameters -= gradient * learning_rate;
        Ok(())
    }
}

fn no_default() -> f64 {
    panic!("asked to panic while it is read")
}

triflow::component! {
    /// A schedule whose defaults panic.
    pub struct PanicsInDefault: NoiseSchedule = "panics_in_default" {
        /// Any number.
        pub range: f64 = no_default(),
    }
}

impl Spec<dyn NoiseSchedule> for PanicsInDefault {
    fn build(&self, _: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        Ok(Box::new(Schedule(String::new())))
    }
}

triflow::component! {
    /// A solver that evaluates its field at invalid states.
    pub struct AsksWrongly: Solver = "asks_wrongly" {
        /// Fault of the state: `shape`, or `kind` (integers, over which the host's own code
        /// panics).
        pub by: String = "shape".into(),
    }
}

impl Spec<dyn Solver> for AsksWrongly {
    fn build(&self, (): &()) -> Result<Box<dyn Solver>> {
        Ok(Box::new(self.clone()))
    }
}

impl Solver for AsksWrongly {
    fn integrate(
        &self,
        field: &dyn Field,
        z0: &Tensor,
        grid: &Grid,
        _: &mut dyn Observer,
    ) -> Result<Solution> {
        let state = match self.by.as_str() {
            "shape" => z0.unsqueeze(-1),
            _ => z0.to_kind(triflow::tch::Kind::Int64),
        };
        let slope = field.derivative(&state, grid.start())?;
        Ok(Solution { z: slope, nfe: 1, rejected: 0 })
    }

    fn order(&self) -> Result<usize> {
        Ok(1)
    }
}
