//! The columns of a table as they are, and as they would be used.

use super::cells::{counts_rows, is_constant, is_empty};
use super::choose::{Selection, column_text, number_of, selectable};
use super::doubts::doubt;
use super::{ColumnOptions, Source};
use triflow::component::InspectedColumn;
use triflow::io::table::{Cells, Column, TableFile, TimeFormat, Wanted, infer};
use triflow::log;
use triflow::prelude::*;

/// Values that are shown of each column.
const SHOWN: usize = 5;
/// Most frequent categories that are shown.
const FREQUENT: usize = 3;
/// Longest text that is shown of a value.
const LONGEST: usize = 16;

/// Inspects a file as its source would read it.
pub(super) fn inspect(source: &Source, file: &TableFile) -> Result<Inspection> {
    let selection = source.select(file, &source.spec, &[Part::X, Part::Y]);
    let weights = source.spec.weights.as_ref().map(|column| number_of(file, column)).transpose()?;
    let options: Vec<ColumnOptions> =
        (0..file.width()).map(|i| source.options(file, &source.spec, i)).collect();
    let wanted = |(i, options): (usize, &ColumnOptions)| match file.is_unreadable(i) {
        true => Wanted::Nothing,
        false => super::rows::wanted_of(options),
    };
    let wanted: Vec<Wanted> = options.iter().enumerate().map(wanted).collect();
    let table = file.read(&wanted)?;
    let (mut decimals, mut columns) = (Vec::new(), Vec::new());
    for (i, column) in table.columns.into_iter().enumerate() {
        let Some(column) = column else {
            let use_of = match options[i].is_ignored() {
                true => "ignored".to_owned(),
                false => "refused: leave it out (type `ignore`)".to_owned(),
            };
            let (name, kind) = (column_text(file, i), "nested".to_owned());
            columns.push(InspectedColumn { name, kind, use_of, ..InspectedColumn::default() });
            continue;
        };
        if let Cells::Numbers { decimals: Some(1..) | None, .. } = &column.cells {
            decimals.push(i);
        }
        if let Some(doubt) =
            doubt(file, i, &column, &options[i])?.filter(|_| !options[i].is_ignored())
        {
            log::warn!("{}: {doubt}", file.called(i));
        }
        let mut own = shown(column_text(file, i), &column);
        let facts = Facts {
            is_empty: is_empty(&column),
            is_constant: is_constant(&column),
            counts_rows: counts_rows(&column),
            typed: infer(column, options[i].wish().as_ref()).map(|typed| typed.column),
        };
        own.kind = facts.kind();
        own.use_of = match &selection {
            _ if weights == Some(i) => "weights of the rows".to_owned(),
            Ok(selection) => facts.use_of(file, selection, i, &options[i], source.spec.labels),
            Err(_) => String::new(),
        };
        columns.push(own);
    }
    let mut facts = vec![
        ("file".to_owned(), file.path().display().to_string()),
        ("format".to_owned(), file.described()),
        ("rows".to_owned(), table.rows.to_string()),
        ("columns".to_owned(), file.width().to_string()),
    ];
    if table.blank.count > 0 {
        let (count, first) = (table.blank.count, table.blank.first);
        let blank = format!("{count}, passed over; the first is line {first}");
        facts.push(("blank lines".to_owned(), blank));
    }
    if file.names().is_none() {
        facts.push(("names".to_owned(), "none: columns are numbered from 0".to_owned()));
    }
    if let Some(sign) = decimals.first().and_then(|i| file.decimal_sign(*i).transpose()) {
        let sign = if sign? == b',' { "comma, as in 1,5" } else { "point, as in 1.5" };
        facts.push(("decimal sign".to_owned(), sign.to_owned()));
    }
    let refused = match selection {
        Ok(selection) => {
            if !selection.every && source.spec.x.0.is_empty() && !selection.x.is_empty() {
                facts.push(("x".to_owned(), selection.usual(file)));
            }
            None
        }
        Err(Error::Data { message, .. }) => Some(message),
        Err(e) => Some(e.to_string()),
    };
    Ok(Inspection { facts, columns, refused })
}

/// A column without its cells.
struct Facts {
    is_empty: bool,
    is_constant: bool,
    counts_rows: bool,
    /// Its name and type, or why it has none.
    typed: std::result::Result<TableColumn, String>,
}

impl Facts {
    /// The type in words.
    fn kind(&self) -> String {
        match &self.typed {
            Ok(TableColumn { kind, .. }) => match kind {
                CellType::Number { decimals: Some(0) } => "integer".to_owned(),
                CellType::Number { .. } => "number".to_owned(),
                CellType::Flag { .. } => "flag".to_owned(),
                CellType::Category { .. } => "category".to_owned(),
                CellType::Time { format } => format!("time {format}"),
            },
            Err(_) => "text".to_owned(),
        }
    }

    /// Use that would be made of the column.
    fn use_of(
        &self,
        file: &TableFile,
        selection: &Selection,
        place: usize,
        options: &ColumnOptions,
        labels: Option<bool>,
    ) -> String {
        let part = match (selection.x.contains(&place), selection.y.contains(&place)) {
            (true, _) => "x",
            (_, true) => "y",
            _ if options.is_ignored() => return "ignored".to_owned(),
            _ if !selectable(file).contains(&place) => {
                return "ignored: row names".to_owned();
            }
            _ => return "not used".to_owned(),
        };
        let passed_over = selection.every && part == "x" && options.kind.is_none();
        if self.is_empty && selection.every && part == "x" {
            return "ignored: it holds no value".to_owned();
        }
        if passed_over && self.counts_rows {
            return "ignored: it counts the rows".to_owned();
        }
        let typed = match &self.typed {
            Ok(typed) => typed,
            Err(why) => return format!("{part}, refused: {why}"),
        };
        let single = selection.y.len() == 1 && part == "y";
        let is_label = labels.unwrap_or(file.name(place) == "label" || typed.names().is_some());
        let missing = if typed.missing { " + missing" } else { "" };
        let constant = if self.is_constant { ", never varies" } else { "" };
        match typed.names() {
            _ if single && is_label => match typed.names() {
                Some(names) => format!("y: labels of {} classes", names.len()),
                None => "y: class labels".to_owned(),
            },
            Some(names) => format!("{part}: one of {}{missing}{constant}", names.len()),
            None => format!("{part}: number{missing}{constant}"),
        }
    }
}

/// A column with its range and first values.
fn shown(name: String, column: &Column) -> InspectedColumn {
    let missing = column.missing;
    let (distinct, range, examples) = match &column.cells {
        Cells::Numbers { values, decimals } => numbers(values, &|value| match decimals {
            Some(decimals) => format!("{value:.*}", usize::from(*decimals)),
            None => format!("{value}"),
        }),
        Cells::Times { values, format, .. } => {
            let format = TimeFormat::new(format);
            numbers(values, &|value| match &format {
                Ok(format) => {
                    let mut text = String::new();
                    let _ = format.write(value, &mut text);
                    text
                }
                Err(_) => value.to_string(),
            })
        }
        Cells::Texts { codes, texts } => {
            let mut counts = vec![0_usize; texts.len()];
            codes.iter().for_each(|code| {
                if let Some(count) = counts.get_mut(*code as usize) {
                    *count += 1;
                }
            });
            let mut order: Vec<usize> = (0..texts.len()).collect();
            order.sort_by_key(|code| std::cmp::Reverse(counts[*code]));
            let share = |code: &usize| {
                let percent = 100.0 * counts[*code] as f64 / (codes.len() - missing) as f64;
                format!("{} {percent:.0} %", cut(&texts[*code]))
            };
            let range = match counts.iter().any(|count| *count > 1) {
                true => order.iter().take(FREQUENT).map(share).collect::<Vec<_>>().join(", "),
                false => "all different".to_owned(),
            };
            let examples = texts.iter().take(SHOWN).map(|text| cut(text)).collect::<Vec<_>>();
            (texts.len().to_string(), range, examples.join(", "))
        }
        Cells::Many => {
            (format!("over {}", triflow::io::table::MAX_TEXTS), String::new(), String::new())
        }
    };
    let missing = if missing == 0 { String::new() } else { missing.to_string() };
    InspectedColumn { name, distinct, missing, range, examples, ..InspectedColumn::default() }
}

/// Number of different values, their range and the first of them.
fn numbers(values: &[f64], text: &dyn Fn(f64) -> String) -> (String, String, String) {
    let present = || values.iter().copied().filter(|value| !value.is_nan());
    let mut first = Vec::new();
    for value in present() {
        if first.len() == SHOWN {
            break;
        }
        if !first.contains(&value) {
            first.push(value);
        }
    }
    let mut sorted: Vec<f64> = present().collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.dedup();
    let range = match &sorted[..] {
        [] => String::new(),
        [least, .., most] => format!("{} to {}", text(*least), text(*most)),
        [one] => format!("{0} to {0}", text(*one)),
    };
    let first: Vec<String> = first.into_iter().map(text).collect();
    (sorted.len().to_string(), range, first.join(", "))
}

/// A text that is cut where it is long.
fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
