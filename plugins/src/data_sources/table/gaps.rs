//! Rows with missing values.

use super::choose::Selection;
use super::labels::Labels;
use super::rows::Reading;
use triflow::io::table::Typed;
use triflow::log;
use triflow::prelude::*;

/// Treatment of rows with a missing value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gaps {
    /// They are an error.
    Error,
    /// They are left out.
    Drop,
    /// They are kept, unless they have no value of y.
    Keep,
    /// They are kept.
    KeepAll,
}

impl Reading<'_> {
    /// True for each row that is left out.
    pub(super) fn left_out(
        &self,
        all: usize,
        selection: &Selection,
        (x, y, labels): (&[Typed], &[Typed], Option<&Labels>),
        gaps: Gaps,
    ) -> Result<Vec<bool>> {
        let mut out = vec![false; all];
        if gaps == Gaps::KeepAll {
            return Ok(out);
        }
        let places = || selection.x.iter().chain(&selection.y);
        let gaps_of = |typed: &Typed| typed.values.iter().map(|v| v.is_nan()).collect::<Vec<_>>();
        let label_gaps = labels.map(|(l, ..)| l.iter().map(Option::is_none).collect::<Vec<_>>());
        let y_gaps: Vec<Vec<bool>> = y.iter().map(gaps_of).chain(label_gaps).collect();
        let help = match gaps {
            Gaps::Keep => {
                if let [first, rest @ ..] = &y_gaps[..] {
                    out.clone_from(first);
                    for gaps in rest {
                        out.iter_mut().zip(gaps).for_each(|(out, gap)| *out &= gap);
                    }
                }
                "have no value of y"
            }
            _ => {
                let x_gaps = x.iter().map(gaps_of);
                let mut first = (all, None);
                for (gaps, place) in x_gaps.chain(y_gaps).zip(places()) {
                    let row = gaps.iter().position(|gap| *gap).unwrap_or(all);
                    if row < first.0 {
                        first = (row, Some(*place));
                    }
                    out.iter_mut().zip(gaps).for_each(|(out, gap)| *out |= gap);
                }
                if let (Gaps::Error, Some(place)) = (gaps, first.1) {
                    return Err(self.gap(place));
                }
                "lack a value (data.missing: drop)"
            }
        };
        let count = out.iter().filter(|out| **out).count();
        if count == all {
            let message = "no row is left: each lacks a value in a column of x or y";
            return Err(Error::data(self.file.path(), message));
        }
        if count > 0 {
            log::warn!(
                "{}: {} of {all} rows are used: {count} {help}",
                self.file.path().display(),
                all - count
            );
        }
        Ok(out)
    }

    /// The error about the first missing cell of a column.
    fn gap(&self, place: usize) -> Error {
        let found = match self.file.find(place, true, &mut |_| true) {
            Ok(found) => found.unwrap_or_default(),
            Err(e) => return e,
        };
        let (place, cell) = found;
        let what = if cell.is_empty() { "is empty".into() } else { format!("holds `{cell}`") };
        let help = "fill it, or leave such rows out with data.missing=drop";
        Error::data(self.file.path(), format!("{place}: the cell {what}; {help}"))
    }
}
