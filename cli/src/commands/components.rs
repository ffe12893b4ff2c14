//! `list`, `describe` and `check`: the components of the registry.

use super::print_json;
use crate::args::Format;
use crate::terminal::say;
use comfy_table::{Table, presets};
use serde_json::json;
use triflow::registry::{Entry, Field, Shape, properties_of, registry};
use triflow::{Error, Result};

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    table
}

/// Lists components.
pub fn list(kind: Option<&str>, format: Format) -> Result<()> {
    let kind = kind.map(|k| registry().check_kind(k)).transpose()?;
    let entries = registry().list(kind);
    if format == Format::Json {
        return print_json(&entries.iter().map(summary).collect());
    }
    let mut table = table(&["KIND", "NAME", "DESCRIPTION", "ORIGIN"]);
    for e in &entries {
        let names = std::iter::once(e.info.name)
            .chain(e.info.aliases.iter().copied())
            .collect::<Vec<_>>()
            .join(", ");
        table.add_row([e.info.kind, &names, &e.summary(), &e.origin()]);
    }
    say!("{table}");
    Ok(())
}

fn summary(e: &Entry) -> serde_json::Value {
    json!({
        "kind": e.info.kind,
        "name": e.info.name,
        "aliases": e.info.aliases,
        "summary": e.summary(),
        "reference": e.info.reference,
        "origin": e.origin(),
        "plugin": e.plugin,
    })
}

/// The name of a component; an error that lists those of the kind where none is given.
pub fn named<'n>(kind: &str, name: Option<&'n str>) -> Result<&'n str> {
    let kind = registry().check_kind(kind)?;
    name.ok_or_else(|| {
        let all = registry().list(Some(kind));
        let all: Vec<_> = all.iter().map(|entry| entry.info.name).collect();
        Error::config("", format!("which {kind}?"))
            .help(format!("`triflow describe {kind} NAME`; names: {}", all.join(", ")))
    })
}

/// Describes one component.
pub fn describe(kind: &str, name: &str, format: Format) -> Result<()> {
    let entry = registry().find(registry().check_kind(kind)?, name)?;
    // Keys that cannot be read are an error, not an empty list.
    (entry.info.table)()?;
    let example = entry.info.example()?;
    if format == Format::Json {
        let mut all = summary(&entry);
        all["description"] = json!(entry.description());
        all["parameters"] = json!(properties_of(entry.info));
        all["example"] = json!(example);
        return print_json(&all);
    }
    say!(
        "{} `{}` ({})\n\n{}",
        entry.info.kind,
        entry.info.name,
        entry.plugin.map_or_else(|| entry.origin(), |l| format!("{l}, {}", l.path.display())),
        entry.description()
    );
    if !entry.info.aliases.is_empty() {
        say!("\nAliases: {}", entry.info.aliases.join(", "));
    }
    if !entry.info.reference.is_empty() {
        say!("\nReference: {}", entry.info.reference);
    }
    let fields = entry.info.fields();
    if !fields.is_empty() {
        let mut table = table(&["PARAMETER", "TYPE", "RANGE", "DEFAULT", "DESCRIPTION"]);
        add_parameters(&mut table, "", &fields);
        say!("\n{table}");
    }
    say!(
        "\nExample:\n{}",
        example.trim_end().lines().map(|l| format!("  {l}\n")).collect::<String>()
    );
    Ok(())
}

/// Adds a row for each parameter, and for those of the groups among them.
fn add_parameters(table: &mut Table, within: &str, fields: &[Field]) {
    for field in fields {
        let name = format!("{within}{}", field.key.name());
        table.add_row([
            name.as_str(),
            &field.shape.text(),
            &field.key.range.to_string(),
            field.default.as_deref().unwrap_or("(required)"),
            &field.key.description(),
        ]);
        if let Shape::Group(inner) = field.shape.required() {
            add_parameters(table, &format!("{name}."), inner);
        }
    }
}

/// Runs the conformance kit on one component.
pub fn check(kind: &str, name: &str, set: &[String]) -> Result<()> {
    let kind = registry().kind(kind)?;
    let name = registry().find(kind.name, name)?.info.name;
    let mut spec = serde_yaml::Mapping::new();
    spec.insert("type".into(), name.into());
    for assignment in set {
        let (key, value) = super::assignment(assignment, "s=0.02")?;
        spec.insert(key.into(), value);
    }
    let kit = triflow::testing::kit(kind.name)?;
    let failures = (kit.check)(&spec.into())?;
    let mut table = table(&["CHECK", "RESULT", "DESCRIPTION"]);
    let verdicts = triflow::testing::verdicts(kit, &failures);
    for ((check, about), (_, verdict)) in (kit.checks)().into_iter().zip(verdicts) {
        table.add_row([check, &verdict.to_string(), about]);
    }
    say!("{table}");
    if failures.is_empty() {
        return Ok(());
    }
    Err(Error::runtime(triflow::testing::report(kind.name, name, &failures)))
}
