//! What every solver promises, on fields whose solutions have a closed form.

use super::expect::{distance, ensure, finite, form, identical};
use super::seeds::same_again;
use super::{Check, Conformance};
use crate::component::{Field, Grid, Observer, Solution, Solver};
use crate::error::{Error, Result};
use crate::registry::Component;
use std::cell::Cell;
use tch::{Device, Kind as DType, Tensor};

impl Conformance for dyn Solver {
    const CHECKS: &'static [Check<Self>] = &[
        Check {
            name: "shape",
            about: "the end has the shape, precision and device of the start, and is finite",
            run: shape,
        },
        Check {
            name: "order",
            about: "on twice as many steps the error falls as the order says; a solver that chooses its \
                    own steps ends within 1 % of the solution",
            run: order,
        },
        Check {
            name: "counts_nfe",
            about: "`nfe` is the number of evaluations that the field saw",
            run: counts_nfe,
        },
        Check {
            name: "observes",
            about: "the observer sees the start first, the end last, and the clock only rise",
            run: observes,
        },
        Check { name: "keeps_start", about: "the start is left as it was", run: keeps_start },
        Check {
            name: "reports",
            about: "an error of the field, and a state that is no longer finite, are errors of the solver",
            run: reports,
        },
        Check {
            name: "same_seed",
            about: "built and run twice under one seed, it ends at the same bit for bit",
            run: |component| {
                same_again(|| Ok(vec![solve(component, &Gaussian::default(), &start(), 7)?.z]))
            },
        },
    ];
    const STARTER: &'static str = include_str!("starters/solver.rs");

    fn try_build(component: &Component<Self>) -> Result<()> {
        component.build(&()).map(|_| ())
    }
}

/// The probability-flow field of Gaussian data of deviations [`Gaussian::SPREAD`] on the rectified path
/// (clock t): z(t) = z(0)·S(t)/S(0) with S² = t²·spread² + (1 − t)².
#[derive(Default)]
struct Gaussian {
    evaluations: Cell<usize>,
}

impl Gaussian {
    const SPREAD: [f64; 3] = [0.5, 1.5, 3.0];

    /// (S², t·spread²) of every column.
    fn parts(t: f64, like: &Tensor) -> (Tensor, Tensor) {
        let variance = Tensor::from_slice(&Self::SPREAD).to_kind(like.kind()).square();
        (&variance * (t * t) + (1.0 - t).powi(2), variance * t)
    }

    fn solution(z0: &Tensor, from: f64, to: f64) -> Tensor {
        z0 * (Self::parts(to, z0).0 / Self::parts(from, z0).0).sqrt()
    }

    fn count(&self) {
        self.evaluations.set(self.evaluations.get() + 1);
    }
}

impl Field for Gaussian {
    fn derivative(&self, z: &Tensor, s: f64) -> Result<Tensor> {
        self.count();
        let (square, weighted) = Self::parts(s, z);
        Ok(z * (weighted - (1.0 - s)) / square)
    }

    fn data(&self, z: &Tensor, s: f64) -> Result<Tensor> {
        self.count();
        let (square, weighted) = Self::parts(s, z);
        Ok(z * weighted / square)
    }
}

/// A field that fails: with an error, or (`None`) with a value that is not a number.
struct Broken(Option<&'static str>);

impl Field for Broken {
    fn derivative(&self, z: &Tensor, _: f64) -> Result<Tensor> {
        match self.0 {
            Some(message) => Err(Error::runtime(message)),
            None => Ok(z.full_like(f64::NAN)),
        }
    }

    fn data(&self, z: &Tensor, s: f64) -> Result<Tensor> {
        self.derivative(z, s)
    }
}

#[derive(Default)]
struct Seen {
    clock: Vec<f64>,
    states: Vec<Tensor>,
}

impl Observer for Seen {
    fn see(&mut self, s: f64, z: &Tensor) -> Result<()> {
        self.clock.push(s);
        self.states.push(z.copy());
        Ok(())
    }
}

fn start() -> Tensor {
    Tensor::from_slice(&[1.0, -0.5, 0.25, -2.0, 1.5, 0.75]).view([2, 3])
}

fn solve(
    component: &Component<dyn Solver>,
    field: &dyn Field,
    z0: &Tensor,
    steps: usize,
) -> Result<Solution> {
    component.build(&())?.integrate(field, z0, &Grid::uniform(0.0, 1.0, steps), &mut ())
}

fn shape(component: &Component<dyn Solver>) -> Result<()> {
    for shape in [vec![1, 3], vec![5, 2, 4, 3]] {
        for kind in [DType::Float, DType::Double] {
            let z0 = Tensor::ones(&shape, (kind, Device::Cpu));
            let end = solve(component, &Gaussian::default(), &z0, 5)?.z;
            form("the end", &end, &shape, &z0)?;
            finite("the end", &end)?;
        }
    }
    Ok(())
}

fn order(component: &Component<dyn Solver>) -> Result<()> {
    let solver = component.build(&())?;
    let z0 = start();
    let exact = Gaussian::solution(&z0, 0.0, 1.0);
    let run = |steps| {
        let (grid, mut seen) = (Grid::uniform(0.0, 1.0, steps), Seen::default());
        let end = solver.integrate(&Gaussian::default(), &z0, &grid, &mut seen)?.z;
        Ok::<_, Error>((distance(&end, &exact), seen.clock == grid.nodes))
    };
    let ((coarse, walks_the_grid), (fine, _)) = (run(32)?, run(64)?);
    if !walks_the_grid {
        return ensure(fine <= 0.01, || {
            format!("ends {:.2} % off the solution, at most 1 % expected", fine * 100.0)
        });
    }
    // Below this, rounding hides the order.
    if fine < 1e-11 {
        return Ok(());
    }
    let (found, claimed) = ((coarse / fine).log2(), solver.order()?);
    ensure(claimed > 0, || "order() is 0, expected at least 1".to_owned())?;
    ensure(found >= claimed as f64 - 0.35, || {
        format!(
            "the error falls from {coarse:.2e} on 32 steps to {fine:.2e} on 64, order {found:.2}; \
             expected order {claimed}"
        )
    })
}

fn counts_nfe(component: &Component<dyn Solver>) -> Result<()> {
    for steps in [1, 6] {
        let field = Gaussian::default();
        let told = solve(component, &field, &start(), steps)?.nfe;
        let saw = field.evaluations.get();
        ensure(told == saw, || format!("nfe is {told} on {steps} steps, but the field saw {saw}"))?;
    }
    Ok(())
}

fn observes(component: &Component<dyn Solver>) -> Result<()> {
    let (z0, grid) = (start(), Grid { nodes: vec![0.1, 0.2, 0.5, 0.9] });
    let mut seen = Seen::default();
    let end = component.build(&())?.integrate(&Gaussian::default(), &z0, &grid, &mut seen)?.z;
    let (Some((first, start)), Some((last, state))) =
        (seen.clock.first().zip(seen.states.first()), seen.clock.last().zip(seen.states.last()))
    else {
        return Err(Error::runtime(
            "the observer saw nothing, expected the start and every accepted state",
        ));
    };
    let (from, to) = (grid.start(), grid.end());
    ensure(*first == from && identical(start, &z0), || {
        format!("the first state seen is at {first}, expected the start itself at {from}")
    })?;
    ensure(*last == to && identical(state, &end), || {
        format!("the last state seen is at {last}, expected the end itself at {to}")
    })?;
    ensure(seen.clock.windows(2).all(|pair| pair[0] < pair[1]), || {
        format!("the clock of the observer does not rise: {:?}", seen.clock)
    })
}

fn keeps_start(component: &Component<dyn Solver>) -> Result<()> {
    let z0 = start();
    solve(component, &Gaussian::default(), &z0, 5)?;
    ensure(identical(&z0, &start()), || {
        "the start was changed in place; work on a tensor of your own".to_owned()
    })
}

fn reports(component: &Component<dyn Solver>) -> Result<()> {
    const SAID: &str = "the field fails on purpose";
    match solve(component, &Broken(Some(SAID)), &start(), 3) {
        Err(e) => ensure(e.to_string().contains(SAID), || {
            format!("the field's error `{SAID}` is told as `{e}`")
        })?,
        Ok(_) => return Err(Error::runtime("an error of the field is not passed on")),
    }
    ensure(solve(component, &Broken(None), &start(), 3).is_err(), || {
        "a field that is not a number ends in a solution, expected an error".to_owned()
    })
}
