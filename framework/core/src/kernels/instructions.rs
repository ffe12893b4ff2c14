//! Instructions of the processor that the kernels use.

use std::ffi::c_int;

unsafe extern "C" {
    fn triflow_level() -> c_int;
}

/// Sets of instructions of x86-64 for which the kernels are compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Instructions {
    /// Those that every processor of the architecture has; all that other architectures use.
    Baseline,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512 with its parts F, DQ, VL and BW.
    Avx512,
}

impl Instructions {
    /// The largest set that the processor has and LibTorch uses. `ATEN_CPU_CAPABILITY`, LibTorch's
    /// variable, lowers both: `avx2`, or `default` for the baseline.
    pub fn used() -> Self {
        // SAFETY: only queries the processor.
        match unsafe { triflow_level() } {
            2 => Self::Avx512,
            1 => Self::Avx2,
            _ => Self::Baseline,
        }
    }
}
