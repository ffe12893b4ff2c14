//! Speed of reading a table, and the memory that it takes.
//!
//! `cargo run --release -p triflow-plugins --example read_table -- FILE`, or `-- FILE ROWS` to
//! write a table of so many rows of ten columns first.

use std::io::Write as _;
use std::path::Path;
use std::time::Instant;
use triflow::io::table::{Format, TableFile, Wanted};
use triflow::{Error, Result};

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let file = args.next().ok_or_else(|| Error::config("", "which file?"))?;
    let path = Path::new(&file);
    if let Some(rows) = args.next().and_then(|rows| rows.parse().ok()) {
        write(path, rows).map_err(Error::io("write", path))?;
    }
    let bytes = std::fs::metadata(path).map_err(Error::io("read", path))?.len();
    let start = Instant::now();
    let table = TableFile::open(path, &Format::default())?;
    let read = table.read(&vec![Wanted::Any; table.width()])?;
    let seconds = start.elapsed().as_secs_f64();
    println!("{} rows of {} columns, {}", read.rows, table.width(), table.described());
    println!(
        "{:.0} MB in {seconds:.2} s: {:.0} MB/s",
        bytes as f64 / 1e6,
        bytes as f64 / 1e6 / seconds
    );
    let decoded = read.rows * table.width() * size_of::<f64>();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    println!(
        "decoded {:.0} MB; peak memory{}",
        decoded as f64 / 1e6,
        peak.trim_start_matches("VmHWM:")
    );
    Ok(())
}

/// Writes six columns of numbers, two of whole numbers, one of categories and one of dates.
fn write(path: &Path, rows: u64) -> std::io::Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    writeln!(file, "a,b,c,d,e,f,count,code,kind,day")?;
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state >> 40
    };
    for _ in 0..rows {
        for digits in [3, 5, 6, 2, 4, 6] {
            write!(file, "{:.digits$},", next() as f64 / 16_777.216 - 500.0)?;
        }
        let (count, code, kind) = (next() % 100_000, next() % 977, next() % 23);
        let (year, month, day) = (1990 + next() % 35, 1 + next() % 12, 1 + next() % 28);
        writeln!(file, "{count},{code},kind {kind},{year}-{month:02}-{day:02}")?;
    }
    file.flush()
}
