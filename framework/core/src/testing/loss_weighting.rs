use super::expect::{close, ensure, finite, layout};
use super::objective::{paths, times};
use super::seeds::repeatable;
use super::{Check, Conformance, Kit};
use crate::component::{LossWeighting, Objective, PathPoint};
use crate::error::Result;
use crate::path::{Path, Reading};
use crate::registry::Component;
use tch::{Kind as DType, Tensor};

inventory::submit!(Kit::of::<dyn LossWeighting>());

impl Conformance for dyn LossWeighting {
    const CHECKS: &'static [Check<Self>] = &[
        Check {
            name: "shape",
            about: "a weight is `[batch]`, in the point's precision",
            run: shape,
        },
        Check {
            name: "finite",
            about: "a weight is finite and at least 0 inside a path, and at ends with finite \
                    log-SNR, whichever quantity the network predicts",
            run: weights_finite,
        },
        Check {
            name: "ends",
            about: "the weight of a predicted velocity of straight lines is a number, or infinite, \
                    at the ends of their path",
            run: weights_at_ends,
        },
        Check {
            name: "rows_independent",
            about: "the weight at one point does not depend on the other points of the batch",
            run: rows_independent,
        },
        Check {
            name: "variational_bound",
            about: "a weighting that says it is the variational bound has the weight dSNR/dt of the \
                    error of the data",
            run: variational_bound,
        },
        Check {
            name: "same_seed",
            about: "built twice with one seed, it is the same bit for bit",
            run: |component| {
                let (paths, t) = (paths()?, times(9, DType::Double));
                repeatable(|| {
                    let weighting = component.build(&())?;
                    let at = |(_, path): &(_, Path)| value(&*weighting, &path.at(&t)?);
                    paths.iter().map(at).collect()
                })
            },
        },
    ];
    const STARTER: &'static str = include_str!("starters/loss_weighting.rs");

    fn try_build(component: &Component<Self>) -> Result<()> {
        component.build(&())?.is_variational_bound().map(|_| ())
    }
}

/// An objective with constant (p, q).
struct Constant(f64, f64);

impl Objective for Constant {
    fn mix(&self, point: &PathPoint<'_>) -> Result<(Tensor, Tensor)> {
        let constant = |value: f64| point.t.full_like(value);
        Ok((constant(self.0), constant(self.1)))
    }

    fn default_path(&self) -> Result<&'static str> {
        Ok("rectified")
    }
}

const VELOCITY: (&str, Constant) = ("the velocity of straight lines", Constant(1.0, -1.0));
const OBJECTIVES: [(&str, Constant); 3] =
    [VELOCITY, ("the data", Constant(1.0, 0.0)), ("the noise", Constant(0.0, 1.0))];

fn value(weighting: &dyn LossWeighting, point: &PathPoint<'_>) -> Result<Tensor> {
    let weight = weighting.weight(point)?;
    Ok(weight.value().map_or_else(|| point.t.ones_like(), Tensor::shallow_clone))
}

/// Weight of the output's error.
fn of_output(
    weighting: &dyn LossWeighting,
    objective: &dyn Objective,
    point: &PathPoint<'_>,
) -> Result<Tensor> {
    let weight = Reading::new(objective, point)?.weight_of_output(&weighting.weight(point)?)?;
    Ok(weight.unwrap_or_else(|| point.t.ones_like()))
}

fn shape(component: &Component<dyn LossWeighting>) -> Result<()> {
    let weighting = component.build(&())?;
    for kind in [DType::Float, DType::Double] {
        for batch in [1, 5] {
            let t = times(batch, kind);
            for (name, path) in &paths()? {
                let weight = value(&*weighting, &path.at(&t)?)?;
                layout(&format!("the weight on {name}"), &weight, &[batch], &t)?;
            }
        }
    }
    Ok(())
}

fn weights_finite(component: &Component<dyn LossWeighting>) -> Result<()> {
    let weighting = component.build(&())?;
    let (ends, inside) = (Tensor::from_slice(&[0.0, 1.0]), times(99, DType::Double));
    for (name, path) in &paths()? {
        let mut points = vec![(format!("inside {name}"), path.at(&inside)?)];
        if path.bounded() {
            points.push((format!("at the ends of {name}"), path.at(&ends)?));
        }
        for (place, point) in &points {
            for (predicted, objective) in &OBJECTIVES {
                let weight = of_output(&*weighting, objective, point)?;
                let what = format!("the weight of a network that predicts {predicted}, {place},");
                finite(&what, &weight)?;
                let lowest = weight.min().double_value(&[]);
                ensure(lowest >= 0.0, || format!("{what} is {lowest:.3e}, expected 0 or above"))?;
            }
        }
    }
    Ok(())
}

fn weights_at_ends(component: &Component<dyn LossWeighting>) -> Result<()> {
    let weighting = component.build(&())?;
    for (name, path) in &paths()? {
        let point = path.at(&Tensor::from_slice(&[0.0, 1.0]))?;
        let weight = of_output(&*weighting, &VELOCITY.1, &point)?;
        for end in [0, 1] {
            let found = weight.double_value(&[end]);
            ensure(found >= 0.0, || {
                format!(
                    "at t = {end} of {name} the weight is {found}, expected 0 or above, or infinite"
                )
            })?;
        }
    }
    Ok(())
}

fn rows_independent(component: &Component<dyn LossWeighting>) -> Result<()> {
    let weighting = component.build(&())?;
    for (name, path) in &paths()? {
        let t = times(5, DType::Double);
        let together = value(&*weighting, &path.at(&t)?)?;
        for i in 0..5 {
            let alone = value(&*weighting, &path.at(&t.narrow(0, i, 1))?)?;
            let what = format!("the weight at point {i} of {name}, against the point alone,");
            close(&what, &together.narrow(0, i, 1), &alone, 1e-9)?;
        }
    }
    Ok(())
}

fn variational_bound(component: &Component<dyn LossWeighting>) -> Result<()> {
    let weighting = component.build(&())?;
    if !weighting.is_variational_bound()? {
        return Ok(());
    }
    for (name, path) in &paths()? {
        let point = path.at(&times(9, DType::Double))?;
        let weight = of_output(&*weighting, &OBJECTIVES[1].1, &point)?;
        let what = format!("the weight of the error of the data on {name}, against dSNR/dt,");
        close(&what, &(weight / point.snr_prime()?), &point.t.ones_like(), 1e-8)?;
    }
    Ok(())
}
