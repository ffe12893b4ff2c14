//! Which device to use. One binary serves CPU and CUDA: LibTorch's CUDA half is loaded at run time.

use crate::error::{Error, Result};
use std::path::PathBuf;
use std::sync::OnceLock;
use tch::Device;

const HELP: &str = "help: set up the full LibTorch with `make libtorch-cuda`, put one on LD_LIBRARY_PATH, or use device `cpu`";

/// `auto`, `cpu`, `cuda` or `cuda:N`. From the first choice on, tensors that do not fit into memory are refused.
pub fn choose(name: &str) -> Result<Device> {
    crate::memory::guard();
    let bad = || {
        Error::config("device", format!("unknown device `{name}`"))
            .help("use auto, cpu, cuda or cuda:N")
    };
    let index = match name {
        "cpu" => return Ok(Device::Cpu),
        "auto" => {
            return Ok(if load_cuda().is_ok() && tch::Cuda::is_available() {
                Device::Cuda(0)
            } else {
                Device::Cpu
            });
        }
        "cuda" => 0,
        other => {
            other.strip_prefix("cuda:").and_then(|n| n.parse::<usize>().ok()).ok_or_else(bad)?
        }
    };
    load_cuda()
        .clone()
        .map_err(|why| Error::Device(format!("device `{name}`: {why}\n  {HELP}")))?;
    let count = if tch::Cuda::is_available() { tch::Cuda::device_count() } else { 0 };
    if (index as i64) < count {
        Ok(Device::Cuda(index))
    } else {
        Err(Error::Device(format!(
            "device `{name}`: LibTorch's CUDA half is loaded, but the driver shows {}\n  help: {}",
            match count {
                0 => "no device".to_owned(),
                1 => "only cuda:0".to_owned(),
                _ => format!("only cuda:0 to cuda:{}", count - 1),
            },
            if count == 0 { "use device `cpu`" } else { "use one of these, or `auto`" }
        )))
    }
}

/// Loads libtorch_cuda.so from beside libtorch_cpu.so, once, before anything asks LibTorch about CUDA
/// (it caches the answer).
fn load_cuda() -> &'static Result<(), String> {
    static LOADED: OnceLock<Result<(), String>> = OnceLock::new();
    LOADED.get_or_init(|| {
        let folder =
            libtorch_folder().ok_or("libtorch_cpu.so is not among the loaded libraries")?;
        let library = folder.join("libtorch_cuda.so");
        if !library.exists() {
            return Err(format!(
                "this LibTorch is for the CPU only\n  looked for {}, which is not there",
                library.display()
            ));
        }
        use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
        // SAFETY: LibTorch's own library, of the folder that is already in use; its initialisers only register kernels.
        let loaded = unsafe { Library::open(Some(&library), RTLD_NOW | RTLD_GLOBAL) };
        // Never closed: its kernels stay registered.
        loaded.map(std::mem::forget).map_err(|e| format!("cannot load {}: {e}", library.display()))
    })
}

/// Where LibTorch was loaded from.
pub(crate) fn libtorch_folder() -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let path = maps
        .lines()
        .filter_map(|l| l.split_whitespace().nth(5))
        .find(|p| p.ends_with("/libtorch_cpu.so"))?;
    PathBuf::from(path).parent().map(Into::into)
}
