//! Layers of YAML (defaults, files with `extends`, `--set` and flags) that become one experiment.
//!
//! A later layer wins key by key. If it changes a `type`, of a component or of another map that has
//! one, the keys that the new type knows are kept and the others dropped. A map without keys, such
//! as an empty `training:`, changes nothing.

use super::Experiment;
use super::merge::{Place, merge};
use super::yaml::{self, parse_map, parse_value, shortened};
use crate::error::{ConfigError, Error, Result, reason};
use crate::plugin;
use crate::registry::{Group as _, Parameter, Setting, Shape, Yaml, default_layers, registry};
use serde_yaml::{Mapping, Value};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Place of the default layers, which no user wrote.
const DEFAULTS: &str = "defaults";

/// One layer as it was added, before the merge.
#[derive(Clone, Debug)]
struct Layer {
    /// The file or flag.
    place: String,
    value: Value,
    /// The file's text.
    text: Option<String>,
    /// Folder to which its relative paths refer.
    folder: PathBuf,
}

/// The keys that command-line flags gave. They do not belong to the content of an experiment: all
/// `Flags` are equal.
#[derive(Clone, Debug, Default)]
pub struct Flags(Arc<[Value]>);

impl Flags {
    /// True if a flag gave `key` or a key below it.
    pub fn has(&self, key: &str) -> bool {
        self.0.iter().any(|layer| value_at(layer, key).is_some())
    }
}

impl PartialEq for Flags {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// Nothing in YAML.
impl Parameter for Flags {
    fn shape() -> Shape {
        Shape::ANY
    }

    fn read(_: &Yaml) -> Result<Self> {
        Ok(Self::default())
    }
}

impl Setting for Flags {
    fn write(&self) -> Result<Yaml> {
        Ok(Yaml::Null)
    }
}

/// Layers that are merged as they are added, lowest first.
#[derive(Clone, Debug)]
pub struct Layers {
    merged: Value,
    /// Table of an experiment's keys.
    table: Arc<Shape>,
    /// The layers before the merge, for messages that say where a key was written.
    layers: Vec<Arc<Layer>>,
}

/// Origin of a key: a file's line or a flag, and the folder to which relative paths there refer.
#[derive(Clone, Debug)]
pub struct Origin {
    place: String,
    folder: PathBuf,
}

impl Layers {
    /// The default layers alone.
    ///
    /// # Errors
    /// [`Error::Config`]: a default layer is no map in YAML, which a program that registers its own
    /// could cause.
    pub fn new() -> Result<Self> {
        let mut layers = Self {
            merged: Value::Mapping(Mapping::new()),
            table: Arc::new(Experiment::shape()),
            layers: Vec::new(),
        };
        for text in default_layers() {
            layers.add(DEFAULTS, parse_map(text, DEFAULTS)?, None, Path::new(""))?;
        }
        Ok(layers)
    }

    /// Adds a file, and below it the file that it `extends`. A relative
    /// [`FilePath`](super::FilePath) in it refers to its folder; a relative `output_dir` stays as
    /// written.
    ///
    /// # Errors
    /// [`Error::Config`], with the file and where possible the line: there is no such file, it
    /// cannot be read, is no map in YAML or an empty one, exceeds a limit of size, or extends
    /// itself; or a plugin that it names cannot be loaded.
    pub fn add_file(&mut self, path: &Path) -> Result<()> {
        let mut chain: Vec<(PathBuf, Value, String)> = Vec::new();
        let mut next = Some(path.to_owned());
        while let Some(path) = next {
            let wrong = |message: String| match chain.last() {
                None => Error::config("", message),
                Some((from, ..)) => Error::Config(ConfigError {
                    message,
                    key: "extends".into(),
                    place: Some(from.display().to_string()),
                    help: None,
                }),
            };
            let same = |other: &Path| match (other.canonicalize(), path.canonicalize()) {
                (Ok(other), Ok(path)) => other == path,
                _ => false,
            };
            if chain.iter().any(|(other, ..)| same(other)) {
                return Err(wrong(format!("{} extends itself", path.display())));
            }
            let text = yaml::read_file(&path).map_err(|e| {
                let name = path.display();
                match e.kind() {
                    std::io::ErrorKind::NotFound if chain.is_empty() => {
                        wrong(format!("there is no experiment file {name}"))
                            .help(format!("`triflow init > {name}` writes one to start from"))
                    }
                    std::io::ErrorKind::NotFound => wrong(format!(
                        "there is no experiment file {name}"
                    ))
                    .help("a relative path in `extends` starts at the file that it stands in"),
                    _ => wrong(format!("cannot read the experiment file {name}: {}", reason(&e))),
                }
            })??;
            let mut value = parse_map(&text, &path.display().to_string())?;
            if value.as_mapping().is_some_and(Mapping::is_empty) {
                let message = format!("the experiment file {} holds no key", path.display());
                return Err(wrong(message).help(
                    "`triflow init` prints one to start from; without any file the defaults are \
                     used",
                ));
            }
            let base = value.as_mapping_mut().and_then(|m| m.remove("extends"));
            next = match base {
                None => None,
                Some(Value::String(base)) => {
                    Some(path.parent().unwrap_or(Path::new("")).join(base))
                }
                Some(_) => {
                    return Err(Error::Config(ConfigError {
                        message: "needs the path of a file".into(),
                        key: "extends".into(),
                        place: Some(path.display().to_string()),
                        help: None,
                    }));
                }
            };
            chain.push((path, value, text));
        }
        for (path, value, text) in chain.into_iter().rev() {
            let folder = path.parent().unwrap_or(Path::new(""));
            self.add(&path.display().to_string(), value, Some(text), folder)?;
        }
        Ok(())
    }

    /// Adds a layer of YAML; `place` names its origin in messages. A relative
    /// [`FilePath`](super::FilePath) in it refers to the current folder.
    ///
    /// # Errors
    /// [`Error::Config`]: the text is no map in YAML or exceeds a limit of size, or a plugin that
    /// it names cannot be loaded.
    pub fn add_text(&mut self, text: &str, place: &str) -> Result<()> {
        let layer = parse_map(text, place)?;
        self.add(place, layer, Some(text.to_owned()), Path::new(""))
    }

    /// Sets one dotted key, such as `crn.network.hidden_dims`, as a layer of its own. `place` names
    /// the origin in messages, such as `--set`. A relative [`FilePath`](super::FilePath) in it
    /// refers to the current folder.
    ///
    /// # Errors
    /// [`Error::Config`]: `key` is empty or has an empty part or more than 64, or a plugin that
    /// `value` names cannot be loaded.
    pub fn set(&mut self, key: &str, value: Value, place: &str) -> Result<()> {
        if key.is_empty() || key.split('.').any(str::is_empty) {
            return Err(Error::config("", format!("`{place}` does not name a key"))
                .help("write `--set training.epochs=10`"));
        }
        if key.split('.').count() > yaml::MAX_DEPTH {
            let message = format!("a key has at most {} parts", yaml::MAX_DEPTH);
            return Err(Error::config("", message).placed(&shortened(place)));
        }
        self.add(place, nested(key, value), None, Path::new(""))
    }

    /// Origin of the value at a dotted key.
    pub fn origin(&self, key: &str) -> Origin {
        let layer = self.layers.iter().rev().find(|layer| value_at(&layer.value, key).is_some());
        let folder = layer.map(|layer| layer.folder.clone()).unwrap_or_default();
        Origin { place: self.place(key).unwrap_or(key.to_owned()), folder }
    }

    /// Sets one dotted key as if `value` stood at `from`: its relative paths refer to the same
    /// folder.
    ///
    /// # Errors
    /// [`Error::Config`]: a plugin that `value` names cannot be loaded.
    pub fn set_from(&mut self, key: &str, value: Value, from: &Origin) -> Result<()> {
        self.add(&from.place, nested(key, value), None, &from.folder)
    }

    /// These layers without the merged value of a top-level key.
    pub fn without(&self, key: &str) -> Self {
        let mut layers = self.clone();
        if let Value::Mapping(map) = &mut layers.merged {
            map.remove(key);
        }
        layers
    }

    /// Sets a key from the argument of `--set`, `KEY=VALUE` with the value in YAML.
    ///
    /// # Errors
    /// [`Error::Config`]: there is no `=`, the value is not YAML, or one of those of
    /// [`set`](Self::set).
    pub fn set_text(&mut self, assignment: &str) -> Result<()> {
        let (key, value) = assignment.split_once('=').ok_or_else(|| {
            Error::config("", format!("`--set {assignment}` has no `=`"))
                .help("write `--set training.epochs=10`")
        })?;
        let value = parse_value(value)
            .map_err(|e| e.help(format!("in `--set {}`", shortened(assignment))))?;
        self.set(key.trim(), value, &format!("--set {assignment}"))
    }

    /// The merged value at a dotted key, before it is parsed.
    pub fn get(&self, key: &str) -> Option<&Value> {
        value_at(&self.merged, key)
    }

    /// Adds a layer whose relative paths refer to `folder`. Its own `plugins` are loaded first, so
    /// that it can use their components.
    fn add(
        &mut self,
        place: &str,
        layer: Value,
        text: Option<String>,
        folder: &Path,
    ) -> Result<()> {
        let plugins = self.merged.get("plugins").cloned();
        self.layers.push(Arc::new(Layer {
            place: place.to_owned(),
            value: layer.clone(),
            text,
            folder: folder.to_owned(),
        }));
        if let Some(named) = layer.get("plugins") {
            self.load_plugins(named, folder)?;
        }
        let table = Arc::clone(&self.table);
        let whole = Place { key: "", shape: &table, field: None };
        merge(&mut self.merged, layer, whole, folder);
        self.keep_plugins(plugins);
        Ok(())
    }

    /// Loads a layer's `plugins`.
    fn load_plugins(&self, named: &Value, folder: &Path) -> Result<()> {
        let wrong = |key: String, message: &str| {
            let error = Error::config(key, message);
            self.locate(
                error.help("a list of files or folders, such as `plugins: [../my_schedule.so]`"),
            )
        };
        let all = named.as_sequence();
        let all = all.ok_or_else(|| wrong("plugins".to_owned(), "needs a list of paths"))?;
        for (i, path) in all.iter().enumerate() {
            let key = format!("plugins[{i}]");
            let Some(path) = path.as_str() else { return Err(wrong(key, "needs a path")) };
            plugin::load_or_moved(&folder.join(path)).map_err(|e| self.locate(e.under(&key)))?;
        }
        Ok(())
    }

    /// Puts the plugins of the layers below in front of those of the layer on top, which may still
    /// use their components.
    fn keep_plugins(&mut self, below: Option<Value>) {
        let Some(Value::Sequence(mut all)) = below else { return };
        if let Some(Value::Sequence(above)) = self.merged.get_mut("plugins") {
            for path in above.drain(..) {
                if !all.contains(&path) {
                    all.push(path);
                }
            }
            *above = all;
        }
    }

    /// Parses the merged layers into an experiment.
    ///
    /// # Errors
    /// [`Error::Config`], with the key and where it was written: a key or component is unknown, a
    /// value has the wrong type or lies outside its range, or a plugin cannot be loaded.
    pub fn finish(&self) -> Result<Experiment> {
        let mut experiment = Experiment::read(&self.merged)
            .map_err(|e| empty_kind().unwrap_or_else(|| self.locate(e)))?;
        experiment.name_plugins()?;
        let flags = self.layers.iter().filter(|layer| layer.place.starts_with("--"));
        experiment.flags = Flags(flags.map(|layer| layer.value.clone()).collect());
        if self.asks_for_a_weighting() {
            experiment.loss.use_snr_weight.get_or_insert(true);
        }
        Ok(experiment)
    }

    /// True if a user's layer names a weighting and leaves open if errors are weighted: then they
    /// are, also on a path where they are not by default.
    fn asks_for_a_weighting(&self) -> bool {
        let weighting = |layer: &'_ Arc<Layer>| value_at(&layer.value, "loss.weighting").cloned();
        let (defaults, own): (Vec<_>, Vec<_>) =
            self.layers.iter().partition(|layer| layer.place == DEFAULTS);
        let default = defaults.into_iter().find_map(weighting);
        own.into_iter().any(|layer| match value_at(&layer.value, "loss.use_snr_weight") {
            None => weighting(layer).is_some(),
            // A file with all defaults names the default weighting as well.
            Some(open) => {
                open.is_null()
                    && default.is_some()
                    && weighting(layer).is_some_and(|w| Some(w) != default)
            }
        })
    }

    /// Adds to a configuration error where its key was written, for errors that arise after
    /// [`finish`](Self::finish). Returns other errors unchanged.
    pub fn locate(&self, error: Error) -> Error {
        let Error::Config(mut e) = error else { return error };
        if e.place.is_none() && !e.key.is_empty() {
            e.place = self.place(&e.key);
        }
        Error::Config(e)
    }

    /// Place and line at which the uppermost layer with `key` has it, or the entry of a list whose
    /// key it is; `None` for the defaults.
    fn place(&self, key: &str) -> Option<String> {
        let has = |key: &str| {
            let has_key = |layer: &&Arc<Layer>| value_at(&layer.value, key).is_some();
            self.layers.iter().rev().find(has_key)
        };
        let entry = || key.rfind("].").map(|end| &key[..=end]);
        let (layer, key) = match (has(key), entry()) {
            (Some(layer), _) => (layer, key),
            (None, Some(entry)) => (has(entry)?, entry),
            (None, None) => return None,
        };
        let line = layer.text.as_ref().and_then(|text| yaml::line_of(text, key));
        let place = &layer.place;
        (place != DEFAULTS).then(|| line.map_or(place.clone(), |line| format!("{place}:{line}")))
    }
}

/// Error about a kind that every experiment needs and of which the program has no component, as if
/// the crate with the built-in ones is not linked.
fn empty_kind() -> Option<Error> {
    let kinds = Experiment::fields().into_iter().filter_map(|field| match field.shape {
        Shape::Component(kind) => Some(kind),
        _ => None,
    });
    let missing = |kind: &&str| registry().list(Some(kind)).is_empty();
    kinds.into_iter().find(missing).map(|kind| registry().none_registered(kind))
}

/// A layer with one value, at a dotted key.
fn nested(key: &str, value: Value) -> Value {
    key.rsplit('.').fold(value, |inner, part| {
        let mut map = Mapping::new();
        map.insert(part.into(), inner);
        Value::Mapping(map)
    })
}

/// The value at a dotted key, whose parts may have indices such as `plugins[0]`.
fn value_at<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    key.split('.').filter(|k| !k.is_empty()).try_fold(value, |v, part| {
        let mut names = part.split('[');
        let v = match names.next().unwrap_or(part) {
            // A component or choice may be given by its name alone.
            "type" if v.is_string() => v,
            name => v.as_mapping()?.get(name)?,
        };
        let entry = |v: &'v Value, i: &str| {
            let i: usize = i.trim_end_matches(']').parse().ok()?;
            v.as_sequence()?.get(i)
        };
        Some(names.fold(v, |v, i| entry(v, i).unwrap_or(v)))
    })
}

impl Experiment {
    /// Parses an experiment from YAML over the defaults, for programs that have no file.
    ///
    /// # Errors
    /// [`Error::Config`]: those of [`Layers::add_text`] and [`Layers::finish`].
    ///
    /// ```no_run
    /// # extern crate triflow_engine as triflow;
    /// # fn main() -> triflow::Result<()> {
    /// let text = "{ objective: ct, training: { epochs: 5 } }";
    /// let experiment = triflow::Experiment::from_yaml(text)?;
    /// # Ok(()) }
    /// ```
    pub fn from_yaml(text: &str) -> Result<Self> {
        let mut layers = Layers::new()?;
        layers.add_text(text, "YAML")?;
        layers.finish()
    }

    /// This experiment with every relative [`FilePath`](super::FilePath) made absolute from
    /// `folder`. An experiment from [`Layers`] has no relative ones.
    ///
    /// # Errors
    /// [`Error::Config`]: those of [`Layers::finish`]. [`Error::Runtime`]: a value cannot be
    /// expressed in YAML.
    pub fn with_paths_from(&self, folder: &Path) -> Result<Self> {
        let value = self.write()?;
        let mut layers = Layers {
            merged: Value::Mapping(Mapping::new()),
            table: Arc::new(Experiment::shape()),
            layers: Vec::new(),
        };
        layers.add("the experiment", value, None, folder)?;
        let (flags, further) = (self.flags.clone(), self.further.clone());
        Ok(Self { flags, further, ..layers.finish()? })
    }
}
