use super::expect::ensure;
use super::seeds::KIT;
use super::{Check, Conformance, Kit};
use crate::component::{Coupling, CouplingContext, Pairing};
use crate::error::{Error, Result};
use crate::metrics::Points;
use crate::registry::Component;
use crate::rng::{Purpose, rust_rng, stream_seed};
use rand::RngExt as _;

inventory::submit!(Kit::of::<dyn Coupling>());

impl Conformance for dyn Coupling {
    const CHECKS: &'static [Check<Self>] = &[
        Check {
            name: "rows",
            about: "each row of the target gets an existing row of the source",
            run: rows,
        },
        Check {
            name: "same_seed",
            about: "the same rows and seed give the same pairs, also after other batches and when built again",
            run: same_seed,
        },
        Check {
            name: "marginals",
            about: "over many batches every row of the source is used once on average",
            run: marginals,
        },
        Check {
            name: "independent",
            about: "pairs of a coupling that says it is independent do not depend on the rows",
            run: independent,
        },
        Check {
            name: "keeps_condition",
            about: "if it says so, the mean of z_0 is the same under every condition",
            run: keeps_condition,
        },
    ];
    const STARTER: &'static str = include_str!("starters/coupling.rs");

    fn try_build(component: &Component<Self>) -> Result<()> {
        build(component).map(|_| ())
    }
}

/// Context with a condition of two classes, or without condition.
fn context(conditional: bool) -> CouplingContext {
    CouplingContext {
        z_shape: vec![2],
        condition_shape: conditional.then(|| vec![2]),
        conditions_repeat: conditional.then_some(true),
    }
}

type Built = (bool, Box<dyn Coupling>);

/// The coupling with and without condition, where it builds.
fn build(component: &Component<dyn Coupling>) -> Result<Vec<Built>> {
    let mut all = Vec::new();
    let mut refused = None;
    for conditional in [true, false] {
        match component.build(&context(conditional)) {
            Ok(built) => all.push((conditional, built)),
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

/// A batch of `n` rows in the plane: z_0 around the origin, z_1 on the left for one class and on
/// the right for the other.
struct Batch {
    source: Vec<f64>,
    target: Vec<f64>,
    condition: Vec<f64>,
    seed: u64,
}

impl Batch {
    fn draw(n: usize, number: u64) -> Self {
        let mut rng = rust_rng(KIT, Purpose::Couple, number);
        let mut uniform = |width: f64| (rng.random::<f64>() - 0.5) * width;
        let source: Vec<f64> = (0..2 * n).map(|_| uniform(2.0)).collect();
        let classes: Vec<bool> = (0..n).map(|_| uniform(1.0) > 0.0).collect();
        let target = classes.iter().flat_map(|right| {
            let side = if *right { 2.0 } else { -2.0 };
            [side + uniform(1.0), uniform(1.0)]
        });
        let target = target.collect();
        let one_hot = |right: &bool| if *right { [0.0, 1.0] } else { [1.0, 0.0] };
        let condition = classes.iter().flat_map(one_hot).collect();
        Self { source, target, condition, seed: stream_seed(KIT, Purpose::Pair, number) }
    }

    fn pair(&self, (conditional, coupling): &Built) -> Result<Vec<usize>> {
        let condition = conditional.then(|| Points::new(&self.condition, 2)).transpose()?;
        coupling.pair(&Pairing {
            source: Points::new(&self.source, 2)?,
            target: Points::new(&self.target, 2)?,
            condition,
            seed: self.seed,
        })
    }
}

fn rows(component: &Component<dyn Coupling>) -> Result<()> {
    for built in build(component)? {
        for n in [2, 33] {
            let pairs = Batch::draw(n, n as u64).pair(&built)?;
            let (count, largest) = (pairs.len(), pairs.iter().max().copied().unwrap_or_default());
            ensure(count == n && largest < n, || {
                format!("gives {count} rows up to {largest} for {n} rows, expected {n} below {n}")
            })?;
        }
    }
    Ok(())
}

fn same_seed(component: &Component<dyn Coupling>) -> Result<()> {
    for (built, again) in build(component)?.iter().zip(build(component)?) {
        let batch = Batch::draw(24, 1);
        let first = batch.pair(built)?;
        Batch::draw(24, 2).pair(built)?;
        ensure(first == batch.pair(built)? && first == batch.pair(&again)?, || {
            "the same rows and seed give other pairs; draw from `rows.rng()` and keep no state"
                .to_owned()
        })?;
    }
    Ok(())
}

fn marginals(component: &Component<dyn Coupling>) -> Result<()> {
    const BATCHES: u64 = 600;
    let n = 8;
    for built in build(component)? {
        let mut used = vec![0.0; n];
        // Distance of z_0 from the origin: shows couplings that leave out some rows.
        let (mut outer, mut all_outer) = (0.0, 0.0);
        for number in 0..BATCHES {
            let batch = Batch::draw(n, number);
            let far = |row: usize| batch.source[2 * row].hypot(batch.source[2 * row + 1]);
            for (i, row) in batch.pair(&built)?.into_iter().enumerate() {
                *used
                    .get_mut(row)
                    .ok_or_else(|| Error::runtime("it gives a row that does not exist"))? += 1.0;
                outer += far(row);
                all_outer += far(i);
            }
        }
        for (row, used) in used.into_iter().enumerate() {
            let mean = used / BATCHES as f64;
            ensure((mean - 1.0).abs() < 0.25, || {
                format!("row {row} of the source is used {mean:.2} times a batch, expected 1")
            })?;
        }
        let ratio = outer / all_outer;
        ensure((ratio - 1.0).abs() < 0.03, || {
            format!(
                "the mean distance of paired z_0 from the origin is {ratio:.3} times that of all z_0, expected 1"
            )
        })?;
    }
    Ok(())
}

fn independent(component: &Component<dyn Coupling>) -> Result<()> {
    for built in build(component)? {
        if !built.1.is_independent()? {
            continue;
        }
        let batch = Batch::draw(24, 1);
        let other = Batch { seed: batch.seed, ..Batch::draw(24, 2) };
        ensure(batch.pair(&built)? == other.pair(&built)?, || {
            "says it is independent, but other rows give other pairs".to_owned()
        })?;
    }
    Ok(())
}

fn keeps_condition(component: &Component<dyn Coupling>) -> Result<()> {
    for built in build(component)? {
        if !built.0 || !built.1.keeps_condition()? {
            continue;
        }
        let (mut sum, mut count) = (0.0, 0.0);
        for number in 0..400 {
            let batch = Batch::draw(16, number);
            for (i, row) in batch.pair(&built)?.into_iter().enumerate() {
                if batch.condition[2 * i] == 1.0 {
                    sum += batch.source.get(2 * row).copied().unwrap_or(f64::NAN);
                    count += 1.0;
                }
            }
        }
        // Each coordinate of z_0 is uniform on [−1, 1].
        let off = (sum / count).abs() / (1.0 / (3.0_f64 * count)).sqrt();
        ensure(off < 6.0, || {
            format!(
                "says z_0 stays independent of the condition, but under a class its mean is off by \
                 {off:.1} standard errors, at most 6 expected"
            )
        })?;
    }
    Ok(())
}
