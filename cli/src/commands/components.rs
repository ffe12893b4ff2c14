//! `list`, `describe` and `check`: the components of the registry.

use crate::args::Format;
use crate::catalogue;
use crate::terminal::say;
use comfy_table::{Table, presets};
use triflow::error::visible_json;
use triflow::registry::registry;
use triflow::{Error, Result};

/// Lists components.
pub fn list(kind: Option<&str>, format: Format) -> Result<()> {
    let kind = kind.map(|k| registry().check_kind(k)).transpose()?;
    let all = registry().list(kind);
    let all = all.iter().map(catalogue::summary).collect::<Result<Vec<_>>>()?;
    print(&triflow_args::catalogue::list(&all.iter().collect::<Vec<_>>(), format), format);
    Ok(())
}

/// Prints what may have names of plugins in it.
fn print(text: &str, format: Format) {
    match format {
        Format::Table => say!("{text}"),
        Format::Json => println!("{}", visible_json(text)),
    }
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
    print(&catalogue::component(&entry)?.shown(format), format);
    Ok(())
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
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["CHECK", "RESULT", "DESCRIPTION"]);
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
