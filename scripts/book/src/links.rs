//! The links of a Markdown text.

use anyhow::{Result, bail};
use pulldown_cmark::{Event, Options, Parser, Tag};
use std::ops::Range;
use std::path::Path;

/// A link or picture whose target is within the repository.
pub struct Link {
    /// File or folder, relative to the repository's root.
    pub file: String,
    /// `#` and the anchor, or nothing.
    pub anchor: String,
    /// True for a picture.
    pub picture: bool,
    /// Place of the target in the text.
    pub place: Range<usize>,
    /// Place of the words that are shown.
    pub words: Range<usize>,
}

/// The links of `text`, which stands at `document` below the repository's root, in their order.
pub fn links(document: &str, text: &str) -> Result<Vec<Link>> {
    let folder = Path::new(document).parent().unwrap_or(Path::new(""));
    let mut all = Vec::new();
    let events = Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter();
    for (event, range) in events {
        let (target, picture) = match event {
            Event::Start(Tag::Link { dest_url, .. }) => (dest_url, false),
            Event::Start(Tag::Image { dest_url, .. }) => (dest_url, true),
            // Neither the repository's pages nor the site show an unknown tag.
            Event::InlineHtml(tag) | Event::Html(tag) if !tag.trim_start().starts_with("<!--") => {
                bail!("{document}: {tag} is taken for a tag of HTML: write it as code")
            }
            _ => continue,
        };
        if target.contains("://") || target.starts_with('#') {
            continue;
        }
        let written = format!("]({target}");
        let Some(at) = text[range.clone()].rfind(&written) else {
            bail!("{document}: the link to {target} is not written as [text](target)");
        };
        let start = range.start + at + 2;
        let place = start..start + target.len();
        let (file, anchor) = target.split_at(target.find('#').unwrap_or(target.len()));
        let words = range.start + 1..start - 2;
        let file = joined(folder, file)?;
        all.push(Link { file, anchor: anchor.to_owned(), picture, place, words });
    }
    Ok(all)
}

/// The path `folder/file` without `..`.
pub fn joined(folder: &Path, file: &str) -> Result<String> {
    let mut parts: Vec<&str> =
        folder.iter().filter_map(|part| part.to_str()).filter(|part| !part.is_empty()).collect();
    for part in file.split('/') {
        match part {
            "." | "" => {}
            ".." if parts.pop().is_none() => bail!("{file} leads out of the repository"),
            ".." => {}
            _ => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

/// The relative link from the document `from` to `to`, both below one root.
pub fn relative(from: &str, to: &str) -> String {
    let from: Vec<&str> = from.split('/').collect();
    let to: Vec<&str> = to.split('/').collect();
    let folders = from.len() - 1;
    let shared = (0..folders.min(to.len() - 1)).take_while(|i| from[*i] == to[*i]).count();
    let up = std::iter::repeat_n("..", folders - shared);
    up.chain(to[shared..].iter().copied()).collect::<Vec<_>>().join("/")
}

/// The text with other words at these places, which are in order.
pub fn replaced(text: &str, places: Vec<(Range<usize>, String)>) -> String {
    let mut text = text.to_owned();
    for (place, word) in places.into_iter().rev() {
        text.replace_range(place, &word);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{links, relative};

    #[test]
    fn links_lead_to_files_of_the_repository() {
        let text =
            "[a](../README.md#start) ![p](p.png) `[c](d)` [w](https://example.org) [here](#x)";
        let all = links("docs/a.md", text).unwrap();
        let found: Vec<_> = all.iter().map(|l| (&*l.file, &*l.anchor, l.picture)).collect();
        assert_eq!(found, [("README.md", "#start", false), ("docs/p.png", "", true)]);
        assert_eq!(&text[all[0].place.clone()], "../README.md#start");
        assert_eq!(&text[all[0].words.clone()], "a");
        assert!(links("a.md", "[out](../b.md)").is_err());
        assert!(links("a.md", "one of <NA>").is_err());
    }

    #[test]
    fn a_relative_link_leads_from_one_page_to_another() {
        assert_eq!(relative("docs/a.md", "docs/b.md"), "b.md");
        assert_eq!(relative("docs/a.md", "README.md"), "../README.md");
        assert_eq!(relative("README.md", "docs/b.md"), "docs/b.md");
        assert_eq!(relative("a/b/c.md", "a/d/e.md"), "../d/e.md");
    }
}
