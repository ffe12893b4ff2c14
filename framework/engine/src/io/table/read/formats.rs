//! Tests of tables as different programs write them.

use super::*;
use crate::table::Storage;
use std::panic::{AssertUnwindSafe, catch_unwind};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/types")
}

const FILES: [&str; 9] = [
    "none.parquet",
    "snappy.parquet",
    "gzip.parquet",
    "zstd.parquet",
    "lz4.parquet",
    "uncompressed.feather",
    "lz4.feather",
    "zstd.feather",
    "stream.arrow",
];

fn read(path: &Path, wanted: impl Fn(&str) -> Wanted) -> Result<Vec<Option<Column>>> {
    let file = TableFile::open(path, &Format { groups: true, ..Format::default() })?;
    let wanted: Vec<Wanted> = (0..file.width()).map(|i| wanted(file.name(i))).collect();
    Ok(file.read(&wanted)?.columns)
}

fn but_lists(name: &str) -> Wanted {
    if name == "tags" { Wanted::Nothing } else { Wanted::Any }
}

/// Columns of which missing numbers are equal, without the types in which files hold them.
fn comparable(columns: Vec<Option<Column>>) -> Vec<String> {
    let columns = columns.into_iter().flatten();
    columns.map(|c| format!("{:?}", Column { storage: Storage::Plain, ..c })).collect()
}

#[test]
fn a_table_of_all_types_is_the_same_in_every_format() {
    let expected = comparable(read(&folder().join("types.csv"), but_lists).unwrap());
    assert_eq!(expected.len(), 10);
    for file in FILES {
        let found = comparable(read(&folder().join(file), but_lists).unwrap());
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected, "{file}");
        }
        assert_eq!(found.len(), expected.len(), "{file}");
    }
}

#[test]
fn wanted_types_are_made_of_others_where_that_is_possible() {
    let one = |file: &str, name: &str, wanted: Wanted| {
        let wanted = |n: &str| if n == name { wanted.clone() } else { Wanted::Nothing };
        read(&folder().join(file), wanted).map(|columns| columns.into_iter().flatten().next())
    };
    for file in ["zstd.parquet", "lz4.feather"] {
        let Cells::Texts { texts, .. } = one(file, "number", Wanted::Texts).unwrap().unwrap().cells
        else {
            panic!()
        };
        assert_eq!(texts[..3], ["-2", "-1", "0"]);
        for (name, wanted, end) in [
            ("tags", Wanted::Any, "column `tags`: it holds lists, maps or records; leave it out"),
            ("kind", Wanted::Numbers, "column `kind`: `red` is not a number"),
            ("day", Wanted::Numbers, "column `day`: it holds times"),
            ("mass", Wanted::Times(None), "column `mass`: it holds numbers"),
        ] {
            let error = one(file, name, wanted).unwrap_err().to_string();
            assert!(error.ends_with(end), "{error}");
        }
    }
}

#[test]
fn damage_is_an_error_and_no_panic() {
    let temporary = tempfile::tempdir().unwrap();
    for file in FILES.iter().chain(&["types.csv"]) {
        let bytes = std::fs::read(folder().join(file)).unwrap();
        let path = temporary.path().join(file);
        let try_to_read = |bytes: &[u8], what: &str| {
            std::fs::write(&path, bytes).unwrap();
            let result = catch_unwind(AssertUnwindSafe(|| read(&path, but_lists)));
            result.unwrap_or_else(|_| panic!("{file}: {what}"))
        };
        for length in (0..bytes.len()).step_by(bytes.len() / 40 + 1) {
            let result = try_to_read(&bytes[..length], &format!("cut to {length}"));
            assert!(result.is_err() || !file.ends_with("parquet"), "{file}: {length}");
        }
        let mut state = 7_u64;
        for i in 0..200 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let place = (state >> 33) as usize % bytes.len();
            let mut damaged = bytes.clone();
            damaged[place] ^= 1 << (i % 8);
            let _ = try_to_read(&damaged, &format!("bit {} of byte {place}", i % 8));
        }
    }
}

/// Random numbers below a bound.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((self.0 >> 33) % bound) as usize
    }

    fn choose<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        &all[self.below(all.len() as u64)]
    }
}

/// A dialect in which a table is written.
struct Written {
    separator: char,
    decimal: char,
    group: Option<char>,
    quote_all: bool,
    end: &'static str,
    trailing: bool,
    blank: bool,
    mark: bool,
}

impl Written {
    fn random(dice: &mut Dice) -> Self {
        let separator = *dice.choose(&[',', ';', '\t', '|']);
        let decimal = if separator == ',' { '.' } else { *dice.choose(&['.', ',']) };
        let other = if decimal == '.' { ',' } else { '.' };
        let group = *dice.choose(&[None, Some(other), Some(' '), Some('\u{202f}'), Some('\'')]);
        let mut yes = || dice.below(2) == 0;
        let (quote_all, trailing, blank, mark) = (yes(), yes(), yes(), yes());
        let end = *dice.choose(&["\n", "\r\n"]);
        Self { separator, decimal, group, quote_all, end, trailing, blank, mark }
    }

    fn number(&self, value: f64, decimals: usize) -> String {
        let text = format!("{value:.decimals$}");
        let (whole, behind) = text.split_once('.').map_or((&text[..], None), |(a, b)| (a, Some(b)));
        let digits = whole.trim_start_matches('-');
        let mut grouped = whole[..whole.len() - digits.len()].to_owned();
        for (i, digit) in digits.chars().enumerate() {
            if let Some(group) = self.group.filter(|_| i > 0 && (digits.len() - i) % 3 == 0) {
                grouped.push(group);
            }
            grouped.push(digit);
        }
        behind.map_or(grouped.clone(), |behind| format!("{grouped}{}{behind}", self.decimal))
    }

    fn line(&self, cells: &[String]) -> String {
        let quoted = |cell: &String| {
            let odd = [self.separator, '"', '\n'].iter().any(|c| cell.contains(*c));
            match self.quote_all || odd {
                true => format!("\"{}\"", cell.replace('"', "\"\"")),
                false => cell.clone(),
            }
        };
        let mut line =
            cells.iter().map(quoted).collect::<Vec<_>>().join(&self.separator.to_string());
        if self.trailing {
            line.push(self.separator);
        }
        line + self.end
    }
}

#[test]
fn random_tables_are_read_back_whatever_their_dialect() {
    let mut dice = Dice(24);
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("t.csv");
    for round in 0..300 {
        let dialect = Written::random(&mut dice);
        let decimals = dice.below(4);
        let rows = 2 + dice.below(40);
        let texts = ["a", "größe", "b c", "x\"y", "p;q|r,s\tt", "two\nlines", "No"];
        let mut expected: [Vec<Option<f64>>; 2] = Default::default();
        let (mut words, mut days) = (Vec::new(), Vec::new());
        let names = ["alpha", "beta gamma", "δ", "when"].map(str::to_owned);
        let mut text = if dialect.mark { "\u{feff}".to_owned() } else { String::new() };
        text += &dialect.line(&names);
        for row in 0..rows {
            let scale = 10_f64.powi(decimals as i32);
            // Decides between signs of decimals and of groups in every table.
            let value = if row == 0 { 1_234_567.0 } else { dice.below(4_000_000) as f64 - 2e6 };
            let value = (value * scale + dice.below(1000) as f64).round() / scale;
            let number = (row == 0 || dice.below(8) > 0).then_some(value);
            let whole = (dice.below(8) > 0).then(|| dice.below(100) as f64);
            let word = if row == 0 { texts[0] } else { *dice.choose(&texts) };
            let day = 13 + dice.below(15);
            let cell = |value: Option<f64>, decimals| {
                value.map_or(String::new(), |value| dialect.number(value, decimals))
            };
            let cells =
                [cell(number, decimals), cell(whole, 0), word.into(), format!("{day}.02.2001")];
            if dialect.blank && dice.below(5) == 0 {
                text += dialect.end;
            }
            text += &dialect.line(&cells);
            expected[0].push(number);
            expected[1].push(whole);
            words.push(word);
            days.push(day);
        }
        std::fs::write(&path, &text).unwrap();
        let columns = read(&path, |_| Wanted::Any).unwrap_or_else(|e| panic!("{e}\n{text}"));
        let found: Vec<&Column> = columns.iter().flatten().collect();
        assert_eq!(
            found.iter().map(|c| &c.name).collect::<Vec<_>>(),
            names.iter().collect::<Vec<_>>()
        );
        for (column, expected) in found.iter().zip(&expected) {
            let Cells::Numbers { values, .. } = &column.cells else {
                // A column without any number may be of any type.
                assert!(expected.iter().all(Option::is_none), "{round}: {column:?}\n{text}");
                continue;
            };
            let values: Vec<Option<f64>> =
                values.iter().map(|value| (!value.is_nan()).then_some(*value)).collect();
            assert_eq!(&values, expected, "{round}\n{text}");
        }
        let Cells::Texts { codes, texts } = &found[2].cells else { panic!("{text}") };
        let read: Vec<&str> = codes.iter().map(|code| texts[*code as usize].as_str()).collect();
        assert_eq!(read, words, "{round}\n{text}");
        let Cells::Times { values, format, certain } = &found[3].cells else { panic!("{text}") };
        assert_eq!((format.as_str(), *certain), ("%d.%m.%Y", true));
        let first = 982_022_400.0;
        let read: Vec<f64> = values.iter().map(|v| (v - first) / 86_400.0 + 13.0).collect();
        assert_eq!(read, days.iter().map(|day| *day as f64).collect::<Vec<_>>(), "{text}");
    }
}
