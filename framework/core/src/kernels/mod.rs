//! Fused operations that networks, optimizers and training steps spend their time in. Each has the
//! result of the LibTorch operations that it replaces, up to rounding, on all devices and in all
//! precisions.

#![expect(unsafe_code, reason = "calls the kernels of this folder, which are C++")]

mod activation;
pub mod count;
mod instructions;
pub mod reduced;
#[cfg(test)]
mod tests;

pub use activation::Activation;
pub use instructions::Instructions;

use std::any::Any;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::null_mut;
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
    fn triflow_attention(
        tensors: *const *const C_tensor,
        count: c_int,
        bias: *const C_tensor,
        error: *mut *mut c_char,
    ) -> *mut C_tensor;
    fn triflow_group_norm(
        x: *const C_tensor,
        groups: i64,
        weight: *const C_tensor,
        bias: *const C_tensor,
        modulation: *const C_tensor,
        swish: c_int,
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
    fn triflow_squares(t: *const C_tensor, error: *mut *mut c_char) -> *mut C_tensor;
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
        arrived: Option<unsafe extern "C" fn(*mut c_void, *mut C_tensor, c_int) -> c_int>,
        context: *mut c_void,
        error: *mut *mut c_char,
    ) -> *mut C_tensor;
    fn triflow_accumulate(
        sums: *const C_tensor,
        terms: *const *const C_tensor,
        count: c_int,
        weight: f64,
        error: *mut *mut c_char,
    ) -> *mut C_tensor;
    fn triflow_guard_memory(free_bytes: extern "C" fn() -> u64);
    fn triflow_keep_memory();
    fn triflow_free(message: *mut c_char);
}

fn or_null(tensor: Option<&Tensor>) -> *const C_tensor {
    tensor.map_or(std::ptr::null(), |t| t.as_ptr())
}

/// Calls the C++ shim and takes the tensor that it returns. Panics with the shim's message if it
/// fails, as tch's own operations do; the engine turns panics of components into errors.
fn call(shim: impl FnOnce(*mut *mut c_char) -> *mut C_tensor) -> Tensor {
    attempt(shim).unwrap_or_else(|message| std::panic::panic_any(message))
}

/// Calls the C++ shim and takes the tensor that it returns, or its message.
fn attempt(shim: impl FnOnce(*mut *mut c_char) -> *mut C_tensor) -> Result<Tensor, String> {
    let mut error = std::ptr::null_mut();
    let tensor = shim(&mut error);
    if tensor.is_null() {
        // SAFETY: without a tensor the shim returns a message, which is freed once.
        let message = unsafe {
            let text = CStr::from_ptr(error).to_string_lossy().into_owned();
            triflow_free(error);
            text
        };
        return Err(TchError::Torch(message).to_string());
    }
    // SAFETY: a new tensor that nothing else owns.
    Ok(unsafe { Tensor::from_ptr(tensor) })
}

/// A linear layer: `weight` `[outputs, inputs]`, `bias` `[outputs]`.
#[derive(Clone, Copy, Debug)]
pub struct Affine<'a> {
    /// `[outputs, inputs]`; may be a view of some columns of a larger tensor.
    pub weight: &'a Tensor,
    /// `[outputs]`; `None`: 0.
    pub bias: Option<&'a Tensor>,
}

/// Ending of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The activation follows the last layer too.
    Activated,
    /// The last layer is linear.
    Linear,
}

/// Linear layers with an activation after each, over the concatenated `inputs`: `[rows, …]` each →
/// `[rows, outputs]`. `start`, `[rows, outputs of the first layer]`, is added to the output of the
/// first layer.
///
/// In float32 on a CPU, with swish, relu or a GELU, rows pass through all layers block by block
/// (large layers are divided by outputs instead), and the backward pass is one node. Otherwise it
/// is the chain of LibTorch's operations. Gradients of any order are correct; those of second order
/// cost a further evaluation.
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
    // SAFETY: all pointers are of tensors that outlive the call, and the counts are theirs.
    call(|error| unsafe {
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

/// Softmax attention, `[batch, queries, heads, features]`: each query takes the mean of the values
/// weighted by the softmax of its products with the keys, scaled by 1/√features (Vaswani et al.
/// 2017, arXiv 1706.03762).
///
/// `of` holds queries, keys and values, `[batch, tokens, heads, features]` each, keys and values of
/// the same tokens, or one tensor `[batch, tokens, 3, heads, features]` of all three. `bias`,
/// `[batch or 1, heads or 1, queries or 1, keys]`, is added to the scaled products: 0, or a large
/// negative number for a key that a query must not see.
///
/// In float32 on a CPU forward and backward pass are one operation each, which keeps no matrix of
/// weights. Otherwise it is LibTorch's attention, or plain products where these are faster.
pub fn attention(of: &[&Tensor], bias: Option<&Tensor>) -> Tensor {
    let pointers: Vec<*const C_tensor> = of.iter().map(|x| or_null(Some(x))).collect();
    // SAFETY: all pointers are of tensors that outlive the call, and the count is theirs.
    call(|error| unsafe {
        triflow_attention(pointers.as_ptr(), pointers.len() as c_int, or_null(bias), error)
    })
}

/// The images `x`, `[batch, channels, H, W]`, with their channels side by side in memory on a CPU,
/// where convolutions read and write them so; on other devices as they are.
pub fn channels_last(x: &Tensor) -> Tensor {
    if x.device() != tch::Device::Cpu {
        return x.shallow_clone();
    }
    x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2])
}

/// A group norm and what follows it.
#[derive(Clone, Copy, Debug)]
pub struct GroupNorm<'a> {
    /// Number of groups; it divides the number of channels.
    pub groups: i64,
    /// Factor of each channel, `[channels]`.
    pub weight: &'a Tensor,
    /// Summand of each channel, `[channels]`.
    pub bias: &'a Tensor,
    /// `[batch, 2·channels]`: for each channel, what its scale is larger than 1 by, then its shift;
    /// both are applied after weight and bias. `None`: neither.
    pub modulation: Option<&'a Tensor>,
    /// `true`: swish follows.
    pub swish: bool,
}

/// Group norm of `x` (Wu and He 2018, arXiv 1803.08494), `[batch, channels, …]` → the same shape:
/// each group of channels of a row has mean 0 and variance 1 before weight and bias.
///
/// In float32 and bfloat16 on a CPU, for images `[batch, channels, H, W]` whose channels lie side
/// by side in memory ([`channels_last`]), forward and backward pass are one operation each;
/// otherwise it is LibTorch's operations.
pub fn group_norm(x: &Tensor, norm: GroupNorm<'_>) -> Tensor {
    // SAFETY: all pointers are of tensors that outlive the call.
    call(|error| unsafe {
        triflow_group_norm(
            x.as_ptr(),
            norm.groups,
            norm.weight.as_ptr(),
            norm.bias.as_ptr(),
            or_null(norm.modulation),
            c_int::from(norm.swish),
            error,
        )
    })
}

/// a·x + b·y: `x` and `y` of one shape `[rows, …]`, `a` and `b` `[rows]` or `[]`.
pub fn blend(a: &Tensor, x: &Tensor, b: &Tensor, y: &Tensor) -> Tensor {
    // SAFETY: all pointers are of tensors that outlive the call.
    call(|error| unsafe { triflow_blend(a.as_ptr(), x.as_ptr(), b.as_ptr(), y.as_ptr(), error) })
}

/// Sine and cosine features: `time` `[rows]` and `frequencies` `[n]`, both in one precision →
/// `[rows, 2n]`, the sines of time·frequency first.
pub fn sinusoids(time: &Tensor, frequencies: &Tensor) -> Tensor {
    // SAFETY: all pointers are of tensors that outlive the call.
    call(|error| unsafe { triflow_sinusoids(time.as_ptr(), frequencies.as_ptr(), error) })
}

/// Weighted squared error, `[]`: the mean over rows of weight·|output − target|². `output` and
/// `target` have one shape `[rows, …]`; the entries of a row are averaged if `mean`, summed
/// otherwise; `weight` is `[rows]` or `[]`, `None`: 1.
pub fn squared_error(
    output: &Tensor,
    target: &Tensor,
    weight: Option<&Tensor>,
    mean: bool,
) -> Tensor {
    // SAFETY: all pointers are of tensors that outlive the call.
    call(|error| unsafe {
        triflow_error(output.as_ptr(), target.as_ptr(), or_null(weight), c_int::from(mean), error)
    })
}

/// Gradient of `loss` (`[]`) with respect to `variables`, concatenated in a flat tensor; 0 for
/// variables that the loss does not depend on or that do not require gradients.
pub fn gradient(loss: &Tensor, variables: &[Tensor]) -> Tensor {
    let pointers: Vec<*const C_tensor> = variables.iter().map(|v| or_null(Some(v))).collect();
    // SAFETY: all pointers are of tensors that outlive the call, and the count is theirs.
    call(|error| unsafe {
        let count = pointers.len() as c_int;
        triflow_gradient(loss.as_ptr(), pointers.as_ptr(), count, None, null_mut(), error)
    })
}

/// Sum of the squares of all entries of `t`, `[]` in float64, the same for every number of threads.
/// In float32 it is infinite where the square of an entry is.
pub fn squares(t: &Tensor) -> Tensor {
    // SAFETY: the tensor outlives the call.
    call(|error| unsafe { triflow_squares(t.as_ptr(), error) })
}

/// Computes what [`gradient`] does. `arrived` is called on this thread with the flat tensor and the
/// number of each variable once: when the variable's gradient is complete and in its place, which
/// `arrived` may change. On a CPU that is while the others are computed, else at the end.
pub fn gradient_as_it_arrives(
    loss: &Tensor,
    variables: &[Tensor],
    arrived: &mut dyn FnMut(&mut Tensor, usize),
) -> Tensor {
    struct Context<'a> {
        arrived: &'a mut dyn FnMut(&mut Tensor, usize),
        panic: Option<Box<dyn Any + Send>>,
    }
    unsafe extern "C" fn call_arrived(
        context: *mut c_void,
        flat: *mut C_tensor,
        variable: c_int,
    ) -> c_int {
        // SAFETY: the context of the call below, which nothing else uses during that call, and a
        // tensor that lives.
        let (context, mut flat) =
            unsafe { (&mut *context.cast::<Context<'_>>(), Tensor::clone_from_ptr(flat)) };
        let arrived = AssertUnwindSafe(|| (context.arrived)(&mut flat, variable as usize));
        // Panics must not pass through C++.
        context.panic = catch_unwind(arrived).err();
        c_int::from(context.panic.is_some())
    }
    let pointers: Vec<*const C_tensor> = variables.iter().map(|v| or_null(Some(v))).collect();
    let mut context = Context { arrived, panic: None };
    let at = (&raw mut context).cast();
    // SAFETY: all pointers are of tensors that outlive the call, and the count is theirs; the
    // context is that of the function.
    let result = attempt(|error| unsafe {
        let count = pointers.len() as c_int;
        triflow_gradient(loss.as_ptr(), pointers.as_ptr(), count, Some(call_arrived), at, error)
    });
    if let Some(panic) = context.panic {
        resume_unwind(panic);
    }
    result.unwrap_or_else(|message| std::panic::panic_any(message))
}

/// Adds weight·term for each of `terms` (`[]`; `None`: NaN) and then the weight itself to `sums`,
/// `[terms + 1]` in float64.
pub fn accumulate(sums: &mut Tensor, terms: &[Option<&Tensor>], weight: f64) {
    let pointers: Vec<*const C_tensor> = terms.iter().map(|t| or_null(*t)).collect();
    // SAFETY: all pointers are of tensors that outlive the call, and the count is theirs.
    let _ = call(|error| unsafe {
        triflow_accumulate(sums.as_ptr(), pointers.as_ptr(), pointers.len() as c_int, weight, error)
    });
}

/// Makes LibTorch's CPU allocator call `free_bytes` before it takes much memory, and fail where it
/// does not fit.
pub fn guard_memory(free_bytes: extern "C" fn() -> u64) {
    // SAFETY: called once, and the function lives as long as the program.
    unsafe { triflow_guard_memory(free_bytes) }
}

/// Makes the process keep memory that it frees.
pub fn keep_memory() {
    // SAFETY: no arguments; it sets parameters of the allocator.
    unsafe { triflow_keep_memory() }
}

/// Parameters of one step of Adam.
#[derive(Clone, Copy, Debug)]
pub struct AdamStep<'a> {
    /// Number of steps including this one, `[]`.
    pub step: &'a Tensor,
    /// Learning rate of this step, `[]`.
    pub learning_rate: &'a Tensor,
    /// Decay of the mean of gradients, in [0, 1).
    pub beta1: f64,
    /// Decay of the mean of squared gradients, in [0, 1).
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decoupled weight decay (AdamW); 0: none.
    pub weight_decay: f64,
}

/// One step of Adam in place, in one pass over memory; all tensors have one shape.
pub fn adam(
    parameters: &mut Tensor,
    gradient: &Tensor,
    mean: &mut Tensor,
    square: &mut Tensor,
    rule: AdamStep<'_>,
) {
    // SAFETY: all pointers are of tensors that outlive the call; written ones are borrowed mutably.
    let _ = call(|error| unsafe {
        triflow_adam(
            parameters.as_ptr(),
            gradient.as_ptr(),
            mean.as_ptr(),
            square.as_ptr(),
            rule.step.as_ptr(),
            rule.learning_rate.as_ptr(),
            rule.beta1,
            rule.beta2,
            rule.eps,
            rule.weight_decay,
            error,
        )
    });
}
