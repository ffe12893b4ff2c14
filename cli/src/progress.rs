//! Progress of a run: a bar on a terminal, log lines elsewhere; and Ctrl-C.

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use triflow::Trainer;
use triflow::run::{Run, Watch};
use triflow::train::{Epoch, Event};

static STOP: AtomicBool = AtomicBool::new(false);

/// The run that is measured and drawn: it is trained and saved, so that it can end at any moment.
static SAVED: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Shows a run on the terminal.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
    epochs: u64,
    began: Instant,
    rows: i64,
    shown: Instant,
    /// Where the run is.
    run: PathBuf,
}

/// Listens for Ctrl-C. A second one does what the first would have done without us, and so does the first while a
/// run is measured and drawn.
pub fn listen() {
    let _ = ctrlc::set_handler(|| {
        let again = STOP.swap(true, Ordering::SeqCst);
        let saved = SAVED.lock().ok().and_then(|mut saved| saved.take());
        if let Some(run) = &saved {
            eprintln!("{}", triflow::Error::Interrupted { run: run.clone() });
        }
        if again || saved.is_some() {
            leave();
        }
    });
}

/// Ends the process as it is, without the destructors of libraries whose threads are at work.
fn leave() -> ! {
    // SAFETY: it does not return, and nothing of this process is used after it.
    unsafe { libc::_exit(triflow::error::INTERRUPTED) }
}

/// Whether the user wants it to stop.
pub fn stopped() -> bool {
    STOP.load(Ordering::SeqCst)
}

impl Progress {
    pub fn new(quiet: bool) -> Self {
        listen();
        let (began, shown) = (Instant::now(), Instant::now());
        Self { bar: None, quiet, epochs: 0, began, rows: 0, shown, run: PathBuf::new() }
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

impl Watch for Progress {
    fn start(&mut self, trainer: &Trainer, run: &Run) {
        let e = trainer.experiment();
        self.run = run.path.clone();
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
        self.began = Instant::now();
        if !self.quiet && std::io::stderr().is_terminal() {
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

    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Step { step, rows, .. } => {
                self.rows += rows;
                if let Some(bar) = &self.bar {
                    bar.set_position(*step);
                }
            }
            Event::Epoch(epoch) => {
                let text = format!(
                    "epoch {}/{}  {}  {:.0} examples/s",
                    epoch.epoch,
                    self.epochs,
                    losses(epoch),
                    self.rate()
                );
                match &self.bar {
                    Some(bar) => bar.set_message(text),
                    None if epoch.epoch == 1
                        || epoch.epoch == self.epochs
                        || self.shown.elapsed().as_secs() >= 5 =>
                    {
                        self.shown = Instant::now();
                        log::info!("{text}");
                    }
                    None => {}
                }
            }
        }
    }

    fn stop(&self) -> bool {
        stopped()
    }

    fn program(&self) -> serde_json::Value {
        serde_json::json!({
            "name": env!("CARGO_BIN_NAME"),
            "version": env!("CARGO_PKG_VERSION"),
            "git_revision": option_env!("TRIFLOW_GIT_REVISION"),
        })
    }

    fn note(&mut self, text: &str) {
        if let Some(bar) = self.bar.take() {
            bar.finish();
        }
        log::info!("{text}");
        if let Ok(mut saved) = SAVED.lock() {
            *saved = Some(self.run.clone());
        }
    }

    fn end(&mut self) {
        if let Ok(mut saved) = SAVED.lock() {
            *saved = None;
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

/// One run of them.
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
        listen();
        let shown = !quiet && std::io::stderr().is_terminal();
        let bars = shown.then(|| {
            let all = MultiProgress::new();
            let bar = all.add(styled(
                ProgressBar::new(total as u64),
                "{bar:30.green} {pos}/{len} runs  {elapsed_precise}  ETA {eta}",
            ));
            bar.enable_steady_tick(std::time::Duration::from_millis(500));
            (all, bar)
        });
        Self { bars, total, done: 0.into() }
    }

    pub fn start(&self, name: &str) -> Shown<'_> {
        let bar = self.bars.as_ref().map(|(all, _)| {
            let bar = styled(ProgressBar::new(100), "{bar:30} {prefix}  {msg}");
            bar.set_prefix(name.to_owned());
            all.add(bar)
        });
        Shown { cells: self, name: name.to_owned(), bar, began: Instant::now() }
    }

    pub fn finish(&self) {
        if let Some((all, bar)) = &self.bars {
            bar.finish();
            let _ = all.clear();
        }
    }
}

impl Shown<'_> {
    /// What a run says: `steps/all`, or what it is doing.
    pub fn say(&self, line: &str) {
        let Some(bar) = &self.bar else { return };
        let steps =
            line.split_once('/').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
        match steps {
            Some((step, all)) => {
                bar.set_length(all);
                bar.set_position(step);
            }
            None => bar.set_message(line.to_owned()),
        }
    }

    /// It has ended.
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
                if well { "" } else { "FAILED after " },
                self.began.elapsed().as_secs_f64()
            ),
        }
    }
}
