//! First line of a text: names of the columns, or a row.

use super::numbers::Notation;
use super::{Format, Header};

/// Years that columns are named after.
const YEARS: std::ops::RangeInclusive<f64> = 1500.0..=2500.0;

/// Number in a cell, in any notation without groups.
fn number(cell: &str) -> Option<f64> {
    let read = |decimal| {
        let notation = Notation { decimal, group: None, padded: true };
        notation.read(cell.as_bytes()).map(|number| number.value)
    };
    read(b'.').or_else(|| read(b','))
}

/// True if the cell of a column occurs in a row.
fn recurs(column: usize, cell: &str, rows: &[Vec<String>]) -> bool {
    rows.iter().any(|row| row.get(column).is_some_and(|other| other == cell))
}

/// True if the numbers of the first line are years in equal steps, at least two, and those of a
/// row below are not.
fn are_years(first: &[String], rows: &[Vec<String>]) -> bool {
    let places: Vec<usize> = (0..first.len()).filter(|i| number(&first[*i]).is_some()).collect();
    let is_year = |year: &f64| year.fract() == 0.0 && YEARS.contains(year);
    let years = |row: &[String]| {
        let year = |i: &usize| number(row.get(*i)?).filter(is_year);
        let years = places.iter().map(year).collect::<Option<Vec<f64>>>();
        years.is_some_and(|years| {
            let steps: Vec<f64> = years.windows(2).map(|two| two[1] - two[0]).collect();
            steps.first().is_some_and(|step| *step != 0.0 && steps.iter().all(|s| s == step))
        })
    };
    years(first) && rows.iter().any(|row| !years(row))
}

/// True if a first line that is read as a row has texts, none of which occurs again in its column.
pub(super) fn may_be_names(first: &[String], rows: &[Vec<String>], format: &Format) -> bool {
    let is_text = |(_, cell): &(usize, &String)| {
        !format.markers.is_missing(cell.as_bytes()) && number(cell).is_none()
    };
    let mut texts = first.iter().enumerate().filter(is_text).peekable();
    let is_open = format.header == Header::Detect && rows.len() > 1 && texts.peek().is_some();
    is_open && texts.all(|(i, cell)| !recurs(i, cell, rows))
}

/// Checks that no lines stand above the names: the first line has as many cells as most, and more
/// than one of them holds a name; `lines` are those of `rows`.
///
/// # Errors
/// A message with the key that leaves such lines out.
pub(super) fn check_first(
    first: &[String],
    rows: &[Vec<String>],
    lines: &[usize],
    format: &Format,
) -> Result<(), String> {
    let count = |n: usize| rows.iter().filter(|row| row.len() == n).count();
    let Some(width) = rows.iter().map(Vec::len).max_by_key(|n| count(*n)) else { return Ok(()) };
    let filled = |row: &[String]| row.iter().filter(|cell| !cell.is_empty()).count();
    let is_short = first.len() + 1 < width && 2 * count(width) > rows.len();
    let title = first.iter().find(|cell| !cell.is_empty()).map_or("", String::as_str);
    let is_padded = first.len() == width
        && width > 2
        && filled(first) < 2
        && number(title).is_none()
        && format.header == Header::Detect;
    if !is_short && !is_padded {
        return Ok(());
    }
    let is_whole = |row: &Vec<String>| row.len() == width && filled(row) > 1;
    let Some(place) = rows.iter().position(is_whole) else { return Ok(()) };
    let what = match is_short {
        true => format!("{} cells, but most lines have {width}", first.len()),
        false => format!("one name, `{title}`, for {width} columns"),
    };
    let skip = format!("data.skip={}", lines[place] - 1);
    Err(match title.starts_with('#') {
        true => format!("{what}; if it is a comment, set data.comment='#', or {skip}"),
        false => format!("{what}; if lines stand above the names of the columns, set {skip}"),
    })
}

/// True if the first line holds names; otherwise it is a row.
pub(super) fn has_names(
    first: &[String],
    rows: &[Vec<String>],
    format: &Format,
) -> Result<bool, String> {
    match format.header {
        Header::Present => return Ok(true),
        Header::Absent => return Ok(false),
        Header::Detect => {}
    }
    let is_number = |cell: &str| number(cell).is_some();
    let is_missing = |cell: &str| format.markers.is_missing(cell.as_bytes());
    let full = || first.iter().enumerate().filter(|(_, cell)| !is_missing(cell));
    let words: Vec<_> = full().filter(|(_, cell)| !is_number(cell)).collect();
    // An empty cell beside words is a name left out, beside numbers a number left out.
    if words.is_empty() || words.len() == full().count() {
        return Ok(!words.is_empty());
    }
    // Words above numbers are names; words above words, and numbers above numbers, are cells.
    let below = |i: usize| {
        let cells = rows.iter().filter_map(move |row| row.get(i));
        cells.filter(|cell| !is_missing(cell)).map(|cell| is_number(cell))
    };
    if words.iter().any(|(i, _)| below(*i).next().is_some() && below(*i).all(|number| number)) {
        return Ok(true);
    }
    if are_years(first, rows) && words.iter().all(|(i, word)| !recurs(*i, word, rows)) {
        return Ok(true);
    }
    let continues = |(i, cell): (usize, &String)| {
        below(i).count() > 1 && below(i).all(|number| number == is_number(cell))
    };
    if full().all(continues) {
        return Ok(false);
    }
    let example = words.first().map_or("", |(_, cell)| cell);
    Err(format!(
        "some cells are numbers and some are not (`{example}`), so it may be names or a row: \
         say which with data.header=present or absent"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(text: &str) -> Vec<Vec<String>> {
        text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
    }

    #[test]
    fn years_beside_words_are_names_unless_the_rows_hold_years_too() {
        let is_header = |text: &str| {
            let all = cells(text);
            has_names(&all[0], &all[1..], &Format::default())
        };
        assert_eq!(is_header("country,2001,2002\nPeru,5,6\nChad,7,8"), Ok(true));
        assert_eq!(is_header("country,2000,2010,2020\nPeru,5,6,7\nChad,7,8,9"), Ok(true));
        assert_eq!(is_header("Peru,2001,2002\nChad,2003,2004\nMali,2005,2006"), Ok(false));
        assert_eq!(is_header("Peru,2001,2002\nChad,5,6\nPeru,7,8"), Ok(false));
        assert_eq!(is_header("Peru,2001,2003,2004\nChad,5,6,7\nMali,7,8,9"), Ok(false));
    }

    #[test]
    fn a_row_whose_words_occur_again_is_no_doubt() {
        let may = |text: &str| {
            let all = cells(text);
            may_be_names(&all[0], &all[1..], &Format::default())
        };
        assert!(may("place,1\nUlm,2\nBonn,3"));
        assert!(!may("Ulm,1\nUlm,2\nBonn,3") && !may("1,2\n3,4\n5,6"));
    }

    #[test]
    fn lines_above_the_names_are_named_with_the_key_that_leaves_them_out() {
        let message = |text: &str| {
            let all = cells(text);
            let lines: Vec<usize> = (2..=all.len()).collect();
            check_first(&all[0], &all[1..], &lines, &Format::default()).err()
        };
        for (text, part) in [
            ("Study\nof 2007\na,b,c\n1,2,3\n4,5,6\n7,8,9", "most lines have 3; if lines stand"),
            ("Study\nof 2007\na,b,c\n1,2,3\n4,5,6\n7,8,9", "set data.skip=2"),
            ("Study,,\na,b,c\n1,2,3", "one name, `Study`, for 3 columns; if lines stand"),
            ("# made\na,b,c\n1,2,3\n4,5,6", "set data.comment='#', or data.skip=1"),
        ] {
            let found = message(text).unwrap();
            assert!(found.contains(part), "{text}: {found}");
        }
        for text in
            ["a,b\n1,2,3\n4,5,6", "a,b,c\n1,2,3", ",b,c\n1,2,3", "a,b\n1,2\n3,4,5,6", "5,,\n1,2,3"]
        {
            assert_eq!(message(text), None, "{text}");
        }
    }
}
