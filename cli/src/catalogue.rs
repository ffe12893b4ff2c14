//! Components of the library as the command lists and describes them, and endings of the files that
//! it writes.

use triflow::io::table;
use triflow::registry::{Entry, Field, Shape, properties_of};
use triflow::{Error, Result};
use triflow_args::catalogue::{Component, Description, Summary};

/// Endings of the names of files that samples and predictions are written into.
pub fn sample_endings() -> Vec<&'static str> {
    [&["npz"], table::ENDINGS].concat()
}

/// A component as `list` shows it.
///
/// # Errors
/// The path of its plugin is no text.
pub fn summary(entry: &Entry) -> Result<Summary> {
    let plugin = entry.plugin.map(serde_json::to_value).transpose();
    Ok(Summary {
        kind: entry.info.kind.to_owned(),
        name: entry.info.name.to_owned(),
        aliases: entry.info.aliases.iter().map(|alias| (*alias).to_owned()).collect(),
        summary: entry.summary(),
        reference: entry.info.reference.to_owned(),
        origin: entry.origin(),
        plugin: plugin.map_err(|e| Error::runtime(e.to_string()))?,
    })
}

/// A component as `describe` shows it.
///
/// # Errors
/// Its keys or its example cannot be read.
pub fn component(entry: &Entry) -> Result<Component> {
    // Keys that cannot be read are an error, not an empty list.
    (entry.info.table)()?;
    let mut rows = Vec::new();
    add_parameters(&mut rows, "", &entry.info.fields());
    let description = Description {
        summary: summary(entry)?,
        description: entry.description(),
        parameters: properties_of(entry.info).into(),
        example: entry.info.example()?,
    };
    Ok(Component { description, rows })
}

/// Adds a row for each parameter, and for those of the groups among them.
fn add_parameters(rows: &mut Vec<[String; 5]>, within: &str, fields: &[Field]) {
    for field in fields {
        let name = format!("{within}{}", field.key.name());
        rows.push([
            name.clone(),
            field.shape.text(),
            field.key.range.to_string(),
            field.default.clone().unwrap_or_else(|| "(required)".to_owned()),
            field.key.description(),
        ]);
        if let Shape::Group(inner) = field.shape.required() {
            add_parameters(rows, &format!("{name}."), inner);
        }
    }
}
