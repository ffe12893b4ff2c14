//! Operations that LibTorch has in parts only, as one: what networks and optimizers spend their time in. Each
//! has the result of the operations that it stands for, up to rounding, on any device and in any precision.

mod activation;
pub mod reduced;
#[cfg(test)]
mod tests;

pub use activation::Activation;

use std::ffi::{CStr, c_char, c_int};
use tch::{TchError, Tensor};
use torch_sys::C_tensor;

unsafe extern "C" {
    fn triflow_chain(
        inputs: *const *const C_tensor,
        input_count: c_int,
        start: *const C_tensor,
        parameters: *const *const C_tensor,
        count: c_int,
        activation: c_int,
        linear_end: c_int,
        error: *mut *mut c_char,
    ) -> *mut C_tensor;
    fn triflow_adam(
        parameters: *const C_tensor,
        gradient: *const C_tensor,
        mean: *const C_tensor,
        square: *const C_tensor,
        step: *const C_tensor,
        rate: *const C_tensor,
        beta1: f64,
        beta2: f64,
        eps: f64,
        decay: f64,
        error: *mut *mut c_char,
    ) -> *mut C_tensor;
    fn triflow_blend(
        a: *const C_tensor,
        x: *const C_tensor,
        b: *const C_tensor,
        y: *const C_tensor,
        error: *mut *mut c_char,
    ) -> *mut C_tensor;
    fn triflow_sinusoids(
        time: *const C_tensor,
        frequencies: *const C_tensor,
        error: *mut *mut c_char,
    ) -> *mut C_tensor;
    fn triflow_error(
        output: *const C_tensor,
        target: *const C_tensor,
        weight: *const C_tensor,
        mean: c_int,
        error: *mut *mut c_char,
    ) -> *mut C_tensor;
    fn triflow_gradient(
        loss: *const C_tensor,
        variables: *const *const C_tensor,
        count: c_int,
        error: *mut *mut c_char,
    ) -> *mut C_tensor;
    fn triflow_accumulate(
        sums: *const C_tensor,
        terms: *const *const C_tensor,
        count: c_int,
        weight: f64,
        error: *mut *mut c_char,
    ) -> *mut C_tensor;
    fn triflow_guard_memory(found: extern "C" fn() -> u64);
    fn triflow_keep_memory();
    fn triflow_free(message: *mut c_char);
}

fn or_null(tensor: Option<&Tensor>) -> *const C_tensor {
    tensor.map_or(std::ptr::null(), |t| t.as_ptr())
}

/// What a shim's call gave. Panics with its message if it failed, as tch's own operations do; the engine turns
/// panics of components into errors.
fn answer(call: impl FnOnce(*mut *mut c_char) -> *mut C_tensor) -> Tensor {
    let mut error = std::ptr::null_mut();
    let made = call(&mut error);
    if made.is_null() {
        // SAFETY: without a tensor the shim leaves a message of its own, which is freed once.
        let message = unsafe {
            let text = CStr::from_ptr(error).to_string_lossy().into_owned();
            triflow_free(error);
            text
        };
        std::panic::panic_any(TchError::Torch(message).to_string());
    }
    // SAFETY: a new tensor that nobody else holds.
    unsafe { Tensor::from_ptr(made) }
}

/// A linear layer: `weight` `[outputs, inputs]`, `bias` `[outputs]`.
#[derive(Clone, Copy, Debug)]
pub struct Affine<'a> {
    /// `[outputs, inputs]`; may be a range of another's columns.
    pub weight: &'a Tensor,
    /// `[outputs]`; none: 0.
    pub bias: Option<&'a Tensor>,
}

/// What follows the last layer of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The activation, as after the others.
    Activated,
    /// Nothing.
    Linear,
}

/// Linear layers with an activation after each, over `inputs` side by side: `[rows, …]` each → `[rows, outputs]`.
/// `start`, `[rows, outputs of the first layer]`, is added to the first layer's output.
///
/// In float32 on a CPU, with swish or relu, rows pass through all layers block by block (large layers are cut
/// into outputs instead), and a gradient is taken in one piece; elsewhere it is the chain of LibTorch's
/// operations. Gradients of any order are right, and those of the second order cost a further evaluation.
pub fn chain(
    inputs: &[&Tensor],
    start: Option<&Tensor>,
    layers: &[Affine<'_>],
    activation: Activation,
    end: End,
) -> Tensor {
    if layers.is_empty() {
        return Tensor::cat(inputs, 1);
    }
    let from: Vec<*const C_tensor> = inputs.iter().map(|x| or_null(Some(x))).collect();
    let pointers: Vec<*const C_tensor> =
        layers.iter().flat_map(|l| [or_null(Some(l.weight)), or_null(l.bias)]).collect();
    // SAFETY: all pointers are of tensors that outlive the call, as many as it is told.
    answer(|error| unsafe {
        triflow_chain(
            from.as_ptr(),
            from.len() as c_int,
            or_null(start),
            pointers.as_ptr(),
            layers.len() as c_int,
            activation as c_int,
            c_int::from(end == End::Linear),
            error,
        )
    })
}

/// a·x + b·y: `x` and `y` `[rows, …]` alike, `a` and `b` `[rows]` or `[]`.
pub fn blend(a: &Tensor, x: &Tensor, b: &Tensor, y: &Tensor) -> Tensor {
    // SAFETY: all pointers are of tensors that outlive the call.
    answer(|error| unsafe { triflow_blend(a.as_ptr(), x.as_ptr(), b.as_ptr(), y.as_ptr(), error) })
}

/// Sines of each time's multiples, then cosines: `time` `[rows]`, `frequencies` `[n]`, both in one precision →
/// `[rows, 2n]`.
pub fn sinusoids(time: &Tensor, frequencies: &Tensor) -> Tensor {
    // SAFETY: all pointers are of tensors that outlive the call.
    answer(|error| unsafe { triflow_sinusoids(time.as_ptr(), frequencies.as_ptr(), error) })
}

/// The mean over rows of weight·|output − target|², `[]`: `output` and `target` `[rows, …]` alike, the entries of a
/// row averaged with `mean` and summed without; `weight` `[rows]` or `[]`, none: 1.
pub fn squared_error(
    output: &Tensor,
    target: &Tensor,
    weight: Option<&Tensor>,
    mean: bool,
) -> Tensor {
    // SAFETY: all pointers are of tensors that outlive the call.
    answer(|error| unsafe {
        triflow_error(output.as_ptr(), target.as_ptr(), or_null(weight), c_int::from(mean), error)
    })
}

/// The gradient of `loss` (`[]`) by `variables`, one after another in a flat tensor; 0 where it reaches none or
/// one asks for none.
pub fn gradient(loss: &Tensor, variables: &[Tensor]) -> Tensor {
    let pointers: Vec<*const C_tensor> = variables.iter().map(|v| or_null(Some(v))).collect();
    // SAFETY: all pointers are of tensors that outlive the call, as many as it is told.
    answer(|error| unsafe {
        triflow_gradient(loss.as_ptr(), pointers.as_ptr(), pointers.len() as c_int, error)
    })
}

/// Adds weight·terms (each `[]`; none: NaN), and the weight after them, to `sums`, `[terms + 1]` in float64.
pub fn accumulate(sums: &mut Tensor, terms: &[Option<&Tensor>], weight: f64) {
    let pointers: Vec<*const C_tensor> = terms.iter().map(|t| or_null(*t)).collect();
    // SAFETY: all pointers are of tensors that outlive the call, as many as it is told.
    let _ = answer(|error| unsafe {
        triflow_accumulate(sums.as_ptr(), pointers.as_ptr(), pointers.len() as c_int, weight, error)
    });
}

/// From here on LibTorch asks `found` how much memory is free before it takes much of it.
pub fn guard_memory(found: extern "C" fn() -> u64) {
    // SAFETY: called once, and the function stays as long as the program.
    unsafe { triflow_guard_memory(found) }
}

/// Makes the process keep memory that is freed.
pub fn keep_memory() {
    // SAFETY: it takes nothing, and sets numbers of the allocator's.
    unsafe { triflow_keep_memory() }
}

/// Numbers of Adam's rule.
#[derive(Clone, Copy, Debug)]
pub struct AdamStep<'a> {
    /// Steps taken with this one, `[]`.
    pub step: &'a Tensor,
    /// Learning rate of this step, `[]`.
    pub learning_rate: &'a Tensor,
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of squared gradients.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decay of the parameters, decoupled (AdamW); 0: none.
    pub weight_decay: f64,
}

/// One step of Adam in place, in one pass over memory: all tensors have one shape.
pub fn adam(
    parameters: &mut Tensor,
    gradient: &Tensor,
    mean: &mut Tensor,
    square: &mut Tensor,
    by: AdamStep<'_>,
) {
    // SAFETY: all pointers are of tensors that outlive the call; those that it writes to are borrowed mutably.
    let _ = answer(|error| unsafe {
        triflow_adam(
            parameters.as_ptr(),
            gradient.as_ptr(),
            mean.as_ptr(),
            square.as_ptr(),
            by.step.as_ptr(),
            by.learning_rate.as_ptr(),
            by.beta1,
            by.beta2,
            by.eps,
            by.weight_decay,
            error,
        )
    });
}
