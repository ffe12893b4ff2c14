//! Pages with the source files that the documents link to.

use crate::links::{links, relative, replaced};
use crate::{read, write};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// Folder of these pages on the site.
const FOLDER: &str = "files";

/// The files and folders that a document links to, with the Markdown of their pages.
#[derive(Default)]
pub struct Files {
    pages: BTreeMap<String, String>,
}

impl Files {
    /// The page of a file or folder, relative to the site's root.
    pub fn page_of(&mut self, repository: &Path, file: &str) -> Result<String> {
        let page = format!("{FOLDER}/{file}.md");
        if self.pages.contains_key(file) {
            return Ok(page);
        }
        let path = repository.join(file);
        let mut text = format!("# {file}\n\n");
        if path.is_dir() {
            for name in names(&path)? {
                let inner = self.page_of(repository, &format!("{file}/{name}"))?;
                let link = relative(&page, &inner);
                writeln!(text, "- [{name}]({link})")?;
            }
        } else if file.ends_with(".ipynb") {
            let cells = notebook(&read(&path)?).with_context(|| file.to_owned())?;
            let targets = links(file, &cells)?.into_iter();
            let targets = targets.map(|l| (l.place, relative(&page, &l.file) + &l.anchor));
            text += &replaced(&cells, targets.collect());
        } else {
            let source = read(&path)?;
            writeln!(text, "````{}\n{}\n````", language(file, &source), source.trim_end())?;
        }
        self.pages.insert(file.to_owned(), text);
        Ok(page)
    }

    /// Writes the pages below `source`; returns their part of the summary.
    pub fn write(&self, repository: &Path, source: &Path) -> Result<String> {
        let mut index =
            "# Source files\n\nThe files of the repository that these pages name.\n\n".to_owned();
        let mut summary = format!("\n# Source files\n\n- [Files]({FOLDER}/index.md)\n");
        for (file, text) in &self.pages {
            let slash = if repository.join(file).is_dir() { "/" } else { "" };
            writeln!(index, "- [{file}{slash}]({file}.md)")?;
            writeln!(summary, "  - [{file}{slash}]({FOLDER}/{file}.md)")?;
            write(&source.join(format!("{FOLDER}/{file}.md")), text)?;
        }
        write(&source.join(FOLDER).join("index.md"), index)?;
        Ok(summary)
    }
}

/// Entries of a folder, without hidden ones and what Python compiled.
fn names(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && name != "__pycache__" {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The language of a code block for a file.
fn language(file: &str, source: &str) -> &'static str {
    match Path::new(file).extension().and_then(|ending| ending.to_str()) {
        Some("rs") => "rust",
        Some("py") => "python",
        Some("yaml") => "yaml",
        Some("json") => "json",
        Some("cpp") => "cpp",
        _ if source.starts_with("#!/usr/bin/env python") => "python",
        _ if source.starts_with("#!") => "bash",
        _ => "text",
    }
}

/// A Jupyter notebook's text and code; its output is left out.
fn notebook(json: &str) -> Result<String> {
    let notebook: serde_json::Value = serde_json::from_str(json)?;
    let mut text = String::new();
    for cell in notebook["cells"].as_array().context("no cells")? {
        let lines = cell["source"].as_array().context("a cell without source")?;
        let source: String = lines.iter().filter_map(|line| line.as_str()).collect();
        match cell["cell_type"].as_str() {
            Some("code") => writeln!(text, "```python\n{source}\n```\n")?,
            _ => writeln!(text, "{}\n", source.replace("\n# ", "\n## "))?,
        }
    }
    Ok(text)
}
