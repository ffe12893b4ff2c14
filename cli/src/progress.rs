//! Progress of a run: a bar on a terminal, log lines elsewhere.

use crate::group::group;
use crate::interrupt::{go_on_with, heed, stopped};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::io::IsTerminal as _;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use triflow::error::{one_line, quoted};
use triflow::run::{Run, RunObserver};
use triflow::train::{Epoch, Event};
use triflow::{Group, Trainer};

/// Time between two log lines of progress where there is no terminal.
const INTERVAL: Duration = Duration::from_secs(5);

/// Shows a run on the terminal.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
    epochs: u64,
    began: Instant,
    rows: i64,
    shown: Instant,
}

impl Progress {
    pub fn new(quiet: bool) -> Self {
        Self { bar: None, quiet, epochs: 0, began: Instant::now(), rows: 0, shown: Instant::now() }
    }

    fn rate(&self) -> f64 {
        self.rows as f64 / self.began.elapsed().as_secs_f64().max(1e-9)
    }
}

fn losses(epoch: &Epoch) -> String {
    let total = |v: &[Option<f64>]| {
        v.first().copied().flatten().map_or_else(|| "-".into(), |v| format!("{v:.4}"))
    };
    format!("loss {} (validation {})", total(&epoch.train), total(&epoch.val))
}

impl RunObserver for Progress {
    fn start(&mut self, trainer: &Trainer, run: &Run) {
        let e = trainer.experiment();
        self.epochs = trainer.total_steps().div_ceil(trainer.steps_per_epoch());
        log::info!(
            "{} {}: {} rows, {} parameters, {:?}, {} thread{}, into {}",
            e.objective.name(),
            e.task_name(),
            trainer.data().train.len(),
            trainer.trained().parameter_count(),
            trainer.trained().device(),
            e.threads.unwrap_or(1),
            if e.threads == Some(1) { "" } else { "s" },
            run.path.display()
        );
        go_on_with(Some(format!("triflow resume --run {}", quoted(&run.path))));
        heed(true);
        self.began = Instant::now();
        if !self.quiet && trainer.group().is_first() && std::io::stderr().is_terminal() {
            let bar = ProgressBar::new(trainer.total_steps());
            if let Ok(style) =
                ProgressStyle::with_template("{bar:30} {pos}/{len} steps  {msg}  ETA {eta}")
            {
                bar.set_style(style);
            }
            bar.set_position(trainer.step());
            self.bar = Some(bar);
        }
    }

    fn step(&mut self, event: &Event<'_>) {
        self.rows += event.rows;
        if let Some(bar) = &self.bar {
            bar.set_position(event.step);
        }
        let Some(epoch) = event.epoch else { return };
        let text = format!(
            "epoch {}/{}  {}  {:.0} examples/s",
            epoch.epoch,
            self.epochs,
            losses(epoch),
            self.rate()
        );
        let due =
            epoch.epoch == 1 || epoch.epoch == self.epochs || self.shown.elapsed() >= INTERVAL;
        match &self.bar {
            Some(bar) => bar.set_message(text),
            None if due => {
                self.shown = Instant::now();
                log::info!("{text}");
            }
            None => {}
        }
    }

    fn stop(&self) -> bool {
        stopped()
    }

    fn group(&self) -> Group {
        group()
    }

    fn program(&self) -> serde_json::Value {
        serde_json::json!({
            "name": env!("CARGO_BIN_NAME"),
            "version": env!("CARGO_PKG_VERSION"),
            "git_revision": option_env!("TRIFLOW_GIT_REVISION"),
        })
    }

    fn note(&mut self, text: &str) {
        heed(false);
        if let Some(bar) = self.bar.take() {
            // Training may have ended before its planned steps.
            bar.abandon();
        }
        log::info!("{text}");
    }

    fn end(&mut self) {
        go_on_with(None);
    }
}

/// Progress of sampling: a bar on a terminal, log lines elsewhere.
#[derive(Debug)]
pub struct Sampling {
    bar: Option<ProgressBar>,
    what: &'static str,
    all: u64,
    done: u64,
    shown: Instant,
}

impl Sampling {
    /// Starts at none of `all` rows, which are called `what`.
    pub fn new(quiet: bool, all: i64, what: &'static str) -> Self {
        let all = u64::try_from(all).unwrap_or_default();
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            styled(
                ProgressBar::new(all),
                &format!("{{bar:30}} {{pos}}/{{len}} {what}  ETA {{eta}}"),
            )
        });
        Self { bar, what, all, done: 0, shown: Instant::now() }
    }

    /// Counts further rows.
    pub fn add(&mut self, rows: i64) {
        self.done += u64::try_from(rows).unwrap_or_default();
        match &self.bar {
            Some(bar) if self.done < self.all => bar.set_position(self.done),
            Some(bar) => bar.finish_and_clear(),
            None if self.done < self.all && self.shown.elapsed() >= INTERVAL => {
                self.shown = Instant::now();
                log::info!("{} of {} {}", self.done, self.all, self.what);
            }
            None => {}
        }
    }
}

/// Shows the runs of a comparison: a bar for all and one for each that runs, or log lines.
#[derive(Debug)]
pub struct Cells {
    bars: Option<(MultiProgress, ProgressBar)>,
    total: usize,
    done: std::sync::atomic::AtomicUsize,
}

/// Progress of one run of a comparison.
#[derive(Debug)]
pub struct Shown<'c> {
    cells: &'c Cells,
    name: String,
    bar: Option<ProgressBar>,
    began: Instant,
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

impl Cells {
    pub fn new(quiet: bool, total: usize) -> Self {
        let shown = !quiet && std::io::stderr().is_terminal();
        let bars = shown.then(|| {
            let all = MultiProgress::new();
            let bar = all.add(styled(
                ProgressBar::new(total as u64),
                "{bar:30.green} {pos}/{len} runs  {elapsed_precise}  ETA {eta}",
            ));
            bar.enable_steady_tick(Duration::from_millis(500));
            (all, bar)
        });
        Self { bars, total, done: 0.into() }
    }

    pub fn start(&self, name: &str) -> Shown<'_> {
        let bar = self.bars.as_ref().map(|(all, _)| {
            let bar = styled(ProgressBar::new(100), "{bar:30} {prefix}  {msg}");
            bar.set_prefix(one_line(name).into_owned());
            all.add(bar)
        });
        Shown { cells: self, name: name.to_owned(), bar, began: Instant::now() }
    }

    /// Counts a run that another process has done.
    pub fn elsewhere(&self, name: &str) {
        let done = self.done.fetch_add(1, Ordering::SeqCst) + 1;
        match &self.bars {
            Some((_, total)) => total.inc(1),
            None => log::info!("{done}/{}  {name}  done by another process", self.total),
        }
    }

    pub fn finish(&self) {
        if let Some((all, bar)) = &self.bars {
            bar.finish();
            let _ = all.clear();
        }
    }
}

impl Shown<'_> {
    /// Shows a line from a run: `steps/all`, or a description of its current work.
    pub fn say(&self, line: &str) {
        let Some(bar) = &self.bar else { return };
        let steps =
            line.split_once('/').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
        match steps {
            Some((step, all)) => {
                bar.set_length(all);
                bar.set_position(step);
            }
            None => bar.set_message(one_line(line).into_owned()),
        }
    }

    /// Leaves the run to another process.
    pub fn leave(&self) {
        if let (Some((all, _)), Some(bar)) = (&self.cells.bars, &self.bar) {
            bar.finish_and_clear();
            all.remove(bar);
        }
    }

    /// Ends the run; `well` if it did not fail.
    pub fn end(&self, well: bool) {
        let done = self.cells.done.fetch_add(1, Ordering::SeqCst) + 1;
        match (&self.cells.bars, &self.bar) {
            (Some((all, total)), Some(bar)) => {
                total.inc(1);
                bar.finish_and_clear();
                all.remove(bar);
            }
            _ => log::info!(
                "{done}/{}  {}  {}{:.1} s",
                self.cells.total,
                self.name,
                match (well, stopped()) {
                    (true, _) => "",
                    (false, true) => "stopped after ",
                    (false, false) => "FAILED after ",
                },
                self.began.elapsed().as_secs_f64()
            ),
        }
    }
}
