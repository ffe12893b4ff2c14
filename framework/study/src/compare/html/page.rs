//! The page: head, sections in their order with the text above each, and scripts.

use super::super::results::Results;
use super::super::summary::summary;
use super::{SCRIPT, STYLE, fragments, table};
use crate::plot::Differences;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

/// Ids and titles of the sections in the navigation bar.
const SECTIONS: [(&str, &str); 11] = [
    ("summary", "Summary"),
    ("ranking", "Ranking"),
    ("quality", "Quality"),
    ("cost", "Cost"),
    ("evaluations", "Evaluations"),
    ("samples", "Samples"),
    ("tables", "Rows"),
    ("motion", "Trajectories"),
    ("losses", "Losses"),
    ("schedules", "Schedules"),
    ("cells", "Cells"),
];

/// The whole page; `data` is JSON without `<`, so that it cannot end its script element.
pub(super) fn page(results: &Results, differences: &[Option<Differences>], data: &str) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(results))
            body {
                a.skip href="#main" { "Skip to the results" }
                header.bar {
                    nav aria-label="Sections" {
                        @for (id, title) in SECTIONS { a href={ "#" (id) } { (title) } }
                    }
                    button #theme type="button" aria-pressed="false" { "Dark" }
                }
                main #main tabindex="-1" {
                    (intro(results))
                    (tables(results))
                    (pictures(results, differences))
                    section #cells {
                        h2 { "Every cell in full" }
                        (fragments::cells(results))
                    }
                    (footer())
                }
                dialog #cell aria-labelledby="cell-name" {
                    header {
                        h2 #cell-name {}
                        button #close type="button" aria-label="Close" { "×" }
                    }
                    div #cell-body {}
                }
                noscript {
                    p.noscript { "The tables are complete; sorting and pictures need JavaScript." }
                }
                script #data type="application/json" { (PreEscaped(data)) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

/// Title of the metric that cells are ranked by.
fn metric(results: &Results) -> &str {
    results.metrics.first().map_or("quality", |metric| &metric.title)
}

fn head(results: &Results) -> Markup {
    let script = BASE64_STANDARD.encode(Sha256::digest(SCRIPT.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{script}'; img-src data:; \
         base-uri 'none'; form-action 'none'"
    );
    html! {
        head {
            meta charset="utf-8";
            meta http-equiv="Content-Security-Policy" content=(policy);
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="generator" content={ "triflow " (results.made.version) };
            title { (results.title) }
            link rel="icon" href="data:,";
            style { (PreEscaped(STYLE)) }
        }
    }
}

fn intro(results: &Results) -> Markup {
    html! {
        div.intro {
            p.eyebrow { "triflow comparison" }
            h1 { (results.title) }
            dl.facts { (fragments::facts(results)) }
            h2.label { "Run it again" }
            (fragments::copyable(&results.command))
        }
    }
}

/// The sections with text and tables.
fn tables(results: &Results) -> Markup {
    let (summary, metric) = (summary(results), metric(results));
    html! {
        section #summary {
            h2 { "Summary" }
            p.headline { (fragments::words(&summary.headline)) }
            dl.findings { (fragments::findings(results, &summary)) }
            (fragments::effects(results, &summary))
        }
        section #ranking {
            h2 { "Ranking by " (metric) }
            p.how {
                "Mean of each cell, with its 95 % interval as a bar and every seed as a small dot. \
                 Filled marks are the best cell and those not distinguishable from it. The dashed line \
                 is the score of real data."
            }
            (picture("forest", &format!("Ranking of all cells by {metric}")))
        }
        section #quality {
            h2 { "Quality" }
            p.how {
                "Mean ± standard deviation over seeds. " span.mark.best { "best" } " has the best mean; "
                span.mark.tied { "tied" }
                " is not distinguishable from it at 5 %. Click a column's head to sort by it, and a \
                 cell's name for its details."
            }
            (fragments::quality(results))
        }
        section #cost {
            h2 { "Cost" }
            (fragments::cost(results))
            div #trade {
                div.chooser {
                    h3 { "Quality against cost" }
                    label { "Cost " select #cost-kind {} }
                }
                p.how { "No other cell is better in both than a cell on the stepped line." }
                (picture("pareto", &format!("{metric} against cost")))
                (legend("pareto"))
            }
        }
    }
}

/// The sections that the script fills.
fn pictures(results: &Results, differences: &[Option<Differences>]) -> Markup {
    let metric = metric(results);
    html! {
        section #evaluations {
            div.chooser {
                h2 { "Quality against network evaluations" }
                label { "Solver " select #solver {} }
            }
            p.how {
                "Mean over seeds for every cell and solver. An adaptive solver chooses its own steps and \
                 is one mark. Click a cell below to highlight it."
            }
            (picture("curves", &format!("{metric} against network evaluations a sample")))
            (legend("curves"))
        }
        section #samples {
            h2 { "Samples" }
            p.how {
                "Samples of the first seed on the same axes as held-out points, which are pale in the \
                 background."
            }
            div.labels data-labels {}
            div.many #sample-panels {}
        }
        (table::section(results, differences))
        section #motion {
            h2 { "From noise to data" }
            p.how {
                "Paths of these samples from noise at t = 0 to data at t = 1. The first few leave a \
                 trace."
            }
            div.player {
                button #play type="button" aria-pressed="false" { "Play" }
                input #time type="range" min="0" max="1" step="0.005" value="1"
                    aria-label="Time from noise (0) to data (1)";
                output #time-value for="time" { "t = 1.00" }
            }
            div.many #motion-panels {}
        }
        section #losses {
            div.chooser {
                h2 { "Losses" }
                label { "Curve " select #course {} }
            }
            p.how {
                "Total loss of the first seed, or the mean norm of its gradient before it is clipped. \
                 Their scale depends on objective and weights: compare their course, not their \
                 level, between cells that differ in them."
                @if results.cells.iter().any(|cell| cell.losses.stopped.is_some()) {
                    " A mark ends the line of a training that stopped early; its title says why."
                }
            }
            (picture("loss", "Loss or gradient norm over epochs"))
            (legend("loss"))
        }
        section #schedules {
            h2 { "Noise schedules" }
            p.how {
                "γ(t) is the log signal-to-noise ratio (log-SNR), ᾱ(t) = sigmoid(γ) the share of signal. \
                 Cells with the same schedule share a line."
            }
            div.pair {
                (picture("gamma", "Log signal-to-noise ratio over time"))
                (picture("alpha", "Share of signal over time"))
            }
            (legend("schedule"))
        }
    }
}

fn picture(id: &str, label: &str) -> Markup {
    html! { figure.picture id=(id) data-label=(label) {} }
}

fn legend(picture: &str) -> Markup {
    html! { div.legend data-legend=(picture) {} }
}

fn footer() -> Markup {
    html! {
        footer {
            h2 { "How to read this" }
            p {
                "All cells were trained at an equal budget on the same seeds, and compared seed by seed. \
                 The interval is Student’s t for the mean over seeds; p is the two-sided paired t test \
                 against the best cell, Holm-corrected over all cells. A tied cell may still be better or \
                 worse, by less than these seeds can show."
            }
            p {
                "The numbers are in " code { "results.json" } " and " code { "results.csv" }
                ", tables for papers in " code { "results.md" } " and " code { "results.tex" } "."
            }
        }
    }
}
