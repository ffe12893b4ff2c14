//! Memory of LibTorch's tensors, seen in the function of the C library that they come from.

use crate::harness::memory;
use std::ffi::c_void;

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn posix_memalign(
    to: *mut *mut c_void,
    alignment: usize,
    size: usize,
) -> i32 {
    unsafe extern "C" {
        fn memalign(alignment: usize, size: usize) -> *mut c_void;
    }
    memory::asked_for(size);
    // SAFETY: as the caller promises.
    let memory = unsafe { memalign(alignment, size) };
    if memory.is_null() {
        return libc::ENOMEM;
    }
    // SAFETY: as the caller promises.
    unsafe { *to = memory };
    0
}
