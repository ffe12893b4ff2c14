//! A program with two linked components of the same name.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use triflow::prelude::*;
use triflow::{Experiment, registry};

macro_rules! guidance {
    ($name:ident) => {
        triflow::component! {
            /// A guidance without force.
            pub struct $name: Guidance = "still" {}
        }

        impl Spec<dyn Guidance> for $name {
            fn build(&self, (): &()) -> Result<Box<dyn Guidance>> {
                Err(Error::runtime("is never built"))
            }
        }
    };
}

guidance!(One);
guidance!(Other);

#[test]
fn whatever_is_asked_of_them_says_that_they_clash() {
    let clash = "two crates of this program clash: the guidance `still` is there already";
    let error = [
        registry().find("guidance", "still").unwrap_err(),
        Component::<dyn Guidance>::named("still").unwrap_err(),
        Experiment::from_yaml("{}").unwrap_err(),
    ];
    for error in error.map(|e| e.to_string()) {
        assert!(error.starts_with(clash), "{error}");
    }
}
