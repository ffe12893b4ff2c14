//! `new-plugin`: the crate of a plugin to start from.

use std::path::{Path, PathBuf};
use triflow::error::quoted;
use triflow::plugin::{Framework, Scaffold};
use triflow::registry::with_article;
use triflow::{Error, Result};

/// The lock file that this command was built with.
const LOCK: &str = include_str!("../../../Cargo.lock");

/// Writes the crate and says what to do next.
pub fn write(kind: &str, name: &str, into: &Path, framework: Option<&Path>) -> Result<()> {
    let framework = match framework {
        Some(folder) => Framework::in_folder(folder)?,
        None => own_source()?,
    };
    let libtorch = option_env!("TRIFLOW_LIBTORCH").map(PathBuf::from).filter(|path| path.is_dir());
    let mut scaffold = Scaffold::new(kind, name, framework)?;
    LOCK.clone_into(&mut scaffold.lock);
    scaffold.libtorch = libtorch;
    let folder = scaffold.write(into)?;
    let (kind, name) = (scaffold.kind(), scaffold.name());
    println!("{} in {}; next:", with_article(&kind.replace('_', " ")), folder.display());
    println!("  cd {}", quoted(&folder));
    println!("  cargo test --release && cargo build --release");
    println!("  triflow describe {kind} {name} --plugin {}", quoted(&library(&scaffold)));
    Ok(())
}

/// Where cargo leaves the library, seen from the crate.
fn library(scaffold: &Scaffold) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").filter(|folder| !folder.is_empty());
    Path::new(target.as_deref().unwrap_or("target".as_ref())).join(scaffold.artifact())
}

/// The source from which this command was built: its folder, where that is still there, or its revision.
fn own_source() -> Result<Framework> {
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
