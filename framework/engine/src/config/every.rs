use crate::error::Result;
use crate::registry::{Parameter, Setting, Shape, Yaml, needs};

/// An interval of training: `5 epochs`, `1000 steps`, `10 minutes`, or a number of epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    /// A number of epochs, at least 1.
    Epochs(u64),
    /// A number of steps, at least 1.
    Steps(u64),
    /// A time of the clock in seconds, at least 1.
    Seconds(u64),
}

/// Units of time and their seconds, the largest first.
const TIMES: [(&str, u64); 3] = [("hours", 3600), ("minutes", 60), ("seconds", 1)];

impl Setting for Every {
    fn write(&self) -> Result<Yaml> {
        Ok(match self {
            Every::Epochs(n) => format!("{n} epochs").into(),
            Every::Steps(n) => format!("{n} steps").into(),
            Every::Seconds(n) => {
                let whole = TIMES.iter().find(|(_, unit)| n.is_multiple_of(*unit));
                let (name, unit) = whole.unwrap_or(&("seconds", 1));
                format!("{} {name}", n / unit).into()
            }
        })
    }
}

impl Parameter for Every {
    fn shape() -> Shape {
        Shape::Other {
            name: "interval",
            schema: r#"{ "anyOf": [
                { "type": "integer", "minimum": 1 },
                { "type": "string", "pattern": "^[1-9][0-9]* (epochs?|steps?|h|hours?|min|minutes?|s|seconds?)$" }
            ] }"#,
        }
    }

    fn read(yaml: &Yaml) -> Result<Self> {
        let in_words = |text: &str| {
            let (n, unit) = text.split_once(' ')?;
            let n: u64 = n.parse().ok()?;
            let seconds = |unit: u64| n.checked_mul(unit).map(Every::Seconds);
            match unit.trim() {
                "epoch" | "epochs" => Some(Every::Epochs(n)),
                "step" | "steps" => Some(Every::Steps(n)),
                "h" | "hour" | "hours" => seconds(3600),
                "min" | "minute" | "minutes" => seconds(60),
                "s" | "second" | "seconds" => seconds(1),
                _ => None,
            }
        };
        let read = yaml.as_str().map_or(yaml.as_u64().map(Every::Epochs), in_words);
        let above_0 = |every: &Every| {
            !matches!(every, Every::Epochs(0) | Every::Steps(0) | Every::Seconds(0))
        };
        read.filter(above_0).ok_or_else(|| {
            needs("an interval such as `5 epochs`, `1000 steps` or `10 minutes`, above 0", yaml)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_written_as_it_is_read() {
        for (text, every, written) in [
            ("7 epochs", Every::Epochs(7), "7 epochs"),
            ("1 step", Every::Steps(1), "1 steps"),
            ("90 min", Every::Seconds(5400), "90 minutes"),
            ("120 minutes", Every::Seconds(7200), "2 hours"),
            ("61 s", Every::Seconds(61), "61 seconds"),
            ("3 h", Every::Seconds(10_800), "3 hours"),
        ] {
            assert_eq!(Every::read(&text.into()).unwrap(), every);
            assert_eq!(every.write().unwrap(), Yaml::from(written));
            assert_eq!(Every::read(&written.into()).unwrap(), every);
        }
        for wrong in ["0 min", "1.5 h", "ten minutes", "10 days", "99999999999999999 hours"] {
            assert!(Every::read(&wrong.into()).is_err(), "{wrong}");
        }
    }
}
