//! Every registered component of every kind: defaults, descriptions and errors.

use crate::common::place_of;
use serde_yaml::{Mapping, Value};
use triflow::config::Layers;
use triflow::prelude::*;
use triflow::registry::registry;

#[test]
fn every_component_round_trips_through_yaml_by_each_of_its_names() {
    triflow_plugins::link();
    let all = crate::common::built_in(None);
    assert!(all.len() >= 35, "only {} components", all.len());
    for entry in all {
        for name in std::iter::once(entry.info.name).chain(entry.info.aliases.iter().copied()) {
            let (key, in_list) = place_of(entry.info.kind);
            let mut given = Mapping::new();
            given.insert("type".into(), name.into());
            for field in entry.info.fields().iter().filter(|field| field.default.is_none()) {
                given.insert(field.key.name().into(), "given".into());
            }
            let at_key = |spec: Value| if in_list { Value::Sequence(vec![spec]) } else { spec };
            let mut layers = Layers::new().unwrap();
            layers.set(&key, at_key(given.into()), "test").unwrap();
            let first = serde_yaml::to_value(layers.finish().unwrap()).unwrap();
            let spec = key.split('.').fold(&first, |v, k| &v[k]);
            let spec = if in_list { &spec[0] } else { spec };
            assert_eq!(spec["type"], entry.info.name, "{key} {name}");
            // A component that was written reads back as the same.
            let mut again = Layers::new().unwrap();
            again.set(&key, at_key(spec.clone()), "test").unwrap();
            assert_eq!(serde_yaml::to_value(again.finish().unwrap()).unwrap(), first);
        }
    }
}

fn error_of(set: &[&str]) -> String {
    triflow_plugins::link();
    let mut layers = Layers::new().unwrap();
    for s in set {
        layers.set_text(s).unwrap();
    }
    layers.finish().unwrap_err().to_string()
}

#[test]
fn a_wrong_configuration_says_what_where_and_what_would_be_right() {
    let error = error_of(&["noise_schedule=cosin"]);
    let known = error.strip_prefix(
        "unknown noise schedule `cosin`\n  at noise_schedule (--set noise_schedule=cosin)\n  help: did you mean \
         `cosine`? known noise schedules: ",
    );
    let known: Vec<&str> = known.unwrap_or_else(|| panic!("{error}")).split(", ").collect();
    assert!(known.is_sorted() && known.len() == registry().list(Some("noise_schedule")).len());
    assert_eq!(
        error_of(&["crn.network.hiden_dims=[1]"]),
        "unknown key `hiden_dims`\n  at crn.network.hiden_dims (--set crn.network.hiden_dims=[1])\n  help: did you mean `hidden_dims`? known keys: hidden_dims, activation, dropout"
    );
    assert_eq!(
        error_of(&["trainning.epochs=3"]).lines().next().unwrap(),
        "unknown key `trainning`"
    );
    assert!(
        error_of(&["training.epochs=many"])
            .starts_with("needs a whole number of at least 0, got `many`\n  at training.epochs")
    );
}

#[test]
fn changing_a_type_keeps_the_keys_that_the_new_component_knows() {
    triflow_plugins::link();
    let mut layers = Layers::new().unwrap();
    layers.set_text("noise_schedule={type: cosine, s: 0.02, alpha_bar_min: 0.05}").unwrap();
    layers.set_text("noise_schedule=linear").unwrap();
    let e = serde_yaml::to_value(layers.finish().unwrap()).unwrap();
    assert_eq!(e["noise_schedule"]["type"], "linear");
    assert_eq!(e["noise_schedule"]["alpha_bar_min"], 0.05);
    assert_eq!(e["noise_schedule"]["alpha_bar_max"], 0.99);
}

triflow::component! {
    #[example = "{ type: any_order, level: 2 }"]
    /// Attributes before
    #[aliases("in_any_order", "mixed")]
    /// and after lines of the doc comment.
    ///
    /// More about it.
    #[reference = "Nobody 2026"]
    pub struct AnyOrder: NoiseSchedule = "any_order" {
        /// Log-SNR at t = 1.
        pub level: f64 = 1.0,
    }
}

impl Spec<dyn NoiseSchedule> for AnyOrder {
    fn build(&self, _: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        Err(Error::runtime("is never built"))
    }
}

#[test]
fn attributes_of_a_component_come_in_any_order() {
    let entry = registry().find("noise_schedule", "mixed").unwrap();
    assert_eq!(entry.summary(), "Attributes before and after lines of the doc comment.");
    assert_eq!(entry.info.name, "any_order");
    assert_eq!(entry.info.aliases, ["in_any_order", "mixed"]);
    assert_eq!(entry.info.reference, "Nobody 2026");
    assert_eq!(entry.info.example().unwrap(), "{ type: any_order, level: 2 }");
    let read = Component::<dyn NoiseSchedule>::named("in_any_order").unwrap();
    assert_eq!(read, AnyOrder { level: 1.0 }.into());
}
