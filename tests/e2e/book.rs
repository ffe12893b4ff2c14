//! The documents as a book: its order, and the experiments that they show.

use crate::command::Folder;
use crate::readme::{commands, documents, links, read, root};
use triflow::config::Layers;

/// The order of the pages; it is no page.
pub const SUMMARY: &str = "docs/SUMMARY.md";

#[test]
fn every_document_is_in_the_book_once() {
    let mut listed: Vec<String> = links(SUMMARY).into_iter().map(|(file, _)| file).collect();
    let mut there = documents();
    // Beside the documents of the folders there may be others that they link to.
    let linked = there.iter().flat_map(|document| links(document)).map(|(file, _)| file);
    let linked: Vec<String> = linked.filter(|file| file.ends_with(".md")).collect();
    there.extend(linked);
    there.sort();
    there.dedup();
    there.retain(|document| document != SUMMARY);
    listed.sort();
    assert_eq!(listed, there, "{SUMMARY} beside the documents and the pages that they link to");
}

/// The blocks of YAML in the documents, with the name of the document.
fn yaml() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for document in documents() {
        let text = read(&document);
        for block in text.split("```yaml\n").skip(1) {
            let block = block.split("```").next().unwrap();
            // Blocks with one key at the begin of every line show one choice a line.
            let key = |line: &str| line.split_once(": ").map_or("", |(key, _)| key).to_owned();
            let first = block.lines().next().map(key).unwrap_or_default();
            let choices = !first.is_empty() && block.lines().all(|line| key(line) == first);
            if choices && !first.starts_with([' ', '#']) {
                all.extend(block.lines().map(|line| (document.clone(), line.to_owned())));
            } else {
                all.push((document.clone(), block.to_owned()));
            }
        }
    }
    all
}

#[test]
fn every_experiment_that_a_document_shows_is_accepted() {
    triflow_plugins::link();
    let folder = Folder::new();
    std::os::unix::fs::symlink(root().join("configs"), folder.path().join("configs")).unwrap();
    let (mut whole, mut parts) = (0, 0);
    for (document, text) in yaml() {
        if text.contains("extends: ") {
            folder.write("my.yaml", &text);
            folder.succeeds(&["validate", "my.yaml"]);
            whole += 1;
        } else if !text.starts_with("apiVersion: ") && !text.starts_with("plugins: ") {
            // A part of an experiment: keys, types and ranges. Only files have a split.
            let mut layers = Layers::new().unwrap();
            if text.contains("split: ") {
                layers.add_text("data: { type: table, path: rows.csv }", "base").unwrap();
            }
            let read = layers.add_text(&text, &document).and_then(|()| layers.finish());
            read.unwrap_or_else(|e| panic!("{document}:\n{text}\n{e}"));
            parts += 1;
        }
    }
    assert!(whole >= 2 && parts >= 20, "only {whole} experiments and {parts} parts found");
}

#[test]
fn the_pictures_of_components_are_drawn_by_the_commands_beside_them() {
    let page = read("docs/schedules.md");
    let folder = Folder::new();
    let mut count = 0;
    for command in commands(&page, "triflow describe") {
        let Some((words, picture)) = command.split_once(" --plot --out ") else { continue };
        if !page.contains(&format!("]({picture})")) {
            continue;
        }
        let words = words.trim_start_matches("triflow ").split(' ');
        let words: Vec<&str> = words.chain(["--plot", "--out", picture]).collect();
        folder.succeeds(&words);
        let drawn = std::fs::read(folder.path().join(picture)).unwrap();
        let shown = root().join("docs").join(picture);
        if std::env::var_os("TRIFLOW_BLESS").is_some() {
            std::fs::write(&shown, &drawn).unwrap();
        }
        let size = |png: &[u8]| png[16..24].to_vec();
        let shown = std::fs::read(&shown).unwrap_or_else(|e| panic!("{}: {e}", shown.display()));
        assert_eq!(size(&shown), size(&drawn), "{picture} is of another size: run `make docs`");
        count += 1;
    }
    assert_eq!(count, 2, "pictures of schedules and of paths");
}
