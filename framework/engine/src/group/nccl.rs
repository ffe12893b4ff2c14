//! The library of `nccl.cpp`, which sums tensors on GPUs.

use crate::device::{library_folders, library_in};
use std::path::PathBuf;

const NAME: &str = "libtriflow_nccl.so";

/// Path of the library; `None`, with a warning, without it.
pub(super) fn library() -> Option<PathBuf> {
    library_in(&library_folders(), NAME)
        .inspect_err(|missing| {
            log::warn!(
                "gradients are summed by gloo, through the memory of the host: {missing}; \
                 `make libtriflow-nccl` builds it"
            );
        })
        .ok()
}
