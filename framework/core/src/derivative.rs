//! Derivatives with respect to an input of a forward pass, in training and in sampling: for
//! components whose output is a gradient. Gradients with respect to parameters are the trainer's.

#![expect(
    unsafe_code,
    reason = "reads LibTorch's flag of recorded gradients, for which tch has no function"
)]

use crate::error::Result;
use tch::Tensor;

/// The tensor with respect to which derivatives are taken.
#[derive(Debug)]
pub struct Variable {
    value: Tensor,
    recorded: bool,
}

/// True if LibTorch records operations for gradients on this thread, which it does not inside
/// `tch::no_grad`, as in sampling.
pub fn recording() -> bool {
    // SAFETY: both calls set a flag of this thread and cannot fail; the second restores it.
    unsafe {
        let recorded = torch_sys::at_grad_set_enabled(0) != 0;
        torch_sys::at_grad_set_enabled(i32::from(recorded));
        recorded
    }
}

/// Evaluates `f` on a [`Variable`] equal to `at`, of which `f` can take derivatives.
///
/// Inside `tch::no_grad` (sampling) operations are recorded while `f` runs, on a detached copy of
/// `at`, and the result has no graph. Elsewhere (training, likelihoods) the result can be
/// differentiated with respect to parameters and `at`, like that of any operation.
///
/// ```
/// # extern crate triflow_core as triflow;
/// # use triflow::prelude::*;
/// let z = Tensor::from_slice(&[1.0f32, -2.0]);
/// let square = |z: &Variable| z.gradient(&z.value().square(), false);
/// let slope = triflow::tch::no_grad(|| differentiate(&z, square))?;
/// assert_eq!(slope, Tensor::from_slice(&[2.0f32, -4.0]));
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// Errors of `f`.
pub fn differentiate(at: &Tensor, f: impl FnOnce(&Variable) -> Result<Tensor>) -> Result<Tensor> {
    let leaf = at.detach().set_requires_grad(true);
    // A view would report the flag of its base.
    let recorded = (&leaf * 1.0).requires_grad();
    // A new node of the graph: the derivative is with respect to this input alone, even where
    // parameters or other inputs depend on `at`.
    let value = if recorded && at.requires_grad() { at.view_as(at) } else { leaf };
    let result = tch::with_grad(|| f(&Variable { value, recorded }))?;
    Ok(if recorded { result } else { result.detach() })
}

impl Variable {
    /// The tensor, to compute with.
    pub fn value(&self) -> &Tensor {
        &self.value
    }

    /// True if the caller can differentiate the result.
    pub fn is_recorded(&self) -> bool {
        self.recorded
    }

    /// The gradient of the sum of `of` with respect to the value, in its shape; one gradient a row
    /// where each row of `of` depends on its own row of the value only. With `create_graph` the
    /// gradient can be differentiated.
    ///
    /// # Errors
    /// [`Error::Runtime`](crate::Error::Runtime) where LibTorch cannot differentiate `of`.
    pub fn gradient(&self, of: &Tensor, create_graph: bool) -> Result<Tensor> {
        gradient(of, &self.value, create_graph || self.recorded)
    }
}

/// The gradient of the sum of `of` with respect to `input` (which requires gradients), in its
/// shape; zero where `of` does not depend on it. With `create_graph` the gradient can be
/// differentiated. The graph of `of` is kept.
///
/// # Errors
/// [`Error::Runtime`](crate::Error::Runtime) where LibTorch cannot differentiate `of`.
pub fn gradient(of: &Tensor, input: &Tensor, create_graph: bool) -> Result<Tensor> {
    let total = of.sum(of.kind());
    // LibTorch crashes where there is no graph to run.
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
