//! The report: a single page that opens from disk, needs no network and runs no script but its own.
//!
//! Sentences and tables are written here, by the same functions as for Markdown and LaTeX; the
//! page's script sorts the tables and draws the pictures from data embedded in the page. The page's
//! content security policy names the script by its hash, so that nothing else can run, whatever the
//! names of cells contain.

mod data;
mod fragments;
mod page;
mod table;

use super::results::Results;
use crate::{Error, Result};

const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = concat!(include_str!("page/script.js"), include_str!("page/table.js"));

/// The content of `report.html`.
///
/// # Errors
/// If the results cannot be encoded as JSON.
pub fn html(results: &Results) -> Result<String> {
    let differences = table::differences(results);
    let data = serde_json::to_string(&data::Page::new(results, &differences))
        .map_err(|e| Error::runtime(format!("results for the report: {e}")))?;
    // `<` occurs in strings only, where JSON allows this escape: no string can end the script
    // element.
    let data = data.replace('<', "\\u003c");
    Ok(page::page(results, &differences, &data).into_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::example;
    use crate::report::SampledRows;
    use crate::table::TableColumn;

    #[test]
    fn the_page_needs_nothing_but_itself() {
        let page = html(&example()).unwrap();
        for outside in ["src=", "@import", "url(", "https:", "fetch("] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(!page.replace("http://www.w3.org/2000/svg", "").contains("http:"));
        assert!(!page.contains("{{"));
    }

    /// Rows of a table of `width` columns, the first of which is generated `off` too large.
    fn table(width: usize, off: f64) -> SampledRows {
        let cell = |i: usize, j: usize| ((i * 7919 + j * j * 104_729) % 997) as f64 / 997.0;
        let rows = |off: f64| {
            let row = move |i: usize| {
                (0..width).map(move |j| cell(i, j) + if j == 0 { off } else { 0.0 })
            };
            (0..300).flat_map(row).collect::<Vec<f64>>()
        };
        SampledRows {
            columns: (0..width).map(|j| TableColumn::number(format!("<column {j}>"))).collect(),
            given: vec![false; width],
            set: "test".to_owned(),
            how: "midpoint x 20 steps".to_owned(),
            real: rows(0.0),
            generated: rows(off),
        }
    }

    #[test]
    fn rows_of_a_table_are_pictures_of_the_best_cell_and_differences_of_every_cell() {
        let mut results = example();
        assert!(html(&results).unwrap().contains("<section id=\"tables\" hidden>"));
        for (i, cell) in results.cells.iter_mut().enumerate().take(3) {
            cell.rows = Some(table(5, 0.1 * i as f64));
        }
        let page = html(&results).unwrap();
        assert!(page.contains("<section id=\"tables\">"));
        assert_eq!(page.matches("<canvas data-differences").count(), 3);
        let pictures = page.matches(" src=\"data:image/png;base64,").count();
        assert_eq!((pictures, page.matches("src=").count()), (3, 3));
        // A shift by 0.2 moves a fifth of uniform numbers past all others.
        assert!(page.contains("most: &lt;column 0&gt; 0.20"), "{page}");
        assert!(!page.contains("<column 0>"));
    }

    #[test]
    fn a_wide_table_does_not_make_the_page_large() {
        let mut results = example();
        let narrow = html(&results).unwrap().len();
        for cell in &mut results.cells {
            cell.rows = Some(table(74, 0.1));
        }
        let more = html(&results).unwrap().len() - narrow;
        assert!(more < 1_500_000, "{more}");
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
