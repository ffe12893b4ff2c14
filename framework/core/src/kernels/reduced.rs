//! Products in bfloat16, everything else in float32.

use std::ffi::c_int;
use std::marker::PhantomData;
use tch::Device;

unsafe extern "C" {
    fn triflow_reduced_begin(cuda: c_int) -> c_int;
    fn triflow_reduced_end(cuda: c_int, before: c_int);
    fn triflow_has_bfloat16() -> c_int;
}

/// While it lives, what this thread multiplies (layers, convolutions, attention) is cast to bfloat16 first; the
/// casts are differentiable, so that gradients arrive in the precision of the parameters.
#[derive(Debug)]
pub struct Reduced {
    cuda: c_int,
    before: c_int,
    /// It belongs to its thread.
    _thread: PhantomData<*const ()>,
}

impl Reduced {
    /// Of the calling thread, until it is dropped.
    pub fn on(device: Device) -> Self {
        let cuda = c_int::from(device.is_cuda());
        // SAFETY: it takes a number, and sets what belongs to this thread.
        let before = unsafe { triflow_reduced_begin(cuda) };
        Self { cuda, before, _thread: PhantomData }
    }
}

impl Drop for Reduced {
    fn drop(&mut self) {
        // SAFETY: as above; begun by this value, on this thread.
        unsafe { triflow_reduced_end(self.cuda, self.before) }
    }
}

/// Whether products in bfloat16 are faster than in float32 on `device`: not on a processor without instructions
/// for them.
pub fn is_worth_it(device: Device) -> bool {
    // SAFETY: it asks the processor.
    device.is_cuda() || unsafe { triflow_has_bfloat16() } != 0
}
