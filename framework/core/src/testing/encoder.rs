//! What every encoder promises.

use super::expect::{ensure, form};
use super::part::{self, Part, Place, Rows, everywhere};
use super::{Check, Conformance, Kit};
use crate::component::{Encoder, Pass};
use crate::error::Result;
use crate::registry::Component;
use tch::{Kind as DType, Tensor, nn};

inventory::submit!(Kit::of::<dyn Encoder>());

impl Conformance for dyn Encoder {
    const CHECKS: &'static [Check<Self>] = &[
        part::shape(),
        part::rows_independent(),
        part::deterministic(),
        part::same_seed(),
        part::gradients(),
        part::save_load(),
        Check {
            name: "log_variance",
            about: "the log-variance, where there is one, stays within [-20, 10] whatever the target",
            run: log_variance,
        },
        Check {
            name: "identity",
            about: "one that is the identity gives each target as its latent, to the bit",
            run: identity,
        },
    ];
    const STARTER: &'static str = include_str!("starters/encoder.rs");

    fn try_build(component: &Component<Self>) -> Result<()> {
        part::try_build(component)
    }
}

impl Part for dyn Encoder {
    fn places() -> Vec<Place> {
        [
            Place::new(&[2], &[2], None),
            Place::new(&[3], &[2], Some(&[4])),
            Place::new(&[2, 4, 4], &[2, 4, 4], None),
            Place::new(&[2, 4, 4], &[5], None),
            Place::new(&[3, 8, 8], &[4, 4, 4], None),
        ]
        .into()
    }

    fn build_at(component: &Component<Self>, vars: nn::Path, place: &Place) -> Result<Box<Self>> {
        component.build(&place.context(vars))
    }

    fn input(place: &Place) -> Vec<i64> {
        place.target.clone()
    }

    fn output(&self, _: &Place) -> Result<Vec<i64>> {
        self.latent_shape()
    }

    fn run(&self, rows: &Rows, pass: Pass) -> Result<Vec<Tensor>> {
        let law = self.encode(&rows.main, pass)?;
        Ok(std::iter::once(law.mean).chain(law.log_variance).collect())
    }
}

fn log_variance(component: &Component<dyn Encoder>) -> Result<()> {
    everywhere(component, DType::Double, |at| {
        for scale in [1.0, 1e4] {
            let law = at.part.encode(&(at.rows(5).main * scale), Pass::EVAL)?;
            let Some(found) = law.log_variance else { continue };
            form("the log-variance", &found, &law.mean.size(), &law.mean)?;
            let (low, high) = (found.min().double_value(&[]), found.max().double_value(&[]));
            ensure(low >= -20.0 && high <= 10.0, || {
                format!(
                    "the log-variance goes from {low:.3} to {high:.3}, expected within [-20, 10]"
                )
            })?;
        }
        Ok(())
    })
}

fn identity(component: &Component<dyn Encoder>) -> Result<()> {
    everywhere(component, DType::Float, |at| {
        if !at.part.is_identity()? {
            return Ok(());
        }
        let target = at.rows(5).main;
        let law = at.part.encode(&target, Pass::EVAL)?;
        let same = law.mean.size() == target.size() && law.mean.equal(&target);
        ensure(same && law.log_variance.is_none(), || {
            "the latents are not the targets, though the encoder says that it is the identity"
                .into()
        })
    })
}
