//! Derivatives with respect to an input inside a forward pass, in training as in sampling: what a component
//! needs whose output is a gradient. Not for the gradients of training, which are taken by the trainer.

use crate::error::Result;
use tch::Tensor;

/// A tensor with respect to which derivatives are taken.
#[derive(Debug)]
pub struct Variable {
    value: Tensor,
    recorded: bool,
}

/// Whether operations are recorded, so that gradients can be taken of what they give: not inside
/// `tch::no_grad`, as in sampling.
pub fn recording() -> bool {
    // SAFETY: both calls set a flag of this thread and cannot fail; the second puts it back.
    unsafe {
        let recorded = torch_sys::at_grad_set_enabled(0) != 0;
        torch_sys::at_grad_set_enabled(i32::from(recorded));
        recorded
    }
}

/// Evaluates `f`, which takes derivatives with respect to a tensor equal to `at`.
///
/// Inside `tch::no_grad` (sampling) operations are recorded for as long as `f` runs, from a detached copy of
/// `at`, and the result carries no graph. Elsewhere (training, likelihoods) the result can be differentiated
/// with respect to parameters and `at`, as that of any operation.
///
/// ```
/// # extern crate triflow_core as triflow;
/// # use triflow::prelude::*;
/// let z = Tensor::from_slice(&[1.0f32, -2.0]);
/// let slope = triflow::tch::no_grad(|| differentiate(&z, |z| z.gradient(&z.value().square(), false)))?;
/// assert_eq!(slope, Tensor::from_slice(&[2.0f32, -4.0]));
/// # Ok::<(), Error>(())
/// ```
pub fn differentiate(at: &Tensor, f: impl FnOnce(&Variable) -> Result<Tensor>) -> Result<Tensor> {
    let leaf = at.detach().set_requires_grad(true);
    // A view would answer for its base.
    let recorded = (&leaf * 1.0).requires_grad();
    // A node of its own: the derivative is with respect to this input alone, whatever else depends on `at`.
    let value = if recorded && at.requires_grad() { at.view_as(at) } else { leaf };
    let result = tch::with_grad(|| f(&Variable { value, recorded }))?;
    Ok(if recorded { result } else { result.detach() })
}

impl Variable {
    /// The tensor, to compute with.
    pub fn value(&self) -> &Tensor {
        &self.value
    }

    /// Whether the result is going to be differentiated by whoever asked for it.
    pub fn is_recorded(&self) -> bool {
        self.recorded
    }

    /// The gradient of the sum of `of`, in the shape of the value: row by row, where the rows of `of` depend
    /// on their own rows alone. With `create_graph` a further derivative can be taken of it.
    pub fn gradient(&self, of: &Tensor, create_graph: bool) -> Result<Tensor> {
        gradient(of, &self.value, create_graph || self.recorded)
    }
}

/// The gradient of the sum of `of` with respect to `input` (which requires gradients), in its shape; zero where
/// `of` does not depend on it. With `create_graph` it can be differentiated itself. The graph of `of` is kept.
pub fn gradient(of: &Tensor, input: &Tensor, create_graph: bool) -> Result<Tensor> {
    let total = of.sum(of.kind());
    // LibTorch crashes where there is no graph.
    let found = if total.requires_grad() {
        Tensor::f_run_backward(&[total], &[input], true, create_graph)?.pop()
    } else {
        None
    };
    Ok(found.filter(Tensor::defined).unwrap_or_else(|| input.detach().zeros_like()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Kind;

    fn cube(z: &Variable) -> Result<Tensor> {
        let once = z.gradient(&z.value().pow_tensor_scalar(3), true)?;
        z.gradient(&once, false)
    }

    #[test]
    fn sampling_gets_the_values_of_training_without_a_graph() {
        let z = Tensor::from_slice(&[1.0, -2.0]);
        let sampled = tch::no_grad(|| differentiate(&z, cube)).unwrap();
        let trained = differentiate(&z, cube).unwrap();
        assert_eq!((&sampled, &trained), (&(&z * 6.0), &(&z * 6.0)));
        assert!(!sampled.requires_grad() && trained.requires_grad());
    }

    #[test]
    fn a_recorded_derivative_is_a_function_of_what_the_input_came_from() {
        let root = Tensor::from_slice(&[0.5]).set_requires_grad(true);
        let value = differentiate(&(&root * 2.0), cube).unwrap();
        assert_eq!(gradient(&value, &root, false).unwrap().double_value(&[0]), 12.0);
    }

    #[test]
    fn what_does_not_depend_on_the_input_has_gradient_zero() {
        let z = Tensor::from_slice(&[0.5]);
        let other = Tensor::ones([1], (Kind::Double, tch::Device::Cpu));
        for other in [other.shallow_clone(), other.set_requires_grad(true)] {
            let slope = differentiate(&z, |z| z.gradient(&(&other * 2.0), false)).unwrap();
            assert_eq!(slope.double_value(&[0]), 0.0);
        }
    }
}
