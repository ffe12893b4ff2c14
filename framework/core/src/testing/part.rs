//! Checks shared by the parts of a model (encoder, decoder, conditional residual network (CRN),
//! network): functions of a batch of rows, with variables.

use super::expect::{all_identical, close, ensure, finite, layout};
use super::parameters::{self, reaches, saved_and_loaded, trainable};
use super::seeds::{KIT, repeatable, seeded};
use super::{Check, Conformance};
use crate::component::{BuildContext, Condition, Pass, shape_text};
use crate::error::{Error, Result};
use crate::registry::Component;
use crate::table::Block;
use tch::{Device, Kind as DType, Tensor, nn};

/// Shapes with which a part may be built, without the batch axis.
#[derive(Clone, Debug)]
pub(super) struct Shapes {
    pub(super) target: Vec<i64>,
    /// Numbers and categories of a target.
    pub(super) blocks: Vec<Block>,
    pub(super) latent: Vec<i64>,
    pub(super) condition: Option<Vec<i64>>,
}

impl Shapes {
    pub(super) fn new(target: &[i64], latent: &[i64], condition: Option<&[i64]>) -> Self {
        Self {
            target: target.to_vec(),
            blocks: Block::numbers(target),
            latent: latent.to_vec(),
            condition: condition.map(<[i64]>::to_vec),
        }
    }

    /// Shapes for rows of a table with two numbers and two categories, and latents of 7 entries.
    pub(super) fn table() -> Self {
        let blocks = vec![Block::Categories(3), Block::Values(2), Block::Categories(2)];
        Self { blocks, ..Self::new(&[7], &[7], None) }
    }

    pub(super) fn context<'a>(&self, vars: nn::Path<'a>) -> BuildContext<'a> {
        BuildContext {
            vars,
            target_shape: self.target.clone(),
            target_blocks: self.blocks.clone(),
            condition_shape: self.condition.clone(),
            latent_shape: Some(self.latent.clone()),
        }
    }

    fn text(&self) -> String {
        let condition = match &self.condition {
            Some(shape) => format!("condition {}", shape_text(shape)),
            None => "no condition".to_owned(),
        };
        format!(
            "target {}, latent {}, {condition}",
            shape_text(&self.target),
            shape_text(&self.latent)
        )
    }
}

/// Shapes for a function from latents to latents, with and without condition.
pub(super) fn latent_shapes() -> Vec<Shapes> {
    let shapes = |latent: &[i64], condition| Shapes::new(latent, latent, condition);
    vec![
        shapes(&[2], None),
        shapes(&[2], Some(&[3])),
        shapes(&[5], Some(&[2, 4, 4])),
        shapes(&[2, 4, 4], None),
        shapes(&[2, 4, 4], Some(&[3])),
        shapes(&[2, 4, 4], Some(&[2, 4, 4])),
        shapes(&[3, 8, 8], Some(&[3, 8, 8])),
        shapes(&[6, 2], None),
        shapes(&[6, 2], Some(&[6, 3])),
        shapes(&[5, 1], Some(&[7, 2])),
    ]
}

/// A batch of inputs.
pub(super) struct Rows {
    /// Main input of the part, `[batch, …]`.
    pub(super) main: Tensor,
    /// Times, `[batch]`.
    pub(super) time: Tensor,
    pub(super) condition: Option<Condition>,
}

impl Rows {
    /// Random rows; every third row has no condition.
    pub(super) fn draw(shape: &[i64], condition: Option<&[i64]>, batch: i64, kind: DType) -> Self {
        let options = (kind, Device::Cpu);
        let normal = |shape: &[i64]| Tensor::randn([&[batch], shape].concat(), options);
        let present = Tensor::arange(batch, options).remainder(3.0).ne(2.0).to_kind(kind);
        Self {
            main: normal(shape),
            time: (Tensor::rand([batch], options) * 0.9) + 0.05,
            condition: condition
                .map(|shape| Condition::new(normal(shape)).with(Some(present), None)),
        }
    }

    /// Row `i`, as a batch of 1.
    fn row(&self, i: i64) -> Self {
        let cut = |t: &Tensor| t.narrow(0, i, 1);
        let condition = self.condition.as_ref().map(|c| {
            Condition::new(cut(&c.value))
                .with(c.present.as_ref().map(cut), c.mask.as_ref().map(cut))
        });
        Self { main: cut(&self.main), time: cut(&self.time), condition }
    }

    fn with_condition(&self, value: Tensor, present: Option<Tensor>) -> Self {
        Self {
            main: self.main.shallow_clone(),
            time: self.time.shallow_clone(),
            condition: Some(Condition::new(value).with(present, None)),
        }
    }
}

/// A kind whose components are parts of a model.
pub(super) trait Part: Conformance {
    /// Shapes with which the kit tries to build the part; it must build with one of them at least.
    fn shapes() -> Vec<Shapes>;
    /// Builds the part for the given shapes.
    fn build_at(component: &Component<Self>, vars: nn::Path, shapes: &Shapes) -> Result<Box<Self>>;
    /// Shape of one row of the main input.
    fn input(shapes: &Shapes) -> Vec<i64>;
    /// Shape of one row of each output.
    fn output(&self, shapes: &Shapes) -> Result<Vec<i64>>;
    /// Outputs for the given rows.
    fn run(&self, rows: &Rows, pass: Pass) -> Result<Vec<Tensor>>;
}

/// A part built for given shapes.
pub(super) struct BuiltPart<P: ?Sized> {
    pub(super) vars: nn::VarStore,
    pub(super) part: Box<P>,
    pub(super) shapes: Shapes,
    kind: DType,
}

impl<P: Part + ?Sized> BuiltPart<P> {
    fn build(component: &Component<P>, shapes: &Shapes, kind: DType) -> Result<Self> {
        let mut vars = nn::VarStore::new(Device::Cpu);
        vars.set_kind(kind);
        let part = P::build_at(component, vars.root(), shapes)?;
        Ok(Self { vars, part, shapes: shapes.clone(), kind })
    }

    pub(super) fn rows(&self, batch: i64) -> Rows {
        let condition = self.shapes.condition.as_deref();
        Rows::draw(&P::input(&self.shapes), condition, batch, self.kind)
    }
}

/// Checks that the component builds with some shapes. The error is that of the last ones tried.
pub(super) fn try_build<P: Part + ?Sized>(component: &Component<P>) -> Result<()> {
    let mut last = None;
    for shapes in P::shapes() {
        match BuiltPart::build(component, &shapes, DType::Double) {
            Ok(_) => return Ok(()),
            Err(e) => last = Some(e.help(format!("this is for {}", shapes.text()))),
        }
    }
    Err(last.unwrap_or_else(|| Error::runtime("there is no shape to build it with")))
}

/// Runs a check of the built part with all shapes for which the component builds.
pub(super) fn with_all_shapes<P: Part + ?Sized>(
    component: &Component<P>,
    kind: DType,
    check: impl Fn(&BuiltPart<P>) -> Result<()>,
) -> Result<()> {
    for shapes in P::shapes() {
        let build = |kind| seeded(KIT, || BuiltPart::build(component, &shapes, kind));
        let built = match build(kind) {
            Ok(built) => built,
            Err(e) => {
                let other = if kind == DType::Float { DType::Double } else { DType::Float };
                ensure(build(other).is_err(), || {
                    format!(
                        "builds in {other:?}, but not in {kind:?}: {e} (with {})",
                        shapes.text()
                    )
                })?;
                // Not an error: the check `builds` makes sure that the component builds with some
                // shapes.
                continue;
            }
        };
        parameters::perturb(&built.vars);
        check(&built).map_err(|e| Error::runtime(format!("{e} (with {})", shapes.text())))?;
    }
    Ok(())
}

// The checks that all parts share.

pub(super) const fn shape<P: Part + ?Sized>() -> Check<P> {
    Check {
        name: "shape",
        about: "batches of 1 and of 5 give finite outputs of the right shape, in the precision of the \
                input, with and without condition",
        run: |component| {
            for kind in [DType::Float, DType::Double] {
                with_all_shapes(component, kind, |at| {
                    for batch in [1, 5] {
                        let rows = at.rows(batch);
                        let shape = [&[batch], at.part.output(&at.shapes)?.as_slice()].concat();
                        for pass in [Pass::EVAL, Pass::TRAIN] {
                            for output in at.part.run(&rows, pass)? {
                                layout("the output", &output, &shape, &rows.main)?;
                                finite("the output", &output)?;
                            }
                        }
                    }
                    Ok(())
                })?;
            }
            Ok(())
        },
    }
}

pub(super) const fn rows_independent<P: Part + ?Sized>() -> Check<P> {
    Check {
        name: "rows_independent",
        about: "in evaluation, the output for a row does not depend on the other rows of the batch",
        run: |component| {
            with_all_shapes(component, DType::Double, |at| {
                let rows = at.rows(5);
                let together = at.part.run(&rows, Pass::EVAL)?;
                for i in 0..5 {
                    let alone = at.part.run(&rows.row(i), Pass::EVAL)?;
                    for (together, alone) in together.iter().zip(&alone) {
                        let what = format!("row {i} of a batch, against the row alone,");
                        close(&what, &together.narrow(0, i, 1), alone, 1e-9)?;
                    }
                }
                Ok(())
            })
        },
    }
}

pub(super) const fn deterministic<P: Part + ?Sized>() -> Check<P> {
    Check {
        name: "deterministic",
        about: "two evaluations agree bit for bit: dropout and noise depend on `pass.dropout`",
        run: |component| {
            with_all_shapes(component, DType::Float, |at| {
                let rows = at.rows(5);
                let first = at.part.run(&rows, Pass::EVAL)?;
                let second = at.part.run(&rows, Pass::EVAL)?;
                ensure(all_identical(&first, &second), || {
                    "two evaluations of the same rows differ".to_owned()
                })
            })
        },
    }
}

pub(super) const fn same_seed<P: Part + ?Sized>() -> Check<P> {
    Check {
        name: "same_seed",
        about: "built and run twice with one seed, in training with dropout, it gives the same bit for bit",
        run: |component| {
            with_all_shapes(component, DType::Float, |at| {
                let rows = at.rows(5);
                repeatable(|| {
                    let built = BuiltPart::build(component, &at.shapes, DType::Float)?;
                    built.part.run(&rows, Pass::TRAIN)
                })
            })
        },
    }
}

pub(super) const fn gradients<P: Part + ?Sized>() -> Check<P> {
    Check {
        name: "gradients",
        about: "a gradient of the output reaches every trainable variable and the input",
        run: |component| {
            with_all_shapes(component, DType::Double, |at| {
                let mut rows = at.rows(6);
                rows.main = rows.main.set_requires_grad(true);
                let outputs = at.part.run(&rows, Pass { dropout: false, ..Pass::TRAIN })?;
                let loss = outputs
                    .iter()
                    .map(|o| (o * o.randn_like().detach()).sum(DType::Double))
                    .fold(Tensor::zeros([], (DType::Double, Device::Cpu)), |sum, term| sum + term);
                let mut named = trainable(&at.vars);
                named.push(("the input".to_owned(), rows.main.shallow_clone()));
                reaches(&loss, &named)
            })
        },
    }
}

pub(super) const fn save_load<P: Part + ?Sized>() -> Check<P> {
    Check {
        name: "save_load",
        about: "its variables, saved and loaded into one built with another seed, give the same output \
                bit for bit",
        run: |component| {
            with_all_shapes(component, DType::Float, |at| {
                let rows = at.rows(5);
                let build = || {
                    let built = BuiltPart::build(component, &at.shapes, DType::Float)?;
                    Ok((built.vars, built.part))
                };
                saved_and_loaded(build, |part| part.run(&rows, Pass::EVAL))
            })
        },
    }
}

/// A further check, for parts with a condition.
pub(super) const fn absent_condition<P: Part + ?Sized>() -> Check<P> {
    Check {
        name: "absent_condition",
        about: "the output for a row without condition (`present` is 0) does not depend on the condition's \
                value, and `present` of ones is the same as `None`",
        run: |component| {
            with_all_shapes(component, DType::Double, |at| {
                let rows = at.rows(5);
                let Some(Condition { value, .. }) = &rows.condition else { return Ok(()) };
                let run = |value: Tensor, present: Option<Tensor>| {
                    at.part.run(&rows.with_condition(value, present), Pass::EVAL)
                };
                let compare = |what: &str, a: &[Tensor], b: &[Tensor]| {
                    a.iter().zip(b).try_for_each(|(a, b)| close(what, a, b, 1e-9))
                };
                let (none, all) = (rows.time.zeros_like(), rows.time.ones_like());
                let what = "the output without condition, with two values of the absent condition,";
                let (a, b) = (
                    run(value.shallow_clone(), Some(none.shallow_clone()))?,
                    run(value + 1.0, Some(none))?,
                );
                for output in &a {
                    finite("the output without condition", output)?;
                }
                compare(what, &a, &b)?;
                let what = "the output with every condition present, against `present: None`,";
                compare(
                    what,
                    &run(value.shallow_clone(), Some(all))?,
                    &run(value.shallow_clone(), None)?,
                )
            })
        },
    }
}
