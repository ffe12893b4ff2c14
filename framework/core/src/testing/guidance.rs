use super::expect::{close, finite, layout};
use super::seeds::repeatable;
use super::{Check, Conformance, Kit};
use crate::component::{Guidance, GuidanceInput};
use crate::error::Result;
use crate::registry::Component;
use tch::{Device, Kind as DType, Tensor};

inventory::submit!(Kit::of::<dyn Guidance>());

impl Conformance for dyn Guidance {
    const CHECKS: &'static [Check<Self>] = &[
        Check {
            name: "shape",
            about: "the force has the shape, precision and device of the state, and is finite on the whole path",
            run: shape,
        },
        Check {
            name: "rows",
            about: "the force on one sample does not depend on the others in the batch",
            run: alone,
        },
        Check {
            name: "same_seed",
            about: "built and evaluated twice with one seed, it gives the same bit for bit",
            run: |component| {
                repeatable(|| Ok(vec![force(component, &states(DType::Double), 0.5)?]))
            },
        },
    ];
    const STARTER: &'static str = include_str!("starters/guidance.rs");

    fn try_build(component: &Component<Self>) -> Result<()> {
        component.build(&()).map(|_| ())
    }
}

/// Six states of two entries.
fn states(kind: DType) -> Tensor {
    let values = [1.0, -0.5, 0.25, -2.0, 1.5, 0.75, 0.0, 3.0, -1.0, 0.1, 2.0, -0.3];
    Tensor::from_slice(&values).view([6, 2]).to_kind(kind)
}

/// Force on the rectified path at time `t`, with the predicted data half-way to the origin.
fn force(component: &Component<dyn Guidance>, z: &Tensor, t: f64) -> Result<Tensor> {
    let at = |value: f64| Tensor::from_slice(&[value]).to_device(Device::Cpu);
    let (a, b, data) = (at(t), at(1.0 - t), z * 0.5);
    let input = GuidanceInput { z, data: &data, a: &a, b: &b, time: &a, condition: None };
    component.build(&())?.force(&input)
}

fn shape(component: &Component<dyn Guidance>) -> Result<()> {
    for kind in [DType::Float, DType::Double] {
        let z = states(kind);
        for t in [0.0, 0.01, 0.5, 1.0] {
            let force = force(component, &z, t)?;
            layout("the force", &force, &z.size(), &z)?;
            finite("the force", &force)?;
        }
    }
    Ok(())
}

fn alone(component: &Component<dyn Guidance>) -> Result<()> {
    let z = states(DType::Double);
    let together = force(component, &z, 0.4)?;
    for row in 0..z.size()[0] {
        let alone = force(component, &z.narrow(0, row, 1), 0.4)?;
        let what = "the force on one sample, against that in a batch,";
        close(what, &alone, &together.narrow(0, row, 1), 1e-9)?;
    }
    Ok(())
}
