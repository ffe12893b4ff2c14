use super::Experiment;
use crate::error::Result;
use crate::registry::{
    Group as _, Mapping, NoCommon, Parameter, Setting, Shape, Variant, Yaml, needs, read_variant,
    tagged, unknown_word,
};
use crate::{choices, parameters};

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

choices! {
    /// Use of a model of sequences.
    pub enum SequenceMode {
        /// Prediction of the sequence that belongs to a condition, with its uncertainty.
        Predict = "predict",
        /// Generation of sequences like those of the data.
        Generate = "generate",
    }
}

parameters! {
    /// Keys of the task `sequence`.
    pub struct SequenceKeys {
        /// Use of a model of sequences: predict y from x, or generate sequences like y.
        pub mode: SequenceMode = SequenceMode::Predict,
    }
}

impl Task {
    fn name(self) -> &'static str {
        match self {
            Task::Regression => "regression",
            Task::Generation => "generation",
            Task::Sequence(_) => "sequence",
        }
    }

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

impl Setting for Task {
    fn write(&self) -> Result<Yaml> {
        let Task::Sequence(mode) = self else { return Ok(self.name().into()) };
        let mut map = Mapping::new();
        map.insert("type".into(), self.name().into());
        map.insert("mode".into(), mode.write()?);
        Ok(Yaml::Mapping(map))
    }
}

impl Parameter for Task {
    fn shape() -> Shape {
        let variant = |name, description: &str, fields| Variant {
            name,
            description: description.to_owned(),
            fields,
        };
        Shape::Variants(vec![
            variant(
                "regression",
                "Regression and classification: condition = x, target = y.",
                Vec::new(),
            ),
            variant(
                "generation",
                "Generation: condition = y, target = x; or target = x alone if `unconditional`.",
                Vec::new(),
            ),
            variant(
                "sequence",
                "Sequences `[T, features]`, predicted: condition = x, target = y.",
                SequenceKeys::fields(),
            ),
        ])
    }

    fn read(yaml: &Yaml) -> Result<Self> {
        let Some((name, keys)) = tagged(yaml) else {
            let what = "a task, such as `regression` or `{ type: sequence, mode: predict }`";
            return Err(needs(what, yaml));
        };
        let task = match name {
            "sequence" => {
                return Ok(Self::Sequence(read_variant::<SequenceKeys>(name, keys)?.mode));
            }
            "regression" => Self::Regression,
            "generation" => Self::Generation,
            other => return Err(unknown_word(other, &["regression", "generation", "sequence"])),
        };
        read_variant::<NoCommon>(name, keys).map(|_| task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Task> {
        Task::read(&serde_yaml::from_str(text).unwrap())
    }

    #[test]
    fn a_task_is_read_back_as_it_is_written() {
        for task in [
            Task::Regression,
            Task::Generation,
            Task::Sequence(SequenceMode::Predict),
            Task::Sequence(SequenceMode::Generate),
        ] {
            assert_eq!(Task::read(&task.write().unwrap()).unwrap(), task);
        }
        assert_eq!(read("sequence").unwrap(), Task::Sequence(SequenceMode::Predict));
        assert_eq!(read("{ type: regression }").unwrap(), Task::Regression);
    }

    #[test]
    fn what_is_no_task_is_refused_by_name() {
        for (text, message) in [
            ("sequences", "unknown value `sequences`"),
            ("{ type: sequence, mode: guess }", "unknown value `guess`"),
            ("{ type: regression, mode: predict }", "`regression` has no keys of its own"),
            ("{ type: sequence, kind: x }", "unknown key `kind`"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
