//! Experiments up to the first step of training, as `triflow validate` takes them. Whole numbers
//! are made small, so that what is asked for stays small.

use serde_yaml::Value;
use std::path::Path;
use triflow::config::parse_value;

/// Below the input: data and a network that take no time.
const SMALL: &str = "
data: { type: two_moons, samples: 40 }
crn: { type: vanilla, network: { type: mlp, hidden_dims: [4] } }
training: { batch_size: 8, epochs: 1 }
";

pub fn run(folder: &Path, data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(mut value) = parse_value(text) else { return };
    if super::parts::names_plugins(text) {
        return;
    }
    shrink(&mut value);
    let Value::Mapping(map) = &mut value else { return };
    // Files of others are not read.
    map.remove("start_from");
    map.remove("extends");
    let Ok(text) = serde_yaml::to_string(&value) else { return };
    let mut layers = super::parts::defaults();
    let added = layers.add_text(SMALL, "small").and_then(|()| layers.add_text(&text, "input"));
    if added.is_err() {
        return;
    }
    for (key, value) in [("device", "cpu".into()), ("threads", 1_u64.into())] {
        let _ = layers.set(key, value, "the target");
    }
    let Ok(experiment) = layers.finish() else { return };
    if let Err(e) = triflow::run::prepare(experiment, folder) {
        let _ = layers.locate(e).to_string();
    }
}

fn shrink(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(n) = number.as_i64() {
                *value = (n % 41).into();
            } else if let Some(n) = number.as_u64() {
                *value = (n % 41).into();
            }
        }
        Value::Sequence(all) => {
            all.truncate(6);
            all.iter_mut().for_each(shrink);
        }
        Value::Mapping(map) => map.values_mut().for_each(shrink),
        Value::Tagged(tagged) => shrink(&mut tagged.value),
        _ => {}
    }
}
