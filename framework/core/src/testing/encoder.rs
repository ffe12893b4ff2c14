use super::expect::{ensure, layout};
use super::part::{self, Part, Rows, Shapes, with_all_shapes};
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
            about: "the log-variance, if there is one, stays within [-20, 10] for any target",
            run: log_variance,
        },
        Check {
            name: "identity",
            about: "if it says that it is the identity, each latent equals its target to the bit",
            run: identity,
        },
        Check {
            name: "origins",
            about: "if it names the entries that coordinates come from, one of the target's for each",
            run: origins,
        },
    ];
    const STARTER: &'static str = include_str!("starters/encoder.rs");

    fn try_build(component: &Component<Self>) -> Result<()> {
        part::try_build(component)
    }
}

impl Part for dyn Encoder {
    fn shapes() -> Vec<Shapes> {
        [
            Shapes::new(&[2], &[2], None),
            Shapes::new(&[3], &[2], Some(&[4])),
            Shapes::new(&[2, 4, 4], &[2, 4, 4], None),
            Shapes::new(&[2, 4, 4], &[5], None),
            Shapes::new(&[3, 8, 8], &[4, 4, 4], None),
            Shapes::table(),
        ]
        .into()
    }

    fn build_at(component: &Component<Self>, vars: nn::Path, shapes: &Shapes) -> Result<Box<Self>> {
        component.build(&shapes.context(vars))
    }

    fn input(shapes: &Shapes) -> Vec<i64> {
        shapes.target.clone()
    }

    fn output(&self, _: &Shapes) -> Result<Vec<i64>> {
        self.latent_shape()
    }

    fn run(&self, rows: &Rows, pass: Pass) -> Result<Vec<Tensor>> {
        let posterior = self.encode(&rows.main, pass)?;
        Ok(std::iter::once(posterior.mean).chain(posterior.log_variance).collect())
    }
}

fn log_variance(component: &Component<dyn Encoder>) -> Result<()> {
    with_all_shapes(component, DType::Double, |at| {
        for scale in [1.0, 1e4] {
            let posterior = at.part.encode(&(at.rows(5).main * scale), Pass::EVAL)?;
            let Some(found) = posterior.log_variance else { continue };
            layout("the log-variance", &found, &posterior.mean.size(), &posterior.mean)?;
            let (low, high) = (found.min().double_value(&[]), found.max().double_value(&[]));
            ensure(low >= -20.0 && high <= 10.0, || {
                format!(
                    "the log-variance ranges from {low:.3} to {high:.3}, expected within [-20, 10]"
                )
            })?;
        }
        Ok(())
    })
}

fn identity(component: &Component<dyn Encoder>) -> Result<()> {
    with_all_shapes(component, DType::Float, |at| {
        if !at.part.is_identity()? {
            return Ok(());
        }
        let target = at.rows(5).main;
        let posterior = at.part.encode(&target, Pass::EVAL)?;
        let same = posterior.mean.size() == target.size() && posterior.mean.equal(&target);
        ensure(same && posterior.log_variance.is_none(), || {
            "the latents are not the targets, though the encoder says that it is the identity"
                .into()
        })
    })
}

fn origins(component: &Component<dyn Encoder>) -> Result<()> {
    with_all_shapes(component, DType::Float, |at| {
        let Some(origins) = at.part.origins()? else { return Ok(()) };
        let width: i64 = at.part.latent_shape()?.iter().product();
        let entries: i64 = at.rows(1).main.size().iter().product();
        let known = origins.iter().all(|origin| (0..entries).contains(origin));
        ensure(known && origins.len() as i64 == width, || {
            format!("the origins are {origins:?}, for {width} coordinates of {entries} entries")
        })
    })
}
