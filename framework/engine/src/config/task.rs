use super::Experiment;
use schemars::JsonSchema;
use serde::de::{IntoDeserializer as _, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The roles of x and y: which is the condition and which the target. In YAML a name, or
/// `{ type: sequence, mode: predict }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Regression and classification: condition = x, target = y.
    Regression,
    /// Generation: condition = y, target = x; or target = x alone if `unconditional`.
    Generation,
    /// Sequences `[T, features]`: condition = x, target = y; or target = y alone if it generates
    /// and is `unconditional`.
    Sequence(SequenceMode),
}

/// Use of a model of sequences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SequenceMode {
    /// Prediction of the sequence that belongs to a condition, with its uncertainty.
    #[default]
    Predict,
    /// Generation of sequences like those of the data.
    Generate,
}

impl Task {
    /// True if the result is one prediction for each condition, and not samples of a distribution.
    pub fn predicts(self) -> bool {
        matches!(self, Task::Regression | Task::Sequence(SequenceMode::Predict))
    }

    /// True if y is the target (and x the condition), and not the other way round.
    pub fn learns_y(self) -> bool {
        self != Task::Generation
    }

    /// True if rows are sequences.
    pub fn is_sequence(self) -> bool {
        matches!(self, Task::Sequence(_))
    }

    fn name(self) -> Name {
        match self {
            Task::Regression => Name::Regression,
            Task::Generation => Name::Generation,
            Task::Sequence(_) => Name::Sequence,
        }
    }
}

impl Experiment {
    /// The task; generation if `task` is null.
    pub fn task(&self) -> Task {
        self.task.unwrap_or(Task::Generation)
    }

    /// Short name of the task for names of runs: `reg`, `gen`, `uncond_gen`, `seq` or `seq_gen`.
    pub fn task_name(&self) -> &'static str {
        match (self.task(), self.unconditional) {
            (Task::Regression, _) => "reg",
            (Task::Generation, false) => "gen",
            (Task::Generation, true) => "uncond_gen",
            (Task::Sequence(SequenceMode::Predict), _) => "seq",
            (Task::Sequence(SequenceMode::Generate), _) => "seq_gen",
        }
    }
}

/// The name of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Name {
    /// Regression and classification: condition = x, target = y.
    Regression,
    /// Generation: condition = y, target = x; or target = x alone if `unconditional`.
    Generation,
    /// Sequences `[T, features]`, predicted: condition = x, target = y.
    Sequence,
}

/// A task with its parameters.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Form {
    /// The task.
    r#type: Name,
    /// Use of a model of sequences: predict y from x, or generate sequences like y.
    #[serde(default)]
    mode: Option<SequenceMode>,
}

impl Serialize for Task {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let Task::Sequence(mode) = self else { return self.name().serialize(s) };
        let mut map = s.serialize_map(Some(2))?;
        map.serialize_entry("type", &self.name())?;
        map.serialize_entry("mode", mode)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Task {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Task;
            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a task, such as `regression` or `{ type: sequence, mode: predict }`")
            }
            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Task, E> {
                task(Name::deserialize(name.into_deserializer())?, None)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Task, A::Error> {
                let form = Form::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                task(form.r#type, form.mode)
            }
        }
        fn task<E: serde::de::Error>(name: Name, mode: Option<SequenceMode>) -> Result<Task, E> {
            match (name, mode) {
                (Name::Sequence, mode) => Ok(Task::Sequence(mode.unwrap_or_default())),
                (_, Some(_)) => Err(E::custom("only the task `sequence` has a `mode`")),
                (Name::Regression, None) => Ok(Task::Regression),
                (Name::Generation, None) => Ok(Task::Generation),
            }
        }
        d.deserialize_any(V)
    }
}

impl JsonSchema for Task {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Task".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let (name, form) = (generator.subschema_for::<Name>(), generator.subschema_for::<Form>());
        schemars::json_schema!({ "anyOf": [name, form] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Task, serde_yaml::Error> {
        serde_yaml::from_str(text)
    }

    #[test]
    fn a_task_is_read_back_as_it_is_written() {
        for task in [
            Task::Regression,
            Task::Generation,
            Task::Sequence(SequenceMode::Predict),
            Task::Sequence(SequenceMode::Generate),
        ] {
            assert_eq!(read(&serde_yaml::to_string(&task).unwrap()).unwrap(), task);
        }
        assert_eq!(read("sequence").unwrap(), Task::Sequence(SequenceMode::Predict));
        assert_eq!(read("{ type: regression }").unwrap(), Task::Regression);
    }

    #[test]
    fn what_is_no_task_is_refused_by_name() {
        for (text, message) in [
            ("sequences", "unknown variant `sequences`"),
            ("{ type: sequence, mode: guess }", "unknown variant `guess`"),
            ("{ type: regression, mode: predict }", "only the task `sequence` has a `mode`"),
            ("{ type: sequence, kind: x }", "unknown field `kind`"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
