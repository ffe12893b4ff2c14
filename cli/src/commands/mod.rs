//! The commands, one function or file each.

mod compare;
mod components;
mod curve;
mod data;
mod export;
mod functions;
mod new_crate;
mod outputs;
mod reflow;
mod sampling;
mod scores;
mod serve;

use crate::args::place::PlaceArgs;
use crate::args::{Cli, Command, DataCommand, TrainArgs};
use crate::experiment::Request;
use crate::group;
use crate::progress::Progress;
use crate::terminal::say;
use scores::Scores;
use serde_yaml::Value;
use std::io::IsTerminal as _;
use std::path::Path;
use triflow::config::{Layers, Task, parse_value};
use triflow::error::{one_line, quoted, visible, visible_json};
use triflow::report::Course;
use triflow::request::StartRequest;
use triflow::run::{self, Run};
use triflow::{Error, Experiment, Result};

/// Runs the command line.
pub fn run(cli: &Cli) -> Result<()> {
    group::join(cli)?;
    group::group().guard(|| {
        load_plugins(cli)?;
        crate::out::keep_others(cli)?;
        run_joined(cli)
    })
}

fn run_joined(cli: &Cli) -> Result<()> {
    match &cli.command {
        Command::Train(TrainArgs { experiment, place }) => {
            train(cli, Request::of(experiment, None, Some("regression"))?, place)
        }
        Command::TrainGen(TrainArgs { experiment, place }) => {
            train(cli, Request::of(experiment, None, Some("generation"))?, place)
        }
        Command::TrainSeq { generate, train: TrainArgs { experiment, place } } => {
            train(cli, Request::of_sequences(experiment, *generate)?, place)
        }
        Command::Run { file, train: TrainArgs { experiment, place } } => {
            let mut asked = Request::of(experiment, Some(file), None)?;
            asked.experiment.task.get_or_insert(Task::Generation);
            train(cli, asked, place)
        }
        Command::Resume { run, data_path, epochs, steps, set, output_dir, .. } => {
            let run = Run::open(run)?.with_data_at(data_path.as_deref());
            match (epochs, steps) {
                (None, None) if set.is_empty() && output_dir.is_none() => {
                    show(cli, &run::go_on(run, &mut Progress::new(cli.quiet))?)
                }
                _ => extend(cli, &run, (*epochs, *steps), set, output_dir.as_deref()),
            }
        }
        Command::Generate {
            run,
            n,
            labels,
            condition,
            save_z0,
            trajectories,
            seeds,
            start,
            sampling,
            out,
        } => {
            let condition = condition.as_deref();
            let (out, trajectories) = ((&**out, cli.quiet), *trajectories);
            if let Some(from) = sampling::From::of(start)? {
                let seed = sampling.seed;
                let request = StartRequest { n: *n, seed, labels, condition, trajectories };
                return sampling::start(run, from, request, sampling, out);
            }
            let kept = sampling::Kept { z0: *save_z0, trajectories };
            let asked = (&labels[..], condition);
            sampling::generate(run, (*n, seeds.as_deref()), asked, sampling, (kept, out))
        }
        Command::Predict { run, data, samples, seeds, sampling, out } => {
            let out = (&**out, cli.quiet);
            sampling::predict(run, data, (*samples, seeds.as_deref()), sampling, out)
        }
        Command::Serve { run, serving, sampling } => serve::run(run, serving, sampling),
        Command::Impute { run, data, draws, sampling, out } => {
            sampling::impute(run, data, *draws, sampling, (out, cli.quiet))
        }
        Command::Data { action: Some(DataCommand::Inspect { file, set }), .. } => {
            data::inspect(file, set)
        }
        Command::Data { name, set, seed, out, .. } => {
            let (name, out) = (name.as_deref().unwrap_or_default(), out.as_deref());
            data::write(name, set, *seed, out.unwrap_or(Path::new("")))
        }
        Command::Evaluate {
            run,
            data,
            samples,
            draws,
            points,
            likelihood,
            out,
            units,
            metric,
            sampling,
        } => {
            let what = (units.as_deref(), &metric[..]);
            let likelihood = likelihood.map(|rows| (rows, out.as_deref()));
            let files = (data.as_deref(), samples.as_deref());
            sampling::evaluate(run, files, (*draws, *points), what, likelihood, sampling)
        }
        Command::Compare(args) => compare::compare(cli, args),
        Command::CompareOne { folder, plan, unit, seed } => compare::one(folder, plan, unit, *seed),
        Command::Curve { run, ask, out } => curve::draw(run, ask, out),
        Command::Reflow { run, pairs, sampling, train, output_dir } => {
            reflow::reflow(cli, run, *pairs, sampling, train, output_dir.as_deref())
        }
        Command::Export { run, to, sampling, out } => export::export(run, *to, sampling, out),
        Command::Plot { run, data_path } => {
            let run = Run::open(run)?.with_data_at(data_path.as_deref());
            let mut model = run.load()?;
            let _threads = model.threads();
            let data = run.data(&model)?;
            let (history, stopped) = (run.history()?, run.stopped());
            let course =
                Course { history: &history, stopped: stopped.as_deref(), kept: run.best_epoch() };
            triflow::report::draw(&mut model, &data, course, &run.path)?;
            show(cli, &run)
        }
        Command::List { kind, format } => components::list(kind.as_deref(), *format),
        Command::Describe { kind, name, format, eval, plot: _, out, points, set } => {
            let name = components::named(kind, name.as_deref())?;
            if let Some(out) = out {
                functions::plot(kind, name, set, out)
            } else if *eval {
                functions::eval(kind, name, (*points).into(), set)
            } else {
                components::describe(kind, name, *format)
            }
        }
        Command::Check { kind, name, set } => components::check(kind, name, set),
        Command::NewPlugin { kind, name, into, framework } => {
            new_crate::plugin(kind, name, into, framework.as_deref())
        }
        Command::NewProgram { name, into, framework } => {
            new_crate::program(name, into, framework.as_deref())
        }
        Command::Schema => print_json(&triflow::registry::experiment_schema::<Experiment>()),
        Command::Validate { file, experiment } => {
            let asked = Request::of(experiment, Some(file), None)?;
            let trainer = run::prepare(asked.experiment, &asked.base);
            let trainer = trainer.map_err(|e| asked.layers.locate(e))?;
            // As a comment: what follows is an experiment file.
            println!("# data: {}", one_line(&trainer.data().summary.to_string()));
            print_yaml(trainer.experiment())
        }
        Command::Init { task } => {
            let mut layers = Layers::new()?;
            layers.set("task", task.as_str().into(), "--task")?;
            let experiment = layers.finish()?;
            say!(
                "# Experiment file. The keys are explained by `triflow schema` and `triflow describe KIND NAME`."
            );
            print_yaml(&experiment)
        }
        Command::Completions { shell } => {
            print!("{}", triflow_args::completions(*shell));
            Ok(())
        }
    }
}

/// Loads the plugins of the environment and of `--plugin`. A command that needs no component works
/// without those of the environment.
fn load_plugins(cli: &Cli) -> Result<()> {
    let found = triflow::plugin::load_search_path();
    let needed = !matches!(
        cli.command,
        Command::NewPlugin { .. }
            | Command::NewProgram { .. }
            | Command::Init { .. }
            | Command::Completions { .. }
    );
    match found {
        Err(e) if !needed => log::warn!("{e}"),
        other => other?,
    }
    for path in &cli.plugin {
        triflow::plugin::load(path).map_err(|e| e.placed("--plugin"))?;
    }
    Ok(())
}

fn train(cli: &Cli, asked: Request, place: &PlaceArgs) -> Result<()> {
    let Request { experiment, base, .. } = &asked;
    let mut progress = Progress::new(cli.quiet);
    let run = match &place.run_dir {
        Some(folder) => run::train_into(experiment.clone(), base, folder, &mut progress),
        None => run::train(experiment.clone(), base, &mut progress),
    };
    show(cli, &run.map_err(|e| asked.layers.locate(e))?)
}

/// Trains a finished run further, to a number of epochs or steps in all.
fn extend(
    cli: &Cli,
    run: &Run,
    (epochs, steps): (Option<u64>, Option<u64>),
    set: &[String],
    output_dir: Option<&Path>,
) -> Result<()> {
    let mut layers = run.layers()?;
    for assignment in set {
        layers.set_text(assignment)?;
    }
    if let Some(epochs) = epochs {
        layers.set("training.epochs", epochs.into(), "--epochs")?;
        layers.set("training.steps", Value::Null, "--epochs")?;
    } else if let Some(steps) = steps {
        layers.set("training.steps", steps.into(), "--steps")?;
    } else {
        let message = "--set and --output-dir are for the further training of a finished run";
        return Err(Error::config("", message).help("say how far: --epochs N or --steps N"));
    }
    if !group::group().is_alone() {
        let message = "a finished run is trained further by one process";
        return Err(Error::config("", message).help(
            "start this command without a launcher; an unfinished run is resumed by several",
        ));
    }
    if let Some(dir) = output_dir {
        layers.set("output_dir", dir.to_string_lossy().as_ref().into(), "--output-dir")?;
    }
    let new = run::extend(run, layers.finish()?, &mut Progress::new(cli.quiet));
    show(cli, &new.map_err(|e| layers.locate(e))?)
}

/// Sets each `KEY=VALUE` below `parent`; `example` is shown with an error.
fn set_under(layers: &mut Layers, parent: &str, set: &[String], example: &str) -> Result<()> {
    for text in set {
        let (key, value) = assignment(text, example)?;
        layers.set(&format!("{parent}.{key}"), value, &format!("--set {text}"))?;
    }
    Ok(())
}

/// Splits `KEY=VALUE`; `example` is shown with an error.
fn assignment<'t>(text: &'t str, example: &str) -> Result<(&'t str, Value)> {
    let (key, value) = text.split_once('=').ok_or_else(|| {
        Error::config("", format!("`--set {text}` has no `=`"))
            .help(format!("write `--set {example}`"))
    })?;
    Ok((key.trim(), parse_value(value)?))
}

/// Prints the results of a run and their folder.
fn show(cli: &Cli, run: &Run) -> Result<()> {
    if !group::group().is_first() {
        return Ok(());
    }
    if cli.quiet {
        say!("{}", run.path.display());
        return Ok(());
    }
    print!("{}", visible(&Scores(&json_of(&run.file("metrics.json"))?).to_string()));
    say!("results in {}", run.path.display());
    for picture in triflow::report::pictures(&run.path)? {
        say!("  {picture}");
    }
    let experiment = run.experiment()?;
    if !experiment.task().predicts() {
        let ending = if run.file("samples.csv").is_file() { "csv" } else { "npz" };
        let conditions = if needs_conditions(run, &experiment)? { " --condition FILE" } else { "" };
        say!(
            "generate more samples with\n  triflow generate --run {}{conditions} --out samples.{ending}",
            quoted(&run.path)
        );
    }
    Ok(())
}

/// True if samples need a file of conditions, which are no labels.
fn needs_conditions(run: &Run, experiment: &Experiment) -> Result<bool> {
    if experiment.unconditional {
        return Ok(false);
    }
    let manifest: serde_json::Value = json_of(&run.file("manifest.json"))?;
    let condition = if experiment.task().learns_y() { "x" } else { "y" };
    let values = manifest["data"][condition]["values"].as_str();
    Ok(values.is_some_and(|values| values != "labels"))
}

/// A file of JSON.
fn json_of(file: &Path) -> Result<serde_json::Value> {
    let text = std::fs::read_to_string(file).map_err(Error::io("read", file))?;
    serde_json::from_str(&text).map_err(|e| Error::data(file, e.to_string()))
}

/// Prints JSON, indented.
pub fn print_json(value: &serde_json::Value) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Error::runtime(e.to_string()))?;
    println!("{}", visible_json(&text));
    Ok(())
}

fn print_yaml(experiment: &Experiment) -> Result<()> {
    let text = experiment.to_yaml()?;
    match std::io::stdout().is_terminal() {
        true => print!("{}", visible(&text)),
        // Whoever reads it gets the names as they are.
        false => print!("{text}"),
    }
    Ok(())
}
