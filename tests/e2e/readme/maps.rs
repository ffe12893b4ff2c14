//! The maps of CONTRIBUTING.md name the folders and modules that there are.

use super::{read, root};

/// Names in the lines `name  description` of a map below `  head/`, with deeper indentation.
fn named_below<'t>(map: &'t str, head: &str) -> Vec<&'t str> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut lines = map.lines().skip_while(|line| !line.trim_start().starts_with(head));
    let outer = indent(lines.next().unwrap_or_else(|| panic!("no {head}")));
    let inside = lines.take_while(|line| indent(line) > outer);
    inside.map(|line| line.split_whitespace().next().unwrap_or_default()).collect()
}

/// The block of the guide that starts with `head`.
fn map<'t>(guide: &'t str, head: &str) -> &'t str {
    let head = format!("\n{head}");
    guide.split("```").find(|part| part.starts_with(&head)).unwrap_or_else(|| panic!("no {head}"))
}

/// Entries of a folder, those of folders with a slash.
fn listed(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap().map(Result::unwrap);
    let mut names: Vec<String> = entries
        .map(|entry| {
            let slash = if entry.file_type().unwrap().is_dir() { "/" } else { "" };
            format!("{}{slash}", entry.file_name().to_string_lossy())
        })
        .collect();
    names.sort();
    names
}

#[test]
fn the_maps_of_the_guide_name_every_folder_and_module() {
    let guide = read("CONTRIBUTING.md");
    let modules = map(&guide, "core/\n");
    for part in ["core", "engine", "study"] {
        let mut there = listed(&format!("framework/{part}/src"));
        there.retain(|name| name != "lib.rs");
        let mut named = named_below(modules, &format!("{part}/"));
        named.sort_unstable();
        assert_eq!(named, there, "{part}");
    }
    let folders = map(&guide, "framework/ ");
    let named: Vec<&str> =
        folders.lines().filter_map(|line| line.split_whitespace().next()).collect();
    for folder in &named {
        assert!(root().join(folder).is_dir(), "{folder}");
    }
    // Without git, as in an archive of the source, nobody knows which folders belong to it.
    let git = std::process::Command::new("git").arg("ls-files").current_dir(root()).output();
    let tracked = git.map(|done| String::from_utf8(done.stdout).unwrap()).unwrap_or_default();
    for folder in tracked.lines().filter_map(|file| Some(file.split_once('/')?.0)) {
        let known = folder.starts_with('.') || named.contains(&&*format!("{folder}/"));
        assert!(known, "CONTRIBUTING.md has no folder {folder}");
    }
    assert_eq!(named_below("a/\n  b/ x\n  c.rs y\nd/ z\n  e/", "a/"), ["b/", "c.rs"]);
}
