use super::expect::close;
use super::part::{self, Part, Rows, Shapes, latent_shapes};
use super::{Check, Conformance, Kit, paths};
use crate::component::{Crn, CrnInput, Pass, Reading};
use crate::error::Result;
use crate::registry::Component;
use tch::{Kind as DType, Tensor, nn};

inventory::submit!(Kit::of::<dyn Crn>());

impl Conformance for dyn Crn {
    const CHECKS: &'static [Check<Self>] = &[
        part::shape(),
        part::rows_independent(),
        part::deterministic(),
        part::same_seed(),
        part::gradients(),
        part::save_load(),
        part::absent_condition(),
        Check {
            name: "sampling",
            about: "inside `no_grad`, as in sampling, the output is that of training without dropout: take \
                    derivatives with `differentiate`",
            run: sampling,
        },
    ];
    const STARTER: &'static str = include_str!("starters/crn.rs");

    fn try_build(component: &Component<Self>) -> Result<()> {
        part::try_build(component)
    }
}

impl Part for dyn Crn {
    fn shapes() -> Vec<Shapes> {
        latent_shapes()
    }

    fn build_at(component: &Component<Self>, vars: nn::Path, shapes: &Shapes) -> Result<Box<Self>> {
        component.build(&shapes.context(vars))
    }

    fn input(shapes: &Shapes) -> Vec<i64> {
        shapes.latent.clone()
    }

    fn output(&self, shapes: &Shapes) -> Result<Vec<i64>> {
        Ok(shapes.latent.clone())
    }

    fn run(&self, rows: &Rows, pass: Pass) -> Result<Vec<Tensor>> {
        let path = paths::straight()?;
        let point = path.at(&rows.time)?;
        let input = CrnInput {
            z: &rows.main,
            state: &rows.main,
            time: &rows.time,
            condition: rows.condition.as_ref(),
            reading: &Reading::new(&paths::Difference, &point)?,
        };
        Ok(vec![self.forward(&input, pass)?])
    }
}

fn sampling(component: &Component<dyn Crn>) -> Result<()> {
    part::with_all_shapes(component, DType::Double, |at| {
        let rows = at.rows(5);
        let pass = Pass { dropout: false, ..Pass::TRAIN };
        let trained = at.part.run(&rows, pass)?;
        let sampled = tch::no_grad(|| at.part.run(&rows, Pass::EVAL))?;
        for (sampled, trained) in sampled.iter().zip(&trained) {
            close(
                "the output inside `no_grad`, against that in training,",
                sampled,
                trained,
                1e-9,
            )?;
        }
        Ok(())
    })
}
