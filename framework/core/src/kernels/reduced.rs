//! Mixed precision: products in bfloat16, everything else in float32.

use std::ffi::c_int;
use std::marker::PhantomData;
use tch::Device;

unsafe extern "C" {
    fn triflow_reduced_begin(cuda: c_int) -> c_int;
    fn triflow_reduced_end(cuda: c_int, before: c_int);
    fn triflow_has_bfloat16() -> c_int;
}

/// Guard under which this thread casts the inputs of products (layers, convolutions, attention) to
/// bfloat16. The casts are differentiable, so gradients have the precision of the parameters.
#[derive(Debug)]
pub struct Reduced {
    cuda: c_int,
    before: c_int,
    /// Not `Send`: the setting belongs to the thread.
    _thread: PhantomData<*const ()>,
}

impl Reduced {
    /// Turns mixed precision on for the calling thread until the guard is dropped.
    pub fn on(device: Device) -> Self {
        let cuda = c_int::from(device.is_cuda());
        // SAFETY: takes a number and sets a state of this thread.
        let before = unsafe { triflow_reduced_begin(cuda) };
        Self { cuda, before, _thread: PhantomData }
    }
}

impl Drop for Reduced {
    fn drop(&mut self) {
        // SAFETY: ends what `on` began, on the same thread.
        unsafe { triflow_reduced_end(self.cuda, self.before) }
    }
}

/// True if products in bfloat16 are faster than in float32 on `device`: on GPUs, and on CPUs with
/// instructions for bfloat16.
pub fn is_worth_it(device: Device) -> bool {
    // SAFETY: only queries the processor.
    device.is_cuda() || unsafe { triflow_has_bfloat16() } != 0
}
