use super::expect::{close, ensure, finite, identical, layout};
use super::seeds::{KIT, repeatable, seeded};
use super::{Check, Conformance, Kit};
use crate::component::{Quantiles, TimeSampler, shape_text};
use crate::error::Result;
use crate::path::Clock;
use crate::registry::Component;
use tch::{Device, Kind as DType, Tensor};

inventory::submit!(Kit::of::<dyn TimeSampler>());

impl Conformance for dyn TimeSampler {
    const CHECKS: &'static [Check<Self>] = &[
        Check {
            name: "shape",
            about: "quantiles are `[batch]` and a slope `[batch]` or one number, in the precision of u",
            run: shape,
        },
        Check {
            name: "between_ends",
            about: "quantiles are between the ends of the clock, finite for u inside (0, 1)",
            run: between_ends,
        },
        Check {
            name: "increasing",
            about: "quantiles do not fall as u rises, and are not all the same",
            run: increasing,
        },
        Check {
            name: "slope",
            about: "a slope is above 0, and the derivative of the quantiles: the mean of slope·f is \
                    the integral of f over the range of the quantiles, which is the whole clock",
            run: slope,
        },
        Check {
            name: "rows_independent",
            about: "the quantile of one u does not depend on the other u of the batch",
            run: rows_independent,
        },
        Check {
            name: "no_draws",
            about: "it draws no random numbers: u is all that is random",
            run: no_draws,
        },
        Check {
            name: "same_seed",
            about: "built twice with one seed, it is the same bit for bit",
            run: |component| {
                repeatable(|| {
                    let sampler = component.build(&())?;
                    let mut all = Vec::new();
                    for ends in ends(&*sampler)? {
                        all.push(at(&*sampler, &nodes(9, DType::Double), ends)?.at);
                    }
                    Ok(all)
                })
            },
        },
    ];
    const STARTER: &'static str = include_str!("starters/time_sampler.rs");

    fn try_build(component: &Component<Self>) -> Result<()> {
        component.build(&())?.clock().map(|_| ())
    }
}

/// Ends of the sampler's clock that are tried.
fn ends(sampler: &dyn TimeSampler) -> Result<Vec<[f64; 2]>> {
    Ok(match (sampler.clock()?, sampler.needs_finite_ends()?) {
        (Clock::Time, _) => vec![[0.0, 1.0]],
        (Clock::Gamma, true) => vec![[-5.0, 5.0]],
        (Clock::Gamma, false) => vec![[-5.0, 5.0], [f64::NEG_INFINITY, f64::INFINITY]],
    })
}

fn at(sampler: &dyn TimeSampler, u: &Tensor, ends: [f64; 2]) -> Result<Quantiles> {
    let ends = Tensor::from_slice(&ends).to_kind(u.kind());
    sampler.quantiles(u, &ends)
}

/// Midpoints of `n` equal parts of \[0, 1\].
fn nodes(n: i64, kind: DType) -> Tensor {
    (Tensor::arange(n, (kind, Device::Cpu)) + 0.5) / n as f64
}

fn shape(component: &Component<dyn TimeSampler>) -> Result<()> {
    let sampler = component.build(&())?;
    for ends in ends(&*sampler)? {
        for (batch, kind) in [(1, DType::Float), (7, DType::Float), (7, DType::Double)] {
            let u = nodes(batch, kind);
            let Quantiles { at, slope } = at(&*sampler, &u, ends)?;
            layout("the result", &at, &[batch], &u)?;
            let Some(slope) = slope else { continue };
            let size = slope.size();
            ensure(matches!(size.as_slice(), [] | [1]) || size == [batch], || {
                format!("the slope is {}, expected [], [1] or [{batch}]", shape_text(&size))
            })?;
            let joined = (&u * slope).kind();
            ensure(joined == kind, || {
                format!("with the slope {kind:?} becomes {joined:?}, expected {kind:?}")
            })?;
        }
    }
    Ok(())
}

fn between_ends(component: &Component<dyn TimeSampler>) -> Result<()> {
    let sampler = component.build(&())?;
    for ends in ends(&*sampler)? {
        finite("a quantile inside (0, 1)", &at(&*sampler, &nodes(1000, DType::Float), ends)?.at)?;
        // A stratified u near 1 may be rounded to 1.
        for u in [nodes(1000, DType::Float), Tensor::from_slice(&[0.0_f32, 1.0])] {
            let found = at(&*sampler, &u, ends)?.at;
            let [low, high] = [found.min(), found.max()].map(|t| t.double_value(&[]));
            // In float32 an end is met up to rounding.
            let slack = 1e-6 * (ends[1] - ends[0]).min(1.0);
            ensure(low >= ends[0] - slack && high <= ends[1] + slack, || {
                format!("quantiles go from {low:.6} to {high:.6}, expected within {ends:?}")
            })?;
        }
    }
    Ok(())
}

fn increasing(component: &Component<dyn TimeSampler>) -> Result<()> {
    let sampler = component.build(&())?;
    for ends in ends(&*sampler)? {
        let found = at(&*sampler, &nodes(1000, DType::Double), ends)?.at;
        let steps = found.diff::<Tensor>(1, -1, None, None);
        let worst = steps.argmin(None, false).int64_value(&[]);
        let fall = -steps.min().double_value(&[]);
        ensure(fall <= 1e-9, || {
            let u = (worst as f64 + 0.5) / 1000.0;
            format!("quantiles fall by {fall:.2e} just after u = {u:.3}")
        })?;
        let range = found.double_value(&[-1]) - found.double_value(&[0]);
        ensure(range > 0.0, || "quantiles are the same for all u".to_owned())?;
    }
    Ok(())
}

fn slope(component: &Component<dyn TimeSampler>) -> Result<()> {
    let sampler = component.build(&())?;
    for ends in ends(&*sampler)? {
        let u = nodes(100_000, DType::Double);
        let Quantiles { at, slope: Some(slope) } = at(&*sampler, &u, ends)? else { continue };
        finite("the slope", &slope)?;
        let lowest = slope.min().double_value(&[]);
        ensure(lowest > 0.0, || format!("the slope is {lowest:.3e} somewhere, expected above 0"))?;
        // Functions whose integrals over the clock are known, with finite and infinite ends.
        let [from, to] = ends;
        let (functions, expected) = if from.is_finite() {
            let middle = (from + to) / 2.0;
            let part = (&at - middle) / (to - from);
            let second = part.square();
            ([part.ones_like(), part, second], [1.0, 0.0, 1.0 / 12.0].map(|v| v * (to - from)))
        } else {
            let root = std::f64::consts::PI.sqrt();
            let bell = (-at.square()).exp();
            ([bell.shallow_clone(), &bell * &at, &bell * at.square()], [root, 0.0, root / 2.0])
        };
        for (power, (f, expected)) in functions.iter().zip(expected).enumerate() {
            let mean = (&slope * f).mean(None);
            let what = format!("the mean of slope·f, f of degree {power} about the middle,");
            close(&what, &mean, &Tensor::from(expected), 1e-4)?;
        }
    }
    Ok(())
}

fn rows_independent(component: &Component<dyn TimeSampler>) -> Result<()> {
    let sampler = component.build(&())?;
    for ends in ends(&*sampler)? {
        let u = nodes(5, DType::Double);
        let whole = |q: Quantiles| [Some(q.at), q.slope.map(|s| s + &u * 0.0)];
        let together = whole(at(&*sampler, &u, ends)?);
        for i in 0..5 {
            let own = |t: &Tensor| t.narrow(0, i, 1);
            let alone = at(&*sampler, &own(&u), ends)?;
            let alone = [Some(alone.at), alone.slope];
            for (name, (together, alone)) in
                ["the quantile", "the slope"].iter().zip(together.iter().zip(alone))
            {
                let (Some(together), Some(alone)) = (together, alone) else { continue };
                let what = format!("{name} of u number {i}, against that u alone,");
                close(&what, &own(together), &alone.reshape([-1]), 1e-9)?;
            }
        }
    }
    Ok(())
}

fn no_draws(component: &Component<dyn TimeSampler>) -> Result<()> {
    let sampler = component.build(&())?;
    let next = || Tensor::rand([4], (DType::Float, Device::Cpu));
    for ends in ends(&*sampler)? {
        let after = seeded(KIT, || {
            at(&*sampler, &nodes(9, DType::Float), ends)?;
            Ok(next())
        })?;
        let without = seeded(KIT, || Ok(next()))?;
        ensure(identical(&after, &without), || {
            "LibTorch's generator is used; all that is random is u".to_owned()
        })?;
    }
    Ok(())
}
