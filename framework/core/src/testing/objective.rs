use super::expect::{close, ensure, finite};
use super::paths::{straight, unit_variance};
use super::seeds::repeatable;
use super::{Check, Conformance, Kit};
use crate::component::{Objective, shape_text};
use crate::error::Result;
use crate::path::{Clock, Path, Reading, rows};
use crate::registry::Component;
use tch::{Device, Kind as DType, Tensor};

inventory::submit!(Kit::of::<dyn Objective>());

impl Conformance for dyn Objective {
    const CHECKS: &'static [Check<Self>] = &[
        Check {
            name: "shape",
            about: "p and q are single numbers or `[batch]`, and keep the point's precision",
            run: shape,
        },
        Check {
            name: "finite",
            about: "p and q are finite inside a path, and at ends with finite log-SNR",
            run: numbers_finite,
        },
        Check {
            name: "rows_independent",
            about: "p and q of one point do not depend on the other points of the batch",
            run: rows_independent,
        },
        Check {
            name: "readings_agree",
            about: "data, noise and velocity are recovered from the output p·data + q·noise",
            run: readings_agree,
        },
        Check {
            name: "same_seed",
            about: "built twice with one seed, it is the same bit for bit",
            run: |component| {
                let (paths, t) = (paths()?, times(9, DType::Double));
                repeatable(|| {
                    let objective = component.build(&())?;
                    let mut all = Vec::new();
                    for (_, path) in &paths {
                        let (p, q) = objective.mix(&path.at(&t)?)?;
                        all.extend([p, q]);
                    }
                    Ok(all)
                })
            },
        },
    ];
    const STARTER: &'static str = include_str!("starters/objective.rs");

    fn try_build(component: &Component<Self>) -> Result<()> {
        component.build(&())?.default_path().map(|_| ())
    }
}

/// A path with finite and one with infinite log-SNR at the ends, by name.
pub(super) fn paths() -> Result<[(&'static str, Path); 2]> {
    Ok([("the path of unit variance", unit_variance()?), ("the straight path", straight()?)])
}

/// `batch` times away from ends where a prediction may be infinite.
pub(super) fn times(batch: i64, kind: DType) -> Tensor {
    (Tensor::arange(batch, (kind, Device::Cpu)) + 0.37) / batch as f64 * 0.9 + 0.05
}

fn shape(component: &Component<dyn Objective>) -> Result<()> {
    let objective = component.build(&())?;
    for kind in [DType::Float, DType::Double] {
        for batch in [1, 5] {
            for (name, path) in &paths()? {
                let point = path.at(&times(batch, kind))?;
                let (p, q) = objective.mix(&point)?;
                for (number_name, number) in [("p", p), ("q", q)] {
                    let size = number.size();
                    ensure(matches!(size.as_slice(), [] | [1]) || size == [batch], || {
                        let size = shape_text(&size);
                        format!("{number_name} is {size} on {name}, expected [], [1] or [{batch}]")
                    })?;
                    let joined = (&point.a * number).kind();
                    ensure(joined == kind, || {
                        format!(
                            "with {number_name} on {name} {kind:?} becomes {joined:?}, \
                             expected {kind:?}"
                        )
                    })?;
                }
            }
        }
    }
    Ok(())
}

fn numbers_finite(component: &Component<dyn Objective>) -> Result<()> {
    let objective = component.build(&())?;
    let (ends, inside) = (Tensor::from_slice(&[0.0, 1.0]), times(9, DType::Double));
    let [(unit, unit_path), (straight, straight_path)] = paths()?;
    let points = [
        (unit.to_owned(), unit_path.at(&inside)?),
        (straight.to_owned(), straight_path.at(&inside)?),
        (format!("the ends of {unit}"), unit_path.at(&ends)?),
    ];
    for (name, point) in &points {
        let (p, q) = objective.mix(point)?;
        finite(&format!("p on {name}"), &p)?;
        finite(&format!("q on {name}"), &q)?;
    }
    Ok(())
}

fn rows_independent(component: &Component<dyn Objective>) -> Result<()> {
    let objective = component.build(&())?;
    for (name, path) in &paths()? {
        let point = path.at(&times(5, DType::Double))?;
        let per_point = |(p, q): (Tensor, Tensor)| [p, q].map(|v| v + &point.a * 0.0);
        let together = per_point(objective.mix(&point)?);
        for i in 0..5 {
            let (p, q) = objective.mix(&path.at(&point.t.narrow(0, i, 1))?)?;
            for (number, together, alone) in [("p", &together[0], p), ("q", &together[1], q)] {
                let what = format!("{number} of point {i} on {name}, against the point alone,");
                close(&what, &together.narrow(0, i, 1), &alone.reshape([-1]), 1e-9)?;
            }
        }
    }
    Ok(())
}

fn readings_agree(component: &Component<dyn Objective>) -> Result<()> {
    let objective = component.build(&())?;
    for (name, path) in &paths()? {
        let point = &path.at(&times(9, DType::Double))?;
        let data = Tensor::randn([9, 3], (DType::Double, Device::Cpu));
        let noise = data.randn_like();
        let mix = |a: &Tensor, b: &Tensor| rows(a, &data) * &data + rows(b, &data) * &noise;
        let z = mix(&point.a, &point.b);
        let reading = Reading::new(&*objective, point)?;
        let output = reading.target(&data, &noise);
        let (a_rate, b_rate) = point.rates(Clock::Time)?;
        let text = |what: &str| {
            format!("the {what} read from p·data + q·noise on {name} (a·q − b·p must not be 0)")
        };
        close(&text("data"), &reading.data(&z, &output), &data, 1e-6)?;
        close(&text("noise"), &reading.noise(&z, &output), &noise, 1e-6)?;
        let velocity = reading.derivative(&z, &output, Clock::Time)?;
        close(&text("velocity"), &velocity, &mix(&a_rate, &b_rate), 1e-6)?;
    }
    Ok(())
}
