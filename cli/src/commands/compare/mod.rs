//! `compare`: the grid of a comparison, trained by child processes, and its report.

mod children;
mod queue;

pub use self::children::one;

use self::children::work_through;
use crate::args::{Cli, CompareArgs};
use crate::experiment::Request;
use crate::terminal::say;
use std::path::Path;
use triflow::compare::{
    self, Better, Cell, Plan, Planned, Results, Spread, Standing, Unfinished, Unit, Verdict,
};
use triflow::error::one_line;
use triflow::{Error, Result};

/// Runs `compare`: trains what is left of the plan, and reports.
pub fn compare(cli: &Cli, args: &CompareArgs) -> Result<()> {
    if let Some(folder) = &args.collect {
        return report(cli, &Plan::read(folder)?, folder, &[]);
    }
    let (plan, folder, layers) = match &args.resume {
        Some(folder) => (Plan::read(folder)?, folder.clone(), None),
        None => {
            let asked = Request::of_comparison(args)?;
            let plan = Plan::new(&asked.layers, command_line())?;
            let folder = match &args.out {
                Some(folder) => folder.clone(),
                None => compare::fresh(&asked.experiment.output_dir.join("compare"), args.dry_run)?,
            };
            (plan, folder, Some(asked.layers))
        }
    };
    let mine = |i: usize| args.shard.is_none_or(|part| part.has(i));
    let left = compare::left(&plan, &folder, &mine);
    let broken = unbuildable(&plan, &folder, &left).map_err(|e| match &layers {
        Some(layers) => layers.locate(e),
        None => e,
    })?;
    let impossible = impossible(&plan, &broken);
    if args.dry_run {
        describe(&plan, &impossible);
        return judge(&plan, &impossible, &Failures::default(), &folder);
    }
    if !left.is_empty() {
        compare::check_data(&plan, &folder)?;
    }
    {
        let _exclusive = compare::lock(&folder)?;
        plan.write(&folder)?;
    }
    for (unit, why) in &broken {
        compare::rule_out(unit, why, &folder, &left);
    }
    let is_possible = |left: &Unfinished<'_>| broken.iter().all(|(unit, _)| *unit != left.job.unit);
    let (left, ruled_out): (Vec<_>, Vec<_>) = left.into_iter().partition(is_possible);
    let ruled_out: Vec<String> = ruled_out.iter().map(|left| left.job.name()).collect();
    let at_once = args.jobs.map_or_else(|| jobs_at_once(&plan), |n| n as usize);
    let at_once = at_once.clamp(1, left.len().max(1));
    log::info!(
        "{} cells, {} models x {} seeds, {}; {} of {} left, {at_once} in parallel, into {}",
        plan.cells.len(),
        plan.units.len(),
        plan.seeds.len(),
        plan.budget,
        left.len(),
        share(plan.units.len() * plan.seeds.len(), args),
        folder.display()
    );
    for note in &plan.notes {
        log::info!("{note}");
    }
    for why in left.iter().flat_map(|left| &left.damaged) {
        log::warn!("{why}; measuring it again");
    }
    let failures = work_through(cli, (&plan, &folder), &left, at_once)?;
    if args.shard.is_some() {
        say!("{}", folder.display());
        say!("write the report with\n  triflow compare --collect {}", quoted(&folder));
    } else {
        report(cli, &current(&plan, &folder)?, &folder, &ruled_out)?;
    }
    // A share answers for its own runs: no repetition makes a cell possible.
    let impossible = if args.shard.is_some() { told(&impossible) } else { &impossible };
    judge(&plan, impossible, &failures, &folder)
}

/// Says which cells are impossible, and that none are left to be judged.
fn told(impossible: &[(String, String)]) -> &[(String, String)] {
    for (cell, why) in impossible {
        log::warn!("{cell} is impossible: {why}");
    }
    &[]
}

/// Models that cannot be built, each with the reason. Nothing is logged meanwhile: the runs say
/// the same again.
///
/// # Errors
/// The reason of the first one, if no model can be built.
fn unbuildable<'p>(
    plan: &'p Plan,
    folder: &Path,
    left: &[Unfinished<'p>],
) -> Result<Vec<(&'p Unit, Error)>> {
    let level = log::max_level();
    log::set_max_level(level.min(log::LevelFilter::Error));
    let mut broken = compare::unbuildable(plan, folder, left);
    log::set_max_level(level);
    if broken.is_empty() || broken.len() < plan.units.len() {
        return Ok(broken);
    }
    let (_, first) = broken.remove(0);
    let said = first.to_string();
    for (unit, why) in broken.iter().filter(|(_, why)| why.to_string() != said) {
        log::error!("{}: {why}", unit.id);
    }
    Err(first)
}

/// Cells that cannot be trained, each with the reason.
fn impossible(plan: &Plan, broken: &[(&Unit, Error)]) -> Vec<(String, String)> {
    let why = |cell: &Planned| match &cell.error {
        Some(why) => Some(why.clone()),
        None => {
            let own = |(unit, _): &&(&Unit, Error)| cell.unit.as_deref() == Some(&*unit.id);
            broken.iter().find(own).map(|(_, why)| why.to_string())
        }
    };
    plan.cells.iter().filter_map(|cell| Some((cell.name.clone(), why(cell)?))).collect()
}

/// The runs of the share that `args` ask for, of all `jobs`, for readers.
fn share(jobs: usize, args: &CompareArgs) -> String {
    let runs = |n: usize| if n == 1 { "1 run".to_owned() } else { format!("{n} runs") };
    match args.shard {
        None => runs(jobs),
        Some(part) => {
            let own = (0..jobs).filter(|i| part.has(*i)).count();
            format!("{} in share {part} of {}", runs(own), runs(jobs))
        }
    }
}

/// The plan that the folder has by now, which another process may have given it.
fn current(plan: &Plan, folder: &Path) -> Result<Plan> {
    let there = Plan::read(folder)?;
    if there.name()? != plan.name()? {
        log::warn!(
            "{} was given another plan meanwhile, by `{}`: the report is of that one; the same \
             command again reports on this one",
            folder.display(),
            there.command
        );
    }
    Ok(there)
}

/// The number of runs that failed, and of all that were started.
#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    failed: usize,
    of: usize,
}

/// Checks that no cell is impossible and no run failed; the error counts those that are and did.
fn judge(
    plan: &Plan,
    impossible: &[(String, String)],
    runs: &Failures,
    folder: &Path,
) -> Result<()> {
    let mut told = Vec::new();
    let mut help = Vec::new();
    for (cell, why) in impossible {
        log::error!("{cell} is impossible: {why}");
    }
    if !impossible.is_empty() {
        let (count, of) = (impossible.len(), plan.cells.len());
        told.push(format!("{count} of {of} cells are impossible"));
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

/// The command line, quoted for a shell. It is that of all shares.
fn command_line() -> String {
    let mut words = vec!["triflow".to_owned()];
    let mut given = std::env::args_os().skip(1);
    while let Some(word) = given.next() {
        match word.to_str() {
            Some("--shard") => _ = given.next(),
            Some(word) if word.starts_with("--shard=") => {}
            _ => words.push(quoted(Path::new(&word))),
        }
    }
    words.join(" ")
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

fn describe(plan: &Plan, impossible: &[(String, String)]) {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["cell", "trained as", "possible"]);
    for cell in &plan.cells {
        let why = impossible.iter().find(|(name, _)| *name == cell.name).map(|(_, why)| why);
        let possible = why.map_or("yes", |why| why.lines().next().unwrap_or(why));
        table.add_row([
            &*one_line(&cell.name),
            cell.unit.as_deref().unwrap_or("-"),
            &*one_line(possible),
        ]);
    }
    say!("{}\n{table}", plan.title);
    for note in &plan.notes {
        say!("{note}");
    }
    say!(
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

fn resume_command(folder: &Path) -> String {
    format!("triflow compare --resume {}", quoted(folder))
}

/// Collects the results so far, writes the report and prints its summary. Runs that are ruled out,
/// by name, do not count as failures: trying again does not help.
fn report(cli: &Cli, plan: &Plan, folder: &Path, ruled_out: &[String]) -> Result<()> {
    let exclusive = compare::lock(folder)?;
    let mut standing = compare::standing(plan, folder);
    standing.failed.retain(|name| !ruled_out.contains(name));
    let results = compare::collect(plan, folder).map_err(|e| unfinished(e, &standing, folder))?;
    compare::write(&results, folder)?;
    drop(exclusive);
    if cli.quiet {
        say!("{}", folder.display());
        return Ok(());
    }
    say!("{}\n{}", results.title, table(&results));
    say!("{}", compare::summary(&results).headline);
    for finding in compare::missing(&results).iter().flatten() {
        say!("{}", finding.words);
    }
    for sentence in standing.sentences() {
        say!("{sentence}");
    }
    if !(standing.failed.is_empty() && standing.missing.is_empty()) {
        say!("complete it with\n  {}", resume_command(folder));
    }
    say!("report in {}", folder.join("report.html").display());
    Ok(())
}

/// The error of a report on no finished run, with what is in progress and what is missing.
fn unfinished(e: Error, standing: &Standing, folder: &Path) -> Error {
    let said: String = standing.sentences().iter().map(|said| format!("\n{said}")).collect();
    let command = resume_command(folder);
    Error::runtime(format!("{e}{said}\n  help: `{command}` trains what no process is at work on"))
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
            table.add_row([&*one_line(&cell.name), why]);
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
            one_line(&cell.name).into_owned(),
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
