//! A program into which two components of one name are linked.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use triflow::prelude::*;
use triflow::{Experiment, registry};

macro_rules! guidance {
    ($name:ident) => {
        triflow::component! {
            /// No force.
            pub struct $name: Guidance, GuidanceSpec = "still" {}
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
    let told = [
        registry().find("guidance", "still").unwrap_err(),
        Component::<dyn Guidance>::named("still").unwrap_err(),
        Experiment::from_yaml("{}").unwrap_err(),
    ];
    for told in told.map(|e| e.to_string()) {
        assert!(told.starts_with(clash), "{told}");
    }
}
