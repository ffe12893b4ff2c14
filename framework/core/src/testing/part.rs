//! Checks common to the parts of a model (encoder, decoder, CRN, network): functions of a batch of rows,
//! with variables.

use super::expect::{all_identical, close, ensure, finite, form};
use super::parameters::{self, reaches, survive_saving, trainable};
use super::seeds::{KIT, same_again, seeded};
use super::{Check, Conformance};
use crate::component::{BuildContext, Condition, Pass, shape_text};
use crate::error::{Error, Result};
use crate::registry::Component;
use tch::{Device, Kind as DType, Tensor, nn};

/// Where a part may stand: shapes without the batch axis.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) target: Vec<i64>,
    pub(super) latent: Vec<i64>,
    pub(super) condition: Option<Vec<i64>>,
}

impl Place {
    pub(super) fn new(target: &[i64], latent: &[i64], condition: Option<&[i64]>) -> Self {
        Self {
            target: target.to_vec(),
            latent: latent.to_vec(),
            condition: condition.map(<[i64]>::to_vec),
        }
    }

    pub(super) fn context<'a>(&self, vars: nn::Path<'a>) -> BuildContext<'a> {
        BuildContext {
            vars,
            target_shape: self.target.clone(),
            condition_shape: self.condition.clone(),
            latent_shape: Some(self.latent.clone()),
        }
    }

    fn say(&self) -> String {
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

/// Places of a function from latents to latents, with and without condition.
pub(super) fn places_of_latents() -> Vec<Place> {
    let place = |latent: &[i64], condition| Place::new(latent, latent, condition);
    vec![
        place(&[2], None),
        place(&[2], Some(&[3])),
        place(&[5], Some(&[2, 4, 4])),
        place(&[2, 4, 4], None),
        place(&[2, 4, 4], Some(&[3])),
        place(&[2, 4, 4], Some(&[2, 4, 4])),
        place(&[3, 8, 8], Some(&[3, 8, 8])),
        place(&[6, 2], None),
        place(&[6, 2], Some(&[6, 3])),
        place(&[5, 1], Some(&[7, 2])),
    ]
}

/// A batch of inputs.
pub(super) struct Rows {
    /// What the part is a function of, `[batch, …]`.
    pub(super) main: Tensor,
    /// `[batch]`.
    pub(super) time: Tensor,
    pub(super) condition: Option<Condition>,
}

impl Rows {
    /// Random rows; every third one has no condition.
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

    /// Row `i` alone, a batch of 1.
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
    /// Where the kit tries to build it; it has to build in one place at least.
    fn places() -> Vec<Place>;
    /// Builds it there.
    fn build_at(component: &Component<Self>, vars: nn::Path, place: &Place) -> Result<Box<Self>>;
    /// Shape of one row of its main input.
    fn input(place: &Place) -> Vec<i64>;
    /// Shape of one row of each of its outputs.
    fn output(&self, place: &Place) -> Result<Vec<i64>>;
    /// Its outputs for these rows.
    fn run(&self, rows: &Rows, pass: Pass) -> Result<Vec<Tensor>>;
}

/// A part that stands somewhere.
pub(super) struct Standing<P: ?Sized> {
    pub(super) vars: nn::VarStore,
    pub(super) part: Box<P>,
    pub(super) place: Place,
    kind: DType,
}

impl<P: Part + ?Sized> Standing<P> {
    fn build(component: &Component<P>, place: &Place, kind: DType) -> Result<Self> {
        let mut vars = nn::VarStore::new(Device::Cpu);
        vars.set_kind(kind);
        let part = P::build_at(component, vars.root(), place)?;
        Ok(Self { vars, part, place: place.clone(), kind })
    }

    pub(super) fn rows(&self, batch: i64) -> Rows {
        let condition = self.place.condition.as_deref();
        Rows::draw(&P::input(&self.place), condition, batch, self.kind)
    }
}

/// Every place in which the component builds, in float64 (precise) and float32 (usual); the error of the
/// last where there is none.
pub(super) fn try_build<P: Part + ?Sized>(component: &Component<P>) -> Result<()> {
    let mut last = None;
    for place in P::places() {
        match Standing::build(component, &place, DType::Double) {
            Ok(_) => return Ok(()),
            Err(e) => last = Some(e.help(format!("this is for {}", place.say()))),
        }
    }
    Err(last.unwrap_or_else(|| Error::runtime("there is no place to build it in")))
}

/// Runs a check of the built part in every place where the component builds.
pub(super) fn everywhere<P: Part + ?Sized>(
    component: &Component<P>,
    kind: DType,
    check: impl Fn(&Standing<P>) -> Result<()>,
) -> Result<()> {
    for place in P::places() {
        let build = |kind| seeded(KIT, || Standing::build(component, &place, kind));
        let standing = match build(kind) {
            Ok(standing) => standing,
            Err(e) => {
                let other = if kind == DType::Float { DType::Double } else { DType::Float };
                ensure(build(other).is_err(), || {
                    format!("builds in {other:?}, but not in {kind:?}: {e} (with {})", place.say())
                })?;
                // Where it does not build it need not work: `builds` sees to it that it builds somewhere.
                continue;
            }
        };
        parameters::perturb(&standing.vars);
        check(&standing).map_err(|e| Error::runtime(format!("{e} (with {})", place.say())))?;
    }
    Ok(())
}

/// The checks that all parts share.
pub(super) const fn shape<P: Part + ?Sized>() -> Check<P> {
    Check {
        name: "shape",
        about: "batches of 1 and of 5 give outputs of the promised shape and in the precision of the \
                input, with and without condition, finite",
        run: |component| {
            for kind in [DType::Float, DType::Double] {
                everywhere(component, kind, |at| {
                    for batch in [1, 5] {
                        let rows = at.rows(batch);
                        let shape = [&[batch], at.part.output(&at.place)?.as_slice()].concat();
                        for pass in [Pass::EVAL, Pass::TRAIN] {
                            for output in at.part.run(&rows, pass)? {
                                form("the output", &output, &shape, &rows.main)?;
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
        about: "in a pass of evaluation, a row of a batch gives what it gives alone",
        run: |component| {
            everywhere(component, DType::Double, |at| {
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
        about: "two passes of evaluation agree bit for bit: dropout and noise belong to `pass.dropout`",
        run: |component| {
            everywhere(component, DType::Float, |at| {
                let rows = at.rows(5);
                let first = at.part.run(&rows, Pass::EVAL)?;
                let second = at.part.run(&rows, Pass::EVAL)?;
                ensure(all_identical(&first, &second), || {
                    "two passes of evaluation over the same rows differ".to_owned()
                })
            })
        },
    }
}

pub(super) const fn same_seed<P: Part + ?Sized>() -> Check<P> {
    Check {
        name: "same_seed",
        about: "built and run twice under one seed, in training with dropout, it gives the same bit for bit",
        run: |component| {
            everywhere(component, DType::Float, |at| {
                let rows = at.rows(5);
                same_again(|| {
                    let built = Standing::build(component, &at.place, DType::Float)?;
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
            everywhere(component, DType::Double, |at| {
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
        about: "its variables saved and loaded into another one, built under another seed, give the \
                same output bit for bit",
        run: |component| {
            everywhere(component, DType::Float, |at| {
                let rows = at.rows(5);
                let build = || {
                    let built = Standing::build(component, &at.place, DType::Float)?;
                    Ok((built.vars, built.part))
                };
                survive_saving(build, |part| part.run(&rows, Pass::EVAL))
            })
        },
    }
}

/// For parts with a condition.
pub(super) const fn absent_condition<P: Part + ?Sized>() -> Check<P> {
    Check {
        name: "absent_condition",
        about: "a row whose condition is absent (`present` is 0) gives the same whatever the condition \
                says, and all rows present is the same as `present` left out",
        run: |component| {
            everywhere(component, DType::Double, |at| {
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
