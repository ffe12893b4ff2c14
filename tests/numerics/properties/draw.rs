//! Random experiments, from the tables of keys in the registry.

use super::files::Files;
use crate::common::built_in;
use serde_json::{Map, Value, json};
use triflow::Experiment;
use triflow::registry::{Entry, Field, Group as _, Shape};

/// Pseudo-random numbers: SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn chance(&mut self, p: f64) -> bool {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64 <= p
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// Keys that are not drawn: those that the trial sets, that name files or machines, or that only
/// make it longer.
const FIXED: [&str; 17] = [
    "task",
    "data",
    "unconditional",
    "input_shape",
    "output_shape",
    "start_from",
    "comparison",
    "checkpoint",
    "device",
    "threads",
    "output_dir",
    "plugins",
    "training.epochs",
    "training.steps",
    "training.batch_size",
    "training.seed",
    "training.parts",
];

/// A place in an experiment that can be drawn.
pub struct Site {
    path: String,
    field: Field,
}

impl Site {
    /// True if a component stands here.
    pub fn is_of_a_component(&self) -> bool {
        kind_of(&self.field.shape).is_some()
    }
}

/// All places of an experiment.
pub fn sites() -> Vec<Site> {
    fn add(parent: &str, fields: Vec<Field>, all: &mut Vec<Site>) {
        for field in fields {
            let name = field.key.name();
            let path = if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") };
            match field.shape.clone() {
                _ if FIXED.contains(&path.as_str()) => {}
                Shape::Group(inner) => add(&path, inner, all),
                _ => all.push(Site { path, field }),
            }
        }
    }
    let mut all = Vec::new();
    add("", Experiment::fields(), &mut all);
    all
}

/// The kind of component at a place.
fn kind_of(shape: &Shape) -> Option<&'static str> {
    match shape {
        Shape::Component(kind) => Some(kind),
        Shape::Optional(inner) | Shape::List(inner) => kind_of(inner),
        _ => None,
    }
}

/// Draws values, and notes the components that it has drawn.
pub struct Draw<'a> {
    pub random: Random,
    pub files: &'a Files,
    /// Probability that a key with a default is set.
    pub set: f64,
    /// Number of places at which values are drawn, at most.
    pub places: usize,
    pub used: Vec<(String, String)>,
}

/// Tasks with the keys that select them.
const TASKS: [&str; 5] = ["reg", "gen", "uncond_gen", "seq", "seq_gen"];

impl Draw<'_> {
    /// An experiment in which the component `forced` is used, and values are drawn at some of
    /// `sites`.
    pub fn experiment(&mut self, forced: &Entry, sites: &[&Site]) -> Value {
        let kind = forced.info.kind;
        let data = match kind {
            "data_source" => forced.info.name.to_owned(),
            // Images and tables are what some components need.
            _ => {
                let all =
                    ["two_moons", "swiss_roll", "damped_oscillators", "table", "mnist", "npz"];
                (*self.random.of(&all)).to_owned()
            }
        };
        let mut experiment = self.world(&data);
        if kind != "data_source" {
            self.force(&mut experiment, forced, sites);
        }
        for _ in 0..self.random.below(self.places + 1) {
            let site = sites[self.random.below(sites.len())];
            if kind_of(&site.field.shape) != Some(kind)
                && !(kind == "network" && site.path == "crn")
            {
                let value = self.value(&site.field, 0);
                set(&mut experiment, &site.path, value);
            }
        }
        experiment
    }

    /// A small experiment on a data source.
    fn world(&mut self, source: &str) -> Value {
        let entry = built_in(Some("data_source")).into_iter().find(|e| e.info.name == source);
        let entry = entry.unwrap_or_else(|| panic!("no data source `{source}`"));
        let data = self.component(&entry, 0);
        let sequences = ["damped_oscillators", "lorenz", "sequences"].contains(&source);
        let tasks = if sequences { &TASKS[3..] } else { &TASKS[..3] };
        let task = *self.random.of(tasks);
        let task_keys = match task {
            "reg" => json!("regression"),
            "seq" => json!({ "type": "sequence", "mode": "predict" }),
            "seq_gen" => json!({ "type": "sequence", "mode": "generate" }),
            _ => json!("generation"),
        };
        let network = match sequences {
            true => json!({ "type": "temporal_conv", "width": 4, "blocks": 1 }),
            false => json!({ "type": "mlp", "hidden_dims": [8] }),
        };
        self.used.push(("crn".to_owned(), "vanilla".to_owned()));
        self.used.push(("network".to_owned(), network["type"].as_str().unwrap().to_owned()));
        json!({
            "task": task_keys,
            "unconditional": task == "uncond_gen",
            "data": data,
            "crn": { "type": "vanilla", "network": network },
            "training": { "steps": 5, "batch_size": 1 + self.random.below(12) },
            "sampling": { "steps": 3 },
            "device": "cpu",
            "threads": 1,
        })
    }

    /// Puts a component where one of its kind belongs, inside another if need be.
    fn force(&mut self, experiment: &mut Value, entry: &Entry, sites: &[&Site]) {
        let kind = entry.info.kind;
        let value = self.component(entry, 0);
        if let Some(site) = sites.iter().find(|site| kind_of(&site.field.shape) == Some(kind)) {
            let list = matches!(site.field.shape.required(), Shape::List(_));
            set(experiment, &site.path, if list { json!([value]) } else { value });
            return;
        }
        // Inside one of the components that take the kind.
        let all = built_in(None);
        let mut places = Vec::new();
        for outer in &all {
            let takes = outer.info.fields().into_iter().find(|f| kind_of(&f.shape) == Some(kind));
            let place = sites.iter().find(|s| kind_of(&s.field.shape) == Some(outer.info.kind));
            if let (Some(field), Some(place)) = (takes, place) {
                places.push((&outer.info, field.key.name(), place));
            }
        }
        assert!(!places.is_empty(), "nothing takes a component of the kind `{kind}`");
        let (outer, key, place) = self.random.of(&places);
        self.used.push((outer.kind.to_owned(), outer.name.to_owned()));
        set(experiment, &place.path, json!({ "type": outer.name, (*key): value }));
    }

    /// A component with some of its keys set.
    fn component(&mut self, entry: &Entry, depth: usize) -> Value {
        self.used.push((entry.info.kind.to_owned(), entry.info.name.to_owned()));
        let mut map = Map::new();
        map.insert("type".into(), entry.info.name.into());
        if entry.info.kind == "data_source" {
            map.extend(self.files.keys(entry));
            return map.into();
        }
        let example: Value = entry.info.example.map_or(Value::Null, |text| {
            serde_yaml::from_str(text).unwrap_or_else(|e| panic!("{}: {e}", entry.info.name))
        });
        for field in entry.info.fields() {
            let name = field.key.name();
            // Texts are not drawn.
            let is_text = field.default.is_none() && field.shape.required() == &Shape::Text;
            if let Some(text) = example.get(name).filter(|_| is_text) {
                map.insert(name.into(), text.clone());
                continue;
            }
            let wanted = field.default.is_none() || self.random.chance(self.set);
            if wanted && field.shape.required() != &Shape::Path && field.key.name() != "name" {
                map.insert(field.key.name().into(), self.value(&field, depth + 1));
            }
        }
        map.into()
    }

    /// A value of a key.
    fn value(&mut self, field: &Field, depth: usize) -> Value {
        let default = field.default.as_ref().and_then(|text| serde_json::from_str(text).ok());
        self.of_shape(&field.shape.clone(), field, default.unwrap_or(Value::Null), depth)
    }

    fn of_shape(&mut self, shape: &Shape, field: &Field, default: Value, depth: usize) -> Value {
        let range = field.key.range;
        match shape {
            Shape::Boolean => self.random.chance(0.5).into(),
            Shape::Whole { .. } => {
                let own = default.as_i64().unwrap_or(2);
                let all = [own, 0, 1, 2, 3, 4, 8].into_iter().filter(|n| range.contains(*n as f64));
                let all: Vec<i64> = all.filter(|n| *n <= 16 || *n == own).collect();
                if all.is_empty() { default } else { (*self.random.of(&all)).into() }
            }
            Shape::Number => {
                let own = default.as_f64().unwrap_or(0.5);
                let all = [own, own / 2.0, own * 1.5, 0.0, 0.1, 0.5, 0.9, 1.0, 2.0, -1.0];
                let all: Vec<f64> = all.into_iter().filter(|n| range.contains(*n)).collect();
                if all.is_empty() { default } else { (*self.random.of(&all)).into() }
            }
            Shape::Choice(words) => self.random.of(words).name.into(),
            Shape::Component(kind) => {
                // Deep inside, what takes no further components.
                let all: Vec<Entry> = built_in(Some(kind))
                    .into_iter()
                    .filter(|e| {
                        depth < 2 || e.info.fields().iter().all(|f| kind_of(&f.shape).is_none())
                    })
                    .collect();
                let entry = &all[self.random.below(all.len())];
                self.component(entry, depth + 1)
            }
            Shape::Group(fields) => {
                let mut map = Map::new();
                for inner in fields {
                    if inner.default.is_none() || self.random.chance(self.set) {
                        map.insert(inner.key.name().into(), self.value(inner, depth + 1));
                    }
                }
                map.into()
            }
            Shape::Variants(all) => {
                let variant = self.random.of(all).clone();
                let mut map = Map::new();
                map.insert("type".into(), variant.name.into());
                for inner in &variant.fields {
                    if inner.default.is_none() || self.random.chance(self.set) {
                        map.insert(inner.key.name().into(), self.value(inner, depth + 1));
                    }
                }
                map.into()
            }
            Shape::Optional(_) if self.random.chance(0.3) => Value::Null,
            Shape::Optional(inner) => self.of_shape(inner, field, default, depth),
            Shape::List(inner) => {
                let n = 1 + self.random.below(2);
                let first = default.get(0).cloned().unwrap_or(Value::Null);
                let all = (0..n).map(|_| self.of_shape(inner, field, first.clone(), depth + 1));
                let mut all: Vec<Value> = all.collect();
                // What has no drawn value is left as it is.
                if all.iter().any(Value::is_null) {
                    return default;
                }
                all.dedup();
                all.into()
            }
            Shape::Text | Shape::Path | Shape::Map(_) | Shape::Other { .. } => default,
        }
    }
}

/// Sets a value at a dotted path.
fn set(experiment: &mut Value, path: &str, value: Value) {
    let mut at = experiment;
    for name in path.split('.') {
        if !at.is_object() {
            *at = json!({});
        }
        at = &mut at[name];
    }
    *at = value;
}
