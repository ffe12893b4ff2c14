use super::expect::ensure;
use super::seeds::KIT;
use super::{Check, Conformance, Kit};
use crate::component::{
    Classes, Goal, Labelled, Metric, MetricContext, MetricInfo, MetricInput, Need, Predictions,
    RandomDraws, Samples, Tables, check_metric_name,
};
use crate::error::{Error, Result};
use crate::metrics::{Better, PointSet, Points, class_shares};
use crate::registry::{Component, Kind, registry};
use crate::rng::{Purpose, rust_rng};
use crate::table::{TableColumn, TableRows};
use rand::RngExt as _;
use tch::Device;

inventory::submit!(Kit::of::<dyn Metric>());

impl Conformance for dyn Metric {
    const CHECKS: &'static [Check<Self>] = &[
        Check {
            name: "described",
            about: "it has a name of its own, a title, a description of one sentence, a goal and a need",
            run: described,
        },
        Check {
            name: "needs",
            about: "it is measured from its declared needs alone, which are given together somewhere",
            run: needs,
        },
        Check {
            name: "finite",
            about: "its value is finite, also for one row, for equal rows and for rows of one entry",
            run: finite,
        },
        Check {
            name: "pure",
            about: "the same input gives the same value, also after others and when built again",
            run: pure,
        },
        Check { name: "row_order", about: "the order of the rows does not matter", run: row_order },
        Check {
            name: "direction",
            about: "if one direction is better, real points and perfect predictions score no worse than disturbed ones",
            run: direction,
        },
    ];
    const STARTER: &'static str = include_str!("starters/metric.rs");

    fn try_build(component: &Component<Self>) -> Result<()> {
        build(component).map(|_| ())
    }
}

fn build(component: &Component<dyn Metric>) -> Result<Box<dyn Metric>> {
    component.build(&MetricContext { device: Device::Cpu, shape: Some(vec![2]), columns: None })
}

/// Rows of a model, from which all inputs are made.
#[derive(Clone)]
struct Rows {
    dim: usize,
    truth: Vec<f64>,
    /// Generated or predicted values.
    made: Vec<f64>,
    /// Class of each row, which is that of its cluster.
    labels: Vec<usize>,
    /// Real points apart from `truth`.
    others: Vec<f64>,
    other_labels: Vec<usize>,
}

impl Rows {
    /// `n` rows in two clusters, the first entry of which is left for one class and right for the
    /// other. What is made of them is `shift` and about `noise` away from the truth.
    fn draw(n: usize, dim: usize, shift: f64, noise: f64) -> Self {
        let mut rng = rust_rng(KIT, Purpose::Data, n as u64);
        let mut cluster = |labels: &[usize]| -> Vec<f64> {
            let row = |label: &usize| -> Vec<f64> {
                let side = if *label == 0 { -2.0 } else { 2.0 };
                let mut row: Vec<f64> = (0..dim).map(|_| rng.random::<f64>() - 0.5).collect();
                row[0] += side;
                row
            };
            labels.iter().flat_map(row).collect()
        };
        let labels: Vec<usize> = (0..n).map(|i| i % 2).collect();
        let (truth, others) = (cluster(&labels), cluster(&labels));
        let mut rng = rust_rng(KIT, Purpose::Data, 0);
        let away = |v: &f64| v + shift + noise * (rng.random::<f64>() - 0.5);
        let made = truth.iter().map(away).collect();
        Self { dim, truth, made, other_labels: labels.clone(), labels, others }
    }

    /// These rows in another order.
    fn reversed(&self) -> Self {
        let turned = |v: &[f64]| v.chunks(self.dim).rev().flatten().copied().collect();
        let mut labels = self.labels.clone();
        labels.reverse();
        Self { truth: turned(&self.truth), made: turned(&self.made), labels, ..self.clone() }
    }

    /// Values of a metric under all inputs that have its needs: of every goal, with and without
    /// requested labels.
    fn measured(&self, metric: &dyn Metric) -> Result<Vec<Option<f64>>> {
        let info = metric.info()?;
        let mut values = Vec::new();
        self.inputs(&info.goals, &mut |input| {
            if let Some(input) = input.only(&info.needs) {
                values.push(metric.measure(&input)?);
            }
            Ok(())
        })?;
        Ok(values)
    }

    /// Columns of these rows as a table.
    fn columns(&self) -> Vec<TableColumn> {
        let numbers = (0..self.dim).map(|i| TableColumn::number(format!("x{i}")));
        let gappy = TableColumn { missing: true, ..TableColumn::number("gappy") };
        let names = ["left", "right"].map(str::to_owned).to_vec();
        numbers.chain([gappy, TableColumn::category("side", names)]).collect()
    }

    /// Gives `each` the inputs of all measurements under `goals`.
    fn inputs(
        &self,
        goals: &[Goal],
        each: &mut dyn FnMut(&MetricInput<'_>) -> Result<()>,
    ) -> Result<()> {
        let points = |values| Points::new(values, self.dim);
        let (truth, made) = (points(&self.truth)?, points(&self.made)?);
        let shape = [self.dim as i64];
        for goal in goals {
            match goal {
                Goal::Generation => {
                    let held_out = PointSet::new(truth);
                    let samples = Samples::new(made, &held_out);
                    let others = points(&self.others)?;
                    let shares = class_shares(&self.other_labels, 2);
                    let columns = self.columns();
                    let made_labels = sides(&self.made, self.dim);
                    let generated = [
                        table(&self.made, self.dim, &self.labels),
                        table(&self.made, self.dim, &made_labels),
                    ];
                    let real = table(&self.truth, self.dim, &self.labels);
                    let train = table(&self.others, self.dim, &self.other_labels);
                    let rows = |values| TableRows { columns: &columns, values };
                    for requested in [Some(&self.labels[..]), None] {
                        let labels = Labelled {
                            requested,
                            points: others,
                            labels: &self.other_labels,
                            shares: &shares,
                            themselves: false,
                        };
                        let (samples, labels) = (Some(&samples), Some(labels));
                        // The label is the condition, or generated with the rest.
                        let free = usize::from(requested.is_none());
                        let table = Tables {
                            generated: rows(&generated[free]),
                            held_out: rows(&real),
                            train: Some(rows(&train)),
                            generated_columns: self.dim + 1 + free,
                        };
                        each(&MetricInput {
                            samples,
                            labels,
                            train: Some(others),
                            table: Some(table),
                            ..empty(*goal, &shape)
                        })?;
                    }
                }
                Goal::Classification => {
                    // The sign of the first entry is the class.
                    let one_hot = |values: &[f64]| -> Vec<f64> {
                        let rows = values.chunks(self.dim);
                        rows.flat_map(|r| if r[0] < 0.0 { [1.0, 0.0] } else { [0.0, 1.0] })
                            .collect()
                    };
                    let labels: Vec<i64> = self.labels.iter().map(|l| *l as i64).collect();
                    let truth: Vec<f64> =
                        labels.iter().flat_map(|l| [1.0 - *l as f64, *l as f64]).collect();
                    let made = one_hot(&self.made);
                    let logits: Vec<f64> = made.iter().map(|p| 20.0 * p).collect();
                    let two = |values| Points::new(values, 2);
                    let predictions = Predictions { truth: two(&truth)?, predicted: two(&made)? };
                    let classes = Classes { logits: two(&logits)?, labels: &labels };
                    let (predictions, classes) = (Some(predictions), Some(classes));
                    each(&MetricInput { predictions, classes, ..empty(*goal, &[2]) })?;
                }
                Goal::Regression | Goal::Sequences => {
                    let predictions = Predictions { truth, predicted: made };
                    each(&MetricInput { predictions: Some(predictions), ..empty(*goal, &shape) })?;
                    let spread = |by: f64| self.made.iter().map(|v| v + by).collect::<Vec<_>>();
                    let width = if self.made == self.truth { 0.0 } else { 0.5 };
                    let draws = [-2.0, -1.0, 1.0, 2.0].map(|k| spread(k * width));
                    let draws = draws
                        .iter()
                        .map(|v| Points::new(v, self.dim))
                        .collect::<Result<Vec<_>>>()?;
                    let draws = RandomDraws { truth, draws: &draws };
                    each(&MetricInput { draws: Some(draws), ..empty(*goal, &shape) })?;
                    each(&MetricInput { ensemble: Some(draws), ..empty(*goal, &shape) })?;
                }
            }
            // Nats of a density about the truth.
            let off = self.made.chunks(self.dim).zip(self.truth.chunks(self.dim));
            let nats: Vec<f64> = off.map(|(a, b)| 1.0 + (a[0] - b[0]).powi(2)).collect();
            each(&MetricInput {
                likelihood: Some(&nats),
                bound: Some(&nats),
                ..empty(*goal, &shape)
            })?;
        }
        Ok(())
    }
}

/// Side on which the first entry of each row is: the class of its cluster.
fn sides(values: &[f64], dim: usize) -> Vec<usize> {
    values.chunks(dim).map(|row| usize::from(row[0] > 0.0)).collect()
}

/// Rows of a table: the entries, the first of them once more with gaps, and the class.
fn table(values: &[f64], dim: usize, labels: &[usize]) -> Vec<f64> {
    let row = |(row, label): (&[f64], &usize)| {
        let gappy = if row[0].abs() < 1.8 { f64::NAN } else { row[0] };
        [row, &[gappy, *label as f64]].concat()
    };
    values.chunks(dim).zip(labels).flat_map(row).collect()
}

/// Inputs before any is given.
fn empty(goal: Goal, shape: &[i64]) -> MetricInput<'_> {
    MetricInput::new(goal, shape, KIT)
}

fn described(component: &Component<dyn Metric>) -> Result<()> {
    let name = component.common().name.as_deref().unwrap_or(component.name());
    check_metric_name(name)?;
    let MetricInfo { title, goals, needs, .. } = build(component)?.info()?;
    ensure(!title.trim().is_empty() && !title.contains('\n'), || {
        format!("the title is `{title}`, expected a few words")
    })?;
    ensure(!goals.is_empty() && !needs.is_empty(), || {
        format!("applies to {goals:?} and needs {needs:?}, expected at least one of each")
    })?;
    let what = registry().find(<dyn Metric as Kind>::NAME, component.name())?.summary();
    ensure(what.ends_with('.') && !what.contains(". "), || {
        format!("the first paragraph of its doc comment is `{what}`, expected one sentence")
    })
}

fn needs(component: &Component<dyn Metric>) -> Result<()> {
    let metric = build(component)?;
    let info = metric.info()?;
    for goal in &info.goals {
        let mut together = false;
        Rows::draw(40, 2, 0.1, 0.1).inputs(&[*goal], &mut |input| {
            together |= input.only(&info.needs).is_some();
            Ok(())
        })?;
        let (needs, goal) = (&info.needs, goal.name());
        ensure(together, || format!("needs {needs:?}, which are not given together for {goal}"))?;
    }
    let values = Rows::draw(40, 2, 0.1, 0.1).measured(&*metric)?;
    ensure(values.iter().any(Option::is_some), || {
        "gives no value for 40 rows of two entries".to_owned()
    })
}

fn finite(component: &Component<dyn Metric>) -> Result<()> {
    let metric = build(component)?;
    let mut equal = Rows::draw(20, 2, 0.0, 0.0);
    for values in [&mut equal.truth, &mut equal.made, &mut equal.others] {
        values.fill(1.0);
    }
    for (what, rows) in [
        ("40 rows", Rows::draw(40, 2, 0.3, 0.5)),
        ("rows of one entry", Rows::draw(40, 1, 0.3, 0.5)),
        ("rows of three entries", Rows::draw(40, 3, 0.3, 0.5)),
        ("one row", Rows::draw(1, 2, 0.3, 0.5)),
        ("two rows", Rows::draw(2, 2, 0.3, 0.5)),
        ("equal rows", equal),
    ] {
        let values = rows.measured(&*metric).map_err(|e| Error::runtime(format!("{what}: {e}")))?;
        for value in values.into_iter().flatten() {
            ensure(value.is_finite(), || {
                format!("for {what} it is {value}, expected a number, or no value")
            })?;
        }
    }
    Ok(())
}

fn pure(component: &Component<dyn Metric>) -> Result<()> {
    let metric = build(component)?;
    let rows = Rows::draw(40, 2, 0.3, 0.5);
    let first = rows.measured(&*metric)?;
    Rows::draw(30, 2, 1.0, 0.5).measured(&*metric)?;
    let again = [rows.measured(&*metric)?, rows.measured(&*build(component)?)?];
    ensure(again.iter().all(|other| *other == first), || {
        format!("the same input gives {first:?}, then {again:?}; draw only with `input.seed`")
    })
}

fn row_order(component: &Component<dyn Metric>) -> Result<()> {
    let metric = build(component)?;
    let rows = Rows::draw(40, 2, 0.3, 0.5);
    let (first, turned) = (rows.measured(&*metric)?, rows.reversed().measured(&*metric)?);
    let close = |(a, b): (&Option<f64>, &Option<f64>)| match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(1.0),
        (a, b) => a == b,
    };
    ensure(first.iter().zip(&turned).all(close), || {
        format!("gives {first:?}, but for the same rows in reverse order {turned:?}")
    })
}

fn direction(component: &Component<dyn Metric>) -> Result<()> {
    let metric = build(component)?;
    let info = metric.info()?;
    // The distance to training points has no direction that the kit could know.
    if info.better == Better::None || info.needs.contains(&Need::Train) {
        return Ok(());
    }
    let perfect = Rows::draw(40, 2, 0.0, 0.0).measured(&*metric)?;
    let disturbed = Rows::draw(40, 2, 3.0, 2.0).measured(&*metric)?;
    for (good, bad) in perfect.iter().zip(&disturbed) {
        let (Some(good), Some(bad)) = (good, bad) else { continue };
        let holds = match info.better {
            Better::More => good >= bad,
            _ => good <= bad,
        };
        ensure(holds, || {
            format!(
                "says that {} is better, but is {good} for the true values and {bad} for disturbed ones",
                if info.better == Better::More { "more" } else { "less" }
            )
        })?;
    }
    Ok(())
}
