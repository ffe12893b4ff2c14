//! Checks of solvers on fields whose solutions have a closed form.

use super::expect::{distance, ensure, finite, identical, layout};
use super::seeds::{KIT, repeatable, seeded};
use super::{Check, Conformance, Kit};
use crate::component::{Draws as _, Field, Grid, Level, Observer, Solution, Solver};
use crate::error::{Error, Result};
use crate::path::Clock;
use crate::registry::Component;
use crate::rng::{Purpose, RowDraws, Streams};
use std::cell::Cell;
use tch::{Device, Kind as DType, Tensor};

inventory::submit!(Kit::of::<dyn Solver>());

impl Conformance for dyn Solver {
    const CHECKS: &'static [Check<Self>] = &[
        Check {
            name: "shape",
            about: "the final state has the shape, precision and device of the start, and is finite",
            run: shape,
        },
        Check {
            name: "order",
            about: "on twice as many steps the error falls as the order says; a solver that chooses its \
                    own steps ends within 1 % of the solution; a stochastic one ends with the mean and the \
                    deviation of the data to 3 %",
            run: order,
        },
        Check {
            name: "counts_nfe",
            about: "`nfe` is the number of evaluations of the field",
            run: counts_nfe,
        },
        Check {
            name: "observes",
            about: "the observer gets the start first and the end last, and the clock only rises",
            run: observes,
        },
        Check { name: "keeps_start", about: "the start is not changed", run: keeps_start },
        Check {
            name: "reports",
            about: "an error of the field, and a state that is no longer finite, are errors of the solver",
            run: reports,
        },
        Check {
            name: "same_seed",
            about: "built and run twice with one seed, it gives the same result bit for bit",
            run: |component| {
                repeatable(|| {
                    Ok(vec![solve(component, &Gaussian::new(Clock::Time), &start(), 7)?.z])
                })
            },
        },
        Check {
            name: "rows_alone",
            about: "a stochastic solver takes its noise from the field, row by row: the first rows end \
                    where they end without the others",
            run: rows_alone,
        },
    ];
    const STARTER: &'static str = include_str!("starters/solver.rs");

    fn try_build(component: &Component<Self>) -> Result<()> {
        component.build(&()).map(|_| ())
    }
}

/// Probability-flow ODE of Gaussian data with standard deviations [`Gaussian::SPREAD`]. With S² =
/// a²·spread² + b² on the path z = a·data + b·noise, the solution is z(s) = z(s0)·S(s)/S(s0).
struct Gaussian {
    clock: Clock,
    evaluations: Cell<usize>,
}

/// Terms of the ODE for every column, at one clock value.
struct Parts {
    /// S².
    square: Tensor,
    /// Half of dS²/ds.
    half_slope: Tensor,
    /// a·spread².
    weight: Tensor,
}

impl Gaussian {
    const SPREAD: [f64; 3] = [0.5, 1.5, 3.0];

    /// On the rectified path for the clock t, on a variance-preserving path for the clock γ.
    fn new(clock: Clock) -> Self {
        Self { clock, evaluations: Cell::new(0) }
    }

    fn parts(&self, s: f64, like: &Tensor) -> Parts {
        let variance = Tensor::from_slice(&Self::SPREAD).to_kind(like.kind()).square();
        match self.clock {
            Clock::Time => Parts {
                square: &variance * (s * s) + (1.0 - s).powi(2),
                half_slope: &variance * s - (1.0 - s),
                weight: variance * s,
            },
            Clock::Gamma => {
                let (signal, noise) = (1.0 / (1.0 + (-s).exp()), 1.0 / (1.0 + s.exp()));
                Parts {
                    square: &variance * signal + noise,
                    half_slope: (&variance - 1.0) * (signal * noise / 2.0),
                    weight: variance * signal.sqrt(),
                }
            }
        }
    }

    /// The path at clock value `s`.
    fn level(&self, s: f64) -> Level {
        match self.clock {
            Clock::Time => Level { a: s, b: 1.0 - s, a_rate: 1.0, b_rate: -1.0 },
            Clock::Gamma => {
                let (signal, noise) = (1.0 / (1.0 + (-s).exp()), 1.0 / (1.0 + s.exp()));
                let (a, b) = (signal.sqrt(), noise.sqrt());
                Level { a, b, a_rate: a * noise / 2.0, b_rate: -b * signal / 2.0 }
            }
        }
    }

    fn solution(&self, z0: &Tensor, grid: &Grid) -> Tensor {
        let square = |s| self.parts(s, z0).square;
        z0 * (square(grid.end()) / square(grid.start())).sqrt()
    }

    fn count(&self) {
        self.evaluations.set(self.evaluations.get() + 1);
    }
}

impl Field for Gaussian {
    fn derivative(&self, z: &Tensor, s: f64) -> Result<Tensor> {
        self.count();
        let parts = self.parts(s, z);
        Ok(z * parts.half_slope / parts.square)
    }

    fn data(&self, z: &Tensor, s: f64) -> Result<Tensor> {
        self.count();
        let parts = self.parts(s, z);
        Ok(z * parts.weight / parts.square)
    }

    fn levels(&self, clock: &[f64]) -> Result<Vec<Level>> {
        Ok(clock.iter().map(|s| self.level(*s)).collect())
    }

    fn clock_at(&self, gamma: &[f64]) -> Result<Vec<f64>> {
        Ok(match self.clock {
            Clock::Time => gamma.iter().map(|g| 1.0 / (1.0 + (-g / 2.0).exp())).collect(),
            Clock::Gamma => gamma.to_vec(),
        })
    }
}

/// A field that fails, with an error or (`None`) with NaN.
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

    fn levels(&self, clock: &[f64]) -> Result<Vec<Level>> {
        Gaussian::new(Clock::Time).levels(clock)
    }

    fn clock_at(&self, gamma: &[f64]) -> Result<Vec<f64>> {
        Gaussian::new(Clock::Time).clock_at(gamma)
    }
}

#[derive(Default)]
struct Recorder {
    clock: Vec<f64>,
    states: Vec<Tensor>,
}

impl Observer for Recorder {
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
            let end = solve(component, &Gaussian::new(Clock::Time), &z0, 5)?.z;
            layout("the end", &end, &shape, &z0)?;
            finite("the end", &end)?;
        }
    }
    Ok(())
}

fn order(component: &Component<dyn Solver>) -> Result<()> {
    if component.build(&())?.stochastic()? {
        return keeps_the_marginals(component);
    }
    order_on(component, Clock::Time, (0.0, 1.0), 32)?;
    order_on(component, Clock::Gamma, (-4.0, 4.0), 64)
}

fn order_on(
    component: &Component<dyn Solver>,
    clock: Clock,
    (from, to): (f64, f64),
    steps: usize,
) -> Result<()> {
    let (solver, field, z0) = (component.build(&())?, Gaussian::new(clock), start());
    let run = |steps| {
        let (grid, mut recorder) = (Grid::uniform(from, to, steps), Recorder::default());
        let end = solver.integrate(&field, &z0, &grid, &mut recorder)?.z;
        let error = distance(&end, &field.solution(&z0, &grid));
        Ok::<_, Error>((error, recorder.clock == grid.nodes))
    };
    let ((coarse, walks_the_grid), (fine, _)) = (run(steps)?, run(2 * steps)?);
    if !walks_the_grid {
        return ensure(fine <= 0.01, || {
            let percent = fine * 100.0;
            format!(
                "ends {percent:.2} % off the solution over {from} to {to}, at most 1 % expected"
            )
        });
    }
    // Below this, rounding errors hide the order.
    if fine < 1e-11 {
        return Ok(());
    }
    let (found, claimed) = ((coarse / fine).log2(), solver.order()?);
    ensure(claimed > 0, || "order() is 0, expected at least 1".to_owned())?;
    ensure(found >= claimed as f64 - 0.35, || {
        format!(
            "over {from} to {to} the error falls from {coarse:.2e} on {steps} steps to {fine:.2e} on \
             twice as many, order {found:.2}; expected order {claimed}"
        )
    })
}

/// Checks mean and standard deviation at the end for draws from the marginal at the start, over
/// log-SNR from −4 to 4.
fn keeps_the_marginals(component: &Component<dyn Solver>) -> Result<()> {
    let (field, grid) = (Gaussian::new(Clock::Gamma), Grid::uniform(-4.0, 4.0, 400));
    let deviation = |s, like: &Tensor| field.parts(s, like).square.sqrt();
    let z0 = Tensor::randn([20_000, 3], (DType::Double, Device::Cpu));
    let z0 = &z0 * deviation(grid.start(), &z0);
    let end = component.build(&())?.integrate(&field, &z0, &grid, &mut ())?.z;
    let expected = deviation(grid.end(), &z0);
    let mean = end.mean_dim([0].as_slice(), false, DType::Double) / &expected;
    let ratio = end.std_dim([0].as_slice(), true, false) / expected;
    let off = |what: &str, error: Tensor| {
        let error = error.abs().max().double_value(&[]);
        ensure(error <= 0.03, || {
            let percent = error * 100.0;
            format!("{what} is {percent:.1} % of a deviation off at the end, at most 3 % expected")
        })
    };
    off("the mean", mean)?;
    off("the deviation", ratio - 1.0)
}

fn counts_nfe(component: &Component<dyn Solver>) -> Result<()> {
    for steps in [1, 6] {
        let field = Gaussian::new(Clock::Time);
        let nfe = solve(component, &field, &start(), steps)?.nfe;
        let counted = field.evaluations.get();
        ensure(nfe == counted, || {
            format!("nfe is {nfe} on {steps} steps, but the field was evaluated {counted} times")
        })?;
    }
    Ok(())
}

fn observes(component: &Component<dyn Solver>) -> Result<()> {
    let (z0, grid) = (start(), Grid { nodes: vec![0.1, 0.2, 0.5, 0.9] });
    let mut recorder = Recorder::default();
    let end =
        component.build(&())?.integrate(&Gaussian::new(Clock::Time), &z0, &grid, &mut recorder)?.z;
    let (Some((first, start)), Some((last, state))) = (
        recorder.clock.first().zip(recorder.states.first()),
        recorder.clock.last().zip(recorder.states.last()),
    ) else {
        return Err(Error::runtime(
            "the observer got no state, expected the start and every accepted state",
        ));
    };
    let (from, to) = (grid.start(), grid.end());
    ensure(*first == from && identical(start, &z0), || {
        format!("the first state observed is at {first}, expected the start itself at {from}")
    })?;
    ensure(*last == to && identical(state, &end), || {
        format!("the last state observed is at {last}, expected the end itself at {to}")
    })?;
    ensure(recorder.clock.windows(2).all(|pair| pair[0] < pair[1]), || {
        format!("the clock of the observer does not rise: {:?}", recorder.clock)
    })
}

fn rows_alone(component: &Component<dyn Solver>) -> Result<()> {
    let solver = component.build(&())?;
    if !solver.stochastic()? {
        return Ok(());
    }
    let z0 = seeded(KIT, || Ok(Tensor::randn([9, 3], (DType::Double, Device::Cpu))))?;
    let grid = Grid::uniform(-4.0, 4.0, 7);
    let end = |n| {
        let field = Noisy(Gaussian::new(Clock::Gamma), draws());
        seeded(KIT, || Ok(solver.integrate(&field, &z0.narrow(0, 0, n), &grid, &mut ())?.z))
    };
    let (many, few) = (end(9)?.narrow(0, 0, 2), end(2)?);
    ensure(distance(&many, &few) < 1e-9, || {
        "the first 2 of 9 rows do not end where 2 alone do; take fresh noise from `field.noise`"
            .to_owned()
    })
}

fn draws() -> RowDraws {
    RowDraws::new(Streams::new(KIT, 0), Purpose::Path)
}

/// A field whose noise has a stream for each row.
struct Noisy(Gaussian, RowDraws);

impl Field for Noisy {
    fn derivative(&self, z: &Tensor, s: f64) -> Result<Tensor> {
        self.0.derivative(z, s)
    }

    fn data(&self, z: &Tensor, s: f64) -> Result<Tensor> {
        self.0.data(z, s)
    }

    fn levels(&self, clock: &[f64]) -> Result<Vec<Level>> {
        self.0.levels(clock)
    }

    fn clock_at(&self, gamma: &[f64]) -> Result<Vec<f64>> {
        self.0.clock_at(gamma)
    }

    fn noise(&self, z: &Tensor) -> Result<Tensor> {
        self.1.normal(&z.size(), (z.kind(), z.device()))
    }
}

fn keeps_start(component: &Component<dyn Solver>) -> Result<()> {
    let z0 = start();
    solve(component, &Gaussian::new(Clock::Time), &z0, 5)?;
    ensure(identical(&z0, &start()), || "the start was changed in place; work on a copy".to_owned())
}

fn reports(component: &Component<dyn Solver>) -> Result<()> {
    const MESSAGE: &str = "the field fails on purpose";
    match solve(component, &Broken(Some(MESSAGE)), &start(), 3) {
        Err(e) => ensure(e.to_string().contains(MESSAGE), || {
            format!("the field's error `{MESSAGE}` is reported as `{e}`")
        })?,
        Ok(_) => return Err(Error::runtime("an error of the field is not passed on")),
    }
    ensure(solve(component, &Broken(None), &start(), 3).is_err(), || {
        "a field of NaN gives a solution, expected an error".to_owned()
    })
}
