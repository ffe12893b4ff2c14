//! The example plugin with a metric.

use super::{folder_with, json};
use crate::command::text;

#[test]
fn a_metric_of_a_plugin_is_measured_and_decides_a_comparison() {
    let folder = folder_with(&["mode_coverage"]);
    let plugin = ["--plugin", "plugins/libmode_coverage.so"];
    let run = folder.tiny(&[&["train-gen", "--unconditional"][..], &plugin].concat());
    let metrics = json(&std::fs::read_to_string(run.join("metrics.json")).unwrap());
    // Real rows reach every class.
    assert_eq!(metrics["floor"]["mode_coverage"], 1.0, "{metrics:#}");
    let share = metrics["mode_coverage"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&share), "{share}");
    // The run names the plugin, so that it is measured again without the flag.
    let evaluate = ["evaluate", "--run", text(&run), "--draws", "1"];
    let again = json(&folder.succeeds(&evaluate));
    assert!(again["mode_coverage"].is_number(), "{again:#}");
    // A metric with other parameters takes a name of its own.
    let strict = "{ type: mode_coverage, name: modes_in_full, part: 1 }";
    let more = json(&folder.succeeds(&[&evaluate[..], &["--metric", strict]].concat()));
    assert!(more["modes_in_full"].as_f64() <= more["mode_coverage"].as_f64(), "{more:#}");
    let twice = folder.fails(&[&evaluate[..], &["--metric", strict, "--metric", strict]].concat());
    assert!(twice.contains("two metrics are called `modes_in_full`"), "{twice}");

    folder.write(
        "base.yaml",
        "data: { type: two_moons, samples: 600, val_samples: 50, test_samples: 200 }
unconditional: true
crn: { network: { hidden_dims: [16] } }
training: { batch_size: 200 }
comparison: { seeds: 2, draws: 1, points: 200, metric: mode_coverage }
",
    );
    let over = ["--over", "training.epochs=1,60", "--out", "out"];
    let compare = ["compare", "--config", "base.yaml"];
    let unknown = folder.fails(&[&compare[..], &over].concat());
    assert!(unknown.contains("unknown metric `mode_coverage`"), "{unknown}");
    folder.succeeds(&[&compare[..], &over, &plugin].concat());
    let results = json(&std::fs::read_to_string(folder.join("out/results.json")).unwrap());
    let first = &results["metrics"][0];
    assert_eq!((&first["name"], &first["better"]), (&"mode_coverage".into(), &"more".into()));
    assert_eq!(first["title"], "modes reached");
    let means = results["cells"].as_array().unwrap().iter().map(|cell| {
        assert_eq!(cell["errors"], serde_json::json!([]));
        cell["metrics"][0]["spread"]["mean"].as_f64().unwrap()
    });
    assert!(means.clone().all(|mean| (0.5..=1.0).contains(&mean)));
    // Without the flag, the comparison's own list of plugins is enough to collect it again.
    folder.succeeds(&["compare", "--collect", "out"]);
    let collected = json(&std::fs::read_to_string(folder.join("out/results.json")).unwrap());
    assert_eq!(collected["metrics"][0]["name"], "mode_coverage");
}
