//! Reasons to think that the texts of a column are numbers or times.

use super::numbers::Notation;
use super::times::TimeFormat;
use super::{Cells, Column};

/// Most different cells that are odd among numbers or times.
const MOST_ODD: usize = 20;
/// Share of the cells that may be odd where there are few different numbers, as a fraction of 1.
const ODD_SHARE: usize = 20;
/// Fewest different numbers with a sign that are no categories.
const FEWEST_SIGNED: usize = 10;
/// Texts by which a format of times is found.
const TRIED: usize = 25;
/// Formats of times that are named but not recognised, since they are rare or ambiguous.
const FORMATS: [&str; 12] = [
    "%d %B %Y",
    "%d. %B %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%b %d %Y",
    "%d-%b-%Y",
    "%d-%b-%y",
    "%d/%b/%Y",
    "%a, %d %b %Y",
    "%m/%d/%Y %I:%M %p",
    "%Y-%m-%d %I:%M %p",
    "%I:%M %p",
];

/// Reason to think that the texts of a column are numbers or times, with an example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// Row of the example, counted from 0.
    pub row: usize,
    before: String,
    after: String,
}

impl Doubt {
    /// The reason in words; `place` is that of the row, such as "line 7".
    pub fn text(&self, place: &str) -> String {
        format!("{}{place} {}", self.before, self.after)
    }
}

/// Reason to think that the texts of a column are numbers or times: nearly all are, or all are
/// numbers with the same sign or times in the same format. Nearly all are where at most 20
/// different ones are not, and these are at most 5 % of the cells, or fewer than half of them and
/// fewer than the different numbers. Numbers that begin with a zero, such as postal codes, are
/// texts.
pub fn doubt_of(column: &Column) -> Option<Doubt> {
    let Cells::Texts { codes, texts } = &column.cells else { return None };
    let all = Texts { codes, texts, present: codes.len() - column.missing };
    let notations = Notation::all(None, b';');
    let is_number = |text: &str| notations.iter().any(|n| n.read(text.as_bytes()).is_some());
    all.signed(&is_number)
        .or_else(|| all.odd("numbers", &is_number))
        .or_else(|| all.times())
        .or_else(|| all.format(&column.name))
}

/// The texts of a column.
struct Texts<'c> {
    codes: &'c [u32],
    texts: &'c [String],
    /// Number of cells that are not missing.
    present: usize,
}

impl Texts<'_> {
    /// Row of the first cell that holds a text.
    fn row(&self, text: usize) -> usize {
        self.codes.iter().position(|code| *code as usize == text).unwrap_or(0)
    }

    /// Few cells that are not what nearly all others are.
    fn odd(&self, what: &str, is: &dyn Fn(&str) -> bool) -> Option<Doubt> {
        let mut odd = Vec::new();
        for (i, text) in self.texts.iter().enumerate().filter(|(_, text)| !is(text)) {
            let padded = Notation { padded: true, ..Notation::PLAIN };
            if odd.len() == MOST_ODD || padded.read(text.as_bytes()).is_some() {
                return None;
            }
            odd.push(i);
        }
        let first = *odd.first()?;
        let fitting = self.texts.len() - odd.len();
        let is_odd = |code: &&u32| odd.binary_search(&(**code as usize)).is_ok();
        let cells = self.codes.iter().filter(is_odd).count();
        let few = ODD_SHARE * cells <= self.present;
        if fitting == 0 || !few && (fitting < 2 * MOST_ODD || 2 * cells >= self.present) {
            return None;
        }
        let quoted = |i: &usize| format!("`{}`", self.texts[*i]);
        let others = match odd[1..].iter().take(3).map(quoted).collect::<Vec<_>>() {
            shown if shown.is_empty() => String::new(),
            shown => format!(", and others {}", shown.join(", ")),
        };
        Some(Doubt {
            row: self.row(first),
            before: format!("{} of {} cells are {what}, but ", self.present - cells, self.present),
            after: format!(
                "holds {}{others}; fix it, or add it to `markers` if it stands for a missing value",
                quoted(&first)
            ),
        })
    }

    /// Numbers with the same sign, such as `%`, or in brackets.
    fn signed(&self, is_number: &dyn Fn(&str) -> bool) -> Option<Doubt> {
        if self.texts.len() < FEWEST_SIGNED {
            return None;
        }
        let mut found: Option<(usize, (&str, &str, &str))> = None;
        for (i, text) in self.texts.iter().enumerate().filter(|(_, text)| !is_number(text)) {
            let parts = parts(text)?;
            let (before, number, after) = parts;
            let same = found.is_none_or(|(_, (b, _, a))| (b, a) == (before, after));
            if !same || !is_number(number) {
                return None;
            }
            found = found.or(Some((i, parts)));
        }
        let (first, (before, number, after)) = found?;
        let text = &self.texts[first];
        let (sign, plain) = match (before, after) {
            ("(", ")") => ("brackets for a minus".to_owned(), format!("-{number}")),
            ("−" | "–", "") => (format!("`{before}` for a minus"), format!("-{number}")),
            _ => (format!("the sign `{before}{after}`"), number.to_owned()),
        };
        Some(Doubt {
            row: self.row(first),
            before: format!("the cells are numbers, of which some have {sign}, as "),
            after: format!("holds `{text}`; write it as `{plain}`"),
        })
    }

    /// Times in a usual format, but for a few cells.
    fn times(&self) -> Option<Doubt> {
        let fits = |format: &TimeFormat| {
            self.texts.iter().take(TRIED).any(|text| format.read(text.as_bytes()).is_some())
        };
        let formats = TimeFormat::all().into_iter().filter(fits);
        formats.into_iter().find_map(|format| {
            self.odd("times", &|text: &str| format.read(text.as_bytes()).is_some())
        })
    }

    /// Times in a format that is not recognised.
    fn format(&self, name: &str) -> Option<Doubt> {
        let first = self.texts.first()?;
        let fits = |format: &&&str| {
            let format = TimeFormat::new(format);
            self.texts.iter().take(TRIED).all(|text| format.read(text.as_bytes()).is_some())
        };
        let format = FORMATS.iter().find(fits)?;
        Some(Doubt {
            row: self.row(0),
            before: "the cells may be times, as ".to_owned(),
            after: format!(
                "holds `{first}`; name their format, as \
                 data.columns={{{name}: {{type: time, format: '{format}'}}}}"
            ),
        })
    }
}

/// Sign before a number, the number, and the sign behind it; `None` where letters stand before it
/// or no sign does.
fn parts(text: &str) -> Option<(&str, &str, &str)> {
    let first = text.find(|c: char| c.is_ascii_digit())?;
    let last = text.rfind(|c: char| c.is_ascii_digit())?;
    let (before, after) =
        (text[..first].trim_end_matches(['-', '+', '.']), text[last + 1..].trim());
    let number = &text[before.len()..=last];
    let before = before.trim();
    let is_sign =
        !(before.chars().any(char::is_alphanumeric) || before.is_empty() && after.is_empty());
    (is_sign && after.chars().count() <= 6 && before.chars().count() <= 2).then_some((
        before,
        number.trim(),
        after,
    ))
}

#[cfg(test)]
mod tests {
    use super::super::words::Words;
    use super::super::{MISSING, MISSING_TEXTS};
    use super::*;

    fn column(cells: &[String]) -> Column {
        let mut words = Words::default();
        let code = |cell: &String| match MISSING_TEXTS.contains(&cell.as_str()) {
            true => MISSING,
            false => words.code(cell.as_bytes()),
        };
        let codes: Vec<u32> = cells.iter().map(code).collect();
        let missing = codes.iter().filter(|code| **code == MISSING).count();
        let cells = Cells::Texts { codes, texts: words.into_texts() };
        Column { name: "c".to_owned(), cells, missing, storage: crate::table::Storage::Plain }
    }

    /// Doubt about `count` cells of a pattern, of which the first ones are others.
    fn doubt(count: usize, cell: impl Fn(usize) -> String, others: &[&str]) -> Option<String> {
        let others = others.iter().map(|other| (*other).to_owned());
        let cells: Vec<String> = others.chain((0..count).map(cell)).collect();
        doubt_of(&column(&cells)).map(|doubt| doubt.text(&format!("row {}", doubt.row)))
    }

    #[test]
    fn a_few_odd_cells_among_numbers_or_times_are_named_with_their_count() {
        let number = |i: usize| format!("{}.5", i % 100);
        let text = doubt(199, number, &["39.x1"]).unwrap();
        assert_eq!(
            text,
            "199 of 200 cells are numbers, but row 0 holds `39.x1`; fix it, or add it to `markers` \
             if it stands for a missing value"
        );
        let text = doubt(100, number, &["NA", "n.a.", "--"]).unwrap();
        assert!(text.starts_with("100 of 102 cells are numbers, but row 1 holds `n.a.`"), "{text}");
        assert!(text.contains(", and others `--`; fix it"), "{text}");
        let date = |i: usize| format!("2001-02-{:02}", 1 + i % 28);
        let text = doubt(60, date, &["2001-02-30"]).unwrap();
        assert!(text.starts_with("60 of 61 cells are times, but row 0"), "{text}");
        // Many gaps of one text.
        assert!(doubt(100, number, &["unknown"; 60]).is_some());
    }

    #[test]
    fn categories_are_no_doubt() {
        let number = |i: usize| (i % 4).to_string();
        assert_eq!(doubt(40, number, &["5+", "5+", "5+", "5+"]), None);
        assert_eq!(doubt(40, |i| format!("town {i}"), &["1"]), None);
        assert_eq!(doubt(40, |i| format!("A{i}"), &[]), None);
        assert_eq!(doubt(40, |i| format!("{}{i}", ["<", ">"][i % 2]), &[]), None);
        // Postal codes.
        assert_eq!(doubt(100, |i| (10_000 + i).to_string(), &["02134"]), None);
        assert_eq!(doubt(0, number, &["a", "b", "12 %"]), None);
    }

    #[test]
    fn numbers_with_a_sign_and_times_of_other_formats_come_with_advice() {
        let number = |i: usize| format!("{}.25", i % 50);
        for (cells, part) in [
            (doubt(60, |i| format!("{} %", number(i)), &[]), "`%`, as row 0 holds `0.25 %`"),
            (doubt(60, |i| format!("€{}", number(i)), &["3"]), "`€`, as row 1 holds `€0.25`"),
            (doubt(60, |i| format!("{} kg", number(i)), &[]), "write it as `0.25`"),
            (doubt(60, number, &["(0.98)"]), "a minus, as row 0 holds `(0.98)`"),
            (doubt(60, number, &["−0.98"]), "`−0.98`; write it as `-0.98`"),
            (doubt(60, |i| format!("({})", number(i)), &["1"; 3]), "a minus, as row 3"),
            (doubt(28, |i| format!("{:02} January 2020", i + 1), &[]), "format: '%d %B %Y'"),
            (doubt(28, |i| format!("Apr {:02}, 2020", i + 1), &[]), "format: '%b %d, %Y'"),
        ] {
            let text = cells.unwrap();
            assert!(text.contains(part), "{text}");
        }
    }
}
