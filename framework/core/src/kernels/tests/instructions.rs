//! Every set of instructions computes what LibTorch's operations do.

use super::super::Instructions;
use std::process::Command;

/// LibTorch's variable, by which a process uses a smaller set.
const LIMIT: &str = "ATEN_CPU_CAPABILITY";

fn expected() -> Instructions {
    #[cfg(target_arch = "x86_64")]
    {
        let limit = std::env::var(LIMIT).unwrap_or_default();
        let parts = [
            is_x86_feature_detected!("avx512f"),
            is_x86_feature_detected!("avx512dq"),
            is_x86_feature_detected!("avx512vl"),
            is_x86_feature_detected!("avx512bw"),
        ];
        if limit != "default" && limit != "avx2" && parts.iter().all(|has| *has) {
            return Instructions::Avx512;
        }
        let has = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        if limit != "default" && has {
            return Instructions::Avx2;
        }
    }
    Instructions::Baseline
}

#[test]
fn the_largest_set_of_the_processor_within_the_limit_is_used() {
    assert_eq!(Instructions::used(), expected());
}

/// All tests of the kernels, each set in a process of its own.
#[test]
fn the_tests_of_the_kernels_pass_with_every_set() {
    const NAME: &str = "the_tests_of_the_kernels_pass_with_every_set";
    for limit in ["default", "avx2"] {
        let mut tests = Command::new(std::env::current_exe().unwrap());
        let done = tests.args(["kernels::", "--skip", NAME]).env(LIMIT, limit).output().unwrap();
        let text = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success() && !text.contains("running 0 tests"), "{limit}: {text}");
    }
}
