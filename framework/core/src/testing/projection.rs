use super::expect::{close, finite, layout};
use super::seeds::repeatable;
use super::{Check, Conformance, Kit};
use crate::component::Projection;
use crate::error::Result;
use crate::registry::Component;
use tch::{Kind as DType, Tensor};

inventory::submit!(Kit::of::<dyn Projection>());

impl Conformance for dyn Projection {
    const CHECKS: &'static [Check<Self>] = &[
        Check {
            name: "shape",
            about: "projected vectors and images keep shape, precision and device",
            run: shape,
        },
        Check {
            name: "finite",
            about: "data that are finite stay finite, also zeros and numbers up to a million",
            run: stays_finite,
        },
        Check {
            name: "idempotent",
            about: "projecting twice is the same as projecting once",
            run: idempotent,
        },
        Check {
            name: "rows",
            about: "the projection of one sample does not depend on the others in the batch",
            run: alone,
        },
        Check {
            name: "same_seed",
            about: "built and evaluated twice with one seed, it gives the same bit for bit",
            run: |component| repeatable(|| Ok(vec![project(component, &vectors(DType::Double))?])),
        },
    ];
    const STARTER: &'static str = include_str!("starters/projection.rs");

    fn try_build(component: &Component<Self>) -> Result<()> {
        component.build(&()).map(|_| ())
    }
}

/// Six vectors of two entries, within [-3, 3].
fn vectors(kind: DType) -> Tensor {
    let values = [1.0, -0.5, 0.25, -2.0, 1.5, 0.75, 0.0, 3.0, -1.0, 0.1, 2.0, -0.3];
    Tensor::from_slice(&values).view([6, 2]).to_kind(kind)
}

/// Three images of 2 × 8 × 8 values, the later ones larger.
fn images(kind: DType) -> Tensor {
    let device = tch::Device::Cpu;
    let values = (Tensor::arange(3 * 128, (DType::Double, device)) * 1.7).sin();
    let scale = Tensor::from_slice(&[0.8, 2.0, 5.0]).view([3, 1, 1, 1]);
    (values.view([3, 2, 8, 8]) * scale).to_kind(kind)
}

fn project(component: &Component<dyn Projection>, data: &Tensor) -> Result<Tensor> {
    component.build(&())?.project(data)
}

fn shape(component: &Component<dyn Projection>) -> Result<()> {
    for kind in [DType::Float, DType::Double] {
        let single = vectors(kind).narrow(0, 0, 1);
        for data in [vectors(kind), images(kind), single] {
            layout("the projection", &project(component, &data)?, &data.size(), &data)?;
        }
    }
    Ok(())
}

fn stays_finite(component: &Component<dyn Projection>) -> Result<()> {
    for scale in [0.0, 1e-6, 1.0, 1e6] {
        for data in [vectors(DType::Float) * scale, images(DType::Float) * scale] {
            finite("the projection", &project(component, &data)?)?;
        }
    }
    Ok(())
}

fn idempotent(component: &Component<dyn Projection>) -> Result<()> {
    for data in [vectors(DType::Double), images(DType::Double)] {
        let once = project(component, &data)?;
        let twice = project(component, &once)?;
        close("the projection of projected data, against those,", &twice, &once, 1e-9)?;
    }
    Ok(())
}

fn alone(component: &Component<dyn Projection>) -> Result<()> {
    for data in [vectors(DType::Double), images(DType::Double)] {
        let together = project(component, &data)?;
        for row in 0..data.size()[0] {
            let alone = project(component, &data.narrow(0, row, 1))?;
            let what = "the projection of one sample, against that in a batch,";
            close(what, &alone, &together.narrow(0, row, 1), 1e-9)?;
        }
    }
    Ok(())
}
