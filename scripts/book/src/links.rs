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
