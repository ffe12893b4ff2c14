//! Files that compute what a trained run does, without triflow.

use super::options::{Options, opened};
use crate::Exported;
use crate::error::{Error, Result};
use crate::io::write_atomically;
use std::io::Write as _;
use std::path::Path;

/// Writes what a run computes, sampled as the options say, as a TorchScript archive, and returns
/// its size in bytes. The file is written whole or not at all.
///
/// # Errors
/// [`Error::Config`]: an option has no effect on the file. Those of [`open`](super::open) and of
/// [`Trained::export`](crate::trained::Trained::export). [`Error::Io`]: the file cannot be
/// written.
pub fn export(run: &Path, options: &Options, what: Exported, out: &Path) -> Result<u64> {
    check(what, options)?;
    let (_, mut model, layers) = opened(run, options)?;
    if what == Exported::Sampler {
        model.warn_unused("sampling.");
    }
    let archive = model.export(what).map_err(|e| layers.locate(e))?;
    write_atomically(out, |file| file.write_all(&archive))?;
    Ok(archive.len() as u64)
}

/// Checks that the options fit what is exported: a network knows nothing of sampling, and z_0 is an
/// input of a sampler.
///
/// # Errors
/// [`Error::Config`] for an option without effect.
fn check(what: Exported, options: &Options) -> Result<()> {
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
