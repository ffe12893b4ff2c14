use super::expect::{ensure, finite, identical, layout};
use super::seeds::{KIT, OTHER, repeatable, seeded};
use super::{Check, Conformance, Kit};
use crate::component::{Source, SourceContext, shape_text};
use crate::error::{Error, Result};
use crate::registry::Component;
use crate::rng::{Purpose, RowDraws, Streams, TorchDraws};
use tch::{Device, Kind as DType, Tensor};

inventory::submit!(Kit::of::<dyn Source>());

impl Conformance for dyn Source {
    const CHECKS: &'static [Check<Self>] = &[
        Check { name: "shape", about: "a draw has the requested shape and precision", run: shape },
        Check { name: "finite", about: "every number is finite", run: numbers_finite },
        Check {
            name: "same_seed",
            about: "built and drawn from twice with one seed, it gives the same bit for bit",
            run: |component| repeatable(|| Ok(vec![draw(component, 50, DType::Float)?])),
        },
        Check {
            name: "own_draws",
            about: "another seed gives other draws, and so does the next draw",
            run: own_draws,
        },
        Check {
            name: "rows_alone",
            about: "with a random stream for each row, a row does not depend on the number of rows",
            run: rows_alone,
        },
        Check {
            name: "identically_distributed",
            about: "the means over the first and the last rows agree: all rows have one distribution",
            run: identically_distributed,
        },
        Check {
            name: "standard_normal",
            about: "a source that says it is N(0, I) has mean 0, standard deviation 1, kurtosis 3 and no correlation",
            run: standard_normal,
        },
    ];
    const STARTER: &'static str = include_str!("starters/source.rs");

    fn try_build(component: &Component<Self>) -> Result<()> {
        build(component).map(|_| ())
    }
}

/// Shapes of z_0 that are tried; a source must work with one of them at least.
const SHAPES: [&[i64]; 4] = [&[2], &[3], &[1], &[2, 4, 4]];

type Built = (Vec<i64>, Box<dyn Source>);

fn build(component: &Component<dyn Source>) -> Result<Vec<Built>> {
    let mut refused = None;
    let mut all = Vec::new();
    for shape in SHAPES {
        let z_shape = shape.to_vec();
        match component.build(&SourceContext { z_shape: z_shape.clone(), seed: KIT }) {
            Ok(built) => all.push((z_shape, built)),
            Err(e) => refused = refused.or(Some(e)),
        }
    }
    match (all.is_empty(), refused) {
        (true, refused) => {
            Err(refused.unwrap_or_else(|| Error::runtime("it builds with no shape")))
        }
        (false, _) => Ok(all),
    }
}

fn rows(shape: &[i64], n: i64) -> Vec<i64> {
    [&[n], shape].concat()
}

/// `n` rows of the first shape that the source accepts.
fn draw(component: &Component<dyn Source>, n: i64, kind: DType) -> Result<Tensor> {
    let all = build(component)?;
    all[0].1.draw(&TorchDraws, &rows(&all[0].0, n), (kind, Device::Cpu))
}

fn shape(component: &Component<dyn Source>) -> Result<()> {
    for (z_shape, source) in build(component)? {
        for (n, kind) in [(1, DType::Float), (7, DType::Float), (7, DType::Double)] {
            let options = (kind, Device::Cpu);
            let shape = rows(&z_shape, n);
            let drawn = source.draw(&TorchDraws, &shape, options)?;
            layout("a draw", &drawn, &shape, &Tensor::zeros([1], options))?;
        }
    }
    Ok(())
}

fn numbers_finite(component: &Component<dyn Source>) -> Result<()> {
    finite("a draw", &draw(component, 1000, DType::Float)?)
}

fn own_draws(component: &Component<dyn Source>) -> Result<()> {
    let all = build(component)?;
    let (z_shape, source) = &all[0];
    let draw = || source.draw(&TorchDraws, &rows(z_shape, 50), (DType::Float, Device::Cpu));
    let (first, next) = seeded(KIT, || Ok((draw()?, draw()?)))?;
    let other = seeded(OTHER, draw)?;
    ensure(!identical(&first, &next), || "two draws in a row are the same".to_owned())?;
    ensure(!identical(&first, &other), || {
        "another seed gives the same; take all random numbers from `draws`".to_owned()
    })
}

fn rows_alone(component: &Component<dyn Source>) -> Result<()> {
    for (z_shape, source) in build(component)? {
        let options = (DType::Float, Device::Cpu);
        let draw = |n| {
            let draws = RowDraws::new(Streams::new(KIT, 0), Purpose::Sample);
            seeded(KIT, || source.draw(&draws, &rows(&z_shape, n), options))
        };
        let (many, few) = (draw(37)?, draw(5)?);
        ensure(identical(&many.narrow(0, 0, 5), &few), || {
            "the first 5 of 37 rows are not those of 5; take all random numbers from `draws`, equally \
             many for each row"
                .to_owned()
        })?;
    }
    Ok(())
}

fn identically_distributed(component: &Component<dyn Source>) -> Result<()> {
    let n = 4000;
    let drawn = seeded(KIT, || draw(component, 2 * n, DType::Double))?.reshape([2 * n, -1]);
    let mean = |half: &Tensor| half.mean_dim([0].as_slice(), false, DType::Double);
    let (first, last) = (drawn.narrow(0, 0, n), drawn.narrow(0, n, n));
    let error = drawn.std_dim([0].as_slice(), true, false) * (2.0 / n as f64).sqrt();
    let off = (mean(&first) - mean(&last)).abs() / (error + 1e-12);
    let off = off.max().double_value(&[]);
    ensure(off < 6.0, || {
        format!(
            "the means over the first and the last {n} rows differ by {off:.1} standard errors, at \
             most 6 expected"
        )
    })
}

fn standard_normal(component: &Component<dyn Source>) -> Result<()> {
    for (z_shape, source) in build(component)? {
        if !source.is_standard_normal()? {
            continue;
        }
        let n = 4000;
        let z = seeded(KIT, || {
            source.draw(&TorchDraws, &rows(&z_shape, n), (DType::Double, Device::Cpu))
        })?;
        let z = z.reshape([n, -1]);
        let error = 1.0 / (n as f64).sqrt();
        let second = z.tr().matmul(&z) / n as f64;
        let identity = Tensor::eye(z.size()[1], (DType::Double, Device::Cpu));
        let mean = |t: &Tensor| t.mean_dim([0].as_slice(), false, DType::Double);
        for (what, off, scale) in [
            ("mean", mean(&z), 1.0),
            ("second moment", second - identity, 2f64.sqrt()),
            ("fourth moment", mean(&z.pow_tensor_scalar(4)) - 3.0, 96f64.sqrt()),
        ] {
            let off = off.abs().max().double_value(&[]) / (error * scale);
            ensure(off < 6.0, || {
                let shape = shape_text(&z_shape);
                format!(
                    "z_0 of {shape} says it is N(0, I), but a {what} is off by {off:.1} standard \
                     errors, at most 6 expected"
                )
            })?;
        }
    }
    Ok(())
}
