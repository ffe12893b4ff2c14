//! Metrics of models whose samples are known: the network's output is zero, so that a sample is its
//! z_0 in the data's own units.

mod listed;
mod table;

use std::f64::consts::PI;
use triflow::component::{Columns, Splits};
use triflow::measure::{Catalogue, Evaluation, Options, evaluate, goal, primary};
use triflow::metrics::{self, Manifold};
use triflow::prelude::*;
use triflow::rng::{Purpose, seed_torch};
use triflow::tch::{Device, Kind};
use triflow::{Experiment, Trainer};

triflow::component! {
    /// A network with output zero.
    pub struct Still: Network = "still" {}
}

struct Zeros {
    zero: Tensor,
}

impl Spec<dyn Network> for Still {
    fn build(&self, ctx: &NetworkContext) -> Result<Box<dyn Network>> {
        Ok(Box::new(Zeros { zero: ctx.vars.zeros("zero", &ctx.output_shape) }))
    }
}

impl Network for Zeros {
    fn forward(&self, input: &NetworkInput<'_>, _: Pass) -> Result<Tensor> {
        let shape = [&[input.z.size()[0]], &self.zero.size()[..]].concat();
        Ok(self.zero.unsqueeze(0).expand(shape.as_slice(), false))
    }
}

const LOGITS: [f64; 3] = [1.0, 0.0, -1.5];

triflow::component! {
    /// A decoder with constant logits.
    pub struct Constant: Decoder = "constant" {}
}

impl Spec<dyn Decoder> for Constant {
    fn build(&self, _: &BuildContext) -> Result<Box<dyn Decoder>> {
        Ok(Box::new(Constant {}))
    }
}

impl Decoder for Constant {
    fn decode(&self, z: &Tensor, _: Pass) -> Result<Tensor> {
        let logits = Tensor::from_slice(&LOGITS).to_kind(z.kind());
        Ok(logits.unsqueeze(0).expand([z.size()[0], 3], false))
    }

    fn likelihood(&self) -> Result<Likelihood> {
        Ok(Likelihood::Categorical)
    }
}

const N: i64 = 3000;

/// An untrained model on rows of which half are held out.
fn model(yaml: &str, x: Tensor, y: Option<Tensor>) -> Trainer {
    model_of(yaml, Columns { x: Some(x), y, ..Columns::default() })
}

/// An untrained model on the rows of a table of which half are held out.
fn model_of(yaml: &str, train: Columns) -> Trainer {
    triflow_plugins::link();
    let experiment = Experiment::from_yaml(&format!(
        "{{ {yaml}, objective: flow_matching, crn: {{ type: vanilla, network: still }},
           data: {{ type: two_moons, split: {{ train: 0.5, val: 0.0, test: 0.5 }} }},
           sampling: {{ solver: euler, steps: 2 }}, device: cpu, threads: 1 }}"
    ));
    Trainer::with_tables(experiment.unwrap(), Splits { train, ..Splits::default() }).unwrap()
}

fn measured(trainer: &mut Trainer, options: &Options) -> Evaluation {
    let (model, data) = trainer.trained_mut();
    evaluate(model, &data.held_out(1000).unwrap(), options).unwrap()
}

fn normal(shape: &[i64], seed: u64) -> Tensor {
    let _stream = seed_torch(seed, Purpose::Data, 0);
    Tensor::randn(shape, (Kind::Float, Device::Cpu))
}

/// Two distant clusters of the given width, and their labels.
fn clusters(width: f64) -> (Tensor, Tensor) {
    let label = Tensor::arange(N, (Kind::Int64, Device::Cpu)).remainder(2);
    let x = normal(&[N, 2], 1) * width + (&label * 2 - 1).unsqueeze(1).to_kind(Kind::Float);
    (x, label)
}

fn mean(evaluation: &Evaluation, metric: &str) -> f64 {
    evaluation.scores.get(metric).unwrap_or_else(|| panic!("no {metric}")).mean
}

fn floor(evaluation: &Evaluation, metric: &str) -> f64 {
    evaluation.floor.get(metric).unwrap_or_else(|| panic!("no floor of {metric}")).mean
}

#[test]
fn all_that_the_catalogue_names_is_measured_in_its_order() {
    let (x, y) = clusters(0.1);
    let values = || normal(&[N, 2], 2);
    for (yaml, x, y, goal_) in [
        ("task: generation", x.copy(), Some(y.copy()), Goal::Generation),
        ("task: generation, unconditional: true", x.copy(), None, Goal::Generation),
        ("task: generation, unconditional: true", x.copy(), Some(y.copy()), Goal::Generation),
        ("task: generation", x.copy(), Some(values()), Goal::Generation),
        ("task: regression", x.copy(), Some(y.copy()), Goal::Classification),
        ("task: regression", x.copy(), Some(values()), Goal::Regression),
        ("task: sequence", normal(&[N, 4], 5), Some(normal(&[N, 4, 2], 6)), Goal::Sequences),
    ] {
        let labelled = y.as_ref().is_some_and(|y| y.dim() == 1);
        let has_agreement = yaml == "task: generation";
        let mut trainer = model(yaml, x, y);
        let evaluation = measured(&mut trainer, &Options::default());
        assert_eq!(goal(trainer.trained()), goal_);
        let goal = goal_;
        let catalogue = Catalogue::of_model(trainer.trained()).unwrap();
        // The columns have no names.
        let expected = catalogue.of_goal(goal).filter(|m| !m.info().needs_any(&[Need::Table]));
        let expected = expected.map(|metric| metric.name());
        let expected = expected.filter(|metric| match *metric {
            "classifier_agreement" => labelled && has_agreement,
            "class_shares" => labelled && !has_agreement,
            // Measured on request only.
            "nll" | "nll_bound" => false,
            _ => true,
        });
        let expected: Vec<_> = expected.collect();
        let measured_: Vec<_> = evaluation.scores.iter().map(|(metric, _)| metric).collect();
        assert_eq!(measured_, expected, "{yaml}");
        assert_eq!(primary(trainer.trained()).unwrap(), expected[0]);
        // Metrics that compare samples with samples have a floor of real rows.
        let floor: Vec<_> = evaluation.floor.iter().map(|(metric, _)| metric).collect();
        assert_eq!(floor, if goal == Goal::Generation { expected } else { vec![] }, "{yaml}");
        // The same model gives the same bytes, and the cost is kept apart from them.
        assert_eq!(evaluation.to_json(), measured(&mut trainer, &Options::default()).to_json());
        let draws = match goal {
            Goal::Generation => 5,
            Goal::Classification => 1,
            // Forty random draws, and the prediction.
            Goal::Regression => 41,
            // Twenty random draws of a quarter of the rows, and the prediction.
            Goal::Sequences => 6,
        };
        let cost = evaluation.cost;
        assert_eq!((cost.samples, cost.steps, cost.nfe), (draws * 1000, 2, 2), "{yaml}");
        let each = cost.seconds_per_1000_samples();
        assert!(each > 0.0 && (each * draws as f64 / cost.seconds - 1.0).abs() < 1e-9);
    }
}

#[test]
fn samples_of_the_datas_own_law_score_like_real_rows() {
    let yaml = "task: generation, unconditional: true";
    let mut trainer = model(yaml, normal(&[2 * N, 2], 3) * 3.0 + 1.0, None);
    let evaluation = measured(&mut trainer, &Options::default());
    for (metric, slack) in [
        ("w2", 0.1),
        ("sliced_w2", 0.1),
        ("energy_distance", 0.02),
        ("mmd2", 0.002),
        ("precision", 0.03),
        ("recall", 0.03),
        ("density", 0.05),
        ("coverage", 0.02),
    ] {
        let (score, floor) = (mean(&evaluation, metric), floor(&evaluation, metric));
        assert!((score - floor).abs() < slack, "{metric}: {score} against {floor}");
        let deviation = evaluation.scores.get(metric).unwrap().deviation.unwrap();
        assert!(deviation > 0.0 && deviation < slack, "{metric}: {deviation}");
    }
    assert!((mean(&evaluation, "density") - 1.0).abs() < 0.05);
    assert!((mean(&evaluation, "coverage") - 31.0 / 32.0).abs() < 0.02);
}

/// A tenth of the rows is at (1, 1), the others at (−1, −1). The samples are normal with the
/// same mean and deviation of each coordinate: Φ(−1.6/√0.72) = 2.97 % of them are nearer to
/// (1, 1).
#[test]
fn errors_of_class_shares_are_those_of_the_samples_distribution() {
    let label = Tensor::arange(N, (Kind::Int64, Device::Cpu)).remainder(10).eq(0);
    let label = label.to_kind(Kind::Int64);
    let x = normal(&[N, 2], 1) * 0.01 + (&label * 2 - 1).unsqueeze(1).to_kind(Kind::Float);
    let mut trainer = model("task: generation, unconditional: true", x, Some(label));
    let evaluation = measured(&mut trainer, &Options::default());
    let off = mean(&evaluation, "class_shares");
    assert!((off - (0.1 - 0.0297)).abs() < 0.015, "{off}");
    assert!(floor(&evaluation, "class_shares") < 0.03, "{:#}", evaluation.to_json());
}

#[test]
fn samples_that_know_no_label_and_lie_between_clusters_are_told_from_real_ones() {
    let (x, y) = clusters(0.02);
    let mut trainer = model("task: generation", x, Some(y));
    let evaluation = measured(&mut trainer, &Options::default());
    // z_0 in the data's own units spreads far beyond the two narrow clusters, but covers them.
    assert!(mean(&evaluation, "precision") < 0.1, "{:#}", evaluation.to_json());
    assert!(mean(&evaluation, "recall") > 0.9, "{:#}", evaluation.to_json());
    assert!(mean(&evaluation, "density") < 0.1 && mean(&evaluation, "coverage") < 0.5);
    assert!((mean(&evaluation, "classifier_agreement") - 0.5).abs() < 0.05);
    assert_eq!(floor(&evaluation, "classifier_agreement"), 1.0);
    assert!(floor(&evaluation, "precision") > 0.9 && floor(&evaluation, "coverage") > 0.9);
}

#[test]
fn rows_without_others_are_their_own_referee() {
    // Labels are random: a row that voted on itself would agree with itself too often.
    let (_, y) = clusters(0.1);
    let mut trainer = model("task: generation", normal(&[N, 2], 7), Some(y));
    let (model, data) = trainer.trained_mut();
    let mut held = data.held_out(1000).unwrap();
    held.train = None;
    let evaluation = evaluate(model, &held, &Options::default()).unwrap();
    assert!((mean(&evaluation, "classifier_agreement") - 0.5).abs() < 0.05);
    assert!((floor(&evaluation, "classifier_agreement") - 0.5).abs() < 0.08);
    assert_eq!(evaluation.floor.iter().count(), 1);
    // Three rows are too few for neighbours; metrics that need none are measured.
    held.rows = held.rows.first(3);
    let evaluation = evaluate(model, &held, &Options::default()).unwrap();
    let metrics: Vec<_> = evaluation.scores.iter().map(|(metric, _)| metric).collect();
    assert_eq!(metrics, ["w2", "sliced_w2", "energy_distance", "mmd2"]);
    assert!(evaluation.floor.is_empty() && evaluation.to_json()["floor"].is_null());
}

#[test]
fn training_rows_are_no_floor_of_themselves() {
    triflow_plugins::link();
    let experiment = Experiment::from_yaml(
        "{ task: generation, unconditional: true, crn: { type: vanilla, network: still },
           data: { type: two_moons, split: { train: 1.0, val: 0.0, test: 0.0 } }, device: cpu }",
    );
    let train = Columns { x: Some(normal(&[200, 2], 8)), y: None, ..Columns::default() };
    let splits = Splits { train, ..Splits::default() };
    let mut trainer = Trainer::with_tables(experiment.unwrap(), splits).unwrap();
    let evaluation = measured(&mut trainer, &Options { draws: 1, ..Options::default() });
    assert_eq!(evaluation.set, "training");
    assert!(evaluation.floor.is_empty(), "{:#}", evaluation.to_json());
}

#[test]
fn the_arrays_of_an_evaluation_give_its_metrics_again() {
    let (x, y) = clusters(0.3);
    let mut trainer = model("task: generation", x, Some(y));
    let evaluation = measured(&mut trainer, &Options { draws: 1, ..Options::default() });
    let array = |name: &str| -> Vec<f64> {
        let (_, array) = evaluation.arrays.iter().find(|(n, _)| n == name).unwrap();
        Vec::try_from(array.to_kind(Kind::Double).reshape([-1])).unwrap()
    };
    let (samples, real) = (array("samples"), array("real"));
    let (samples, real) = (Points::new(&samples, 2).unwrap(), Points::new(&real, 2).unwrap());
    let mut squared = Vec::new();
    for i in 0..real.len() {
        for j in 0..i {
            let d = |k: usize| (real.row(i)[k] - real.row(j)[k]).powi(2);
            squared.push(d(0) + d(1));
        }
    }
    squared.sort_by(f64::total_cmp);
    let middle = squared.len() / 2;
    let median = 0.5 * (squared[middle - 1].sqrt() + squared[middle].sqrt());
    let near = |points, k| Manifold::new(points, k).unwrap();
    let pr = metrics::precision_recall(&near(real, 3), &near(samples, 3)).unwrap();
    let dc = metrics::density_coverage(&near(real, 5), samples).unwrap();
    for (metric, expected) in [
        ("w2", metrics::wasserstein2(samples, real).unwrap()),
        ("energy_distance", metrics::energy_distance(samples, real).unwrap().v),
        ("mmd2", metrics::mmd2(samples, real, &[median]).unwrap().v),
        ("precision", pr.precision),
        ("recall", pr.recall),
        ("density", dc.density),
        ("coverage", dc.coverage),
    ] {
        let score = mean(&evaluation, metric);
        assert!((score / expected - 1.0).abs() < 1e-12, "{metric}: {score} {expected}");
    }
}

#[test]
fn a_standing_network_predicts_the_mean_and_its_draws_are_the_marginal_law() {
    let s = 3.0;
    let y = normal(&[2 * N, 1], 4) * s + 1.0;
    let mut trainer = model("task: regression", normal(&[2 * N, 2], 5), Some(y));
    let (trained, data) = trainer.trained_mut();
    let held = data.held_out(N).unwrap();
    let evaluation = evaluate(trained, &held, &Options::default()).unwrap();
    assert!((mean(&evaluation, "mse") / (s * s) - 1.0).abs() < 0.06, "{:#}", evaluation.to_json());
    assert!((mean(&evaluation, "mae") / (s * (2.0 / PI).sqrt()) - 1.0).abs() < 0.03);
    for metric in ["variance_explained_percent", "variance_explained_pooled_percent"] {
        assert!(mean(&evaluation, metric).abs() < 0.5);
    }
    // Truth and draws have the same distribution, for which the CRPS is σ/√π.
    let crps = mean(&evaluation, "crps") / (s / PI.sqrt());
    assert!((crps - 1.0).abs() < 0.04, "{crps}");
    let json = evaluation.to_json();
    assert_eq!(
        (&json["sampling"]["noise"], &json["sampling"]["draws"]),
        (&"zero".into(), &1.into())
    );
    assert_eq!(
        (&json["sampling"]["crps"]["draws"], &json["sampling"]["crps"]["n"]),
        (&40.into(), &1000.into())
    );
    assert!(evaluation.scores.get("crps").unwrap().deviation.unwrap() > 0.0);
    // Intervals of the true distribution have their nominal coverage, to four standard errors.
    for (metric, level) in [("coverage_50", 0.5_f64), ("coverage_90", 0.9)] {
        let error = (level * (1.0 - level) / 1000.0).sqrt();
        let off = (mean(&evaluation, metric) / 100.0 - level).abs();
        assert!(off < 4.0 * error, "{metric}: {off} off, its error is {error}");
    }
    assert_eq!(json["intervals"]["overconfident"], false);
    // With a seed, the other metrics are measured on the same random draws.
    let options = Options { seed: Some(trained.experiment().seed()), ..Options::default() };
    let drawn = evaluate(trained, &held, &options).unwrap();
    assert_eq!(drawn.scores.get("crps"), evaluation.scores.get("crps"));
    assert!((mean(&drawn, "mse") / (2.0 * s * s) - 1.0).abs() < 0.06);
    assert_eq!(drawn.cost.samples, 5 * N + 40 * 1000);
    let one = evaluate(trained, &held, &Options { draws: 1, ..Options::default() }).unwrap();
    assert_eq!(one.scores.get("crps"), evaluation.scores.get("crps"));
}

/// A standing network draws the marginal law for every row, whose intervals hold the truth as often
/// as they say over all rows, but not over the smallest alone.
#[test]
fn intervals_of_sorted_rows_are_measured_over_all_of_them() {
    let (y, _) = normal(&[2 * N, 1], 4).sort(0, false);
    let mut trainer = model("task: regression", normal(&[2 * N, 2], 5), Some(y));
    let (trained, data) = trainer.trained_mut();
    let evaluation = evaluate(trained, &data.held_out(N).unwrap(), &Options::default()).unwrap();
    assert!((mean(&evaluation, "crps") * PI.sqrt() - 1.0).abs() < 0.04);
    for (metric, level) in [("coverage_50", 50.0), ("coverage_90", 90.0)] {
        let off = (mean(&evaluation, metric) - level).abs();
        assert!(off < 6.0, "{metric}: {off} off");
    }
    let deviation = evaluation.predictions.unwrap().deviation.unwrap();
    let drawn: Vec<i64> =
        deviation.squeeze_dim(1).isfinite().nonzero().view(-1).try_into().unwrap();
    assert_eq!((drawn.len(), drawn[0]), (1000, 0));
    assert!(drawn.windows(2).all(|pair| (N / 1000..=N / 1000 + 1).contains(&(pair[1] - pair[0]))));
}

#[test]
fn intervals_that_are_too_narrow_for_the_truth_are_said() {
    let y = normal(&[2 * N, 1], 4);
    let mut trainer = model("task: regression", normal(&[2 * N, 2], 5), Some(y));
    let (trained, data) = trainer.trained_mut();
    let mut held = data.held_out(60).unwrap();
    // The deviation of the truth is twice that of the draws, whose central 90 % then hold 59 % of
    // it.
    held.rows.target = &held.rows.target * 2.0;
    let evaluation = evaluate(trained, &held, &Options::default()).unwrap();
    let json = evaluation.to_json();
    assert!(mean(&evaluation, "coverage_90") < 75.0, "{json:#}");
    assert_eq!(json["intervals"]["overconfident"], true);
    let least = json["intervals"]["coverage_90_at_least_by_chance"].as_f64().unwrap();
    assert!((least - 80.02).abs() < 0.1, "{least}");
}

/// Rows like those of a table: two correlated columns with very different scales.
fn mixed() -> Tensor {
    let both = normal(&[2 * 400, 2], 8);
    let beak = both.select(1, 0) * 5.0 + 44.0;
    let mass = (both.select(1, 0) * 0.9 + both.select(1, 1) * 0.44) * 800.0 + 4200.0;
    Tensor::stack(&[beak, mass], 1)
}

/// Smallest relative change of the scores when the narrow column of the held-out rows is permuted,
/// and the units.
fn change_by_permutation(units: &str) -> (f64, String) {
    let yaml = format!("task: generation, unconditional: true, metrics: {{ units: {units} }}");
    let mut trainer = model(&yaml, mixed(), None);
    let (trained, data) = trainer.trained_mut();
    let held = data.held_out(400).unwrap();
    let options = Options { draws: 1, ..Options::default() };
    let before = evaluate(trained, &held, &options).unwrap();
    let mut permuted = data.held_out(400).unwrap();
    let narrow = permuted.rows.target.narrow(1, 0, 1).flip([0]);
    permuted.rows.target = Tensor::cat(&[narrow, permuted.rows.target.narrow(1, 1, 1)], 1);
    let after = evaluate(trained, &permuted, &options).unwrap();
    let least = ["w2", "energy_distance", "mmd2", "sliced_w2"].map(|metric| {
        let (a, b) = (mean(&before, metric), mean(&after, metric));
        (b / a - 1.0).abs()
    });
    let units = before.to_json()["units"].as_str().unwrap().to_owned();
    (least.into_iter().fold(f64::INFINITY, f64::min), units)
}

#[test]
fn a_permuted_column_moves_the_metrics_however_narrow_it_is_beside_another() {
    let (change, units) = change_by_permutation("null");
    assert!(change > 0.1, "{change}");
    assert_eq!(units, "standardised (columns differ in scale)");
    assert_eq!(change_by_permutation("standardised").1, "standardised");
    // In the data's own units the wide column alone decides.
    let (change, units) = change_by_permutation("data");
    assert!(change < 0.01, "{change}");
    assert_eq!(units, "data");
}

#[test]
fn each_draw_is_told_with_the_one_that_the_arrays_hold() {
    let (x, y) = clusters(0.5);
    let evaluation = measured(&mut model("task: generation", x, Some(y)), &Options::default());
    let json = evaluation.to_json();
    assert_eq!(json["units"], "data (columns share one scale)");
    let each = json["values"]["w2"].as_array().unwrap();
    assert_eq!(each.len(), 5);
    let sum: f64 = each.iter().map(|v| v.as_f64().unwrap()).sum();
    assert!((sum / 5.0 - json["w2"].as_f64().unwrap()).abs() < 1e-12);
    let array = |name: &str| {
        let tensor = &evaluation.arrays.iter().find(|(n, _)| n == name).unwrap().1;
        Vec::<f64>::try_from(tensor.to_kind(Kind::Double).reshape([-1])).unwrap()
    };
    let (samples, real) = (array("samples"), array("real"));
    let points = |values| Points::new(values, 2).unwrap();
    let kept = json["sampling"]["draw_in_file"].as_u64().unwrap() as usize;
    let own = metrics::wasserstein2(points(&samples), points(&real)).unwrap();
    assert!((own / each[kept].as_f64().unwrap() - 1.0).abs() < 1e-9);
    let seed = json["sampling"]["sliced_directions"]["seed"].as_u64().unwrap();
    let sliced = metrics::sliced_wasserstein2_drawn(points(&samples), points(&real), 256, seed);
    let reported = json["values"]["sliced_w2"][kept].as_f64().unwrap();
    assert!((sliced.unwrap() / reported - 1.0).abs() < 1e-9);
}

#[test]
fn a_classifier_that_says_the_same_of_all_scores_what_the_labels_shares_say() {
    // Three classes with values of zero and constant logits.
    let label = Tensor::arange(N, (Kind::Int64, Device::Cpu)).remainder(3);
    let sum: f64 = LOGITS.iter().map(|l| l.exp()).sum();
    let soft = LOGITS.map(|l| l.exp() / sum);
    for (decoder, probabilities, values) in
        [("identity", [1.0 / 3.0; 3], [0.0; 3]), ("constant", soft, soft)]
    {
        let yaml = format!("task: regression, decoder: {decoder}");
        let mut trainer = model(&yaml, normal(&[N, 2], 6), Some(label.copy()));
        let target = trainer.data().held_out(1000).unwrap().rows.target;
        let shares: Vec<f64> =
            Vec::try_from(target.mean_dim([0].as_slice(), false, Kind::Double)).unwrap();
        let evaluation = measured(&mut trainer, &Options::default());
        let is = |metric: &str, expected: f64| {
            let score = mean(&evaluation, metric);
            assert!((score - expected).abs() < 1e-5, "{decoder}: {metric} {score} {expected}");
        };
        let over = |f: &dyn Fn(usize) -> f64| (0..3).map(|c| shares[c] * f(c)).sum::<f64>();
        is("accuracy", shares[0]);
        is("error_rate", 1.0 - shares[0]);
        is("cross_entropy", over(&|c| -probabilities[c].ln()));
        is("ece", (shares[0] - probabilities[0]).abs());
        let squares: f64 = values.iter().map(|v| v * v).sum();
        is("mse", over(&|c| (squares + 1.0 - 2.0 * values[c]) / 3.0));
    }
}

#[test]
fn one_metric_alone_is_the_same_as_among_all() {
    let (x, y) = clusters(0.1);
    let mut trainer = model("task: generation", x, Some(y));
    let all = measured(&mut trainer, &Options::default());
    for (metric, score) in all.scores.iter() {
        let one = measured(
            &mut trainer,
            &Options { only: Some(metric.to_owned()), ..Options::default() },
        );
        assert_eq!(one.scores.iter().collect::<Vec<_>>(), [(metric, score)]);
        assert_eq!(one.floor.get(metric), all.floor.get(metric));
        assert_eq!(one.floor.iter().count(), 1);
    }
}
