//! What every network promises.

use super::part::{self, Part, Place, Rows, places_of_latents};
use super::{Check, Conformance};
use crate::component::{Network, NetworkContext, NetworkInput, Pass};
use crate::error::Result;
use crate::registry::Component;
use tch::{Tensor, nn};

/// Features of time that the kit gives.
const TIME_FEATURES: i64 = 4;

impl Conformance for dyn Network {
    const CHECKS: &'static [Check<Self>] = &[
        part::shape(),
        part::rows_independent(),
        part::deterministic(),
        part::same_seed(),
        part::gradients(),
        part::save_load(),
        part::absent_condition(),
    ];
    const STARTER: &'static str = include_str!("starters/network.rs");

    fn try_build(component: &Component<Self>) -> Result<()> {
        part::try_build(component)
    }
}

impl Part for dyn Network {
    fn places() -> Vec<Place> {
        places_of_latents()
    }

    fn build_at(component: &Component<Self>, vars: nn::Path, place: &Place) -> Result<Box<Self>> {
        component.build(&NetworkContext {
            vars,
            z_shape: place.latent.clone(),
            condition_shape: place.condition.clone(),
            time_features: TIME_FEATURES,
            output_shape: place.latent.clone(),
            derivatives: 0..=0,
        })
    }

    fn input(place: &Place) -> Vec<i64> {
        place.latent.clone()
    }

    fn output(&self, place: &Place) -> Result<Vec<i64>> {
        Ok(place.latent.clone())
    }

    fn run(&self, rows: &Rows, pass: Pass) -> Result<Vec<Tensor>> {
        // sin(t), sin(2t), …
        let rates =
            Tensor::arange_start(1, TIME_FEATURES + 1, (rows.time.kind(), rows.time.device()));
        let time = (rows.time.unsqueeze(1) * rates).sin();
        let input = NetworkInput { z: &rows.main, condition: rows.condition.as_ref(), time: &time };
        Ok(vec![self.forward(&input, pass)?])
    }
}
