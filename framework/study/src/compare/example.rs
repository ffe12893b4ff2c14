//! Invented results for tests of tables and reports: three objectives by three schedules on two
//! moons, five seeds, and a cell that failed.

use super::results::{
    Better, Cell, Cloud, Cost, Curve, CurveOver, Losses, Metric, Paths, Provenance, Results,
    Schedule, Score, Spread, Verdict,
};
use crate::metrics::mean_and_deviation;
use std::f64::consts::PI;

const SEEDS: usize = 5;
const POINTS: usize = 240;
const TIMES: usize = 21;

/// Results of an invented comparison, whose numbers are consistent with each other.
pub fn example() -> Results {
    let mut random = Random(7);
    let mut cells = Vec::new();
    for (objective, shift) in [("flow_matching", 0.0), ("diffusion", 0.004), ("ct", 0.021)] {
        for (schedule, bend) in [("cosine", 0.0), ("linear", 0.006), ("sigmoid", 0.0025)] {
            let rectified = objective == "flow_matching";
            if rectified && schedule != "cosine" {
                continue;
            }
            let schedule = (!rectified).then_some(schedule);
            cells.push(cell(objective, schedule, shift + bend, &mut random));
        }
    }
    cells.push(failed());
    let metrics = [
        ("w2", "W2", "Exact 2-Wasserstein distance between samples and held-out points.", 0.0697),
        (
            "energy_distance",
            "Energy distance",
            "Energy distance of samples to held-out points.",
            0.0021,
        ),
        (
            "mode_share",
            "Label accuracy",
            "Share of samples nearest to a held-out point of their label.",
            0.998,
        ),
    ];
    let metrics = metrics.map(|(name, title, what, floor)| Metric {
        name: name.into(),
        title: title.into(),
        what: what.into(),
        better: if name == "mode_share" { Better::More } else { Better::Less },
        floor: Some(spread(
            (0..SEEDS).map(|_| Some(floor * (1.0 + 0.03 * random.normal()))).collect(),
        )),
    });
    let mut results = Results {
        title: "two_moons: objective × noise_schedule".into(),
        command:
            "triflow compare configs/two_moons.yaml --grid objective=flow_matching,diffusion,ct \
                  --grid noise_schedule=cosine,linear,sigmoid --seeds 5"
                .into(),
        made: Provenance {
            at: "2026-11-24T13:37:00Z".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            machine: "Example CPU, 8 cores, cpu".into(),
            seconds: 1894.0,
        },
        task: "gen".into(),
        data: "two_moons, 7,000 rows in training, 1,000 held out".into(),
        axes: vec!["objective".into(), "noise_schedule".into()],
        budget: "50 epochs".into(),
        seeds: (0..SEEDS as u64).collect(),
        metrics: metrics.into(),
        notes: vec![
            "flow_matching uses no noise schedule: its 3 combinations are one cell.".into(),
            "Samples are drawn with the running mean of the parameters.".into(),
        ],
        cells,
        real: Some(moons(POINTS, &mut random)),
    };
    judge(&mut results);
    results
}

fn cell(objective: &str, schedule: Option<&str>, shift: f64, random: &mut Random) -> Cell {
    let name = match schedule {
        Some(schedule) => format!("{objective}, {schedule}"),
        None => objective.to_owned(),
    };
    let set = schedule.map_or(String::new(), |s| format!("noise_schedule: {{ type: {s} }}\n"));
    let mut over_seeds = |mean: f64, share: f64| {
        spread((0..SEEDS).map(|_| Some(mean * (1.0 + share * random.normal()))).collect())
    };
    let score = |spread| Some(Score { spread, ..Score::default() });
    let metrics = vec![
        score(over_seeds(0.072 + shift, 0.03)),
        score(over_seeds(0.0026 + shift / 12.0, 0.12)),
        score(over_seeds(0.997 - shift / 4.0, 0.0008)),
    ];
    let cost = Cost {
        training_seconds: over_seeds(38.0 + 200.0 * shift, 0.03),
        examples_per_second: over_seeds(9_100.0 - 20_000.0 * shift, 0.02),
        peak_memory_bytes: over_seeds(412e6, 0.004),
        nfe: over_seeds(40.0, 0.0),
        seconds_per_1000_samples: over_seeds(0.21 + shift, 0.02),
    };
    let mut curves = Vec::new();
    for (solver, order, evaluations) in [("euler", 1.0, 1.0), ("midpoint", 2.0, 2.0)] {
        let steps = [2.0, 4.0, 8.0, 16.0, 32.0, 64.0_f64];
        let points = steps.map(|steps| CurveOver {
            nfe: steps * evaluations,
            value: over_seeds(0.071 + shift + (0.6 + 8.0 * shift) * steps.powf(-order), 0.03),
        });
        curves.push(Curve { solver: solver.into(), adaptive: false, points: points.into() });
    }
    let last = CurveOver { nfe: 83.0, value: over_seeds(0.0712 + shift, 0.02) };
    curves.push(Curve { solver: "dopri5".into(), adaptive: true, points: vec![last] });
    let loss = |from: f64, noise: f64, random: &mut Random| {
        (1..=50).map(|e| Some(from + 0.8 / f64::from(e) + noise * random.normal())).collect()
    };
    let norm = |e: i32| Some((0.4 + 4.0 * shift) * (1.0 + 3.0 / f64::from(e)));
    Cell {
        settings: vec![Some(objective.into()), schedule.map(Into::into)],
        config: format!(
            "task: gen\nobjective: {{ type: {objective} }}\n{set}data: {{ type: two_moons, samples: 10000 }}\n\
             training: {{ epochs: 50, batch_size: 128 }}\nseed: 0\n"
        ),
        command: format!("triflow run compare/{}/config.yaml", name.replace(", ", "_")),
        waiting: Vec::new(),
        errors: Vec::new(),
        parameters: 50_818,
        sampling: "midpoint, 20 steps in t, EMA, independent noise, 5 draws of 1,000".into(),
        metrics,
        cost,
        curves,
        losses: Losses {
            train: loss(1.0 + 6.0 * shift, 0.012, random),
            val: loss(1.02 + 6.0 * shift, 0.02, random),
            gradient_norm: (1..=50).map(norm).collect(),
            stopped: None,
        },
        schedule: schedule.map(gamma),
        paths: Some(paths(shift, random)),
        rows: None,
        name,
    }
}

fn failed() -> Cell {
    Cell {
        name: "ct, laplace".into(),
        settings: vec![Some("ct".into()), Some("laplace".into())],
        config: "task: gen\nobjective: { type: ct }\nnoise_schedule: { type: laplace }\n".into(),
        command: "triflow run compare/ct_laplace/config.yaml".into(),
        errors: vec!["seed 0: the loss is no longer finite in epoch 3".into()],
        parameters: 50_818,
        sampling: "midpoint, 20 steps in t, EMA, independent noise, 5 draws of 1,000".into(),
        metrics: vec![None, None, None],
        ..Cell::default()
    }
}

fn gamma(schedule: &str) -> Schedule {
    let t: Vec<f64> = (0..=40).map(|i| f64::from(i) / 40.0).collect();
    let gamma: Vec<f64> = t
        .iter()
        .map(|t| match schedule {
            "cosine" => 2.0 * (PI / 2.0 * (0.02 + 0.96 * t)).tan().ln(),
            "linear" => -7.0 + 14.0 * t,
            _ => 1.5 * ((0.01 + 0.98 * t) / (0.99 - 0.98 * t)).ln(),
        })
        .collect();
    let alpha_bar = gamma.iter().map(|g| 1.0 / (1.0 + (-g).exp())).collect();
    Schedule { t, gamma, alpha_bar }
}

fn moons(n: usize, random: &mut Random) -> Cloud {
    let labels: Vec<usize> = (0..n).map(|i| i % 2).collect();
    let points = labels.iter().map(|&label| {
        let angle = PI * random.uniform();
        let [x, y] = match label {
            0 => [angle.cos(), angle.sin()],
            _ => [1.0 - angle.cos(), 0.5 - angle.sin()],
        };
        [(x + 0.07 * random.normal()) as f32, (y + 0.07 * random.normal()) as f32]
    });
    Cloud { points: points.collect(), labels: Some(labels), names: Vec::new() }
}

fn paths(shift: f64, random: &mut Random) -> Paths {
    let end = moons(POINTS, random);
    let start: Vec<[f64; 2]> = (0..POINTS).map(|_| [random.normal(), random.normal()]).collect();
    let times: Vec<f64> = (0..TIMES).map(|i| i as f64 / (TIMES - 1) as f64).collect();
    let state = |t: &f64| {
        let between = |(from, to): (&[f64; 2], &[f32; 2])| {
            let bend = 30.0 * shift * t * (1.0 - t);
            let at = |i: usize| from[i] + (f64::from(to[i]) - from[i]) * t + bend * from[1 - i];
            [at(0) as f32, at(1) as f32]
        };
        start.iter().zip(&end.points).map(between).collect()
    };
    Paths { states: times.iter().map(state).collect(), times, labels: end.labels }
}

fn spread(values: Vec<Option<f64>>) -> Spread {
    let known: Vec<f64> = values.iter().flatten().copied().collect();
    let n = known.len() as f64;
    let (mean, sd) = mean_and_deviation(&known);
    let sd = sd.unwrap_or_default();
    // Student's t at 97.5 % with 4 degrees of freedom.
    let half = 2.776 * sd / n.sqrt();
    Spread { values, mean, sd: Some(sd), interval: Some([mean - half, mean + half]) }
}

/// Sets the ranks, differences and verdicts of every metric.
fn judge(results: &mut Results) {
    for (m, metric) in results.metrics.iter().enumerate() {
        let sign = if metric.better == Better::More { -1.0 } else { 1.0 };
        let scored: Vec<(usize, Vec<f64>)> = results
            .cells
            .iter()
            .enumerate()
            .filter_map(|(i, c)| {
                let score = c.metrics[m].as_ref()?;
                Some((i, score.spread.values.iter().flatten().map(|v| v * sign).collect()))
            })
            .collect();
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        let Some((best, best_values)) =
            scored.iter().min_by(|a, b| mean(&a.1).total_cmp(&mean(&b.1))).cloned()
        else {
            continue;
        };
        let mut tests = Vec::new();
        for (i, own) in &scored {
            let Some(score) = results.cells[*i].metrics[m].as_mut() else { continue };
            let below = |s: usize| scored.iter().filter(|(_, other)| other[s] < own[s]).count();
            score.rank = (0..SEEDS).map(|s| 1.0 + below(s) as f64).sum::<f64>() / SEEDS as f64;
            score.verdict = Verdict::Best;
            if *i != best {
                let gaps =
                    own.iter().zip(&best_values).map(|(a, b)| Some((a - b) * sign)).collect();
                let gap = spread(gaps);
                tests.push((two_sided(&gap), *i));
                score.difference = Some(gap);
            }
        }
        tests.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (all, mut largest) = (tests.len(), 0.0_f64);
        for (place, (p, i)) in tests.into_iter().enumerate() {
            largest = largest.max((p * (all - place) as f64).min(1.0));
            let Some(score) = results.cells[i].metrics[m].as_mut() else { continue };
            score.p = Some(largest);
            score.verdict = if largest < 0.05 { Verdict::Worse } else { Verdict::Tied };
        }
    }
}

/// Two-sided p of Student's t test of five differences against 0; 4 degrees of freedom have a
/// closed form.
fn two_sided(gap: &Spread) -> f64 {
    let t = gap.mean.abs() / (gap.sd.unwrap_or(0.0) / (SEEDS as f64).sqrt());
    let u = t * t / (1.0 + t * t / 4.0);
    1.0 - 0.75 * u.sqrt() * (1.0 - u / 12.0)
}

/// A generator of pseudo-random numbers that are the same on every machine.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        // The splitmix64 algorithm.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.uniform()).ln()).sqrt() * (2.0 * PI * self.uniform()).cos()
    }
}
