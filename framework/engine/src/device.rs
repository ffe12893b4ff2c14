//! Choice of the device. One binary serves CPU and CUDA: LibTorch's CUDA library is loaded at run
//! time.

#![expect(unsafe_code, reason = "loads LibTorch's CUDA library where there is one")]

use crate::error::{Error, Result};
use std::path::PathBuf;
use std::sync::{Once, OnceLock};
use tch::Device;

const HELP: &str = "help: set up the full LibTorch with `make libtorch-cuda`, \
                    put one on LD_LIBRARY_PATH, or use device `cpu`";

/// Returns the device called `auto`, `cpu`, `cuda` or `cuda:N`. From the first call on, LibTorch's
/// allocations that do not fit into memory are errors.
///
/// # Errors
/// [`Error::Config`]: there is no such name. [`Error::Device`]: LibTorch has no CUDA library, it
/// does not load, or the driver has no such device.
pub fn choose(name: &str) -> Result<Device> {
    crate::memory::guard();
    let bad = || {
        Error::config("device", format!("unknown device `{name}`"))
            .help("use auto, cpu, cuda or cuda:N")
    };
    let index = match name {
        "cpu" => return Ok(Device::Cpu),
        "auto" => {
            return Ok(match load_cuda() {
                Ok(()) if tch::Cuda::is_available() => Device::Cuda(0),
                Err(NoCuda::Broken(why)) => {
                    static ONCE: Once = Once::new();
                    ONCE.call_once(|| log::warn!("device `auto` is the CPU: {why}"));
                    Device::Cpu
                }
                _ => Device::Cpu,
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

/// Reason why LibTorch's CUDA library is not loaded.
#[derive(Clone, Debug)]
enum NoCuda {
    /// There is no such library.
    Absent(String),
    /// There is one, but it does not load.
    Broken(String),
}

impl std::fmt::Display for NoCuda {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Absent(why) | Self::Broken(why)) = self;
        f.write_str(why)
    }
}

/// Loads libtorch_cuda.so from the folder of libtorch_cpu.so, once, before the first query of
/// LibTorch about CUDA, whose answer it caches.
fn load_cuda() -> &'static Result<(), NoCuda> {
    static LOADED: OnceLock<Result<(), NoCuda>> = OnceLock::new();
    LOADED.get_or_init(|| {
        let folder = libtorch_folder().ok_or_else(|| {
            NoCuda::Absent("libtorch_cpu.so is not among the loaded libraries".to_owned())
        })?;
        let library = folder.join("libtorch_cuda.so");
        if !library.exists() {
            return Err(NoCuda::Absent(format!(
                "this LibTorch is for the CPU only\n  looked for {}, which is not there",
                library.display()
            )));
        }
        use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
        // SAFETY: this is LibTorch's own library, in the folder that is already in use; its
        // initialisers only register kernels.
        let loaded = unsafe { Library::open(Some(&library), RTLD_NOW | RTLD_GLOBAL) };
        // It is never closed, because its kernels stay registered.
        let broken = |e| NoCuda::Broken(format!("cannot load {}: {e}", library.display()));
        loaded.map(std::mem::forget).map_err(broken)
    })
}

/// Folders of triflow's optional libraries: that of the program, and LibTorch's.
pub(crate) fn library_folders() -> [Option<PathBuf>; 2] {
    let program = std::env::current_exe().ok();
    [program.and_then(|program| program.parent().map(Into::into)), libtorch_folder()]
}

/// The library called `name` in the first of `folders` that has it.
///
/// # Errors
/// Where it was looked for, such as "there is no A and no B".
pub(crate) fn library_in(
    folders: &[Option<PathBuf>],
    name: &str,
) -> std::result::Result<PathBuf, String> {
    let places: Vec<PathBuf> = folders.iter().flatten().map(|folder| folder.join(name)).collect();
    places.iter().find(|path| path.is_file()).cloned().ok_or_else(|| {
        let searched: Vec<String> = places.iter().map(|p| p.display().to_string()).collect();
        format!("there is no {}", searched.join(" and no "))
    })
}

/// Folder that LibTorch was loaded from.
pub(crate) fn libtorch_folder() -> Option<PathBuf> {
    folder_in(&std::fs::read_to_string("/proc/self/maps").ok()?)
}

/// Folder of libtorch_cpu.so among the mapped files; its name may contain spaces.
fn folder_in(maps: &str) -> Option<PathBuf> {
    let paths = maps.lines().filter_map(|line| line.find('/').map(|at| &line[at..]));
    let library = paths.map(PathBuf::from).find(|path| path.ends_with("libtorch_cpu.so"))?;
    library.parent().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libtorch_is_found_whatever_its_folder_is_called() {
        let maps = "7f00-7f01 r--p 00000000 fe:00 12   /usr/lib/libc.so.6\n\
                    7f02-7f03 r-xp 00001000 fe:00 13   /home/my torch/lib/libtorch_cpu.so\n\
                    7f04-7f05 rw-p 00000000 00:00 0    [heap]\n";
        assert_eq!(folder_in(maps), Some("/home/my torch/lib".into()));
        assert_eq!(folder_in("7f00-7f01 r--p 00000000 fe:00 12 /x/libtorch_cpu.so.1\n"), None);
        assert!(libtorch_folder().is_some_and(|folder| folder.join("libtorch_cpu.so").exists()));
    }
}
