//! Components with a faulty declaration.

use super::{check, names, yaml};
use crate::prelude::*;

/// A correct schedule, so that no other check fails.
struct Line;

impl NoiseSchedule for Line {
    fn gamma(&self, t: &Tensor) -> Result<Tensor> {
        Ok(t * 10.0 - 5.0)
    }
}

triflow::component! {
    pub struct NoSummary: NoiseSchedule = "no_summary" {}
}

triflow::parameters! {
    /// A group.
    pub struct Group {
        pub inside: f64 = 1.0,
    }
}

triflow::component! {
    /// A key without doc comment, and a group with another.
    pub struct NoDescription: NoiseSchedule = "no_description" {
        pub unsaid: f64 = 1.0,
        /// This key has a doc comment.
        pub said: f64 = 1.0,
        /// The group has a doc comment.
        pub group: Group = Group::default(),
    }
}

triflow::component! {
    /// The example is of another component.
    #[example = "type: no_summary"]
    pub struct ForeignExample: NoiseSchedule = "foreign_example" {}
}

triflow::component! {
    /// The example has an unknown key.
    #[example = "{ type: wrong_example, unknown: 1 }"]
    pub struct WrongExample: NoiseSchedule = "wrong_example" {}
}

macro_rules! builds_a_line {
    ($($S:ident),*) => {
        $(impl Spec<dyn NoiseSchedule> for $S {
            fn build(&self, _: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
                Ok(Box::new(Line))
            }
        })*
    };
}
builds_a_line!(NoSummary, NoDescription, ForeignExample, WrongExample);

#[test]
fn what_a_component_says_of_itself_is_checked() {
    let cases = [
        ("no_summary", "documented: missing: a doc comment above the struct"),
        (
            "no_description",
            "documented: missing: a description of `unsaid`, a description of `group.inside`",
        ),
        ("foreign_example", "example: the example is of `no_summary`, expected `foreign_example`"),
        ("wrong_example", "example: the example does not read: unknown key `unknown`"),
    ];
    for (name, expected) in cases {
        let found = check("noise_schedule", &yaml(name)).unwrap();
        assert!(found[0].to_string().starts_with(expected), "{name}: {}", found[0]);
        let check = found[0].check;
        assert!(names(&found).iter().all(|n| *n == check), "{name}: {found:?}");
    }
}
