//! Builds the site of the documentation: `book REPOSITORY OUTPUT [RUSTDOC]`.
//!
//! The pages are the documents of the repository as they are, in the order of docs/SUMMARY.md. They
//! are copied to a folder with the same paths, so that relative links lead to the same files, and
//! mdBook renders that folder. What a reader of the repository has besides the pages is added: the
//! files that pages link to, formulas (blocks of `math`, as MathML), and the documentation of the
//! Rust crates.

mod files;
mod formulas;
mod links;
mod pages;
mod site;

use anyhow::{Context, Result, bail};
use mdbook_driver::MDBook;
use mdbook_driver::config::Config;
use std::path::{Path, PathBuf};

const CONFIG: &str = include_str!("../book.toml");
const STYLE: &str = include_str!("../book.css");

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let (repository, output, rustdoc) = match &arguments[..] {
        [repository, output] => (repository, output, None),
        [repository, output, rustdoc] => (repository, output, Some(rustdoc)),
        _ => bail!("usage: book REPOSITORY OUTPUT [RUSTDOC]"),
    };
    let repository = std::path::absolute(repository)?;
    let output = std::path::absolute(output)?;
    let (source, html) = (output.join("src"), output.join("html"));
    clear(&source)?;
    clear(&html)?;

    let pages = pages::write_all(&repository, &source)?;
    write(&output.join("book.css"), STYLE)?;
    formulas::write_style(&output, &source)?;
    let config: Config = CONFIG.parse().context("book.toml")?;
    MDBook::load_with_config(&output, config)?.build()?;
    if let Some(rustdoc) = rustdoc {
        site::copy(rustdoc, &html.join(pages::RUSTDOC))?;
    }
    let links = site::check(&html)?;
    println!("{pages} pages, {links} links in {}", html.join("index.html").display());
    Ok(())
}

/// Removes a folder of an earlier build.
fn clear(folder: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| path.display().to_string())
}

/// Writes a file, in a folder that is made where it is missing.
fn write(path: &Path, text: impl AsRef<[u8]>) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    std::fs::write(path, text).with_context(|| path.display().to_string())
}
