//! Plugins of an experiment, which names all that it uses so that it runs again from its file
//! alone.

use super::{Experiment, FilePath};
use crate::error::{Error, Result};
use crate::plugin::{self, Library};
use crate::registry::{component_kind_of, properties_of, registry};
use serde_json::Value as Json;
use serde_yaml::Value;

impl Experiment {
    /// The plugins whose components the experiment uses, sorted by name. `schema` is that of
    /// experiments.
    fn used_plugins(&self, schema: &Json) -> Result<Vec<&'static Library>> {
        let all = serde_yaml::to_value(self).map_err(|e| Error::runtime(e.to_string()))?;
        let mut used = Vec::new();
        visit(&all, schema, &mut used);
        used.sort_by_key(|library| &library.name);
        used.dedup();
        Ok(used)
    }

    /// Replaces folders in `plugins` by their files, each once, and adds plugins that are used and
    /// not listed.
    pub(super) fn name_plugins(&mut self, schema: &Json) -> Result<()> {
        let mut files = Vec::new();
        for path in &self.plugins {
            files.extend(plugin::load_or_moved(path)?);
        }
        files.extend(self.used_plugins(schema)?);
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

/// Collects the plugins of the components in `value`, whose schema is `property`.
fn visit(value: &Value, property: &Json, used: &mut Vec<&'static Library>) {
    for choice in
        ["anyOf", "oneOf", "allOf"].iter().filter_map(|key| property[key].as_array()).flatten()
    {
        visit(value, choice, used);
    }
    match value {
        Value::Sequence(all) => {
            for item in all {
                visit(item, &property["items"], used);
            }
        }
        Value::Mapping(map) => {
            let name = map.get("type").and_then(Value::as_str);
            let entry = component_kind_of(property).zip(name);
            let entry = entry.and_then(|(kind, name)| registry().find(kind, name).ok());
            used.extend(entry.as_ref().and_then(|entry| entry.plugin));
            let properties = match entry {
                Some(entry) => properties_of(entry.info),
                None => property["properties"].as_object().cloned().unwrap_or_default(),
            };
            // Schema of the values of a map whose keys the user chooses.
            let additional = &property["additionalProperties"];
            for (key, value) in map {
                let property = key.as_str().and_then(|key| properties.get(key));
                visit(value, property.unwrap_or(additional), used);
            }
        }
        _ => {}
    }
}
