//! The child processes of a comparison, one for each run: started, watched and stopped.

use super::queue::{Next, Queue};
use super::{Failures, resume_command};
use crate::args::Cli;
use crate::interrupt::{go_on_with, heed, stop, stopped};
use crate::progress::{Cells, Shown};
use std::io::{BufRead as _, BufReader, PipeReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use triflow::compare::{self, Job, Plan, Unfinished, Worked};
use triflow::run::{Run, RunObserver};
use triflow::train::Event;
use triflow::{Error, Result, Trainer};

/// The line by which a child process tells that another process was first to take its run.
const ELSEWHERE: &str = "elsewhere";

/// Time between two looks at runs of other processes.
const PAUSE: Duration = Duration::from_secs(1);
/// Time between two looks at whether to stop.
const TICK: Duration = Duration::from_millis(30);

/// Sees that the runs `left` are completed: does those that are free, each in a process of its own,
/// and waits for those that other processes are at work on.
pub(super) fn work_through(
    cli: &Cli,
    (plan, folder): (&Plan, &Path),
    left: &[Unfinished<'_>],
    at_once: usize,
) -> Result<Failures> {
    let cells = Cells::new(cli.quiet, left.len());
    let failed = AtomicUsize::new(0);
    let (leash, end) = std::io::pipe().map_err(|e| Error::runtime(format!("no pipe: {e}")))?;
    let name = plan.name()?;
    let family = Family { cli, folder, plan: &name, cells: &cells, leash };
    let queue = Queue::of(plan, folder, left);
    let (waits, done) = (AtomicBool::new(false), AtomicBool::new(false));
    let fail = |job: &Job<'_>, why: &str| {
        failed.fetch_add(1, Ordering::SeqCst);
        log::error!("{}: {why}", job.name());
    };
    let work = || {
        while !stopped() {
            match queue.next() {
                Next::Do(job) => match family.do_one(&job) {
                    Ok(ByWhom::Here) => {}
                    Ok(ByWhom::Elsewhere) => queue.put_back(job),
                    Err(_) if stopped() => {}
                    Err(why) => fail(&job, &why),
                },
                Next::Done(job) => cells.elsewhere(&job.name()),
                Next::Failed(job, why) => {
                    cells.elsewhere(&job.name());
                    fail(&job, &why);
                }
                Next::Wait => {
                    if !waits.swap(true, Ordering::SeqCst) {
                        let runs = queue.waiting().join("; ");
                        log::info!("waiting for runs of other processes: {runs}");
                    }
                    rest();
                }
                Next::End => break,
            }
        }
    };
    go_on_with(Some(resume_command(folder)));
    heed(true);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..at_once).map(|_| scope.spawn(work)).collect();
        // Child processes work until this end is closed.
        scope.spawn(|| {
            while !stopped() && !done.load(Ordering::SeqCst) {
                std::thread::sleep(TICK);
            }
            drop(end);
        });
        for worker in workers {
            let _ = worker.join();
        }
        done.store(true, Ordering::SeqCst);
    });
    cells.finish();
    heed(false);
    Ok(Failures { failed: failed.into_inner(), of: left.len() })
}

/// Waits for other processes, unless the work is stopped.
fn rest() {
    let mut rested = Duration::ZERO;
    while rested < PAUSE && !stopped() {
        std::thread::sleep(TICK);
        rested += TICK;
    }
}

/// The process that does a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ByWhom {
    /// A child of this one.
    Here,
    /// Another one, which took it first.
    Elsewhere,
}

/// Settings that all child processes share.
struct Family<'c> {
    cli: &'c Cli,
    folder: &'c Path,
    /// Name of the plan, which stays readable whatever is compared into the folder meanwhile.
    plan: &'c str,
    cells: &'c Cells,
    /// The standard input of the child processes. It is closed to stop them, and when this
    /// process ends.
    leash: PipeReader,
}

impl Family<'_> {
    /// Does one job in a process of its own, so that its memory is measured alone and its failure
    /// is contained.
    fn do_one(&self, job: &Job<'_>) -> Result<ByWhom, String> {
        let shown = self.cells.start(&job.name());
        let found = self.child(job).and_then(|child| watch(child, &shown));
        match &found {
            Ok(ByWhom::Elsewhere) => shown.leave(),
            _ => shown.end(found.is_ok()),
        }
        found.inspect_err(|why| {
            // `why` reports the failure now, the file in later reports.
            if !stopped() {
                compare::fail(job, self.folder, why);
            }
        })
    }

    fn child(&self, job: &Job<'_>) -> Result<Child, String> {
        let own = std::env::current_exe().map_err(|e| format!("cannot find this program: {e}"))?;
        let leash = self.leash.try_clone().map_err(|e| format!("no pipe: {e}"))?;
        let mut command = Command::new(own);
        for plugin in &self.cli.plugin {
            command.arg("--plugin").arg(plugin);
        }
        command.arg("compare-one").arg("--folder").arg(self.folder).arg("--plan").arg(self.plan);
        command.arg(format!("--unit={}", job.unit.id)).arg(format!("--seed={}", job.seed));
        // Several threads a run are slower where every core has a run.
        command.env("OMP_NUM_THREADS", "1").env("RUST_LOG", "error");
        command.stdin(leash).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().map_err(|e| format!("cannot start a process: {e}"))
    }
}

/// Shows the progress of a child process until it ends.
fn watch(mut child: Child, shown: &Shown) -> Result<ByWhom, String> {
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let said = std::thread::spawn(move || {
        let mut text = String::new();
        if let Some(mut err) = err {
            let _ = err.read_to_string(&mut text);
        }
        text
    });
    let mut by = ByWhom::Here;
    for line in out.into_iter().flat_map(|out| BufReader::new(out).lines()).map_while(Result::ok) {
        match line == ELSEWHERE {
            true => by = ByWhom::Elsewhere,
            false => shown.say(&line),
        }
    }
    let status = child.wait().map_err(|e| e.to_string())?;
    let said = said.join().unwrap_or_default();
    if status.success() {
        return Ok(by);
    }
    let said = said.trim().trim_start_matches("error: ");
    Err(if said.is_empty() { format!("ended with {status}") } else { said.to_owned() })
}

/// Does one job of the plan with this name in `folder`, in a child process, until the parent closes
/// its standard input.
pub fn one(folder: &Path, plan: &str, unit: &str, seed: u64) -> Result<()> {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        stop();
    });
    let plan = Plan::read_named(folder, plan)?;
    let jobs = plan.jobs();
    let job = jobs.iter().find(|job| job.unit.id == unit && job.seed == seed);
    let job =
        job.ok_or_else(|| Error::config("", format!("the plan has no {unit}, seed {seed}")))?;
    match compare::work(&plan, *job, folder, &mut Told { step: 0, total: 1 })? {
        Worked::Done => {}
        Worked::Before | Worked::Elsewhere(_) => println!("{ELSEWHERE}"),
    }
    Ok(())
}

/// Reports progress to the parent, one line each: `steps/all`, or the current work.
struct Told {
    step: u64,
    total: u64,
}

impl RunObserver for Told {
    fn start(&mut self, trainer: &Trainer, _: &Run) {
        self.total = trainer.total_steps();
        heed(true);
    }

    fn step(&mut self, event: &Event<'_>) {
        let fiftieth = |step: u64| step * 50 / self.total.max(1);
        if fiftieth(event.step) != fiftieth(self.step) {
            self.step = event.step;
            println!("{}/{}", event.step, self.total);
        }
    }

    fn note(&mut self, text: &str) {
        heed(false);
        println!("{text}");
    }

    fn stop(&self) -> bool {
        stopped()
    }
}
