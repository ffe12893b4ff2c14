//! `new-plugin` and `new-program`: a crate to start from.

use crate::terminal::say;
use std::path::{Path, PathBuf};
use triflow::error::quoted;
use triflow::plugin::{Framework, Scaffold};
use triflow::registry::{registry, with_article};
use triflow::{Error, Result};

/// The lock file that this command was built with.
const LOCK: &str = include_str!("../../../Cargo.lock");

/// The program that `new-program` writes.
const PROGRAM: &str = include_str!("../../../examples/program.rs");

/// Writes the crate of a plugin and says what to do next.
pub fn plugin(kind: &str, name: &str, into: &Path, framework: Option<&Path>) -> Result<()> {
    let kind = registry().check_kind(kind)?;
    let scaffold = Scaffold::plugin(kind, name, source(framework)?)?;
    let (scaffold, folder) = write(scaffold, into)?;
    say!("created {} in {}; next:", with_article(&kind.replace('_', " ")), folder.display());
    say!("  cd {}", quoted(&folder));
    say!("  cargo test --release && cargo build --release");
    let (name, library) = (scaffold.name(), built(&scaffold));
    say!("  triflow describe {kind} {name} --plugin {}", quoted(&library));
    Ok(())
}

/// Writes the crate of a program and says what to do next.
pub fn program(name: &str, into: &Path, framework: Option<&Path>) -> Result<()> {
    let scaffold = Scaffold::program(name, PROGRAM, source(framework)?)?;
    let (scaffold, folder) = write(scaffold, into)?;
    say!("created a program in {}; next:", folder.display());
    say!("  cd {}", quoted(&folder));
    say!("  cargo build --release");
    say!("  {}", quoted(&built(&scaffold)));
    Ok(())
}

/// Writes the crate, with the versions and the LibTorch of this command.
fn write(mut scaffold: Scaffold, into: &Path) -> Result<(Scaffold, PathBuf)> {
    let libtorch = option_env!("TRIFLOW_LIBTORCH").map(PathBuf::from).filter(|path| path.is_dir());
    LOCK.clone_into(&mut scaffold.lock);
    scaffold.libtorch = libtorch;
    let folder = scaffold.write(into)?;
    Ok((scaffold, folder))
}

/// The path of the built artifact, relative to the crate.
fn built(scaffold: &Scaffold) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").filter(|folder| !folder.is_empty());
    Path::new(target.as_deref().unwrap_or("target".as_ref())).join(scaffold.artifact())
}

/// The source in `folder`; if none is given, the source of this command: its folder, if it still
/// exists, or its revision.
fn source(folder: Option<&Path>) -> Result<Framework> {
    if let Some(folder) = folder {
        return Framework::in_folder(folder);
    }
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../framework"));
    Framework::in_folder(folder).or_else(|_| {
        let revision = option_env!("TRIFLOW_GIT_REVISION").ok_or_else(|| {
            Error::config("", "the source from which this command was built is not there any more")
                .help("name a folder that holds the same: --framework DIR")
        })?;
        let url = env!("CARGO_PKG_REPOSITORY").to_owned();
        Ok(Framework::Git { url, revision: revision.to_owned() })
    })
}
