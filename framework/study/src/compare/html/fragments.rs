//! Parts of the page that need no script: facts, findings, tables and the details of cells.

use super::super::number::{self, duration, is_known, plain};
use super::super::results::{Better, Cell, Metric, Results, Score, Spread, Verdict};
use super::super::summary::{Effect, Summary, has_verdicts, mark};
use super::super::tables::order;
use super::super::words::{Word, Words};
use crate::plot::style::counted;
use maud::{Markup, Render, html};

/// Facts about the comparison: data, task, grid, budget, seeds, machine.
pub(super) fn facts(results: &Results) -> Markup {
    let made = &results.made;
    let seeds: Vec<String> = results.seeds.iter().map(u64::to_string).collect();
    let failed = results.cells.iter().filter(|cell| !cell.errors.is_empty()).count();
    let mut cells = counted(results.cells.len(), "cell");
    if failed > 0 {
        cells += &format!(", {failed} failed");
    }
    let is_unfinished = |cell: &&Cell| cell.errors.is_empty() && !cell.waiting.is_empty();
    let unfinished = results.cells.iter().filter(is_unfinished).count();
    if unfinished > 0 {
        cells += &format!(", {unfinished} unfinished");
    }
    let facts = [
        ("Data", results.data.clone()),
        ("Task", task(&results.task).to_owned()),
        ("Grid", cells),
        ("Budget", results.budget.clone()),
        (if seeds.len() == 1 { "Seed" } else { "Seeds" }, seeds.join(", ")),
        ("Machine", made.machine.clone()),
        ("Computed in", duration(made.seconds)),
        ("Made", format!("{}, triflow {}", date(&made.at), made.version)),
    ];
    html! {
        @for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
            (item(name, value))
        }
    }
}

/// A name and its value in a list.
fn item(name: &str, value: impl Render) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

fn task(task: &str) -> &str {
    match task {
        "gen" => "conditional generation",
        "uncond_gen" => "unconditional generation",
        "reg" => "regression",
        other => other,
    }
}

/// A time in RFC 3339 for readers: `2026-11-24T13:37:00Z` is `2026-11-24 13:37 UTC`.
fn date(at: &str) -> String {
    match (at.get(..10), at.get(10..11), at.get(11..16)) {
        (Some(day), Some("T"), Some(time)) => {
            let zone = if at.ends_with('Z') { " UTC" } else { "" };
            format!("{day} {time}{zone}")
        }
        _ => at.to_owned(),
    }
}

/// Sentences with their names in bold.
pub(super) fn words(words: &Words) -> Markup {
    html! {
        @for word in &words.0 {
            @match word {
                Word::Text(text) => (text),
                Word::Name(name) => b { (name) },
            }
        }
    }
}

/// The findings below the headline, then the notes.
pub(super) fn findings(results: &Results, summary: &Summary) -> Markup {
    // The effects of axes have a table of their own.
    let listed = summary.findings.iter().filter(|finding| finding.about != "Axis");
    html! {
        @for finding in listed { (item(finding.about, words(&finding.words))) }
        @for note in &results.notes { (item("Note", note)) }
    }
}

/// The effect of each axis, as bars beside numbers.
pub(super) fn effects(results: &Results, summary: &Summary) -> Markup {
    let metric = results.metrics.first().filter(|_| !summary.effects.is_empty());
    html! {
        @if let Some(metric) = metric {
            h3 { "Effect of each axis" }
            p.how {
                "Mean over all cells with a value, whatever their other settings; ± is the standard \
                 deviation over seeds."
            }
            div.effects { @for one in &summary.effects { (effect(one, metric)) } }
        }
    }
}

fn effect(effect: &Effect, metric: &Metric) -> Markup {
    let top = effect.values.iter().map(|level| level.mean.mean).fold(0.0, f64::max);
    let share = |mean: f64| if top > 0.0 { (mean / top).clamp(0.0, 1.0) * 100.0 } else { 0.0 };
    html! {
        table {
            caption { (effect.axis) }
            thead.unseen {
                tr { th scope="col" { "value" } th { "bar" } th scope="col" { (metric.title) } }
            }
            tbody {
                @for level in &effect.values {
                    tr {
                        th scope="row" {
                            @match &level.value { Some(value) => (value), None => i { "none" } }
                            small { (counted(level.cells, "cell")) }
                        }
                        td.level { i style=(format!("width:{:.1}%", share(level.mean.mean))) {} }
                        td { (spread(&level.mean)) }
                    }
                }
            }
        }
    }
}

fn spread(spread: &Spread) -> Markup {
    html! {
        (number::mean(spread))
        @if let Some(sd) = number::sd(spread) { span.sd { " ± " (sd) } }
    }
}

/// A table that the script makes sortable.
struct Table {
    id: String,
    caption: String,
    head: Vec<(String, String)>,
    rows: Vec<(usize, Vec<Entry>)>,
    foot: Vec<Entry>,
}

/// An entry of a table and the number that it is sorted by.
struct Entry {
    html: Markup,
    key: Option<f64>,
}

impl Entry {
    fn none() -> Self {
        Entry { html: html! { span.none { "–" } }, key: None }
    }

    fn spread(value: &Spread) -> Self {
        match is_known(value) {
            true => Entry { html: spread(value), key: Some(value.mean) },
            false => Entry::none(),
        }
    }

    fn text(text: &str, key: Option<f64>) -> Self {
        Entry { html: html! { (text) }, key }
    }

    fn cell(&self) -> Markup {
        html! { td data-key=[self.key] { (self.html) } }
    }
}

impl Table {
    fn html(&self, results: &Results) -> Markup {
        html! {
            div.scroll tabindex="0" role="region" aria-label=(self.caption) {
                table.sortable id=(self.id) {
                    caption.unseen { (self.caption) }
                    thead {
                        tr {
                            (sorter("Cell", ""))
                            @for (title, what) in &self.head { (sorter(title, what)) }
                        }
                    }
                    tbody {
                        @for (i, entries) in &self.rows {
                            tr data-cell=(i) {
                                (name(*i, &results.cells[*i]))
                                @for entry in entries { (entry.cell()) }
                            }
                        }
                    }
                    @if !self.foot.is_empty() {
                        tfoot {
                            tr {
                                th scope="row" { "real data" }
                                @for entry in &self.foot { (entry.cell()) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The head of a column, a button that sorts by it.
fn sorter(title: &str, what: &str) -> Markup {
    let what = Some(what).filter(|what| !what.is_empty());
    html! { th scope="col" aria-sort="none" { button type="button" title=[what] { (title) } } }
}

/// The head of a cell's row, a button that opens the cell's details.
fn name(i: usize, cell: &Cell) -> Markup {
    let state = match (cell.errors.is_empty(), cell.waiting.is_empty()) {
        (false, _) => Some("failed"),
        (true, false) => Some("unfinished"),
        (true, true) => None,
    };
    html! {
        th scope="row" {
            button.cell type="button" data-open=(i) { span.swatch data-swatch=(i) {} (cell.name) }
            @if let Some(state) = state { em.failed { (state) } }
        }
    }
}

fn score(cell: &Cell, m: usize) -> Option<&Score> {
    cell.metrics.get(m)?.as_ref().filter(|score| is_known(&score.spread))
}

fn badge(verdict: Verdict) -> Markup {
    let mark = mark(verdict);
    html! { @if !mark.is_empty() { span.mark.(mark) { (mark) } } }
}

fn direction(metric: &Metric) -> &'static str {
    match metric.better {
        Better::Less => " ↓",
        Better::More => " ↑",
        Better::None => "",
    }
}

/// A table of all metrics, then one table for each metric with its statistics.
pub(super) fn quality(results: &Results) -> Markup {
    let marked = has_verdicts(results);
    let order = order(results);
    let judged = |metric: &Metric| marked && metric.better != Better::None;
    let head =
        results.metrics.iter().map(|m| (format!("{}{}", m.title, direction(m)), m.what.clone()));
    let row = |&i: &usize| {
        let entry = |(m, metric): (usize, &Metric)| match score(&results.cells[i], m) {
            None => Entry::none(),
            Some(score) => {
                let mut entry = Entry::spread(&score.spread);
                if judged(metric) && matches!(score.verdict, Verdict::Best | Verdict::Tied) {
                    entry.html = html! { (entry.html) " " (badge(score.verdict)) };
                }
                entry
            }
        };
        (i, results.metrics.iter().enumerate().map(entry).collect())
    };
    let floors = results.metrics.iter().map(|metric| metric.floor.as_ref());
    let foot = match results.metrics.iter().any(|metric| metric.floor.is_some()) {
        true => floors.map(|floor| floor.map_or_else(Entry::none, Entry::spread)).collect(),
        false => Vec::new(),
    };
    let all = Table {
        id: "quality-all".to_owned(),
        caption: "Quality of every cell by every metric".to_owned(),
        head: head.collect(),
        rows: order.iter().map(row).collect(),
        foot,
    };
    let metrics = || results.metrics.iter().enumerate();
    html! {
        (all.html(results))
        @if !results.metrics.is_empty() {
            div.chooser {
                h3 { "In detail" }
                label {
                    "Metric "
                    select #metric {
                        @for (m, metric) in metrics() { option value=(m) { (metric.title) } }
                    }
                }
            }
            @for (m, metric) in metrics() {
                div.detail data-metric=(m) {
                    h4.print-only { (metric.title) }
                    p.how { (metric.what) }
                    (detail(results, m, metric, &order, judged(metric)).html(results))
                }
            }
        }
    }
}

fn detail(results: &Results, m: usize, metric: &Metric, order: &[usize], judged: bool) -> Table {
    let title = format!("{}{}", metric.title, direction(metric));
    let titles: [(&str, &str); 6] = [
        (&title, "Mean ± standard deviation over seeds"),
        ("95 % interval", "Interval of the mean, by Student's t; sorted by its lower end"),
        ("Mean rank", "Mean over seeds of the rank among all cells, from 1"),
        ("To the best", "Difference of this cell to the best, paired by seed"),
        ("p", "Two-sided paired t test of that difference, Holm-corrected over all cells"),
        ("Verdict", "Verdict of the test at 5 %"),
    ];
    let dash = || "–".to_owned();
    let row = |&i: &usize| {
        let Some(score) = score(&results.cells[i], m) else {
            return (i, titles.iter().map(|_| Entry::none()).collect());
        };
        let range = number::interval(&score.spread).unwrap_or_else(dash);
        let gap = score.difference.as_ref().filter(|gap| is_known(gap));
        let gap =
            gap.map_or_else(Entry::none, |gap| Entry::text(&number::signed(gap), Some(gap.mean)));
        let p = score.p.filter(|p| p.is_finite());
        let p = p.map_or_else(Entry::none, |p| Entry::text(&number::p(p), Some(p)));
        let judged = judged && !mark(score.verdict).is_empty();
        let place = match score.verdict {
            Verdict::Best => 0.0,
            Verdict::Tied => 1.0,
            Verdict::Worse => 2.0,
            Verdict::Unknown => 3.0,
        };
        let entries = vec![
            Entry::spread(&score.spread),
            Entry::text(&range, score.spread.interval.map(|ends| ends[0])),
            Entry::text(&format!("{:.1}", score.rank), Some(score.rank)),
            gap,
            p,
            match judged {
                true => Entry { html: badge(score.verdict), key: Some(place) },
                false => Entry::none(),
            },
        ];
        (i, entries)
    };
    let foot = metric.floor.as_ref().filter(|floor| is_known(floor)).map(|floor| {
        let range = Entry::text(&number::interval(floor).unwrap_or_else(dash), None);
        let rest = (2..titles.len()).map(|_| Entry::none());
        [Entry::spread(floor), range].into_iter().chain(rest).collect()
    });
    Table {
        id: format!("quality-{m}"),
        caption: format!("{} of every cell, with its statistics", metric.title),
        head: titles
            .iter()
            .map(|(title, what)| ((*title).to_owned(), (*what).to_owned()))
            .collect(),
        rows: order.iter().map(row).collect(),
        foot: foot.unwrap_or_default(),
    }
}

/// The table of costs.
pub(super) fn cost(results: &Results) -> Markup {
    let titles = [
        ("Training, s", "Wall-clock time of training"),
        ("Examples/s", "Training rows a second"),
        ("Peak memory, MB", "Largest resident memory of the process"),
        ("NFE", "Network evaluations a sample"),
        ("s per 1,000", "Wall-clock time for 1,000 samples"),
        ("Parameters", "Number of learned parameters"),
    ];
    let row = |i: usize| {
        let (cell, cost) = (&results.cells[i], &results.cells[i].cost);
        let parameters = cell.parameters as f64;
        let entries = vec![
            Entry::spread(&cost.training_seconds),
            Entry::spread(&cost.examples_per_second),
            Entry::spread(&number::scaled(&cost.peak_memory_bytes, 1e-6)),
            Entry::spread(&cost.nfe),
            Entry::spread(&cost.seconds_per_1000_samples),
            Entry::text(&plain(parameters), Some(parameters)),
        ];
        (i, entries)
    };
    let table = Table {
        id: "cost-all".to_owned(),
        caption: "Cost of every cell".to_owned(),
        head: titles.map(|(title, what)| (title.to_owned(), what.to_owned())).into(),
        rows: order(results).into_iter().map(row).collect(),
        foot: Vec::new(),
    };
    table.html(results)
}

/// Every cell with its settings, command, errors and configuration.
pub(super) fn cells(results: &Results) -> Markup {
    html! { @for i in order(results) { (cell(results, i)) } }
}

fn cell(results: &Results, i: usize) -> Markup {
    let cell = &results.cells[i];
    let settings = results.axes.iter().zip(&cell.settings);
    let scores = results.metrics.iter().enumerate();
    let scores = scores.filter_map(|(m, metric)| Some((metric, score(cell, m)?)));
    html! {
        details.full id={ "cell-" (i) } data-cell=(i) {
            summary { span.swatch data-swatch=(i) {} (cell.name) }
            div.body {
                @if !cell.errors.is_empty() {
                    ul.errors aria-label="Errors" { @for error in &cell.errors { li { (error) } } }
                }
                dl.facts {
                    @for (axis, value) in settings {
                        (item(axis, value.as_deref().unwrap_or("has no effect here")))
                    }
                    @for (metric, score) in scores {
                        (item(&metric.title, number::spread(&score.spread)))
                    }
                    @if !cell.sampling.is_empty() { (item("Sampling", &cell.sampling)) }
                    @if cell.parameters > 0 {
                        (item("Parameters", plain(cell.parameters as f64)))
                    }
                }
                @if !cell.command.is_empty() {
                    h4 { "Train this cell alone" }
                    (copyable(&cell.command))
                }
                @if !cell.config.is_empty() {
                    div.config {
                        h4 { "Configuration of the first seed" }
                        (copyable(cell.config.trim_end()))
                    }
                }
            }
        }
    }
}

/// Code with a button that copies it.
pub(super) fn copyable(code: &str) -> Markup {
    html! {
        div.code {
            pre tabindex="0" { code { (code) } }
            button.copy type="button" { "Copy" }
        }
    }
}
