//! Metrics of a run as a table.

use comfy_table::{CellAlignment, Table, presets};
use serde_json::Value;
use std::fmt;
use triflow::error::one_line;

/// The metrics of `metrics.json`: each beside its deviation over the draws, and its
/// floor; those of single columns at the end.
pub struct Scores<'m>(pub &'m Value);

impl fmt::Display for Scores<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let metrics = self.0;
        let names: Vec<_> = metrics
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(name, value)| value.is_number() && !is_deviation(metrics, name))
            .map(|(name, _)| name.as_str())
            .collect();
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        let mut head = vec!["", "value", "±"];
        let floor = metrics.get("floor");
        if floor.is_some() {
            head.extend(["floor", "±"]);
        }
        table.set_header(head);
        for name in names {
            let mut row = vec![name.to_owned(), mean(metrics, name), deviation(metrics, name)];
            if let Some(floor) = floor {
                row.extend([mean(floor, name), deviation(floor, name)]);
            }
            table.add_row(row);
        }
        for (column, own) in metrics["columns"].as_object().into_iter().flatten() {
            for (name, _) in own.as_object().into_iter().flatten() {
                table.add_row([format!("{name} of {}", one_line(column)), mean(own, name)]);
            }
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        writeln!(f, "{}", heading(metrics))?;
        for line in table.lines() {
            writeln!(f, " {}", line.trim_end())?;
        }
        if let Some(units) = metrics["units"].as_str() {
            writeln!(f, "units: {units}")?;
        }
        if let Some(of) = floor.and_then(|floor| floor.get("of")).and_then(Value::as_str) {
            writeln!(f, "floor: {of}")?;
        }
        Ok(())
    }
}

/// The set, the numbers of rows and draws, and the sampling.
fn heading(metrics: &Value) -> String {
    let sampling = &metrics["sampling"];
    let text = |key: &str| sampling[key].as_str().unwrap_or("?");
    let number = |key: &str| sampling[key].as_f64().unwrap_or(f64::NAN);
    let counted = |key: &str, one: &str, several: &str| match number(key) {
        1.0 => format!("1 {one}"),
        n => format!("{n} {several}"),
    };
    let set = metrics["set"].as_str().unwrap_or("?");
    format!(
        "{set}: {}, {}; {}, {} steps, {} network evaluations",
        counted("n", "row", "rows"),
        counted("draws", "draw", "draws"),
        text("solver"),
        number("steps"),
        number("nfe"),
    )
}

/// True for the deviation of another metric.
fn is_deviation(metrics: &Value, name: &str) -> bool {
    name.strip_suffix("_deviation").is_some_and(|of| metrics.get(of).is_some())
}

fn mean(metrics: &Value, name: &str) -> String {
    metrics[name].as_f64().map(|value| digits(value, places(metrics, name))).unwrap_or_default()
}

fn deviation(metrics: &Value, name: &str) -> String {
    let value = metrics[format!("{name}_deviation")].as_f64();
    value.map(|value| digits(value, places(metrics, name))).unwrap_or_default()
}

/// Digits behind the point of a metric: two of its deviation, four of a value without one.
fn places(metrics: &Value, name: &str) -> Option<usize> {
    let (value, digits) = match metrics[format!("{name}_deviation")].as_f64() {
        Some(deviation) if deviation > 0.0 => (deviation, 2),
        _ => (metrics[name].as_f64()?.abs(), 4),
    };
    let first = if value > 0.0 { value.log10().floor() as i64 } else { 0 };
    usize::try_from((digits - 1 - first).max(0)).ok().filter(|places| *places <= 8)
}

/// A number with so many digits behind the point, with an exponent if there would be too many.
fn digits(value: f64, places: Option<usize>) -> String {
    match places {
        Some(places) => format!("{value:.places$}"),
        None => format!("{value:.1e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn metrics_stand_beside_their_deviation_and_floor_with_as_many_digits_as_count() {
        let metrics = json!({
            "set": "test",
            "sampling": { "n": 69, "draws": 5, "solver": "heun", "steps": 20, "nfe": 40 },
            "units": "standardised",
            "w2": 1.546875, "w2_deviation": 0.0526,
            "mmd2": 5.3567e-9, "mmd2_deviation": 4.1e-9,
            "mse": 14828.4, "accuracy": 0.95833,
            "columns": { "sex": { "accuracy": 0.5 }, "mass": { "rmse": 703.25 } },
            "values": { "w2": [1.5, 1.6] },
            "floor": { "of": "real rows", "w2": 0.9, "w2_deviation": 0.1, "accuracy": 1.0 },
        });
        let expected = "\
test: 69 rows, 5 draws; heun, 20 steps, 40 network evaluations
             value        ±  floor     ±
 w2          1.547    0.053   0.90  0.10
 mmd2       5.4e-9   4.1e-9
 mse         14828
 accuracy   0.9583           1.000
 accuracy of sex  0.5000
 rmse of mass      703.2
units: standardised
floor: real rows
";
        let shown = Scores(&metrics).to_string();
        let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(plain(&shown), plain(expected), "{shown}");
    }
}
