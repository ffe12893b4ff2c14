//! The parts of the page that need no script: facts, findings, tables and the cells in full.

use super::super::number::{self, duration, is_known, plain};
use super::super::results::{Better, Cell, Metric, Results, Score, Spread, Verdict};
use super::super::summary::{Effect, Summary, Word, Words, has_verdicts, mark};
use super::super::tables::order;
use super::escape::escape;
use crate::plot::style::counted;

/// What was compared, and how.
pub(super) fn facts(results: &Results) -> String {
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
    let fact = |(name, value): (&str, String)| {
        format!("<div><dt>{name}</dt><dd>{}</dd></div>\n", escape(&value))
    };
    facts.into_iter().filter(|(_, value)| !value.is_empty()).map(fact).collect()
}

fn task(task: &str) -> &str {
    match task {
        "gen" => "conditional generation",
        "uncond_gen" => "unconditional generation",
        "reg" => "regression",
        other => other,
    }
}

/// `2026-11-24T13:37:00Z` as `2026-11-24 13:37`.
fn date(at: &str) -> String {
    match (at.get(..10), at.get(10..11), at.get(11..16)) {
        (Some(day), Some("T"), Some(time)) => {
            let zone = if at.ends_with('Z') { " UTC" } else { "" };
            format!("{day} {time}{zone}")
        }
        _ => at.to_owned(),
    }
}

/// Words with names set apart.
pub(super) fn words(words: &Words) -> String {
    let word = |word: &Word| match word {
        Word::Text(text) => escape(text),
        Word::Name(name) => format!("<b>{}</b>", escape(name)),
    };
    words.0.iter().map(word).collect()
}

/// The findings under the headline, then notes.
pub(super) fn findings(results: &Results, summary: &Summary) -> String {
    let item = |about: &str, text: String| format!("<div><dt>{about}</dt><dd>{text}</dd></div>\n");
    // the effects of axes are a table of their own
    let found = summary.findings.iter().filter(|finding| finding.about != "Axis");
    let found = found.map(|finding| item(finding.about, words(&finding.words)));
    let notes = results.notes.iter().map(|note| item("Note", escape(note)));
    found.chain(notes).collect()
}

/// What each axis does, as bars beside numbers.
pub(super) fn effects(results: &Results, summary: &Summary) -> String {
    let Some(metric) = results.metrics.first().filter(|_| !summary.effects.is_empty()) else {
        return String::new();
    };
    let tables: String = summary.effects.iter().map(|one| effect(one, metric)).collect();
    let note = "Each value's mean over the cells that have it, whatever else differs between them; \
                ± is the deviation over seeds.";
    format!(
        "<h3>What each axis does</h3>\n<p class=\"how\">{note}</p>\n<div class=\"effects\">{tables}</div>\n"
    )
}

fn effect(effect: &Effect, metric: &Metric) -> String {
    let top = effect.values.iter().map(|level| level.mean.mean).fold(0.0, f64::max);
    let row = |level: &super::super::summary::Level| {
        let value = match &level.value {
            Some(value) => escape(value),
            None => "<i>none</i>".to_owned(),
        };
        let share = if top > 0.0 { (level.mean.mean / top).clamp(0.0, 1.0) * 100.0 } else { 0.0 };
        format!(
            "<tr><th scope=\"row\">{value}<small>{}</small></th><td class=\"level\">\
             <i style=\"width:{share:.1}%\"></i></td><td>{}</td></tr>\n",
            counted(level.cells, "cell"),
            spread(&level.mean)
        )
    };
    let rows: String = effect.values.iter().map(row).collect();
    format!(
        "<table><caption>{}</caption><thead class=\"unseen\"><tr><th scope=\"col\">value</th><th>bar</th>\
         <th scope=\"col\">{}</th></tr></thead><tbody>{rows}</tbody></table>\n",
        escape(&effect.axis),
        escape(&metric.title)
    )
}

fn spread(spread: &Spread) -> String {
    let mean = escape(&number::mean(spread));
    match number::sd(spread) {
        Some(sd) => format!("{mean}<span class=\"sd\"> ± {}</span>", escape(&sd)),
        None => mean,
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

/// A table's entry and what it is sorted by.
struct Entry {
    html: String,
    key: Option<f64>,
}

impl Entry {
    fn none() -> Self {
        Entry { html: "<span class=\"none\">–</span>".to_owned(), key: None }
    }

    fn spread(of: &Spread) -> Self {
        match is_known(of) {
            true => Entry { html: spread(of), key: Some(of.mean) },
            false => Entry::none(),
        }
    }

    fn text(text: &str, key: Option<f64>) -> Self {
        Entry { html: escape(text), key }
    }
}

impl Table {
    fn html(&self, results: &Results) -> String {
        let head = self.head.iter().map(|(title, what)| {
            let what = match what.is_empty() {
                true => String::new(),
                false => format!(" title=\"{}\"", escape(what)),
            };
            format!(
                "<th scope=\"col\" aria-sort=\"none\"><button type=\"button\"{what}>{}</button></th>",
                escape(title)
            )
        });
        let data = |entry: &Entry| match entry.key {
            Some(key) => format!("<td data-key=\"{key}\">{}</td>", entry.html),
            None => format!("<td>{}</td>", entry.html),
        };
        let row = |(i, entries): &(usize, Vec<Entry>)| {
            let cells: String = entries.iter().map(data).collect();
            format!("<tr data-cell=\"{i}\">{}{cells}</tr>\n", name(*i, &results.cells[*i]))
        };
        let foot: String = self.foot.iter().map(data).collect();
        let foot = match self.foot.is_empty() {
            true => String::new(),
            false => format!("<tfoot><tr><th scope=\"row\">real data</th>{foot}</tr></tfoot>"),
        };
        format!(
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\">\
             <table class=\"sortable\" id=\"{}\"><caption class=\"unseen\">{caption}</caption>\
             <thead><tr><th scope=\"col\" aria-sort=\"none\"><button type=\"button\">Cell</button></th>{}</tr>\
             </thead>\n<tbody>{}</tbody>{foot}</table></div>\n",
            self.id,
            head.collect::<String>(),
            self.rows.iter().map(row).collect::<String>(),
            caption = escape(&self.caption),
        )
    }
}

/// The head of a cell's row, which opens the cell in full.
fn name(i: usize, cell: &Cell) -> String {
    let failed = match (cell.errors.is_empty(), cell.waiting.is_empty()) {
        (false, _) => "<em class=\"failed\">failed</em>",
        (true, false) => "<em class=\"failed\">unfinished</em>",
        (true, true) => "",
    };
    format!(
        "<th scope=\"row\"><button type=\"button\" class=\"cell\" data-open=\"{i}\">\
         <span class=\"swatch\" data-swatch=\"{i}\"></span>{}</button>{failed}</th>",
        escape(&cell.name)
    )
}

fn score(cell: &Cell, m: usize) -> Option<&Score> {
    cell.metrics.get(m)?.as_ref().filter(|score| is_known(&score.spread))
}

fn badge(verdict: Verdict) -> String {
    match mark(verdict) {
        "" => String::new(),
        mark => format!("<span class=\"mark {mark}\">{mark}</span>"),
    }
}

fn direction(metric: &Metric) -> &'static str {
    match metric.better {
        Better::Less => " ↓",
        Better::More => " ↑",
        Better::None => "",
    }
}

/// All metrics side by side, then one table for each with everything that is known.
pub(super) fn quality(results: &Results) -> String {
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
                    entry.html += &format!(" {}", badge(score.verdict));
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
    let mut out = all.html(results);
    if results.metrics.is_empty() {
        return out;
    }
    out += "<div class=\"chooser\"><h3>In detail</h3><label>Metric <select id=\"metric\">";
    for (m, metric) in results.metrics.iter().enumerate() {
        out += &format!("<option value=\"{m}\">{}</option>", escape(&metric.title));
    }
    out += "</select></label></div>\n";
    for (m, metric) in results.metrics.iter().enumerate() {
        let detail = detail(results, m, metric, &order, judged(metric));
        out += &format!(
            "<div class=\"detail\" data-metric=\"{m}\"><h4 class=\"print-only\">{}</h4>\
             <p class=\"how\">{}</p>\n{}</div>\n",
            escape(&metric.title),
            escape(&metric.what),
            detail.html(results)
        );
    }
    out
}

fn detail(results: &Results, m: usize, metric: &Metric, order: &[usize], judged: bool) -> Table {
    let title = format!("{}{}", metric.title, direction(metric));
    let titles: [(&str, &str); 6] = [
        (&title, "Mean ± standard deviation over seeds"),
        ("95 % interval", "Of the mean, by Student's t; sorted by its lower end"),
        ("Mean rank", "Mean over seeds of the rank among all cells, from 1"),
        ("To the best", "This cell less the best, paired by seed"),
        ("p", "Two-sided paired t test of that difference, Holm-corrected over all cells"),
        ("Verdict", "At 5 %"),
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
        let verdict = if judged { badge(score.verdict) } else { String::new() };
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
            match verdict.is_empty() {
                true => Entry::none(),
                false => Entry { html: verdict, key: Some(place) },
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

/// What each cell costs.
pub(super) fn cost(results: &Results) -> String {
    let titles = [
        ("Training, s", "Wall time of training"),
        ("Examples/s", "Training rows a second"),
        ("Peak memory, MB", "Largest resident memory of the process"),
        ("NFE", "Network evaluations a sample"),
        ("s per 1,000", "Seconds for 1,000 samples"),
        ("Parameters", "Learned parameters"),
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
pub(super) fn cells(results: &Results) -> String {
    order(results).into_iter().map(|i| cell(results, i)).collect()
}

fn cell(results: &Results, i: usize) -> String {
    let cell = &results.cells[i];
    let mut facts = String::new();
    let mut fact = |name: &str, value: &str| {
        facts += &format!("<div><dt>{}</dt><dd>{}</dd></div>", escape(name), escape(value));
    };
    for (axis, value) in results.axes.iter().zip(&cell.settings) {
        fact(axis, value.as_deref().unwrap_or("has no meaning here"));
    }
    for (m, metric) in results.metrics.iter().enumerate() {
        if let Some(score) = score(cell, m) {
            fact(&metric.title, &number::spread(&score.spread));
        }
    }
    if !cell.sampling.is_empty() {
        fact("Sampling", &cell.sampling);
    }
    if cell.parameters > 0 {
        fact("Parameters", &plain(cell.parameters as f64));
    }
    let errors: String = cell.errors.iter().map(|e| format!("<li>{}</li>", escape(e))).collect();
    let errors = match errors.is_empty() {
        true => errors,
        false => format!("<ul class=\"errors\" aria-label=\"Errors\">{errors}</ul>"),
    };
    let command = match cell.command.is_empty() {
        true => String::new(),
        false => format!("<h4>Train this cell alone</h4>{}", copyable(&cell.command)),
    };
    let config = match cell.config.is_empty() {
        true => String::new(),
        false => format!(
            "<div class=\"config\"><h4>Configuration of the first seed</h4>{}</div>",
            copyable(cell.config.trim_end())
        ),
    };
    format!(
        "<details class=\"full\" id=\"cell-{i}\" data-cell=\"{i}\"><summary><span class=\"swatch\" \
         data-swatch=\"{i}\"></span>{}</summary><div class=\"body\">{errors}<dl class=\"facts\">{facts}</dl>\
         {command}{config}</div></details>\n",
        escape(&cell.name)
    )
}

/// Code with a button that copies it.
pub(super) fn copyable(code: &str) -> String {
    format!(
        "<div class=\"code\"><pre tabindex=\"0\"><code>{}</code></pre>\
         <button type=\"button\" class=\"copy\">Copy</button></div>",
        escape(code)
    )
}
