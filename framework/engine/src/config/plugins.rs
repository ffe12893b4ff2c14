//! Plugins of an experiment, which names all that it uses so that it runs again from its file
//! alone.

use super::merge::Keys;
use super::{Experiment, FilePath};
use crate::component::Metric;
use crate::error::Result;
use crate::plugin::{self, Library};
use crate::registry::{Kind, Parameter as _, Setting as _, Shape, registry};
use serde_yaml::Value;

impl Experiment {
    /// The plugins whose components the experiment uses, sorted by name; a metric is measured
    /// without being named.
    fn used_plugins(&self) -> Result<Vec<&'static Library>> {
        let mut used = Vec::new();
        visit(&self.write()?, &Self::shape(), &mut used);
        let metrics = registry().list(Some(<dyn Metric as Kind>::NAME));
        used.extend(metrics.into_iter().filter_map(|entry| entry.plugin));
        used.sort_by_key(|library| &library.name);
        used.dedup();
        Ok(used)
    }

    /// Replaces folders in `plugins` by their files, each once, and adds plugins that are used and
    /// not listed.
    pub(super) fn name_plugins(&mut self) -> Result<()> {
        let mut files = Vec::new();
        for path in &self.plugins {
            files.extend(plugin::load_or_moved(path)?);
        }
        files.extend(self.used_plugins()?);
        let mut paths: Vec<FilePath> = Vec::new();
        for library in files {
            let path = FilePath(library.path.clone());
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        self.plugins = paths;
        Ok(())
    }

    /// The plugins that the experiment lists, each with its version and its file's hash.
    pub fn libraries(&self) -> Vec<&'static Library> {
        let named = |library: &&Library| self.plugins.iter().any(|path| path.0 == library.path);
        plugin::loaded().into_iter().filter(named).collect()
    }
}

/// Collects the plugins of the components in `value`, which has the type `shape`.
fn visit(value: &Value, shape: &Shape, used: &mut Vec<&'static Library>) {
    match (value, shape.required()) {
        (Value::Sequence(all), Shape::List(inner)) => {
            all.iter().for_each(|item| visit(item, inner, used));
        }
        (Value::Mapping(map), Shape::Map(inner)) => {
            map.values().for_each(|value| visit(value, inner, used));
        }
        (Value::Mapping(map), shape) => {
            let Some(known) = Keys::of(shape, map.get("type").and_then(Value::as_str)) else {
                return;
            };
            used.extend(known.entry.as_ref().and_then(|entry| entry.plugin));
            for (name, value) in map {
                if let Some(field) = name.as_str().and_then(|name| known.field(name)) {
                    visit(value, &field.shape, used);
                }
            }
        }
        _ => {}
    }
}
