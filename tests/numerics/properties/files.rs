//! Small files for each data source that reads some.

use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::path::Path;
use triflow::io::{ArrayData, NamedArray, npz, safetensors};
use triflow::registry::Entry;

/// Rows of each file.
const ROWS: usize = 24;

/// A folder with a file or folder for each data source, of the source's name, maybe with an ending.
pub struct Files(tempfile::TempDir);

impl Files {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let number = |i: usize| ((i * 7919 + 13) % 101) as f32 / 25.0 - 2.0;
        let mut table = String::from("size,weight,kind,day\n");
        let mut csv = String::from("x0,x1,label\n");
        for i in 0..ROWS {
            let (a, b) = (number(i), number(i + 50));
            let kind = ["a", "b", "c"][i % 3];
            writeln!(table, "{a},{b},{kind},2024-01-{:02}", 1 + i).unwrap();
            writeln!(csv, "{a},{b},{}", i % 3).unwrap();
        }
        std::fs::write(at("table"), table).unwrap();
        std::fs::write(at("csv"), csv).unwrap();
        let array = |name: &str, shape: &[usize], data: ArrayData| {
            NamedArray::new(name, shape.to_vec(), data).unwrap()
        };
        let numbers = |n: usize| (0..n).map(number).collect::<Vec<f32>>();
        let labels = (0..ROWS as i64).map(|i| i % 3).collect::<Vec<i64>>();
        let x = || array("x", &[ROWS, 2], numbers(2 * ROWS).into());
        let z0 = array("z0", &[ROWS, 2], numbers(2 * ROWS).into());
        npz::write_npz(&at("npz"), &[x(), z0, array("y", &[ROWS], labels.into())]).unwrap();
        let y = array("y", &[ROWS, 1], numbers(ROWS).into());
        let none = std::collections::BTreeMap::new();
        safetensors::write_safetensors(&at("safetensors"), &[x(), y], &none).unwrap();
        let x = array("x", &[ROWS, 5, 2], numbers(10 * ROWS).into());
        let y = array("y", &[ROWS, 5, 1], numbers(5 * ROWS).into());
        npz::write_npz(&at("sequences.npz"), &[x, y]).unwrap();
        images(folder.path());
        Self(folder)
    }

    /// Keys of a data source: few rows, or its file.
    pub fn keys(&self, entry: &Entry) -> Map<String, Value> {
        let fields = entry.info.fields();
        let has = |name: &str| fields.iter().any(|field| field.key.name() == name);
        let mut keys = Map::new();
        if has("path") {
            let name = entry.info.name;
            let mut all = std::fs::read_dir(&self.0).unwrap().map(|file| file.unwrap().path());
            let path = all.find(|path| path.file_stem() == Some(name.as_ref()));
            let path = path.unwrap_or_else(|| panic!("no file is written here for `{name}`"));
            keys.insert("path".into(), path.display().to_string().into());
        }
        if has("samples") {
            keys.insert("samples".into(), (2 * ROWS).into());
        }
        if has("steps") {
            keys.insert("steps".into(), json!(6));
            if has("shortest") {
                keys.insert("shortest".into(), json!(3));
            }
        }
        keys
    }
}

/// Folders of small images.
fn images(folder: &Path) {
    let idx = |shape: &[u8], values: usize| -> Vec<u8> {
        let lengths = shape.iter().flat_map(|n| [0, 0, 0, *n]);
        let values = (0..values).map(|i| (i * 31 % 10) as u8);
        [0, 0, 8, shape.len() as u8].into_iter().chain(lengths).chain(values).collect()
    };
    for name in ["mnist", "cifar10", "image_folder"] {
        std::fs::create_dir_all(folder.join(name)).unwrap();
    }
    let n = ROWS as u8;
    let mnist = folder.join("mnist");
    std::fs::write(mnist.join("train-images-idx3-ubyte"), idx(&[n, 8, 8], ROWS * 64)).unwrap();
    std::fs::write(mnist.join("train-labels-idx1-ubyte"), idx(&[n], ROWS)).unwrap();
    let rows =
        (0..ROWS).flat_map(|i| (0..3073).map(move |j| ((i * 7 + j * (j > 0) as usize) % 10) as u8));
    std::fs::write(folder.join("cifar10/data_batch_1.bin"), rows.collect::<Vec<u8>>()).unwrap();
    for i in 0..ROWS as u32 {
        let picture = image::GrayImage::from_fn(8, 8, |x, y| image::Luma([(x * 9 + y * i) as u8]));
        picture.save(folder.join(format!("image_folder/{i:02}.png"))).unwrap();
    }
}
