//! `export`.

use super::sampling::options;
use crate::args::{EXPORT_ENDINGS, ExportTo, SamplingArgs};
use std::path::Path;
use triflow::error::quoted;
use triflow::request;
use triflow::{Error, Exported, Result};

/// Writes a run as a file for LibTorch.
pub fn export(run: &Path, to: ExportTo, sampling: &SamplingArgs, out: &Path) -> Result<()> {
    let what = match to {
        ExportTo::TorchScript => Exported::Network,
        ExportTo::Sampler => Exported::Sampler,
        ExportTo::Onnx => {
            let message = "--to onnx: files in ONNX are written by the Python package";
            return Err(Error::config("", message).help(format!(
                "python -c 'import triflow; triflow.load(\"{}\").export(\"model.onnx\")'",
                run.display()
            )));
        }
    };
    crate::out::check(out, EXPORT_ENDINGS)?;
    let size = request::export(run, &options(sampling), what, out)?;
    let what = match what {
        Exported::Network => "network",
        Exported::Sampler => "sampler",
    };
    println!("{what}, {:.1} MB, in {}", size as f64 / 1e6, quoted(out));
    Ok(())
}
