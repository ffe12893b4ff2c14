//! Rows that are divided by a column of their file.

use std::path::Path;
use triflow::Experiment;
use triflow::config::Layers;
use triflow::data::Data;
use triflow::io::{NamedArray, npz};
use triflow::prelude::*;
use triflow::registry::Setting as _;
use triflow::tch::{Device, Kind};

/// The experiment on a file with these settings, and the sizes of its sets.
fn load(file: &Path, settings: &[&str]) -> Result<(Experiment, [i64; 3])> {
    triflow_plugins::link();
    let mut layers = Layers::new()?;
    layers.set_text(&format!("data={{ type: {}, path: '{}' }}", kind(file), file.display()))?;
    for setting in ["task=generation", "unconditional=true"].iter().chain(settings) {
        layers.set_text(setting)?;
    }
    let mut experiment = layers.finish()?;
    let data = Data::load(&mut experiment, Path::new(""), (Kind::Float, Device::Cpu));
    let (data, _) = data.map_err(|e| layers.locate(e))?;
    Ok((experiment, [data.train.len(), data.val.len(), data.test.len()]))
}

fn kind(file: &Path) -> &str {
    file.extension().unwrap().to_str().unwrap()
}

#[test]
fn a_column_of_a_table_divides_its_rows_and_is_no_x() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.csv");
    let mut text = "x0,x1,fold,set,who,day\n".to_owned();
    for i in 0..100 {
        let set = if i < 90 { "train" } else { "test" };
        let day = format!("2024-{:02}-{:02}", 1 + i % 12, 1 + i % 28);
        text += &format!("{i},{},{},{set},p{},{day}\n", i * i, i % 5, i % 7);
    }
    std::fs::write(&file, text).unwrap();
    let sizes = |settings: &[&str]| load(&file, settings).map(|(_, sizes)| sizes);
    let folds = "data.split={ by: fold, val: [3], test: [4] }";
    assert_eq!(sizes(&[folds]).unwrap(), [60, 20, 20]);
    assert_eq!(sizes(&["data.split.by=set"]).unwrap(), [90, 0, 10]);
    assert_eq!(sizes(&["data.split.group=who"]).unwrap().iter().sum::<i64>(), 100);
    assert_eq!(sizes(&["data.split.time=day"]).unwrap(), [80, 10, 10]);
    let (experiment, _) = load(&file, &["data.split.stratify=fold"]).unwrap();
    assert_eq!(
        experiment.data.write().unwrap()["x"],
        serde_yaml::from_str::<serde_yaml::Value>("[x0, x1]").unwrap()
    );
    let unknown = sizes(&["data.split.by=folds"]).unwrap_err().to_string();
    assert!(
        unknown.contains("there is no column `folds`") && unknown.contains("fold"),
        "{unknown}"
    );
    let text = sizes(&["data.split.time=who"]).unwrap_err().to_string();
    assert!(text.contains("holds `p0`, which is no time"), "{text}");
    assert!(text.contains("at data.split.time (--set data.split.time=who)"), "{text}");
}

#[test]
fn an_array_of_a_file_divides_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.npz");
    let x = NamedArray::new("x", vec![30, 2], vec![0.5_f32; 60]).unwrap();
    let fold: Vec<i64> = (0..30).map(|i| i % 3).collect();
    let fold = NamedArray::new("fold", vec![30], fold).unwrap();
    npz::write_npz(&file, &[x, fold]).unwrap();
    let (_, sizes) = load(&file, &["data.split={ by: fold, test: [2] }"]).unwrap();
    assert_eq!(sizes, [20, 0, 10]);
    let error = load(&file, &["data.split.group=who"]).unwrap_err().to_string();
    assert!(error.contains("there is no array `who`"), "{error}");
}

#[test]
fn a_source_without_columns_says_so() {
    triflow_plugins::link();
    let yaml = "{ task: generation, data: { samples: 50, split: { group: who } } }";
    let mut experiment = Experiment::from_yaml(yaml).unwrap();
    let data = Data::load(&mut experiment, Path::new(""), (Kind::Float, Device::Cpu));
    let error = data.unwrap_err().to_string();
    assert!(error.contains("yields no column `who`"), "{error}");
}
