//! Links within the documents lead somewhere, and to every document.

use super::{documents, read, root};
use crate::book::SUMMARY;
use std::path::Path;

/// Lines outside fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// Targets of a document's links within the repository: file, relative to its root, and anchor,
/// either of which may be empty.
pub fn links(document: &str) -> Vec<(String, String)> {
    let text = read(document);
    let folder = Path::new(document).parent().unwrap();
    let mut all = Vec::new();
    for line in prose(&text) {
        // What a comment shows on the site alone may lead to other parts of the site.
        let (line, _) = line.split_once("<!-- book: ").unwrap_or((line, ""));
        for (i, _) in line.match_indices("](") {
            let target = line[i + 2..].split(')').next().unwrap();
            if target.contains("://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { document.to_owned() } else { joined(folder, file) };
            all.push((file, anchor.to_owned()));
        }
    }
    all
}

/// The path `folder/file` without `..`.
fn joined(folder: &Path, file: &str) -> String {
    let mut path = folder.to_owned();
    for part in file.split('/') {
        match part {
            ".." => assert!(path.pop(), "{file} leads out of the repository"),
            _ => path.push(part),
        }
    }
    path.to_str().unwrap().to_owned()
}

/// Anchors of a document's headings, as GitHub makes them.
fn anchors(text: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for line in prose(text).filter(|line| line.starts_with('#')) {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
        let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let before = all.iter().filter(|other| **other == anchor).count();
        all.push(if before == 0 { anchor } else { format!("{anchor}-{before}") });
    }
    all
}

#[test]
fn every_link_within_the_documents_resolves() {
    let mut count = 0;
    for document in documents() {
        for (file, anchor) in links(&document) {
            assert!(root().join(&file).exists(), "{document} links to {file}, which is not there");
            if !anchor.is_empty() {
                let there = anchors(&read(&file));
                assert!(
                    there.contains(&anchor),
                    "{document}: {file}#{anchor} is none of {there:?}"
                );
            }
            count += 1;
        }
    }
    assert!(count > 100, "only {count} links found");
    assert_eq!(
        anchors("# A `b_c`, d-e: (f)\n```\n# no\n```\n## x\n# x"),
        ["a-b_c-d-e-f", "x", "x-1"]
    );
}

#[test]
fn every_document_is_reached_from_the_readme() {
    let mut reached = vec!["README.md".to_owned()];
    let mut next = 0;
    while let Some(document) = reached.get(next).cloned() {
        next += 1;
        // The summary of the book leads everywhere.
        let links = if document == SUMMARY { Vec::new() } else { links(&document) };
        for (file, _) in links {
            let page = Path::new(&file).extension().is_some_and(|ending| ending == "md");
            if page && !reached.contains(&file) {
                reached.push(file);
            }
        }
    }
    for document in documents() {
        assert!(reached.contains(&document), "no link leads to {document}");
    }
}
