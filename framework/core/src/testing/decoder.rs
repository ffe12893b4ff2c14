use super::expect::ensure;
use super::part::{self, Part, Rows, Shapes, with_all_shapes};
use super::{Check, Conformance, Kit};
use crate::component::{Decoder, Likelihood, Pass};
use crate::error::Result;
use crate::registry::Component;
use crate::table::Segments;
use tch::{Device, Kind as DType, Tensor, nn};

inventory::submit!(Kit::of::<dyn Decoder>());

impl Conformance for dyn Decoder {
    const CHECKS: &'static [Check<Self>] = &[
        part::shape(),
        part::rows_independent(),
        part::deterministic(),
        part::same_seed(),
        part::gradients(),
        part::save_load(),
        Check {
            name: "logits",
            about: "a categorical decoder gives logits, never probabilities",
            run: logits,
        },
        Check {
            name: "block_logits",
            about: "a decoder of numbers and categories gives logits of each category, never \
                    probabilities",
            run: block_logits,
        },
    ];
    const STARTER: &'static str = include_str!("starters/decoder.rs");

    fn try_build(component: &Component<Self>) -> Result<()> {
        part::try_build(component)
    }
}

impl Part for dyn Decoder {
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
        shapes.latent.clone()
    }

    fn output(&self, shapes: &Shapes) -> Result<Vec<i64>> {
        Ok(shapes.target.clone())
    }

    fn run(&self, rows: &Rows, pass: Pass) -> Result<Vec<Tensor>> {
        Ok(vec![self.decode(&rows.main, pass)?])
    }
}

fn logits(component: &Component<dyn Decoder>) -> Result<()> {
    with_all_shapes(component, DType::Double, |at| {
        if at.part.likelihood()? != Likelihood::Categorical {
            return Ok(());
        }
        let output = at.part.decode(&at.rows(5).main, Pass::EVAL)?;
        let sums = output.sum_dim_intlist([-1].as_slice(), false, DType::Double);
        no_probabilities(&output, &sums, "over the last axis")
    })
}

fn block_logits(component: &Component<dyn Decoder>) -> Result<()> {
    with_all_shapes(component, DType::Double, |at| {
        let segments = Segments::new(&at.shapes.blocks, Device::Cpu);
        if at.part.likelihood()? != Likelihood::Blocks || segments.category_count() == 0 {
            return Ok(());
        }
        let output = at.part.decode(&at.rows(5).main, Pass::EVAL)?;
        let members = segments.members(&output);
        no_probabilities(&members, &segments.sum(&members), "over each category")
    })
}

/// Checks that not all of these `sums` of `values`, all of which are positive, are 1.
fn no_probabilities(values: &Tensor, sums: &Tensor, over: &str) -> Result<()> {
    let off = (sums - 1.0).abs().max().double_value(&[]);
    let sums_to_one = off < 1e-6 && values.min().double_value(&[]) >= 0.0;
    ensure(!sums_to_one, || {
        format!("the output sums to 1 {over}, as probabilities do; expected logits")
    })
}
