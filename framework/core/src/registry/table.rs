//! The table of a group's keys: plain data, from which reading, merging, the schema and
//! descriptions follow.

use super::Range;

/// A key of a group of parameters, as declared; made by [`parameters!`](crate::parameters!).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Key {
    name: &'static str,
    /// Doc comment, line by line; `None` at the places of other attributes.
    docs: &'static [Option<&'static str>],
    /// Range of the value, or of every number in it.
    pub range: Range,
    /// Range of the number of entries of a list.
    pub length: Range,
    /// True if a layer's value replaces that of the layers below, and is not merged with it.
    pub whole: bool,
    /// True if the key is not written where it has its default.
    pub unwritten: bool,
    /// True for a field that is no key in YAML.
    pub hidden: bool,
}

impl Key {
    /// The key of a field, without rules.
    #[doc(hidden)]
    pub const fn new(name: &'static str, docs: &'static [Option<&'static str>]) -> Self {
        Self {
            name,
            docs,
            range: Range::ALL,
            length: Range::ALL,
            whole: false,
            unwritten: false,
            hidden: false,
        }
    }

    /// The key as it is written.
    pub fn name(&self) -> &'static str {
        self.name.trim_start_matches("r#")
    }

    /// Doc comment as text: a paragraph is a line.
    pub fn description(&self) -> String {
        paragraphs(self.docs)
    }
}

/// A key with its type and default.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Name, documentation and rules.
    pub key: Key,
    /// Type of the value.
    pub shape: Shape,
    /// Default as JSON; `None`: the key is required.
    pub default: Option<String>,
}

/// Type of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// True or false.
    Boolean,
    /// A whole number.
    Whole {
        /// True if it is at least 0.
        unsigned: bool,
    },
    /// A finite number.
    Number,
    /// Text.
    Text,
    /// Path of a file or folder, which is anchored at the folder of the file that names it.
    Path,
    /// One of several words.
    Choice(Vec<Word>),
    /// A component of a kind, which has this name.
    Component(&'static str),
    /// A map with these keys.
    Group(Vec<Field>),
    /// A map whose `type` selects one of several groups, or the name of one.
    Variants(Vec<Variant>),
    /// A value or null.
    Optional(Box<Shape>),
    /// A list.
    List(Box<Shape>),
    /// A map from names that the user chooses.
    Map(Box<Shape>),
    /// Another type.
    Other {
        /// Name of the type in tables, such as `interval`.
        name: &'static str,
        /// JSON schema of the type.
        schema: &'static str,
    },
}

/// A word of [`Shape::Choice`].
#[derive(Clone, Debug, PartialEq)]
pub struct Word {
    /// The word.
    pub name: &'static str,
    /// Other words for the same.
    pub aliases: &'static [&'static str],
    /// Doc comment, a paragraph a line.
    pub description: String,
}

/// A group of [`Shape::Variants`].
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Value of `type`.
    pub name: &'static str,
    /// Doc comment, a paragraph a line.
    pub description: String,
    /// Keys beside `type`.
    pub fields: Vec<Field>,
}

impl Shape {
    /// Any value.
    pub const ANY: Self = Self::Other { name: "value", schema: "{}" };

    /// The shape without the choice of null.
    pub fn required(&self) -> &Self {
        match self {
            Self::Optional(inner) => inner,
            other => other,
        }
    }

    /// Name of the type in tables, such as `number` or `list of paths`.
    pub fn text(&self) -> String {
        match self {
            Self::Boolean => "boolean".to_owned(),
            Self::Whole { .. } => "integer".to_owned(),
            Self::Number => "number".to_owned(),
            Self::Text => "text".to_owned(),
            Self::Path => "path".to_owned(),
            Self::Choice(words) => words.iter().map(|w| w.name).collect::<Vec<_>>().join(" | "),
            Self::Component(kind) => (*kind).to_owned(),
            Self::Group(_) | Self::Map(_) => "map".to_owned(),
            Self::Variants(all) => all.iter().map(|v| v.name).collect::<Vec<_>>().join(" | "),
            Self::Optional(inner) => format!("{} | null", inner.text()),
            Self::List(inner) => format!("list of {}s", inner.text()),
            Self::Other { name, .. } => (*name).to_owned(),
        }
    }
}

/// Lines of a doc comment as text in which a paragraph is a line.
pub fn paragraphs(docs: &[Option<&str>]) -> String {
    let lines = docs.iter().copied().flatten().map(str::trim);
    let mut text = String::new();
    for line in lines {
        let space = match (text.is_empty() || text.ends_with('\n'), line.is_empty()) {
            (true, _) => "",
            (false, true) => "\n",
            (false, false) => " ",
        };
        text = text + space + line;
    }
    text.trim_end().to_owned()
}
