//! The report: a single page that opens from disk, needs no network and runs no script but its own.
//!
//! Sentences and tables are written here, by the same functions as for Markdown and LaTeX; the
//! page's script sorts the tables and draws the pictures from data embedded in the page. The page's
//! content security policy names the script by its hash, so that nothing else can run, whatever the
//! names of cells contain.

mod data;
mod fragments;
mod page;

use super::results::Results;
use crate::{Error, Result};

const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/script.js");

/// The content of `report.html`.
///
/// # Errors
/// If the results cannot be encoded as JSON.
pub fn html(results: &Results) -> Result<String> {
    let data = serde_json::to_string(&data::Page::new(results))
        .map_err(|e| Error::runtime(format!("results for the report: {e}")))?;
    // `<` occurs in strings only, where JSON allows this escape: no string can end the script
    // element.
    Ok(page::page(results, &data.replace('<', "\\u003c")).into_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::example;

    #[test]
    fn the_page_needs_nothing_but_itself() {
        let page = html(&example()).unwrap();
        for outside in ["src=", "@import", "url(", "https:", "fetch("] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(!page.replace("http://www.w3.org/2000/svg", "").contains("http:"));
        assert!(!page.contains("{{"));
    }

    #[test]
    fn names_are_text_wherever_they_stand() {
        let mut results = example();
        let name = "</script><script>alert(1)</script>";
        results.cells[0].name = name.to_owned();
        results.title = name.to_owned();
        results.cells[0].config = name.to_owned();
        let page = html(&results).unwrap();
        assert!(!page.contains(name));
        // The page has two scripts and no other.
        assert_eq!(page.matches("</script>").count(), 2);
    }

    #[test]
    fn results_of_every_kind_make_a_page() {
        let mut results = example();
        results.real = None;
        for cell in &mut results.cells {
            cell.paths = None;
            cell.schedule = None;
            cell.curves.clear();
        }
        html(&results).unwrap();
        results.seeds.truncate(1);
        results.cells.truncate(1);
        html(&results).unwrap();
        results.metrics.clear();
        html(&results).unwrap();
    }
}
