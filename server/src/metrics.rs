//! Counts of a server in Prometheus' text format.

use crate::ask::Work;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::time::Duration;

/// Upper ends of the buckets of times, in seconds.
const BUCKETS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

/// Counts since the start of the server.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// Answers by path and status.
    answers: BTreeMap<(String, u16), u64>,
    /// Times from request to answer, by path.
    seconds: BTreeMap<String, Histogram>,
    /// Rows that were drawn, by work.
    rows: BTreeMap<&'static str, i64>,
    batches: u64,
    sampling: Duration,
}

#[derive(Clone, Copy, Debug, Default)]
struct Histogram {
    counts: [u64; BUCKETS.len()],
    all: u64,
    sum: f64,
}

impl Metrics {
    fn change(&self, change: impl FnOnce(&mut Counts)) {
        if let Ok(mut counts) = self.0.lock() {
            change(&mut counts);
        }
    }

    /// Counts an answer.
    pub fn answered(&self, path: &str, status: u16, after: Duration) {
        self.change(|counts| {
            *counts.answers.entry((path.to_owned(), status)).or_default() += 1;
            let times = counts.seconds.entry(path.to_owned()).or_default();
            let seconds = after.as_secs_f64();
            for (count, end) in times.counts.iter_mut().zip(BUCKETS) {
                *count += u64::from(seconds <= end);
            }
            times.all += 1;
            times.sum += seconds;
        });
    }

    /// Counts a batch of rows that took `time`.
    pub fn drawn(&self, work: Work, rows: i64, time: Duration) {
        self.change(|counts| {
            *counts.rows.entry(work.name()).or_default() += rows;
            counts.batches += 1;
            counts.sampling += time;
        });
    }

    /// The counts as text, with the numbers of requests that wait and that are answered now.
    pub fn text(&self, (waiting, running): (usize, usize)) -> String {
        let mut out = String::new();
        let Ok(counts) = self.0.lock() else { return out };
        let head = |out: &mut String, name: &str, kind: &str, help: &str| {
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        };
        head(&mut out, "triflow_requests_total", "counter", "Answers by path and HTTP status.");
        for ((path, status), n) in &counts.answers {
            let _ =
                writeln!(out, "triflow_requests_total{{path=\"{path}\",status=\"{status}\"}} {n}");
        }
        let name = "triflow_request_seconds";
        head(&mut out, name, "histogram", "Time from a request to its answer, by path.");
        for (path, times) in &counts.seconds {
            for (count, end) in times.counts.iter().zip(BUCKETS) {
                let _ = writeln!(out, "{name}_bucket{{path=\"{path}\",le=\"{end}\"}} {count}");
            }
            let _ = writeln!(out, "{name}_bucket{{path=\"{path}\",le=\"+Inf\"}} {}", times.all);
            let _ = writeln!(out, "{name}_sum{{path=\"{path}\"}} {}", times.sum);
            let _ = writeln!(out, "{name}_count{{path=\"{path}\"}} {}", times.all);
        }
        head(&mut out, "triflow_rows_total", "counter", "Rows that were drawn.");
        for (work, rows) in &counts.rows {
            let _ = writeln!(out, "triflow_rows_total{{work=\"{work}\"}} {rows}");
        }
        let whole = [
            ("triflow_batches_total", "counter", "Batches that were drawn.", counts.batches as f64),
            (
                "triflow_sampling_seconds_total",
                "counter",
                "Time in which the model was sampled.",
                counts.sampling.as_secs_f64(),
            ),
            ("triflow_queue_length", "gauge", "Requests that wait for the model.", waiting as f64),
            (
                "triflow_requests_running",
                "gauge",
                "Requests that are not answered yet.",
                running as f64,
            ),
        ];
        for (name, kind, help, value) in whole {
            head(&mut out, name, kind, help);
            let _ = writeln!(out, "{name} {value}");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_in_every_bucket_that_holds_them() {
        let metrics = Metrics::default();
        metrics.answered("/generate", 200, Duration::from_millis(30));
        metrics.answered("/generate", 400, Duration::from_secs(100));
        metrics.drawn(Work::Generate, 7, Duration::from_millis(250));
        let text = metrics.text((3, 4));
        for line in [
            "triflow_requests_total{path=\"/generate\",status=\"400\"} 1",
            "triflow_request_seconds_bucket{path=\"/generate\",le=\"0.025\"} 0",
            "triflow_request_seconds_bucket{path=\"/generate\",le=\"0.05\"} 1",
            "triflow_request_seconds_bucket{path=\"/generate\",le=\"+Inf\"} 2",
            "triflow_rows_total{work=\"generate\"} 7",
            "triflow_sampling_seconds_total 0.25",
            "triflow_queue_length 3",
        ] {
            assert!(text.lines().any(|own| own == line), "{line}\n{text}");
        }
    }
}
