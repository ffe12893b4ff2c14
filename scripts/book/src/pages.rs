//! Copies the pages and what they need to the folder that mdBook renders.

use crate::files::Files;
use crate::links::{Link, links, relative, replaced};
use crate::{formulas, read, write};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::path::Path;

/// The order of the pages.
const SUMMARY: &str = "docs/SUMMARY.md";
/// Begin of a comment whose text is shown on the site only, such as a link to another part of it.
const SITE_ONLY: &str = "<!-- book: ";
/// Folder of the site with the documentation of the crates.
pub const RUSTDOC: &str = "doc/";

/// Writes the pages below `source`; returns their number.
pub fn write_all(repository: &Path, source: &Path) -> Result<usize> {
    let summary = read(&repository.join(SUMMARY))?;
    let listed = links(SUMMARY, &summary)?;
    let pages: BTreeMap<&str, &str> =
        listed.iter().map(|link| (link.file.as_str(), &summary[link.words.clone()])).collect();
    let mut files = Files::default();
    for page in pages.keys() {
        let text = for_site(&read(&repository.join(page))?);
        let mut targets = Vec::new();
        for link in links(page, &text)? {
            let to = if link.picture {
                let picture = repository.join(&link.file);
                let bytes =
                    std::fs::read(&picture).with_context(|| format!("{page}: {}", link.file));
                write(&source.join(&link.file), bytes?)?;
                link.file.clone()
            } else if link.file == SUMMARY {
                // The contents of the site stand beside every page.
                listed.first().context("no page")?.file.clone()
            } else {
                target(repository, &pages, &mut files, &link).with_context(|| (*page).to_owned())?
            };
            // The name of a file is a title on the site.
            let words = &text[link.words.clone()];
            if let Some(title) = pages.get(link.file.as_str())
                && !link.picture
                && (words.ends_with(".md") || link.file.starts_with(&format!("{words}/")))
            {
                targets.push((link.words, (*title).to_owned()));
            }
            targets.push((link.place, relative(page, &to) + &link.anchor));
        }
        let text = formulas::rendered(&formulas::with_scripts(&replaced(&text, targets)));
        write(&source.join(page), text.with_context(|| (*page).to_owned())?)?;
    }
    let from_root = listed.iter().map(|link| (link.place.clone(), link.file.clone())).collect();
    let count = pages.len();
    let summary = replaced(&summary, from_root) + &files.write(repository, source)?;
    write(&source.join("SUMMARY.md"), summary)?;
    Ok(count)
}

/// What a link leads to on the site.
fn target(
    repository: &Path,
    pages: &BTreeMap<&str, &str>,
    files: &mut Files,
    link: &Link,
) -> Result<String> {
    let file = &link.file;
    if pages.contains_key(file.as_str()) || file.starts_with(RUSTDOC) {
        return Ok(file.clone());
    }
    if file.ends_with(".md") {
        bail!("the link to {file}: {SUMMARY} does not list it");
    }
    if !repository.join(file).exists() {
        bail!("the link to {file}: it is not there");
    }
    files.page_of(repository, file)
}

/// The text with what only the site shows.
fn for_site(text: &str) -> String {
    let mut shown = String::new();
    let mut parts = text.split(SITE_ONLY);
    shown += parts.next().unwrap_or_default();
    for part in parts {
        let (site, rest) = part.split_once(" -->").unwrap_or((part, ""));
        shown.extend([site, rest]);
    }
    shown
}
