//! The built-in components as `list` and `describe` show them, and values in help texts.
//!
//! The file `catalogue.json` is written by `make docs` from the registry; a test of the command
//! compares the two.

use comfy_table::{Table, presets};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::OnceLock;

/// Format in which a command prints what it found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    Table,
    Json,
}

/// A component, as `list` shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Kind of component.
    pub kind: String,
    /// Name of the component.
    pub name: String,
    /// Other names of the component.
    pub aliases: Vec<String>,
    /// First paragraph of its description.
    pub summary: String,
    /// Publication, or empty.
    pub reference: String,
    /// `built-in`, or name and version of the plugin.
    pub origin: String,
    /// The plugin, if the component is from one.
    pub plugin: Option<Value>,
}

/// A component, as `describe` shows it in JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// The part that `list` shows.
    #[serde(flatten)]
    pub summary: Summary,
    /// The whole description.
    pub description: String,
    /// JSON schemas of the parameters, by their names.
    pub parameters: Value,
    /// YAML of the component.
    pub example: String,
}

/// A component, as `describe` shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Component {
    /// The part that `describe` shows in JSON.
    #[serde(flatten)]
    pub description: Description,
    /// Name, type, range, default and description of each parameter, those of a group after it.
    pub rows: Vec<[String; 5]>,
}

/// Values in help texts: endings of files, and defaults of measurements.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Words {
    /// Endings of the names of files that data sources read.
    pub read: Vec<String>,
    /// Endings of files that rows of a data source are written into.
    pub arrays: Vec<String>,
    /// Endings of files that samples and predictions are written into.
    pub samples: Vec<String>,
    /// Endings of tables.
    pub tables: Vec<String>,
    /// Number of held-out points that are measured by default.
    pub points: i64,
}

/// The built-in components, sorted by kind and name.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Catalogue {
    /// Values in help texts.
    pub words: Words,
    /// The components.
    pub components: Vec<Component>,
}

impl Catalogue {
    /// The catalogue of this build; without a readable one an empty one.
    pub fn built_in() -> &'static Self {
        static READ: OnceLock<Catalogue> = OnceLock::new();
        let text = include_str!("catalogue.json");
        READ.get_or_init(|| serde_json::from_str(text).unwrap_or_default())
    }

    /// Its file: a component a line.
    pub fn file(&self) -> String {
        let components: Vec<String> = self.components.iter().map(line).collect();
        let words = line(&self.words);
        format!("{{\"words\": {words},\n\"components\": [\n{}\n]}}\n", components.join(",\n"))
    }

    /// Text of `list` for `kind`, or for all kinds; `None` where there is no such kind.
    pub fn list(&self, kind: Option<&str>, format: Format) -> Option<String> {
        let all = self.components.iter().map(|component| &component.description.summary);
        let all: Vec<_> = all.filter(|own| kind.is_none_or(|kind| own.kind == kind)).collect();
        (!all.is_empty()).then(|| list(&all, format))
    }

    /// Text of `describe` for the component `name`, no alias; `None` where there is none.
    pub fn describe(&self, kind: &str, name: &str, format: Format) -> Option<String> {
        let found = self.components.iter().find(|component| {
            let own = &component.description.summary;
            own.kind == kind && own.name == name
        });
        found.map(|component| component.shown(format))
    }
}

/// Values in help texts.
pub(crate) fn words() -> &'static Words {
    &Catalogue::built_in().words
}

/// Text of `list` for some components.
pub fn list(all: &[&Summary], format: Format) -> String {
    if format == Format::Json {
        return pretty(&all);
    }
    let mut table = table(&["KIND", "NAME", "DESCRIPTION", "ORIGIN"]);
    for own in all {
        let names = [std::slice::from_ref(&own.name), &own.aliases].concat().join(", ");
        table.add_row([&own.kind, &names, &own.summary, &own.origin]);
    }
    table.to_string()
}

impl Component {
    /// Text of `describe`.
    pub fn shown(&self, format: Format) -> String {
        if format == Format::Json {
            return pretty(&self.description);
        }
        let Description { summary: own, description, example, .. } = &self.description;
        let path = own.plugin.as_ref().and_then(|plugin| plugin["path"].as_str());
        let origin =
            path.map_or_else(|| own.origin.clone(), |path| format!("{}, {path}", own.origin));
        let mut text = format!("{} `{}` ({origin})\n\n{description}\n", own.kind, own.name);
        if !own.aliases.is_empty() {
            text += &format!("\nAliases: {}\n", own.aliases.join(", "));
        }
        if !own.reference.is_empty() {
            text += &format!("\nReference: {}\n", own.reference);
        }
        if !self.rows.is_empty() {
            let mut table = table(&["PARAMETER", "TYPE", "RANGE", "DEFAULT", "DESCRIPTION"]);
            self.rows.iter().for_each(|row| {
                table.add_row(row);
            });
            text += &format!("\n{table}\n");
        }
        let example = example.trim_end().lines().map(|line| format!("  {line}\n"));
        text + "\nExample:\n" + &example.collect::<String>()
    }
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    table
}

/// JSON on one line; these types cannot fail to be written.
fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// JSON, indented.
fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_of_this_build_is_read_whole() {
        let own = Catalogue::built_in();
        assert_eq!(own.file(), include_str!("catalogue.json"));
        assert!(own.components.len() > 100 && own.words.points > 0);
        assert!(own.list(None, Format::Table).is_some_and(|text| text.lines().count() > 100));
        assert_eq!(own.list(Some("no_such_kind"), Format::Table), None);
        let first = &own.components[0].description.summary;
        assert!(own.describe(&first.kind, &first.name, Format::Json).is_some());
        assert_eq!(own.describe(&first.kind, "no_such_name", Format::Table), None);
    }
}
