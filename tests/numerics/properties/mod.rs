//! Random experiments from the registry. What is accepted trains, samples, is saved and loaded,
//! samples the same again and resumes to the same; what is refused names key and reason.
//!
//! The tests try a few, `make properties` many, and prints what it saw for docs/reliability.md.
//! `TRIFLOW_PROPERTY=N` tries one again, whose number a failure names.

mod draw;
mod files;

use crate::common::built_in;
use draw::{Draw, Random, Site};
use files::Files;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use triflow::config::Layers;
use triflow::measure::{self, Options};
use triflow::prelude::*;
use triflow::registry::{Entry, registry};
use triflow::run::check_metrics;
use triflow::train::{Control, State};
use triflow::trained::Trained;
use triflow::{Error, Experiment, Trainer};

/// What came of an experiment.
#[derive(Debug, PartialEq)]
enum Trial {
    /// It was refused, with this key and reason.
    Refused(String),
    /// It trained, and everything was the same again.
    Same,
    /// Values were no longer finite, and it said so.
    NotFinite,
}

/// True for errors of numbers that grew too large and of limits of a solver, which no check can
/// foresee.
fn is_not_finite(e: &Error) -> bool {
    let text = e.to_string();
    ["finite", "NaN", "step size", "no end after"].iter().any(|word| text.contains(word))
}

/// Number of the first experiment that is drawn for a component that no other has trained, and the
/// number of them, at most, for each component.
const FURTHER: usize = 1_000_000;
const TRIES: usize = 300;

/// The number of rows that are measured.
const ROWS: i64 = 6;

/// Bytes of what a model gives: its metrics and samples.
fn samples(model: &mut Trained, trainer: &Trainer) -> Result<Vec<u8>> {
    let options = Options { draws: 1, ..Options::default() };
    let held = trainer.data().held_out(ROWS)?;
    let evaluation = measure::evaluate(model, &held, &options)?;
    let mut text = evaluation.to_json().to_string();
    for (name, tensor) in &evaluation.arrays {
        text += &format!(
            "{name} {:?}",
            Vec::<f64>::try_from(tensor.to_kind(triflow::tch::Kind::Double).reshape([-1]))?
        );
    }
    Ok(text.into_bytes())
}

fn train(trainer: &mut Trainer, to: u64) -> Result<()> {
    let on = &mut |_: &mut Trainer, event: &triflow::train::Event<'_>| {
        Ok(if event.step >= to { Control::Stop } else { Control::Continue })
    };
    trainer.fit(on).map(|_| ())
}

/// Tries an experiment. `Err` is a fault.
fn trial(yaml: &str, folder: &Path) -> Result<Trial, String> {
    let read = || -> Result<Experiment> {
        let mut layers = Layers::new()?;
        layers.add_text(yaml, "e.yaml")?;
        layers.finish()
    };
    let accepted = read().and_then(|experiment| {
        let trainer = Trainer::new(experiment, Path::new(""))?;
        check_metrics(&trainer)?;
        Ok(trainer)
    });
    let mut trainer = match accepted {
        Ok(trainer) => trainer,
        Err(Error::Config(e)) if !e.key.is_empty() && !e.message.is_empty() => {
            return Ok(Trial::Refused(format!("{}: {}", e.key, e.message)));
        }
        Err(Error::Data { path, message }) if path.exists() && !message.is_empty() => {
            return Ok(Trial::Refused(format!("data.path: {message}")));
        }
        Err(e) => return Err(format!("refused without key and reason: {e}")),
    };
    match course(&mut trainer, folder) {
        Ok(()) => Ok(Trial::Same),
        Err(Ok(e)) if is_not_finite(&e) => Ok(Trial::NotFinite),
        // What depends on all rows is refused before the first step.
        Err(Ok(Error::Config(e))) if trainer.step() == 0 && !e.key.is_empty() => {
            Ok(Trial::Refused(format!("{}: {}", e.key, e.message)))
        }
        Err(Ok(e)) => Err(format!("accepted, and then: {e}")),
        Err(Err(fault)) => Err(fault),
    }
}

/// Trains three steps, samples, saves, loads, samples again and resumes. An error is one of
/// triflow, or a fault.
fn course(trainer: &mut Trainer, folder: &Path) -> Result<(), Result<Error, String>> {
    let differs = |what: &str| Err(Err(format!("{what} differs")));
    train(trainer, 3).map_err(Ok)?;
    let state = folder.join("state.safetensors");
    trainer.state().and_then(|s| s.save(&state)).map_err(Ok)?;
    let weights = folder.join("params.safetensors");
    let experiment = trainer.experiment().clone();
    trainer.trained().save(&weights).map_err(Ok)?;
    let mut loaded = Trained::load(experiment.clone(), &weights).map_err(Ok)?;
    let first = samples(&mut loaded, trainer).map_err(Ok)?;
    let mut again = Trained::load(experiment.clone(), &weights).map_err(Ok)?;
    if samples(&mut again, trainer).map_err(Ok)? != first {
        return differs("what the model samples again");
    }
    // The written experiment is the same one.
    let written = experiment.to_yaml().map_err(Ok)?;
    let read = Experiment::from_yaml(&written).map_err(Ok)?;
    if read.to_yaml().map_err(Ok)? != written {
        return differs("the experiment that was written and read");
    }
    let mut resumed = Trainer::to_restore(read, Path::new("")).map_err(Ok)?;
    resumed.restore(State::load(&state).map_err(Ok)?).map_err(Ok)?;
    train(trainer, 5).map_err(Ok)?;
    train(&mut resumed, 5).map_err(Ok)?;
    let (one, other) = (trainer.state().map_err(Ok)?, resumed.state().map_err(Ok)?);
    if one.step != other.step || format!("{:?}", one.history) != format!("{:?}", other.history) {
        return differs("the history of the resumed training");
    }
    for ((name, one), (_, other)) in one.tensors.iter().zip(&other.tensors) {
        if !one.allclose(other, 0.0, 0.0, true) {
            return differs(&format!("{name} of the resumed training"));
        }
    }
    Ok(())
}

#[test]
fn whatever_is_accepted_trains_and_whatever_is_refused_names_its_key() {
    triflow_plugins::link();
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<usize>().ok());
    let n = number("TRIFLOW_PROPERTIES").unwrap_or(36);
    let files = Files::new();
    let all_sites = draw::sites();
    let sites: Vec<&Site> = all_sites.iter().collect();
    let of_components: Vec<&Site> =
        sites.iter().copied().filter(|site| site.is_of_a_component()).collect();
    // One component of each kind after the other.
    let mut kinds: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for entry in built_in(None) {
        kinds.entry(entry.info.kind).or_default().push(entry);
    }
    let entries: Vec<Entry> = kinds.values().flatten().cloned().collect();
    let forced = |i: usize| match i.checked_sub(FURTHER) {
        Some(i) => &entries[i / TRIES % entries.len()],
        None => {
            let all = kinds.values().nth(i % kinds.len()).unwrap();
            &all[i / kinds.len() % all.len()]
        }
    };
    let mut counts = BTreeMap::<String, usize>::new();
    let (mut drawn, mut accepted) = (BTreeSet::new(), BTreeSet::new());
    let (mut faults, mut trained) = (Vec::new(), 0);
    let mut reasons = BTreeMap::<_, BTreeMap<String, usize>>::new();
    let many = number("TRIFLOW_PROPERTIES").is_some();
    // Components that no experiment has trained yet get further ones.
    let further = if many { FURTHER..FURTHER + entries.len() * TRIES } else { 0..0 };
    let trials: Vec<usize> = match number("TRIFLOW_PROPERTY") {
        Some(only) => vec![only],
        None => (0..n).chain(further).collect(),
    };
    for i in trials {
        let of = &forced(i).info;
        let is_further = i >= FURTHER;
        if is_further && many && accepted.contains(&(of.kind.to_owned(), of.name.to_owned())) {
            continue;
        }
        // Half of the further ones are plain, as few others suit the component.
        let (set, places) = if is_further && i % 2 == 0 { (0.0, 1) } else { (0.3, 5) };
        let random = Random(i as u64);
        let mut draw = Draw { random, files: &files, set, places, used: Vec::new() };
        let sites = if is_further { &of_components } else { &sites };
        let experiment: Value = draw.experiment(forced(i), sites);
        let yaml = serde_yaml::to_string(&experiment).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let came = catch_unwind(AssertUnwindSafe(|| trial(&yaml, folder.path())));
        let came = came.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&s| s.to_owned()));
            Err(format!("panics: {}", text.unwrap_or_default()))
        });
        drawn.extend(draw.used.iter().cloned());
        let what = match came {
            Ok(Trial::Same) => {
                accepted.extend(draw.used.iter().cloned());
                trained += usize::from(!is_further);
                "trained"
            }
            Ok(Trial::NotFinite) => "not finite",
            Ok(Trial::Refused(why)) => {
                let own = reasons.entry((of.kind.to_owned(), of.name.to_owned())).or_default();
                *own.entry(why).or_default() += 1;
                "refused"
            }
            Err(fault) => {
                faults.push(format!("TRIFLOW_PROPERTY={i}: {fault}\n{yaml}"));
                "fault"
            }
        };
        *counts.entry(what.to_owned()).or_default() += 1;
    }
    println!(
        "{} random experiments: {counts:?}; {} of {} components were in one that trained",
        counts.values().sum::<usize>(),
        accepted.len(),
        built_in(None).len()
    );
    if many {
        let all =
            built_in(None).into_iter().map(|e| (e.info.kind.to_owned(), e.info.name.to_owned()));
        for of in all.filter(|of| !accepted.contains(of)) {
            let mut why: Vec<_> = reasons.remove(&of).into_iter().flatten().collect();
            why.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
            why.truncate(5);
            faults.push(format!("in none that trained: {of:?}, refused most often for {why:?}"));
        }
    }
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
    if number("TRIFLOW_PROPERTY").is_none() {
        assert!(2 * trained > n / 2, "few experiments are accepted: {counts:?}");
        for kind in registry().kinds().keys() {
            assert!(drawn.iter().any(|(of, _)| of == kind), "no {kind} was drawn");
        }
    }
}
