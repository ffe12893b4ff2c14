//! Every documented key with wrong values: an error that names the key, or a model, but never a
//! panic.

use crate::common::place_of;
use std::panic::{AssertUnwindSafe, catch_unwind};
use triflow::component::{Columns, DataContext, Splits};
use triflow::config::Layers;
use triflow::prelude::*;
use triflow::registry::{Field, Group as _, Shape, Variant, registry};
use triflow::tch::{Device, Kind};
use triflow::{Error, Experiment, Result, Trainer};

/// Values in YAML that are wrong for most keys.
const WRONG: [&str; 11] = [
    "a text",
    ".nan",
    ".inf",
    "-1",
    "1e300",
    "9223372036854775807",
    "null",
    "[]",
    "[-1]",
    "[9223372036854775807]",
    "{ no: map }",
];

/// The keys of values below a field, each with the settings that it needs beside it.
fn leaves(shape: &Shape, key: &str, beside: &[(String, String)]) -> Vec<Leaf> {
    match shape.required() {
        Shape::Component(_) => Vec::new(),
        Shape::Variants(all) => {
            let of_one = |one: &Variant| {
                let mut beside = beside.to_vec();
                beside.push((format!("{key}.type"), one.name.to_owned()));
                leaves_of(&one.fields, key, &beside)
            };
            all.iter().flat_map(of_one).collect()
        }
        Shape::Group(fields) => leaves_of(fields, key, beside),
        _ => vec![Leaf { key: key.to_owned(), beside: beside.to_vec(), set: None }],
    }
}

fn leaves_of(fields: &[Field], key: &str, beside: &[(String, String)]) -> Vec<Leaf> {
    let below = |field: &Field| {
        let name = field.key.name();
        let key = if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
        leaves(&field.shape, &key, beside)
    };
    fields.iter().flat_map(below).collect()
}

#[derive(Clone)]
struct Leaf {
    key: String,
    beside: Vec<(String, String)>,
    /// Argument of `--set` that gives it the value `VALUE`; `None`: `KEY=VALUE`.
    set: Option<String>,
}

/// Rows of numbers, or of small images.
fn rows(images: bool) -> Splits {
    let shape: &[i64] = if images { &[12, 1, 8, 8] } else { &[12, 2] };
    let x = Tensor::arange(shape.iter().product::<i64>(), (Kind::Float, Device::Cpu)).sin();
    let y = Tensor::arange(12, (Kind::Int64, Device::Cpu)).remainder(2);
    let train = Columns { x: Some(x.reshape(shape)), y: Some(y), ..Columns::default() };
    Splits { train, ..Splits::default() }
}

/// The last stage that an experiment is tried to once it is read.
#[derive(Clone, Copy)]
enum Try {
    /// Checks its numbers.
    Check,
    /// Builds its model for rows of numbers.
    Numbers,
    /// Builds its model for images.
    Images,
    /// Loads its data.
    Load,
}

fn attempt(layers: &Layers, what: Try) -> Result<()> {
    let experiment = layers.finish()?;
    experiment.check()?;
    match what {
        Try::Check => Ok(()),
        Try::Numbers => Trainer::with_tables(experiment, rows(false)).map(drop),
        Try::Images => Trainer::with_tables(experiment, rows(true)).map(drop),
        Try::Load => {
            let context = DataContext::new(1, "");
            experiment.data.build(&context)?.load().map(drop)
        }
    }
}

/// The problem with the outcome of a value; `None` for a model or an error that names the key.
fn problem_with(layers: &Layers, leaf: &Leaf, value: &str, what: Try) -> Option<String> {
    let key = leaf.key.as_str();
    let tried = catch_unwind(AssertUnwindSafe(|| {
        let mut layers = layers.clone();
        match &leaf.set {
            Some(set) => layers.set_text(&set.replace("VALUE", value))?,
            None => layers.set_text(&format!("{key}={value}"))?,
        }
        attempt(&layers, what)
    }));
    let last = key.rsplit('.').next().unwrap_or(key);
    let problem = |text: &str| Some(format!("{key}={value}: {text}"));
    match tried {
        Err(_) => problem("panics"),
        Ok(Ok(())) => None,
        Ok(Err(Error::Config(e))) => {
            let own = &e.key.replace("[0]", "");
            let related = key.starts_with(own) || own.starts_with(key) || key.ends_with(own);
            match !own.is_empty() && related || e.message.contains(last) {
                true => None,
                false => problem(&format!("{} at `{own}`", e.message)),
            }
        }
        // The file does not exist.
        Ok(Err(Error::Data { .. })) => None,
        // The value needs more memory than this machine has.
        Ok(Err(other)) if other.to_string().contains(key) => None,
        Ok(Err(other)) => problem(&other.to_string()),
    }
}

#[test]
fn no_value_of_any_key_is_a_panic_and_every_error_names_its_key() {
    triflow_plugins::link();
    let mut base = Layers::new().unwrap();
    let small = "{ device: cpu, task: generation, threads: 1, crn: { network: { hidden_dims: [4] } }, \
                 data: { samples: 20 } }";
    base.add_text(small, "base").unwrap();
    let mut all: Vec<(Layers, Leaf, Try)> = Vec::new();
    for leaf in leaves_of(&Experiment::fields(), "", &[]) {
        // This key would load libraries.
        if leaf.key != "plugins" {
            all.push((base.clone(), leaf, Try::Numbers));
        }
    }
    for entry in registry().list(None) {
        let (kind, name) = (entry.info.kind, entry.info.name);
        let (place, in_list) = place_of(kind);
        let mut layers = base.clone();
        let mut keys = format!("type: {name}");
        for field in entry.info.fields().iter().filter(|field| field.default.is_none()) {
            keys += &format!(", {}: given", field.key.name());
        }
        let (open, close) = if in_list { ("[{ ", " }]") } else { ("{ ", " }") };
        layers.set_text(&format!("{place}={open}{keys}{close}")).unwrap();
        let tries = match kind {
            "data_source" => vec![Try::Load],
            _ => vec![Try::Numbers, Try::Images],
        };
        // For components that need a file, or more than this experiment has, only numbers are
        // checked.
        let works = |what: &Try| attempt(&layers, *what).is_ok();
        let what = tries.into_iter().find(works).unwrap_or(Try::Check);
        let mut leaves = leaves_of(&entry.info.fields(), &place, &[]);
        if in_list {
            // A list is replaced as a whole.
            leaves.retain(|leaf| leaf.key.matches('.').count() == place.matches('.').count() + 1);
            for leaf in &mut leaves {
                let own = leaf.key.rsplit('.').next().unwrap_or_default();
                leaf.set = Some(format!("{place}=[{{ {keys}, {own}: VALUE }}]"));
            }
        }
        all.extend(leaves.into_iter().map(|leaf| (layers.clone(), leaf, what)));
    }
    assert!(all.len() > 200, "{}", all.len());
    let mut wrong = Vec::new();
    for (mut layers, leaf, what) in all {
        for (key, value) in &leaf.beside {
            layers.set_text(&format!("{key}={value}")).unwrap();
        }
        wrong.extend(WRONG.iter().filter_map(|value| problem_with(&layers, &leaf, value, what)));
    }
    assert!(wrong.is_empty(), "{} answers:\n{}", wrong.len(), wrong.join("\n"));
}
