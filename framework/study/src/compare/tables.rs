//! Results for other programs (CSV) and for papers (Markdown, LaTeX).
//!
//! The CSV holds every single value, unrounded; the tables hold means, each rounded to the second
//! digit of its standard deviation.

use super::number::{self, is_known, plain};
use super::results::{Better, Cell, Metric, Results, Score, Spread, Verdict};
use super::summary::{has_verdicts, sorted, summary};
use crate::error::{one_line, visible};
use crate::{Error, Result};

type Costs = fn(&Cell) -> &Spread;

/// Costs: name in the CSV, title in tables, factor from the unit of the CSV to that of the title,
/// and value.
const COSTS: [(&str, &str, f64, Costs); 5] = [
    ("training_seconds", "Training (s)", 1.0, |cell| &cell.cost.training_seconds),
    ("examples_per_second", "Examples/s", 1.0, |cell| &cell.cost.examples_per_second),
    ("peak_memory_bytes", "Peak memory (MB)", 1e-6, |cell| &cell.cost.peak_memory_bytes),
    ("nfe", "NFE", 1.0, |cell| &cell.cost.nfe),
    ("seconds_per_1000_samples", "s per 1,000 samples", 1.0, |cell| {
        &cell.cost.seconds_per_1000_samples
    }),
];

/// Results as CSV: a row of column names, then one row for each cell, seed and measure.
///
/// | column | content |
/// | --- | --- |
/// | `cell` | name of the cell; `real data` for the score of real points in place of samples |
/// | one for each axis | its value; empty if the axis has no effect on the cell |
/// | `seed` | the seed |
/// | `measure` | name of the metric or cost, as in `results.json`, or `parameters` |
/// | `kind` | `quality`, `cost`, or `floor` for real data |
/// | `better` | `less`, `more` or `none` |
/// | `value` | unrounded, in the unit of `results.json`; empty if the seed failed |
///
/// # Errors
/// If the CSV cannot be encoded.
pub fn csv(results: &Results) -> Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    write_csv(results, &mut writer).map_err(|e| Error::runtime(format!("results as CSV: {e}")))?;
    let bytes = writer
        .into_inner()
        .map_err(|e| Error::runtime(format!("results as CSV: {}", e.error())))?;
    String::from_utf8(bytes).map_err(|e| Error::runtime(format!("results as CSV: {e}")))
}

fn write_csv(results: &Results, writer: &mut csv::Writer<Vec<u8>>) -> csv::Result<()> {
    let axes = results.axes.iter().map(String::as_str);
    let head = ["cell"].into_iter().chain(axes);
    writer.write_record(head.chain(["seed", "measure", "kind", "better", "value"]))?;
    let mut row = |name: &str, settings: &[Option<String>], seed, measure: [&str; 3], value| {
        let value = match value {
            Some(value) => format!("{value}"),
            None => String::new(),
        };
        let seed = format!("{seed}");
        let axes = (0..results.axes.len()).map(|a| settings.get(a).and_then(Option::as_deref));
        let head = [name].into_iter().chain(axes.map(Option::unwrap_or_default));
        writer.write_record(head.chain([seed.as_str()]).chain(measure).chain([value.as_str()]))
    };
    for metric in &results.metrics {
        let measure = [metric.name.as_str(), "floor", word(metric.better)];
        let Some(floor) = &metric.floor else { continue };
        for (seed, value) in results.seeds.iter().zip(&floor.values) {
            row("real data", &[], seed, measure, *value)?;
        }
    }
    for cell in &results.cells {
        for (s, seed) in results.seeds.iter().enumerate() {
            for (metric, score) in results.metrics.iter().zip(&cell.metrics) {
                let measure = [metric.name.as_str(), "quality", word(metric.better)];
                let value = score.as_ref().and_then(|score| value(&score.spread, s));
                row(&cell.name, &cell.settings, seed, measure, value)?;
            }
            for (name, _, _, cost) in COSTS {
                let better = if name == "examples_per_second" { "more" } else { "less" };
                let value = value(cost(cell), s);
                row(&cell.name, &cell.settings, seed, [name, "cost", better], value)?;
            }
            let parameters = Some(cell.parameters as f64);
            row(&cell.name, &cell.settings, seed, ["parameters", "cost", "less"], parameters)?;
        }
    }
    Ok(writer.flush()?)
}

fn value(spread: &Spread, seed: usize) -> Option<f64> {
    spread.values.get(seed).copied().flatten().filter(|v| v.is_finite())
}

fn word(better: Better) -> &'static str {
    match better {
        Better::Less => "less",
        Better::More => "more",
        Better::None => "none",
    }
}

/// Summary, quality and cost as Markdown. The best cell of a metric is bold; cells not
/// distinguishable from it have an asterisk.
pub fn markdown(results: &Results) -> String {
    let summary = summary(results);
    let mut out = format!("# {}\n\n", md(&results.title));
    for (what, value) in [
        ("Data", results.data.as_str()),
        ("Budget", &results.budget),
        ("Seeds", &seeds(results)),
        ("Machine", &results.made.machine),
        ("Made", &format!("{}, triflow {}", results.made.at, results.made.version)),
    ] {
        out += &format!("- {what}: {}\n", md(value));
    }
    out += &format!("\n{}\n", fenced(&results.command));
    out += &format!("**{}**\n\n", md(&summary.headline.to_string()));
    for finding in &summary.findings {
        out += &format!("- {}: {}\n", finding.about, md(&finding.words.to_string()));
    }
    for note in &results.notes {
        out += &format!("- Note: {}\n", md(note));
    }
    out += &format!("\n## Quality\n\n{}\n\n", md(&caption(results, "bold", "an asterisk")));
    let quality =
        quality(results, &Style { bold: |t| format!("**{t}**"), tied: "\\*", escape: md });
    out += &pipes(&quality);
    let cost = cost(results, md);
    out += &format!("\n## Cost\n\n{}\n\n{}", "Mean ± standard deviation over seeds.", pipes(&cost));
    out
}

/// Quality and cost as a LaTeX `table` for the packages booktabs and graphicx. The best cell of a
/// metric is bold; cells not distinguishable from it have a dagger.
pub fn latex(results: &Results) -> String {
    let style = Style {
        bold: |t| format!("\\textbf{{{t}}}"),
        tied: "\\textsuperscript{\\textdagger}",
        escape: tex,
    };
    let mut quality = quality(results, &style);
    let costs = cost(results, tex);
    // The costs that papers report: training time, network evaluations, sampling time.
    for column in [1, 4, 5] {
        for (row, cost) in quality.rows.iter_mut().zip(&costs.rows) {
            row.push(cost[column].clone());
        }
        quality.head.push(costs.head[column].clone());
    }
    let width = quality.head.len();
    for row in &mut quality.rows {
        row.resize(width, tex("–"));
    }
    let line = |cells: &[String]| format!("    {} \\\\\n", cells.join(" & "));
    let mut out =
        String::from("% \\usepackage{booktabs,graphicx}\n\\begin{table}\n  \\centering\n");
    let text = format!("{}. {}", results.title, caption(results, "bold", "a dagger"));
    out += &format!("  \\caption{{{}}}\n  \\label{{tab:comparison}}\n", tex(&text));
    out += "  \\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%\n";
    out += &format!("  \\begin{{tabular}}{{l{}}}\n    \\toprule\n", "r".repeat(width - 1));
    out += &line(&quality.head);
    out += "    \\midrule\n";
    for (i, row) in quality.rows.iter().enumerate() {
        if quality.floor && i + 1 == quality.rows.len() {
            out += "    \\midrule\n";
        }
        out += &line(row);
    }
    out + "    \\bottomrule\n  \\end{tabular}}\n\\end{table}\n"
}

/// The caption of a quality table, which explains its marks.
fn caption(results: &Results, best: &str, tied: &str) -> String {
    let trained = format!("Trained for {} on {}", results.budget, results.data);
    match results.seeds.len() {
        ..=1 => format!("{trained}, one seed: differences may be chance, so nothing is marked."),
        n => format!(
            "{trained}. Mean ± standard deviation over {n} seeds. The best mean is in {best}; {tied} \
             marks cells not distinguishable from it at 5 % (paired t tests over seeds, \
             Holm-corrected)."
        ),
    }
}

fn seeds(results: &Results) -> String {
    results.seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
}

struct Style {
    bold: fn(&str) -> String,
    tied: &'static str,
    escape: fn(&str) -> String,
}

struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
    /// `true` if the last row is that of real data.
    floor: bool,
}

/// Indices of cells from the best to the worst by the primary metric, those without a score last.
pub(super) fn order(results: &Results) -> Vec<usize> {
    let mut order: Vec<usize> = sorted(results, 0).into_iter().map(|(i, _)| i).collect();
    let unknown: Vec<usize> = (0..results.cells.len()).filter(|i| !order.contains(i)).collect();
    order.extend(unknown);
    order
}

fn quality(results: &Results, style: &Style) -> Table {
    let escape = style.escape;
    let direction = |metric: &Metric| match metric.better {
        Better::Less => format!("{} ↓", metric.title),
        Better::More => format!("{} ↑", metric.title),
        Better::None => metric.title.clone(),
    };
    let titles = results.metrics.iter().map(|metric| escape(&direction(metric)));
    let head = [escape("Cell")].into_iter().chain(titles).collect();
    let marks = has_verdicts(results);
    let entry = |metric: &Metric, score: Option<&Score>| {
        let Some(score) = score.filter(|score| is_known(&score.spread)) else {
            return escape("–");
        };
        let text = escape(&number::spread(&score.spread));
        match score.verdict {
            _ if !marks || metric.better == Better::None => text,
            Verdict::Best => (style.bold)(&text),
            Verdict::Tied => format!("{text}{}", style.tied),
            Verdict::Worse | Verdict::Unknown => text,
        }
    };
    let row = |i: usize| {
        let cell = &results.cells[i];
        let score = |m: usize| cell.metrics.get(m).and_then(Option::as_ref);
        let scores = results.metrics.iter().enumerate().map(|(m, metric)| entry(metric, score(m)));
        [escape(&cell.name)].into_iter().chain(scores).collect()
    };
    let mut rows: Vec<Vec<String>> = order(results).into_iter().map(row).collect();
    let floor = results.metrics.iter().any(|metric| metric.floor.as_ref().is_some_and(is_known));
    if floor {
        let floors = results.metrics.iter().map(|metric| match &metric.floor {
            Some(floor) if is_known(floor) => escape(&number::spread(floor)),
            _ => escape("–"),
        });
        rows.push([escape("real data")].into_iter().chain(floors).collect());
    }
    Table { head, rows, floor }
}

fn cost(results: &Results, escape: fn(&str) -> String) -> Table {
    let titles = COSTS.iter().map(|(_, title, ..)| escape(title));
    let head = [escape("Cell")].into_iter().chain(titles).chain([escape("Parameters")]).collect();
    let row = |i: usize| {
        let cell = &results.cells[i];
        let costs = COSTS.iter().map(|(_, _, unit, cost)| match cost(cell) {
            spread if is_known(spread) => escape(&number::spread(&number::scaled(spread, *unit))),
            _ => escape("–"),
        });
        let parameters = escape(&plain(cell.parameters as f64));
        [escape(&cell.name)].into_iter().chain(costs).chain([parameters]).collect()
    };
    Table { head, rows: order(results).into_iter().map(row).collect(), floor: false }
}

fn pipes(table: &Table) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let rule = format!("| --- |{}\n", " ---: |".repeat(table.head.len() - 1));
    let rows: String = table.rows.iter().map(|row| line(row)).collect();
    format!("{}{rule}{rows}", line(&table.head))
}

/// Escapes text for Markdown.
fn md(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in one_line(&text.replace(['\n', '\r'], " ")).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '|' | '*' | '`' | '[' | ']' | '#' | '~' | '$' => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
    // An underscore within a word, as in two_moons, needs no escape.
    let ends = |c: Option<char>| !c.is_some_and(char::is_alphanumeric);
    let all: Vec<char> = out.chars().collect();
    let mut out = String::with_capacity(out.len());
    for (i, &c) in all.iter().enumerate() {
        let before = i.checked_sub(1).map(|i| all[i]);
        if c == '_' && (ends(before) || ends(all.get(i + 1).copied())) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A block of code, between fences longer than any in it.
fn fenced(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}sh\n{}\n{fence}\n", visible(text))
}

/// Escapes text for LaTeX.
fn tex(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in one_line(&text.replace(['\n', '\r'], " ")).chars() {
        match c {
            '\\' => out.push_str("\\textbackslash{}"),
            '~' => out.push_str("\\textasciitilde{}"),
            '^' => out.push_str("\\textasciicircum{}"),
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => out.extend(['\\', c]),
            // At the start of a row they would be an argument of the end of the row above.
            '[' | ']' | '*' => out.extend(['{', c, '}']),
            '<' => out.push_str("\\textless{}"),
            '>' => out.push_str("\\textgreater{}"),
            '|' => out.push_str("\\textbar{}"),
            '±' => out.push_str("$\\pm$"),
            '×' => out.push_str("$\\times$"),
            '·' => out.push_str("$\\cdot$"),
            '−' => out.push_str("$-$"),
            '↓' => out.push_str("$\\downarrow$"),
            '↑' => out.push_str("$\\uparrow$"),
            '→' => out.push_str("$\\rightarrow$"),
            '–' => out.push_str("--"),
            '⁻' => out.push_str("$^{-}$"),
            '⁰' => out.push_str("$^{0}$"),
            '¹' => out.push_str("$^{1}$"),
            '²' => out.push_str("$^{2}$"),
            '³' => out.push_str("$^{3}$"),
            '⁴'..='⁹' => {
                let digit = c as u32 - '⁴' as u32 + 4;
                out.push_str(&format!("$^{{{digit}}}$"));
            }
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::example;

    #[test]
    fn the_csv_has_every_value_once() {
        let results = example();
        let text = csv(&results).unwrap();
        let mut reader = ::csv::Reader::from_reader(text.as_bytes());
        let rows: Vec<_> = reader.records().map(|row| row.unwrap()).collect();
        let last = rows[0].len() - 1;
        for (m, metric) in results.metrics.iter().enumerate() {
            for cell in &results.cells {
                let own = rows.iter().filter(|r| &r[0] == cell.name.as_str());
                let own = own.filter(|r| r.iter().any(|field| field == metric.name));
                let values: Vec<Option<f64>> = own.map(|r| r[last].parse().ok()).collect();
                assert_eq!(values.len(), results.seeds.len());
                if let Some(score) = &cell.metrics[m] {
                    assert_eq!(values, score.spread.values);
                }
            }
        }
    }

    #[test]
    fn marks_are_those_of_the_verdicts_and_text_is_escaped() {
        let mut results = example();
        results.cells[0].name = "a|b_*c".to_owned();
        let markdown = markdown(&results);
        let quality = markdown.split("## Quality").nth(1).unwrap();
        let quality = quality.split("## Cost").next().unwrap();
        let count = |verdict| {
            let scores = results.cells.iter().flat_map(|c| c.metrics.iter().zip(&results.metrics));
            let judged = scores.filter(|(_, metric)| metric.better != Better::None);
            judged.filter(|(s, _)| s.as_ref().is_some_and(|s| s.verdict == verdict)).count()
        };
        let rows: Vec<&str> =
            quality.lines().filter(|line| line.starts_with('|')).skip(2).collect();
        let bold: usize = rows.iter().map(|row| row.matches("**").count() / 2).sum();
        assert_eq!(bold, count(Verdict::Best), "{quality}");
        let tied: usize = rows.iter().map(|row| row.matches("\\* |").count()).sum();
        assert_eq!(tied, count(Verdict::Tied), "{quality}");
        assert!(quality.contains("a\\|b"), "{quality}");
        let latex = latex(&results);
        assert!(latex.contains("a\\textbar{}b\\_{*}c") && latex.contains("\\bottomrule"));
        let lines = latex.lines().filter(|line| line.ends_with("\\\\"));
        let columns: Vec<usize> = lines.map(|line| line.matches(" & ").count()).collect();
        assert!(columns.windows(2).all(|pair| pair[0] == pair[1]), "{columns:?}");
    }

    #[test]
    fn no_name_is_a_command_of_latex_or_markdown() {
        let mut results = example();
        for (name, in_tex, in_md) in [
            ("[8,8]", "    {[}8,8{]} & ", "| \\[8,8\\] | "),
            ("\\input{x}", "    \\textbackslash{}input\\{x\\} & ", "| \\\\input{x} | "),
            (
                "%s $x$ a~b^c",
                "    \\%s \\$x\\$ a\\textasciitilde{}b\\textasciicircum{}c & ",
                "| %s \\$x\\$ a\\~b^c | ",
            ),
            ("a\nb | c", "    a b \\textbar{} c & ", "| a b \\| c | "),
            (
                "a\u{1b}[2J\u{202e}",
                "    a\\textbackslash{}u\\{1b\\}{[}2J\\textbackslash{}u\\{202e\\} & ",
                "| a\\\\u{1b}\\[2J\\\\u{202e} | ",
            ),
            ("<b>", "    \\textless{}b\\textgreater{} & ", "| &lt;b> | "),
        ] {
            results.cells[0].name = name.to_owned();
            let (tex, md) = (latex(&results), markdown(&results));
            assert!(tex.contains(in_tex), "{name}: {tex}");
            assert!(md.contains(in_md), "{name}: {md}");
        }
        results.command = "triflow compare '```\n# no'\n````x".to_owned();
        let md = markdown(&results);
        assert!(md.contains("\n`````sh\ntriflow compare '```\n# no'\n````x\n`````\n"), "{md}");
    }
}
