//! `compare`: the grid of a comparison, trained by child processes, and its report.

use crate::args::{Cli, CompareArgs};
use crate::interrupt::{go_on_with, heed, stop, stopped};
use crate::progress::Cells;
use std::io::{BufRead as _, BufReader, PipeReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use triflow::compare::{
    self, Better, Cell, FAILURE, Job, Plan, Results, Spread, Unfinished, Verdict,
};
use triflow::run::{Run, RunObserver};
use triflow::train::Event;
use triflow::{Error, Result, Trainer};

/// Runs `compare`: trains what is left of the plan, and reports.
pub fn compare(cli: &Cli, args: &CompareArgs) -> Result<()> {
    if let Some(folder) = &args.collect {
        return report(cli, &Plan::read(folder)?, folder);
    }
    let (plan, folder) = match &args.resume {
        Some(folder) => (Plan::read(folder)?, folder.clone()),
        None => {
            let asked = args.asked()?;
            let plan = Plan::new(&asked.layers, command_line())?;
            let folder = match &args.out {
                Some(folder) => folder.clone(),
                None => fresh(&asked.experiment.output_dir.join("compare"), args.dry_run)?,
            };
            (plan, folder)
        }
    };
    if args.dry_run {
        describe(&plan);
        return judge(&plan, &Failures::default(), &folder);
    }
    let mine = |i: usize| args.shard.is_none_or(|part| i % part.of == part.index);
    let left = compare::left(&plan, &folder, &mine);
    if !left.is_empty() {
        compare::check_data(&plan, &folder)?;
    }
    plan.write(&folder)?;
    let at_once = args.jobs.map_or_else(|| jobs_at_once(&plan), |n| n as usize);
    let at_once = at_once.clamp(1, left.len().max(1));
    log::info!(
        "{} cells, {} models x {} seeds, {}; {} of {} runs left, {at_once} in parallel, into {}",
        plan.cells.len(),
        plan.units.len(),
        plan.seeds.len(),
        plan.budget,
        left.len(),
        plan.units.len() * plan.seeds.len(),
        folder.display()
    );
    for note in &plan.notes {
        log::info!("{note}");
    }
    for why in left.iter().flat_map(|left| &left.damaged) {
        log::warn!("{why}; measuring it again");
    }
    let failures = work_through(cli, &left, at_once, &folder)?;
    if args.shard.is_some() {
        println!("{}", folder.display());
        println!("write the report with\n  triflow compare --collect {}", quoted(&folder));
    } else {
        report(cli, &plan, &folder)?;
    }
    judge(&plan, &failures, &folder)
}

/// The number of runs that failed, and of all that were started.
#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    failed: usize,
    of: usize,
}

/// Checks that every cell is possible and no run failed; the error counts those that are not.
fn judge(plan: &Plan, runs: &Failures, folder: &Path) -> Result<()> {
    let mut told = Vec::new();
    let mut help = Vec::new();
    let impossible = plan.impossible().count();
    for (cell, why) in plan.impossible() {
        log::error!("{} is impossible: {why}", cell.name);
    }
    if impossible > 0 {
        told.push(format!("{impossible} of {} cells are impossible", plan.cells.len()));
        help.push("leave these combinations out, or correct their values".to_owned());
    }
    if runs.failed > 0 {
        told.push(format!("{} of {} runs failed", runs.failed, runs.of));
        help.push(format!("the report says why; `{}` tries them again", resume_command(folder)));
    }
    match told.is_empty() {
        true => Ok(()),
        false => Err(Error::runtime(format!("{}\n  help: {}", told.join(", "), help.join("; ")))),
    }
}

/// A new folder for a comparison without --out.
fn fresh(parent: &Path, dry_run: bool) -> Result<PathBuf> {
    let name = triflow::run::stamp();
    let names = std::iter::once(name.clone()).chain((2..1000).map(|i| format!("{name}_{i}")));
    for name in names {
        let folder = parent.join(name);
        if dry_run {
            return Ok(folder);
        }
        std::fs::create_dir_all(parent).map_err(Error::io("make the folder", parent))?;
        match std::fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(Error::io("make the folder", &folder)(e)),
        }
    }
    Err(Error::runtime(format!("no free name in {}", parent.display())))
}

/// The command line, quoted for a shell.
fn command_line() -> String {
    let words = std::env::args_os().skip(1).map(|word| quoted(Path::new(&word)));
    std::iter::once("triflow".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

/// A word, quoted for a shell if needed.
fn quoted(word: &Path) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.into_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

fn describe(plan: &Plan) {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["cell", "trained as", "possible"]);
    for cell in &plan.cells {
        let possible = cell.error.as_deref().map_or("yes", |e| e.lines().next().unwrap_or(e));
        table.add_row([cell.name.as_str(), cell.unit.as_deref().unwrap_or("-"), possible]);
    }
    println!("{}\n{table}", plan.title);
    for note in &plan.notes {
        println!("{note}");
    }
    println!(
        "{} models x {} seeds = {} runs of {}",
        plan.units.len(),
        plan.seeds.len(),
        plan.units.len() * plan.seeds.len(),
        plan.budget
    );
}

/// The number of parallel runs: one thread each, as many as cores and memory allow; one on a GPU.
fn jobs_at_once(plan: &Plan) -> usize {
    /// Memory of a small run: LibTorch and its data.
    const LEAST: u64 = 400 << 20;
    let on_gpu = plan.units.first().is_some_and(|unit| {
        let experiment = triflow::Experiment::from_yaml(&unit.experiment);
        experiment.is_ok_and(|e| triflow::device::choose(&e.device).is_ok_and(|d| d.is_cuda()))
    });
    if on_gpu {
        return 1;
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let fit = usize::try_from(triflow::memory::free() / LEAST).unwrap_or(cores);
    cores.min(fit).max(1)
}

/// Does the jobs, each in a process of its own.
fn work_through(
    cli: &Cli,
    left: &[Unfinished<'_>],
    at_once: usize,
    folder: &Path,
) -> Result<Failures> {
    let cells = Cells::new(cli.quiet, left.len());
    let next = Mutex::new(left.iter());
    let failed = AtomicUsize::new(0);
    let (leash, end) = std::io::pipe().map_err(|e| Error::runtime(format!("no pipe: {e}")))?;
    let family = Family { cli, folder, cells: &cells, leash };
    let take = || next.lock().ok()?.next();
    let done = AtomicBool::new(false);
    go_on_with(Some(resume_command(folder)));
    heed(true);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..at_once)
            .map(|_| {
                scope.spawn(|| {
                    while !stopped()
                        && let Some(left) = take()
                    {
                        let (unit, seed) = (&left.job.unit.id, left.job.seed);
                        if let Err(why) = family.do_one(&left.job)
                            && !stopped()
                        {
                            failed.fetch_add(1, Ordering::SeqCst);
                            log::error!("{unit}, seed {seed}: {why}");
                        }
                    }
                })
            })
            .collect();
        // Child processes work until this end is closed.
        scope.spawn(|| {
            while !stopped() && !done.load(Ordering::SeqCst) {
                std::thread::sleep(std::time::Duration::from_millis(30));
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

fn resume_command(folder: &Path) -> String {
    format!("triflow compare --resume {}", quoted(folder))
}

/// Settings that all child processes share.
struct Family<'c> {
    cli: &'c Cli,
    folder: &'c Path,
    cells: &'c Cells,
    /// The standard input of the child processes. It is closed to stop them, and when this
    /// process ends.
    leash: PipeReader,
}

impl Family<'_> {
    /// Does one job in a process of its own, so that its memory is measured alone and its failure
    /// is contained.
    fn do_one(&self, job: &Job<'_>) -> Result<(), String> {
        let own = job.folder(self.folder);
        let failure = own.join(FAILURE);
        let _ = std::fs::remove_file(&failure);
        let shown = self.cells.start(&format!("{}, seed {}", job.unit.id, job.seed));
        let found = self.child(job).and_then(|child| watch(child, &shown));
        shown.end(found.is_ok());
        found.inspect_err(|why| {
            if stopped() {
                return;
            }
            // `why` reports the failure now, the file in later reports.
            let _ = std::fs::create_dir_all(&own);
            let _ = std::fs::write(&failure, why);
        })
    }

    fn child(&self, job: &Job<'_>) -> Result<Child, String> {
        let own = std::env::current_exe().map_err(|e| format!("cannot find this program: {e}"))?;
        let leash = self.leash.try_clone().map_err(|e| format!("no pipe: {e}"))?;
        let mut command = Command::new(own);
        for plugin in &self.cli.plugin {
            command.arg("--plugin").arg(plugin);
        }
        command.arg("compare-one").arg("--folder").arg(self.folder);
        command.arg(format!("--unit={}", job.unit.id)).arg(format!("--seed={}", job.seed));
        // Several threads a run are slower where every core has a run.
        command.env("OMP_NUM_THREADS", "1").env("RUST_LOG", "error");
        command.stdin(leash).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().map_err(|e| format!("cannot start a process: {e}"))
    }
}

/// Shows the progress of a child process until it ends.
fn watch(mut child: Child, shown: &crate::progress::Shown) -> Result<(), String> {
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let said = std::thread::spawn(move || {
        let mut text = String::new();
        if let Some(mut err) = err {
            let _ = err.read_to_string(&mut text);
        }
        text
    });
    for line in out.into_iter().flat_map(|out| BufReader::new(out).lines()).map_while(Result::ok) {
        shown.say(&line);
    }
    let status = child.wait().map_err(|e| e.to_string())?;
    let said = said.join().unwrap_or_default();
    if status.success() {
        return Ok(());
    }
    let said = said.trim().trim_start_matches("error: ");
    Err(if said.is_empty() { format!("ended with {status}") } else { said.to_owned() })
}

/// Does one job of the plan in `folder`, in a child process, until the parent closes its standard
/// input.
pub fn one(folder: &Path, unit: &str, seed: u64) -> Result<()> {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        stop();
    });
    let plan = Plan::read(folder)?;
    let jobs = plan.jobs();
    let job = jobs.iter().find(|job| job.unit.id == unit && job.seed == seed);
    let job =
        job.ok_or_else(|| Error::config("", format!("the plan has no {unit}, seed {seed}")))?;
    compare::work(&plan, *job, folder, &mut Told { step: 0, total: 1 })
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

/// Collects the results, writes the report and prints its summary.
fn report(cli: &Cli, plan: &Plan, folder: &Path) -> Result<()> {
    let results = compare::collect(plan, folder)?;
    compare::write(&results, folder)?;
    if cli.quiet {
        println!("{}", folder.display());
        return Ok(());
    }
    println!("{}\n{}", results.title, table(&results));
    println!("{}", compare::summary(&results).headline);
    for finding in compare::missing(&results).iter().flatten() {
        println!("{}", finding.words);
    }
    println!("report in {}", folder.join("report.html").display());
    Ok(())
}

/// The deciding metric and the cost of each cell, best first.
fn table(results: &Results) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    let metric = results.metrics.first();
    let title = metric.map_or("", |m| m.title.as_str());
    table.set_header(["cell", title, "", "rank", "training, s", "evaluations"]);
    let mut cells: Vec<_> = results.cells.iter().collect();
    let mean = |cell: &Cell| cell.metrics.first()?.as_ref().map(|score| score.spread.mean);
    let sign = if metric.is_some_and(|m| m.better == Better::More) { -1.0 } else { 1.0 };
    let key = |cell: &Cell| mean(cell).map_or(f64::INFINITY, |m| sign * m);
    cells.sort_by(|a, b| key(a).total_cmp(&key(b)));
    for cell in cells {
        let Some(score) = cell.metrics.first().and_then(Option::as_ref) else {
            let why = if cell.errors.is_empty() { "not measured yet" } else { "failed" };
            table.add_row([cell.name.as_str(), why]);
            continue;
        };
        let spread = |s: &Spread, digits: usize| match s.sd {
            Some(sd) => format!("{:.digits$} ± {sd:.digits$}", s.mean),
            None => format!("{:.digits$}", s.mean),
        };
        let verdict = match score.verdict {
            Verdict::Best => "best",
            Verdict::Tied => "not distinguishable from the best",
            Verdict::Worse => "worse",
            Verdict::Unknown => "",
        };
        table.add_row([
            cell.name.clone(),
            spread(&score.spread, 4),
            verdict.to_owned(),
            format!("{:.1}", score.rank),
            spread(&cell.cost.training_seconds, 1),
            format!("{:.0}", cell.cost.nfe.mean),
        ]);
    }
    if let Some(floor) = metric.and_then(|m| m.floor.as_ref()) {
        table.add_row(["real against real".to_owned(), format!("{:.4}", floor.mean)]);
    }
    table
}
