//! The table of fields: reading, writing and checks of groups.

use super::*;
use crate::{choices, parameters};

choices! {
    /// A colour.
    pub enum Colour {
        /// Like a rose.
        Red = "red",
        /// Without colour.
        Grey = "grey" | "gray",
    }
}

parameters! {
    /// A group inside another.
    pub struct Inner {
        /// A share.
        #[range(min = 0, below = 1)]
        pub share: f64 = 0.5,
    }
}

parameters! {
    /// Keys of all sorts.
    pub struct Sorts {
        /// A required text,
        /// over two lines.
        ///
        /// And more about it.
        pub title: String,
        /// A number of things.
        #[range(min = 1, max = 9)]
        pub count: Option<u64> = None,
        #[length(min = 1, max = 2)]
        /// Widths.
        #[range(above = 0)]
        pub widths: Vec<f64> = vec![1.0],
        /// A colour.
        #[unwritten]
        pub colour: Colour = Colour::Red,
        /// A group.
        pub inner: Inner = Inner::default(),
        /// Not a key.
        #[hidden]
        pub memo: u64 = 7,
        /// A raw name.
        pub r#use: bool = true,
    }
}

fn read(text: &str) -> Result<Sorts> {
    Sorts::read(&serde_yaml::from_str(text).unwrap())
}

#[test]
fn a_group_takes_its_keys_and_the_defaults_of_the_others() {
    assert_eq!(read("{ title: t }").unwrap(), Sorts::new("t"));
    let all =
        "{ title: t, count: 3, widths: [1, 2.5], colour: gray, inner: { share: 0 }, use: false }";
    let expected = Sorts {
        count: Some(3),
        widths: vec![1.0, 2.5],
        colour: Colour::Grey,
        inner: Inner { share: 0.0 },
        r#use: false,
        ..Sorts::new("t")
    };
    assert_eq!(read(all).unwrap(), expected);
    assert_eq!(Sorts::read(&expected.write().unwrap()).unwrap(), expected);
}

#[test]
fn a_wrong_value_is_an_error_at_its_key() {
    const KNOWN: &str = "title, count, widths, colour, inner, use";
    for (text, expected) in [
        ("{}", "`title` is missing\n  help: `title`: A required text, over two lines.".to_owned()),
        (
            "{ title: t, tilte: 1 }",
            format!(
                "unknown key `tilte`\n  at tilte\n  help: did you mean `title`? known keys: {KNOWN}"
            ),
        ),
        (
            "{ title: t, memo: 1 }",
            format!("unknown key `memo`\n  at memo\n  help: known keys: {KNOWN}"),
        ),
        ("{ title: [] }", "needs text, got a list\n  at title".to_owned()),
        ("{ title: t, count: 0 }", "needs at least 1, got 0\n  at count".to_owned()),
        ("{ title: t, count: 10 }", "needs at most 9, got 10\n  at count".to_owned()),
        (
            "{ title: t, count: -1 }",
            "needs a whole number of at least 0, got -1\n  at count".to_owned(),
        ),
        (
            "{ title: t, widths: [1, 0] }",
            "needs a number above 0, got 0\n  at widths[1]".to_owned(),
        ),
        (
            "{ title: t, widths: [.nan] }",
            "needs a number above 0, got .nan\n  at widths[0]".to_owned(),
        ),
        ("{ title: t, widths: [] }", "needs at least 1 entry, got 0\n  at widths".to_owned()),
        (
            "{ title: t, widths: [1, 1, 1] }",
            "needs at most 2 entries, got 3\n  at widths".to_owned(),
        ),
        (
            "{ title: t, colour: rde }",
            "unknown value `rde`\n  at colour\n  help: did you mean `red`? known values: red, grey"
                .to_owned(),
        ),
        (
            "{ title: t, inner: { share: 1 } }",
            "needs 0 <= share < 1, got 1\n  at inner.share".to_owned(),
        ),
        ("{ title: t, inner: [1] }", "needs a map of keys, got a list\n  at inner".to_owned()),
        ("{ title: t, use: 1 }", "needs true or false, got 1\n  at use".to_owned()),
    ] {
        assert_eq!(read(text).unwrap_err().to_string(), expected, "{text}");
    }
}

#[test]
fn a_group_that_is_made_in_rust_is_checked_like_one_that_is_read() {
    assert!(check_group(&Sorts::new("t")).is_ok());
    let error = |wrong: Sorts| check_group(&wrong).unwrap_err().to_string();
    assert_eq!(
        error(Sorts { inner: Inner { share: 1.0 }, ..Sorts::new("t") }),
        "needs 0 <= share < 1, got 1\n  at inner.share"
    );
    assert_eq!(
        error(Sorts { widths: vec![f64::INFINITY], ..Sorts::new("t") }),
        "needs a number above 0, got .inf\n  at widths[0]"
    );
}

#[test]
fn a_key_is_left_out_where_it_is_not_written() {
    let keys = |sorts: &Sorts| -> Vec<String> {
        let written = sorts.write().unwrap();
        written.as_mapping().unwrap().keys().map(|k| k.as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(keys(&Sorts::new("t")), ["title", "count", "widths", "inner", "use"]);
    let grey = Sorts { colour: Colour::Grey, ..Sorts::new("t") };
    assert_eq!(keys(&grey), ["title", "count", "widths", "colour", "inner", "use"]);
}

#[test]
fn the_schema_has_types_ranges_defaults_and_descriptions() {
    let schema = experiment_schema::<Sorts>();
    let of = |key: &str| schema["properties"][key].clone();
    assert_eq!(
        of("title"),
        serde_json::json!({
            "type": "string",
            "description": "A required text, over two lines.\nAnd more about it.",
        })
    );
    assert_eq!(
        of("count"),
        serde_json::json!({
            "type": ["integer", "null"], "minimum": 1, "maximum": 9,
            "description": "A number of things.", "default": null,
        })
    );
    assert_eq!(
        of("widths"),
        serde_json::json!({
            "type": "array", "items": { "type": "number", "exclusiveMinimum": 0 },
            "minItems": 1, "maxItems": 2, "description": "Widths.", "default": [1.0],
        })
    );
    assert_eq!(
        of("inner")["properties"]["share"],
        serde_json::json!({
            "type": "number", "minimum": 0, "exclusiveMaximum": 1,
            "description": "A share.", "default": 0.5,
        })
    );
    assert_eq!(of("memo"), serde_json::Value::Null);
    assert_eq!(schema["additionalProperties"], false);
}
