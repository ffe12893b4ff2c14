//! The finished site: copies the documentation of the crates, and follows every link.

use crate::links::joined;
use crate::pages::RUSTDOC;
use crate::read;
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Copies a folder, as links to the same bytes where the file system has them.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else if std::fs::hard_link(entry.path(), &target).is_err() {
            std::fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

/// Checks that every link of the pages leads to a file and a place of the site, and that nothing
/// is loaded from elsewhere; returns their number.
///
/// Pages of the crates' documentation are not read: rustdoc checks their links. Links to them are
/// checked where they are part of the site.
pub fn check(html: &Path) -> Result<usize> {
    let complete = html.join(RUSTDOC).exists();
    let mut pages = Vec::new();
    collect(html, "", &mut pages)?;
    let mut places: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut faults = Vec::new();
    let mut count = 0;
    for page in &pages {
        let text = read(&html.join(page))?;
        let folder = Path::new(page).parent().unwrap_or(Path::new(""));
        let loaded = ["src=\"http", "rel=\"stylesheet\" href=\"http"];
        if loaded.iter().any(|mark| text.contains(mark)) {
            faults.push(format!("{page} loads a file from another host"));
        }
        for link in attributes(&text, "href").chain(attributes(&text, "src")) {
            if link.contains("://") || link.starts_with("data:") || link.starts_with("mailto:") {
                continue;
            }
            count += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let file = if file.is_empty() { page.clone() } else { joined(folder, file)? };
            if file.starts_with(RUSTDOC) && !complete {
                continue;
            }
            if !html.join(&file).is_file() {
                faults.push(format!("{page} links to {file}, which is not there"));
            } else if !anchor.is_empty() && file.ends_with(".html") && !file.starts_with(RUSTDOC) {
                let known = match places.entry(file.clone()) {
                    std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                    std::collections::btree_map::Entry::Vacant(entry) => {
                        let text = read(&html.join(&file))?;
                        entry.insert(attributes(&text, "id").map(str::to_owned).collect())
                    }
                };
                if !known.contains(anchor) {
                    faults.push(format!("{page} links to {file}#{anchor}, which is not there"));
                }
            }
        }
    }
    if faults.is_empty() { Ok(count) } else { bail!("{}", faults.join("\n")) }
}

/// Pages below a folder, relative to the site's root.
fn collect(html: &Path, below: &str, pages: &mut Vec<String>) -> Result<()> {
    let folder: PathBuf = html.join(below);
    for entry in std::fs::read_dir(&folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        if entry.file_type()?.is_dir() {
            if format!("{path}/") != RUSTDOC {
                collect(html, &path, pages)?;
            }
        } else if path.ends_with(".html") && path != "toc.html" && path != "404.html" {
            pages.push(path);
        }
    }
    Ok(())
}

/// Values of an attribute.
fn attributes<'t>(html: &'t str, name: &str) -> impl Iterator<Item = &'t str> {
    let mark = format!(" {name}=\"");
    let starts: Vec<usize> = html.match_indices(&mark).map(|(i, _)| i + mark.len()).collect();
    starts.into_iter().filter_map(|start| html[start..].split('"').next())
}
