//! Tables of text, packed or not. The first two bytes choose how they are read.

use std::path::Path;
use triflow::io::table::{Format, Header, TableFile, Wanted};

pub fn run(folder: &Path, data: &[u8]) {
    let [first, second, text @ ..] = data else { return };
    let bit = |n: u8| first >> n & 1 == 1;
    let format = Format {
        skip: usize::from(second & 3),
        comment: bit(0).then_some(b'#'),
        header: match second >> 2 & 3 {
            0 => Header::Present,
            1 => Header::Absent,
            _ => Header::Detect,
        },
        separator: bit(1).then_some(b';'),
        encoding: match second >> 4 & 7 {
            0 => Some("latin1".to_owned()),
            1 => Some("utf-16le".to_owned()),
            2 => Some("shift_jis".to_owned()),
            _ => None,
        },
        decimal: bit(2).then_some(b','),
        groups: bit(3),
        padded: bit(4),
        empty_rows: bit(5),
        ..Format::default()
    };
    let Some(path) = super::write(folder, "rows.csv", text) else { return };
    let wanted = match first >> 6 {
        0 => Wanted::Any,
        1 => Wanted::Cells,
        2 => Wanted::Numbers,
        _ => Wanted::Times(None),
    };
    read(&path, &format, &wanted);
    let _ = super::load("{ type: csv, path: rows.csv }", folder);
}

/// Reads every column, and looks for cells in the first.
pub fn read(path: &Path, format: &Format, wanted: &Wanted) {
    let Ok(file) = TableFile::open(path, format) else { return };
    let _ = file.read(&vec![wanted.clone(); file.width()]);
    let _ = file.place(1);
    if file.width() > 0 {
        let _ = (file.decimal_sign(0), file.is_unreadable(0));
        let _ = file.find(file.width() - 1, true, &mut |_| true);
        let _ = file.find(0, false, &mut |cell| cell.is_empty());
    }
}
