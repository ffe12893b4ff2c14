//! The grid of a comparison: every combination of the values of its axes.

use crate::config::{Comparison, Layers, Origin};
use crate::error::{Error, Result};
use serde_yaml::{Mapping, Value};
use std::collections::HashSet;

/// The key of the axes.
pub(super) const OVER: &str = "comparison.over";
/// Largest number of combinations.
const MOST_CELLS: usize = 10_000;
/// Largest number of combinations times seeds.
const MOST_RUNS: u64 = 100_000;

/// A key, or a named group of settings, and its values.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub name: String,
    pub values: Vec<Choice>,
}

impl Axis {
    /// The keys that its values set.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.iter().flat_map(|value| value.sets.iter().map(|(key, _)| key.as_str()))
    }
}

/// A value of an axis.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    /// Label in the names of cells.
    pub label: String,
    /// Settings by dotted key.
    sets: Vec<(String, Value)>,
}

/// The axes of a comparison, checked.
pub(super) fn axes(comparison: &Comparison) -> Result<Vec<Axis>> {
    let bad = |key: &str, message: &str| {
        let key = format!("{OVER}.{key}");
        Error::config(key, message).help("such as `objective: [flow_matching, ct]`")
    };
    let mut axes = Vec::new();
    for (name, values) in &comparison.over {
        let Some(name) = name.as_str().filter(|n| !n.split('.').any(str::is_empty)) else {
            return Err(bad("", "needs names of keys"));
        };
        let choices: Vec<Choice> = match values {
            Value::Sequence(all) => {
                let one = |v: &Value| Choice {
                    label: label(v),
                    sets: vec![(name.to_owned(), v.clone())],
                };
                all.iter().map(one).collect()
            }
            Value::Mapping(named) => named
                .iter()
                .map(|(label, sets)| {
                    let sets = sets.as_mapping().map(dotted);
                    let (Some(label), Some(sets)) = (label.as_str(), sets) else {
                        return Err(bad(
                            name,
                            "needs a list of values, or a map of named settings",
                        ));
                    };
                    Ok(Choice { label: label.to_owned(), sets })
                })
                .collect::<Result<_>>()?,
            _ => return Err(bad(name, "needs a list of values, or a map of named settings")),
        };
        if choices.is_empty() {
            return Err(bad(name, "needs at least one value"));
        }
        let mut labels = HashSet::new();
        if let Some(twice) = choices.iter().find(|c| !labels.insert(c.label.as_str())) {
            return Err(bad(name, &format!("names `{}` twice", twice.label)));
        }
        for (key, _) in choices.iter().flat_map(|c| &c.sets) {
            can_vary(key).map_err(|e| e.under(&format!("{OVER}.{name}")))?;
        }
        axes.push(Axis { name: name.to_owned(), values: choices });
    }
    Ok(axes)
}

/// Checks that a key may vary: not the seed, and no setting of the comparison itself.
fn can_vary(key: &str) -> Result<()> {
    let first = key.split('.').next().unwrap_or(key);
    if key == "training.seed" {
        return Err(Error::config(
            "",
            "seeds do not make cells: each cell is trained with all of them",
        )
        .help("set how many with `comparison.seeds` or `--seeds`"));
    }
    if first == "comparison" {
        return Err(Error::config("", format!("`{key}` is the same for all cells")));
    }
    Ok(())
}

/// Checks that there are not too many combinations or runs.
pub(super) fn check_size(axes: &[Axis], seeds: u64) -> Result<()> {
    let cells = axes.iter().try_fold(1_usize, |n, axis| n.checked_mul(axis.values.len()));
    let Some(cells) = cells.filter(|n| *n <= MOST_CELLS) else {
        let n: Vec<String> = axes.iter().map(|axis| axis.values.len().to_string()).collect();
        let message = format!("{} combinations are more than {MOST_CELLS}", n.join(" x "));
        return Err(Error::config(OVER, message));
    };
    match (cells as u64).checked_mul(seeds) {
        Some(runs) if runs <= MOST_RUNS => Ok(()),
        _ => {
            let message = format!("{cells} cells x {seeds} seeds are more than {MOST_RUNS} runs");
            Err(Error::config("comparison.seeds", message))
        }
    }
}

/// The settings of a map; keys are dotted already, such as `loss.weighting`.
fn dotted(sets: &Mapping) -> Vec<(String, Value)> {
    sets.iter().filter_map(|(k, v)| Some((k.as_str()?.to_owned(), v.clone()))).collect()
}

/// The label of a value: a component by its name, with its parameters.
fn label(value: &Value) -> String {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => serde_json::to_string(other).unwrap_or_default().replace(['"', ' '], ""),
    };
    match value {
        Value::Mapping(map) if map.contains_key("type") => {
            let parameter = |(k, v): (&Value, &Value)| format!("{}={}", text(k), text(v));
            let rest: Vec<_> =
                map.iter().filter(|(k, _)| k.as_str() != Some("type")).map(parameter).collect();
            let name = map.get("type").map(text).unwrap_or_default();
            if rest.is_empty() { name } else { format!("{name}({})", rest.join(",")) }
        }
        other => text(other),
    }
}

/// A place of the grid: a choice for each axis.
pub(super) type Place<'a> = Vec<&'a Choice>;

/// All places of the grid; the last axis varies fastest.
pub(super) fn places(axes: &[Axis]) -> Vec<Place<'_>> {
    fn extended<'a>(place: &Place<'a>, choice: &'a Choice) -> Place<'a> {
        place.iter().copied().chain([choice]).collect()
    }
    axes.iter().fold(vec![Vec::new()], |places: Vec<Place<'_>>, axis| {
        let choices = |p| axis.values.iter().map(move |c| extended(p, c));
        places.iter().flat_map(choices).collect()
    })
}

/// The layers of the experiment at a place, whose settings were written at `origin`.
pub(super) fn layers_at(base: &Layers, origin: &Origin, place: &Place<'_>) -> Result<Layers> {
    let mut layers = base.clone();
    for (key, value) in place.iter().flat_map(|choice| &choice.sets) {
        layers.set_from(key, value.clone(), origin)?;
    }
    Ok(layers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axes_of(yaml: &str) -> Result<Vec<Axis>> {
        let over = serde_yaml::from_str(yaml).unwrap();
        axes(&Comparison { over, ..Comparison::default() })
    }

    #[test]
    fn every_combination_is_a_place() {
        let axes = axes_of("{ a: [1, 2], b: { x: { c.d: 3 }, y: { c.d: 4, e: f } } }").unwrap();
        let names: Vec<_> = places(&axes)
            .iter()
            .map(|p| p.iter().map(|c| c.label.as_str()).collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(names, ["1 x", "1 y", "2 x", "2 y"]);
        assert_eq!(axes[1].values[1].sets.len(), 2);
        assert_eq!(axes[1].values[1].sets[0].0, "c.d");
    }

    #[test]
    fn a_value_is_called_by_what_it_says() {
        let axes = axes_of(
            "{ n: [mlp, { type: mlp }, { type: mlp, hidden_dims: [64, 64] }, null, 0.5, [1, 2]] }",
        );
        // `mlp` and `{ type: mlp }` are the same value.
        assert!(axes.unwrap_err().to_string().contains("names `mlp` twice"));
        let axes = axes_of("{ n: [{ type: mlp, hidden_dims: [64, 64] }, null, 0.5, [1, 2]] }");
        let labels: Vec<_> = axes.unwrap()[0].values.iter().map(|c| c.label.clone()).collect();
        assert_eq!(labels, ["mlp(hidden_dims=[64,64])", "null", "0.5", "[1,2]"]);
    }

    #[test]
    fn what_is_no_grid_is_refused() {
        for (yaml, message) in [
            ("{ a: 1 }", "needs a list"),
            ("{ a: [] }", "at least one value"),
            ("{ a: { x: 3 } }", "needs a list of values, or a map of named settings"),
        ] {
            let error = axes_of(yaml).unwrap_err().to_string();
            assert!(error.contains(message) && error.contains("comparison.over.a"), "{error}");
        }
    }
}
