//! Files that compute what a trained run does, without triflow.

use super::options::Options;
use crate::Exported;
use crate::error::{Error, Result};
use crate::io::write_atomically;
use crate::trained::Trained;
use std::io::Write as _;
use std::path::Path;

/// Checks that the options fit what is exported: a network knows nothing of sampling, and z_0 is an
/// input of a sampler.
///
/// # Errors
/// [`Error::Config`] for an option without effect.
pub fn check_export(what: Exported, options: &Options) -> Result<()> {
    let of_z0 = [("--seed", options.seed.is_some()), ("--noise", options.noise.is_some())];
    if let Some((flag, _)) = of_z0.into_iter().find(|(_, given)| *given) {
        let message = format!("{flag} is for draws of z_0, which is an input of the file");
        return Err(Error::config("", message).help(format!("leave {flag} out")));
    }
    if what == Exported::Sampler {
        return Ok(());
    }
    let of_sampling = [
        ("--steps", options.steps.is_some()),
        ("--solver", options.solver.is_some()),
        ("--grid", options.grid.is_some()),
        ("--guidance", options.guidance.is_some()),
    ];
    match of_sampling.into_iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((flag, _)) => {
            let message = format!("{flag} is for sampling, and the file holds the network alone");
            Err(Error::config("", message).help("export the sampler, or leave it out"))
        }
    }
}

/// Writes a TorchScript archive of a model, whole or not at all, and returns its size in bytes.
///
/// # Errors
/// Those of [`Trained::export`]. [`Error::Io`]: the file cannot be written.
pub fn export(model: &mut Trained, what: Exported, out: &Path) -> Result<u64> {
    let archive = model.export(what)?;
    write_atomically(out, |file| file.write_all(&archive))?;
    Ok(archive.len() as u64)
}
