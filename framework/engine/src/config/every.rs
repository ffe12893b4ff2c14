use crate::error::Result;
use crate::registry::{Parameter, Setting, Shape, Yaml, needs};

/// An interval of training: `5 epochs`, `1000 steps`, or a number of epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    /// A number of epochs, at least 1.
    Epochs(u64),
    /// A number of steps, at least 1.
    Steps(u64),
}

impl Setting for Every {
    fn write(&self) -> Result<Yaml> {
        Ok(match self {
            Every::Epochs(n) => format!("{n} epochs").into(),
            Every::Steps(n) => format!("{n} steps").into(),
        })
    }
}

impl Parameter for Every {
    fn shape() -> Shape {
        Shape::Other {
            name: "interval",
            schema: r#"{ "anyOf": [
                { "type": "integer", "minimum": 1 },
                { "type": "string", "pattern": "^[1-9][0-9]* (epochs?|steps?)$" }
            ] }"#,
        }
    }

    fn read(yaml: &Yaml) -> Result<Self> {
        let in_words = |text: &str| {
            let (n, unit) = text.split_once(' ')?;
            let n: u64 = n.parse().ok()?;
            match unit.trim() {
                "epoch" | "epochs" => Some(Every::Epochs(n)),
                "step" | "steps" => Some(Every::Steps(n)),
                _ => None,
            }
        };
        let read = yaml.as_str().map_or(yaml.as_u64().map(Every::Epochs), in_words);
        let above_0 = |every: &Every| !matches!(every, Every::Epochs(0) | Every::Steps(0));
        read.filter(above_0)
            .ok_or_else(|| needs("an interval such as `5 epochs` or `1000 steps`, above 0", yaml))
    }
}
