//! Plans of comparisons: the settings that cells keep from the file, and the number of cells.

use triflow::compare::Plan;
use triflow::config::Layers;
use triflow::{Component, Experiment, Result};
use triflow_plugins::lr_schedules::{Constant, Cosine};

fn plan(yaml: &str) -> Result<Plan> {
    triflow_plugins::link();
    let mut layers = Layers::new()?;
    layers.add_text("{ comparison: { curve: null, seeds: 2 } }", "base")?;
    layers.add_text(yaml, "test")?;
    Plan::new(&layers, String::new())
}

#[test]
fn a_cell_keeps_what_the_file_says_of_what_does_not_vary() {
    let yaml = "
training: { lr_schedule: { type: cosine, warmup: 30, floor: 0.1 } }
comparison: { over: { training.lr_schedule: [cosine, constant] } }";
    let cells = plan(yaml).unwrap().cells;
    let schedules: Vec<_> = cells
        .iter()
        .map(|c| Experiment::from_yaml(&c.experiment).unwrap().training.lr_schedule)
        .collect();
    let kept = [
        Component::from(Cosine { warmup: 30, floor: 0.1 }),
        Component::from(Constant { warmup: 30 }),
    ];
    assert_eq!(schedules, kept);
}

#[test]
fn every_value_is_a_cell_under_a_safe_name_of_its_own() {
    let values: Vec<String> = (1..=500).map(|n| n.to_string()).collect();
    let over = format!(
        "comparison: {{ over: {{ data.shift: [-1, 1e+30], training.batch_size: [{}] }} }}",
        values.join(", ")
    );
    let plan = plan(&over).unwrap();
    assert_eq!((plan.cells.len(), plan.units.len(), plan.jobs().len()), (1000, 1000, 2000));
    let ids: std::collections::HashSet<_> = plan.units.iter().map(|u| &u.id).collect();
    assert_eq!(ids.len(), 1000);
    assert!(plan.units.iter().all(|u| !u.id.starts_with(['-', '.'])));
    assert!(plan.units[0].id.starts_with("_-1_1-") && plan.units[500].id.starts_with("1e+30_1-"));
}

#[test]
fn a_grid_beyond_the_limits_is_refused_before_it_is_laid_out() {
    let axis = |key: &str| {
        format!("{key}: [{}]", (1..=101).map(|n| n.to_string()).collect::<Vec<_>>().join(", "))
    };
    let over = format!(
        "comparison: {{ over: {{ {}, {} }} }}",
        axis("training.batch_size"),
        axis("training.epochs")
    );
    let error = plan(&over).unwrap_err().to_string();
    assert!(error.contains("101 x 101 combinations are more than 10000"), "{error}");
    let error =
        plan("comparison: { over: { objective: [ct] }, seeds: 1000000000000 }").unwrap_err();
    assert!(
        error.to_string().contains("1 cells x 1000000000000 seeds are more than 100000 runs"),
        "{error}"
    );
}

#[test]
fn cells_that_vary_an_unused_weighting_are_one() {
    let over = |use_snr_weight: &str| {
        let yaml = format!(
            "{{ loss: {{ use_snr_weight: {use_snr_weight} }}, \
               comparison: {{ over: {{ loss.weighting: [field, elbo, none] }} }} }}"
        );
        plan(&yaml).unwrap()
    };
    let idle = over("false");
    assert_eq!(idle.cells.len(), 1);
    assert!(idle.notes[0].contains("which does not use `loss.weighting`"), "{:?}", idle.notes);
    for used in ["true", "null"] {
        let cells = over(used).cells;
        let applied = |experiment: &str| Experiment::from_yaml(experiment).unwrap().loss;
        let applied = |cell: &triflow::compare::Planned| applied(&cell.experiment).use_snr_weight;
        assert_eq!(cells.iter().map(applied).collect::<Vec<_>>(), [Some(true); 3]);
    }
}

#[test]
fn a_metric_that_would_not_be_measured_cannot_decide() {
    let error = |comparison: &str| {
        let over = "over: { objective: [ct, flow_matching] }";
        plan(&format!("{{ {comparison}, {over} }} }}")).unwrap_err().to_string()
    };
    let of_the_task = error("comparison: { metric: accuracy");
    assert!(
        of_the_task
            .contains("`accuracy` is a metric of classification, and the task is generation")
            && of_the_task.contains("help: metrics of generation: w2, "),
        "{of_the_task}"
    );
    let likely = error("comparison: { metric: nll");
    assert!(likely.contains("`comparison.likelihood` names the solver"), "{likely}");
    let asked = error("comparison: { metric: frechet_distance");
    assert!(asked.contains("list it in `metrics.extra`"), "{asked}");
    for measured in [
        "comparison: { metric: nll, likelihood: dopri5",
        "task: regression, comparison: { metric: accuracy",
        "metrics: { extra: [frechet_distance] }, comparison: { metric: frechet_distance",
    ] {
        plan(&format!("{{ {measured}, over: {{ objective: [ct] }} }} }}")).unwrap();
    }
}

#[test]
fn cells_that_differ_in_settings_without_effect_are_one() {
    let over = |axes: &str| plan(&format!("comparison: {{ over: {{ {axes} }} }}")).unwrap();
    let names = |plan: &Plan| plan.cells.iter().map(|c| c.name.clone()).collect::<Vec<_>>();
    let kl = over("objective: [flow_matching, diffusion], loss.kl_weight: [0, 2]");
    assert_eq!(names(&kl), ["flow_matching", "diffusion, 0", "diffusion, 2"]);
    assert_eq!(kl.units.len(), 3);
    let note = "flow_matching: 2 combinations are the same experiment, which does not use \
                `loss.kl_weight`, so they are one cell";
    assert_eq!(kl.notes, [note]);
    // The run is that of the experiment without the setting, and found again by its name.
    assert_eq!(kl.units[0].id, over("objective: [flow_matching, ct]").units[0].id);

    // Nor does it matter if a file says what would be so anyway.
    let weights = "objective: [diffusion], loss.use_snr_weight: [true, null]";
    assert_eq!(names(&over(weights)), ["diffusion"]);

    // A coupling that pairs no rows has no blocks; one that does has.
    let blocks = over("coupling.batch: [256, 512], coupling.type: [independent, ot_exact]");
    assert_eq!(names(&blocks), ["independent", "256, ot_exact", "512, ot_exact"]);
}

#[test]
fn the_axes_and_the_budget_of_a_layer_replace_those_of_the_layers_below() {
    triflow_plugins::link();
    let mut layers = Layers::new().unwrap();
    let below = "{ comparison: { over: { objective: [ct, edm] }, budget: { epochs: 3 } } }";
    layers.add_text(below, "below").unwrap();
    let above = "{ comparison: { over: { sampling.steps: [4, 5] }, budget: { steps: 6 } } }";
    layers.add_text(above, "above").unwrap();
    let plan = Plan::new(&layers, String::new()).unwrap();
    assert_eq!(plan.axes, ["sampling.steps"]);
    assert_eq!(plan.budget, "6 steps");
}
