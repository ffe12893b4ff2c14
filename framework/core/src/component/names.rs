use crate::error::Result;
use crate::registry::{Parameter, Setting, Shape, Yaml, needs};

/// Names of classes. A number or boolean in YAML stands for its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassNames(pub Vec<String>);

impl std::ops::Deref for ClassNames {
    type Target = [String];

    fn deref(&self) -> &[String] {
        &self.0
    }
}

impl Parameter for ClassNames {
    fn shape() -> Shape {
        Shape::Other {
            name: "list of names",
            schema: r#"{ "type": "array", "items": { "type": ["string", "number", "boolean"] } }"#,
        }
    }

    fn read(yaml: &Yaml) -> Result<Self> {
        let Yaml::Sequence(all) = yaml else { return Err(needs("a list of names", yaml)) };
        Ok(Self(texts(all, "the name of a class")?))
    }
}

impl Setting for ClassNames {
    fn write(&self) -> Result<Yaml> {
        self.0.write()
    }
}

/// Texts of the entries of a list, where a number or boolean stands for its text; `what` is an
/// entry in words.
pub(super) fn texts(all: &[Yaml], what: &str) -> Result<Vec<String>> {
    let text = |(i, entry): (usize, &Yaml)| match entry {
        Yaml::String(text) => Ok(text.clone()),
        Yaml::Bool(value) => Ok(value.to_string()),
        Yaml::Number(number) => Ok(match number.as_f64().filter(|_| number.is_f64()) {
            Some(number) => number.to_string(),
            None => number.to_string(),
        }),
        other => Err(needs(what, other).within(&format!("[{i}]"))),
    };
    all.iter().enumerate().map(text).collect()
}
