use super::*;
use crate::compare::{left, seal};
use crate::prelude::*;
use serde_json::json;

/// Stand-ins for metrics by the names of built-in ones, which are in another crate.
macro_rules! metrics {
    ($($M:ident, $name:literal, $rank:literal, $goal:ident, $need:ident;)*) => {$(
        triflow::component! {
            /// A metric that stands in for another.
            pub struct $M: Metric = $name {}
        }

        impl Spec<dyn Metric> for $M {
            fn build(&self, _: &MetricContext) -> Result<Box<dyn Metric>> {
                Ok(Box::new(self.clone()))
            }
        }

        impl Metric for $M {
            fn info(&self) -> Result<MetricInfo> {
                let (goals, needs) = ([Goal::$goal], [Need::$need]);
                Ok(MetricInfo::new($name, crate::metrics::Better::Less, &goals, &needs).ranked($rank))
            }

            fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
                Ok(input.likelihood().ok().map(mean))
            }
        }
    )*};
}

metrics! {
    W2, "w2", 0, Generation, Samples;
    Mmd2, "mmd2", 1, Generation, Samples;
    Nll, "nll", 2, Generation, Likelihood;
    PairTrends, "pair_trends", 101, Generation, Table;
    ErrorRate, "error_rate", 3, Classification, Predictions;
    Mse, "mse", 4, Regression, Predictions;
    Mae, "mae", 5, Regression, Predictions;
}

/// A plan of two cells with one seed, all of whose files exist.
fn compared(folder: &Path) -> Plan {
    let cell = |name: &str| Planned {
        name: name.to_owned(),
        settings: vec![Some(name.to_owned())],
        unit: Some(name.to_owned()),
        sampling: "s".to_owned(),
        experiment: "data: moons".to_owned(),
        error: None,
    };
    let unit = |name: &str| Unit { id: name.to_owned(), experiment: "data: moons".to_owned() };
    let plan = Plan {
        title: "moons: objective".to_owned(),
        command: String::new(),
        axes: vec!["objective".to_owned()],
        budget: "1 epoch".to_owned(),
        seconds: None,
        seeds: vec![7],
        metric: None,
        points: 10,
        draws: 1,
        curve: None,
        likelihood: None,
        measuring: "m".to_owned(),
        notes: Vec::new(),
        units: vec![unit("a"), unit("b")],
        cells: vec![cell("a"), cell("b")],
    };
    for job in plan.jobs() {
        let own = job.folder(folder);
        std::fs::create_dir_all(&own).unwrap();
        std::fs::write(own.join("manifest.json"), json!({ "parameters": 5 }).to_string()).unwrap();
        let losses = json!({ "train": [], "val": [] });
        let measured = json!({
            "losses": losses, "schedule": null, "real": null, "curves": [], "seconds": 1.0
        });
        seal::write(&own.join("measured_m.json"), &measured).unwrap();
        seal::write(&own.join("sampled_s.json"), &sampled(json!({ "w2": 0.5, "mmd2": 0.1 })))
            .unwrap();
    }
    plan
}

fn sampled(metrics: Value) -> Value {
    json!({ "metrics": metrics, "seconds_per_1000_samples": 1.0, "paths": null })
}

/// Errors that the report has for cell `b`, and files that are made again.
fn said(plan: &Plan, folder: &Path) -> (Vec<String>, Vec<String>) {
    let results = collect(plan, folder).unwrap();
    assert_eq!(results.metrics[0].name, "w2");
    let [a, b] = &results.cells[..] else { panic!("two cells") };
    assert!(a.metrics[0].is_some() && a.errors.is_empty() && a.waiting.is_empty());
    // A cell without a score has an error or waits.
    assert_eq!(b.metrics[0].is_some(), b.errors.is_empty() && b.waiting.is_empty(), "{b:?}");
    let missing = crate::compare::missing(&results);
    assert_eq!(missing.iter().flatten().count(), usize::from(b.metrics[0].is_none()));
    let again = left(plan, folder, &|_| true);
    assert!(again.iter().all(|left| left.job.unit.id == "b"), "{again:?}");
    (b.errors.clone(), again.into_iter().flat_map(|left| left.damaged).collect())
}

#[test]
fn results_that_lack_what_decides_are_told_and_measured_again_where_that_helps() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let plan = compared(folder);
    assert_eq!(said(&plan, folder), (vec![], vec![]));
    let path = folder.join("runs/b/seed_7/sampled_s.json");

    // A file of an early version, without the version in it: complete, then not.
    std::fs::write(&path, sampled(json!({ "w2": 0.7 })).to_string()).unwrap();
    assert_eq!(said(&plan, folder), (vec![], vec![]));
    for metrics in [json!({ "wasserstein": 0.7 }), json!({ "w2": null }), json!({}), Value::Null] {
        std::fs::write(&path, sampled(metrics).to_string()).unwrap();
        let (errors, again) = said(&plan, folder);
        let why = format!(
            "{} was written by an earlier triflow and holds no `w2` or `error_rate` or `mse`",
            path.display()
        );
        assert_eq!(errors, [format!("seed 7: {why}; `compare --resume` measures it again")]);
        assert_eq!(again, [why]);
    }

    // This version wrote the file: measuring again would give the same.
    seal::write(&path, &sampled(json!({ "mse": 0.7, "mae": null }))).unwrap();
    let (errors, again) = said(&plan, folder);
    let why = "there is no `w2`, by which cells are judged: measured are mse";
    assert_eq!((errors, again), (vec![format!("seed 7: {why}")], vec![]));
    seal::write(&path, &sampled(json!({}))).unwrap();
    assert!(said(&plan, folder).0[0].ends_with("nothing that counts was measured"));
}

#[test]
fn a_likelihood_that_decides_and_is_not_there_is_told_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let plan = Plan { metric: Some("nll".to_owned()), ..compared(folder) };
    let path = folder.join("runs/b/seed_7/measured_m.json");
    for (job, likelihood) in plan
        .jobs()
        .iter()
        .zip([json!({ "Ok": { "exact": 1.0, "bound": null } }), json!({ "Err": "no ODE" })])
    {
        let path = job.folder(folder).join("measured_m.json");
        let mut measured: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        measured["likelihood"] = likelihood;
        let measured = measured.as_object_mut().unwrap();
        measured.remove("sha256");
        measured.remove("triflow");
        seal::write(&path, measured).unwrap();
    }
    let results = collect(&plan, folder).unwrap();
    assert_eq!(results.metrics[0].name, "nll");
    assert!(results.cells[0].errors.is_empty() && results.cells[0].metrics[0].is_some());
    let why = "seed 7: there is no `nll`, by which cells are judged: no ODE";
    assert_eq!(results.cells[1].errors, [why]);
    assert!(path.is_file() && left(&plan, folder, &|_| true).is_empty());
}

#[test]
fn metrics_of_tables_come_right_behind_the_one_that_decides() {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = compared(folder.path());
    let metrics = json!({ "mmd2": 0.1, "pair_trends": 0.9, "w2": 0.5 });
    for job in plan.jobs() {
        let file = job.folder(folder.path()).join("sampled_s.json");
        seal::write(&file, &sampled(metrics.clone())).unwrap();
    }
    let order = |plan: &Plan| -> Vec<String> {
        collect(plan, folder.path()).unwrap().metrics.into_iter().map(|m| m.name).collect()
    };
    assert_eq!(order(&plan), ["w2", "pair_trends", "mmd2"]);
    plan.metric = Some("mmd2".to_owned());
    assert_eq!(order(&plan), ["mmd2", "pair_trends", "w2"]);
}

#[test]
fn a_plan_that_names_files_of_another_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let sound = compared(folder.path());
    let read = |change: fn(&mut Plan, String), to: &str| {
        let mut plan = sound.clone();
        change(&mut plan, to.to_owned());
        seal::write(&folder.path().join("plan.json"), &plan).unwrap();
        Plan::read(folder.path())
    };
    let names: [fn(&mut Plan, String); 3] = [
        |plan, to| plan.units[1].id = to,
        |plan, to| plan.cells[1].sampling = to,
        |plan, to| plan.measuring = to,
    ];
    for change in names {
        assert!(read(change, "b").is_ok());
        for to in ["../..", "/tmp", "a/b", ".", ""] {
            let message = read(change, to).unwrap_err().to_string();
            let why = format!("plan.json: holds `{to}`, which is no name of a file");
            assert!(message.ends_with(&why), "{message}");
        }
    }
}
