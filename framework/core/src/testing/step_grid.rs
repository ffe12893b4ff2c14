use super::expect::ensure;
use super::{Check, Conformance, Kit};
use crate::component::{Grid, StepGrid};
use crate::error::Result;
use crate::path::{Clock, END_GAP};
use crate::registry::Component;

inventory::submit!(Kit::of::<dyn StepGrid>());

impl Conformance for dyn StepGrid {
    const CHECKS: &'static [Check<Self>] = &[
        Check {
            name: "nodes",
            about: "for N steps there are N + 1 finite nodes, also for one step and for many",
            run: nodes,
        },
        Check {
            name: "ends",
            about: "the first and the last node are exactly the ends that are given",
            run: ends,
        },
        Check { name: "increasing", about: "every node is above the one before", run: increasing },
        Check {
            name: "repeatable",
            about: "built and asked twice, it gives the same nodes bit for bit",
            run: repeatable,
        },
    ];
    const STARTER: &'static str = include_str!("starters/step_grid.rs");

    fn try_build(component: &Component<Self>) -> Result<()> {
        component.build(&())?.clock().map(|_| ())
    }
}

/// Numbers of steps that are tried.
const STEPS: [usize; 5] = [1, 2, 3, 20, 10_000];

/// Ends in time: of a whole path, of one that is singular at both ends, and of a part of a path.
const IN_TIME: [(f64, f64); 3] = [(0.0, 1.0), (END_GAP, 1.0 - END_GAP), (0.3, 0.7)];

/// Ends in log-SNR: of usual schedules, of the rectified path, of a schedule at the limit of what
/// a model accepts, and of parts of a path.
const IN_GAMMA: [(f64, f64); 5] =
    [(-9.2, 9.2), (-13.8, 13.8), (-80.0, 80.0), (-3.0, -1.0), (2.0, 14.0)];

/// A grid with the number of its steps and the ends that it was asked for.
type Asked = (usize, (f64, f64), Grid);

/// The grids between all ends.
fn grids(component: &Component<dyn StepGrid>) -> Result<Vec<Asked>> {
    let grid = component.build(&())?;
    let ends: &[_] = if grid.clock()? == Clock::Time { &IN_TIME } else { &IN_GAMMA };
    let mut all = Vec::new();
    for (from, to) in ends {
        for steps in STEPS {
            all.push((steps, (*from, *to), grid.nodes(*from, *to, steps)?));
        }
    }
    Ok(all)
}

fn nodes(component: &Component<dyn StepGrid>) -> Result<()> {
    for (steps, (from, to), grid) in grids(component)? {
        let count = grid.nodes.len();
        ensure(count == steps + 1, || {
            format!("{steps} steps from {from} to {to} have {count} nodes, expected {}", steps + 1)
        })?;
        ensure(grid.nodes.iter().all(|node| node.is_finite()), || {
            format!("of {steps} steps from {from} to {to}, a node is not finite")
        })?;
    }
    Ok(())
}

fn ends(component: &Component<dyn StepGrid>) -> Result<()> {
    for (steps, (from, to), grid) in grids(component)? {
        let (first, last) = (grid.start(), grid.end());
        ensure(first == from && last == to, || {
            format!("{steps} steps from {from} to {to} go from {first} to {last}")
        })?;
    }
    Ok(())
}

fn increasing(component: &Component<dyn StepGrid>) -> Result<()> {
    for (steps, (from, to), grid) in grids(component)? {
        let falls = grid.nodes.windows(2).find(|pair| pair[1] <= pair[0]);
        ensure(falls.is_none(), || {
            let pair = falls.unwrap_or(&[]);
            format!("of {steps} steps from {from} to {to}, one goes from node to node {pair:?}")
        })?;
    }
    Ok(())
}

fn repeatable(component: &Component<dyn StepGrid>) -> Result<()> {
    let (first, second) = (grids(component)?, grids(component)?);
    ensure(first == second, || "the nodes differ when it is built and asked again".to_owned())
}
