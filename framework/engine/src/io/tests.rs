//! Tests of rows that stay on disk, in each format that allows it.

use super::{ArrayData, NamedArray, npz, safetensors};
use std::collections::BTreeMap;
use std::fs::File;
use tch::{Kind, Tensor};

fn numbered() -> NamedArray {
    let values: Vec<f32> = (0..30).map(|i| i as f32 / 7.0).collect();
    NamedArray::new("x", vec![10, 3], values).unwrap()
}

#[test]
fn rows_are_read_in_the_order_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    safetensors::write_safetensors(&path, &[numbered()], &BTreeMap::new()).unwrap();
    let all = Tensor::arange(30, (Kind::Float, tch::Device::Cpu)).view([10, 3]) / 7.0;
    let rows = safetensors::disk_rows(&path, "x").unwrap().unwrap();
    assert_eq!((rows.len(), rows.shape(), rows.kind()), (10, &[3][..], Kind::Float));
    let expect = |index: &[i64]| all.index_select(0, &Tensor::from_slice(index));
    assert_eq!(rows.read(&[7, 2, 3, 4, 4, 0]).unwrap(), expect(&[7, 2, 3, 4, 4, 0]));
    let some = rows.select(&[9, 1, 5]);
    assert_eq!(some.select(&[2, 0]).read(&[0, 1]).unwrap(), expect(&[5, 9]));
    assert_eq!(some.read(&some.order_in_file().unwrap()).unwrap(), expect(&[1, 5, 9]));
    assert!(rows.order_in_file().is_none());
    assert_eq!(rows.read(&[]).unwrap().size(), [0, 3]);
    let message = some.read(&[3]).unwrap_err().to_string();
    assert!(message.ends_with("array `x` has 10 rows and no row -1"), "{message}");
}

#[test]
fn a_file_that_was_cut_off_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    safetensors::write_safetensors(&path, &[numbered()], &BTreeMap::new()).unwrap();
    let rows = safetensors::disk_rows(&path, "x").unwrap().unwrap();
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 8]).unwrap();
    assert!(rows.read(&[8]).is_ok());
    let message = rows.read(&[9]).unwrap_err().to_string();
    assert!(message.contains("a.safetensors: array `x` cannot be read"), "{message}");
    assert!(safetensors::disk_rows(&path, "x").is_err());
}

#[test]
fn what_needs_a_conversion_cannot_stay_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("a.npz"), folder.path().join("a.safetensors"));
    let array = |name: &str, shape: &[usize], data: ArrayData| {
        NamedArray::new(name, shape.to_vec(), data).unwrap()
    };
    let arrays = [
        array("double", &[1, 2], vec![1.0, 2.0].into()),
        array("labels", &[2], vec![1_i64, 2].into()),
        array("bytes", &[1, 2], vec![1_u8, 2].into()),
        array("images", &[2, 1, 1, 1], vec![1_u8, 2].into()),
    ];
    npz::write_npz(&one, &arrays).unwrap();
    safetensors::write_safetensors(&two, &arrays, &BTreeMap::new()).unwrap();
    let why = |name: &str| safetensors::disk_rows(&two, name).unwrap_err().to_string();
    assert!(why("double").contains(
        "array `double` of a.safetensors cannot stay on disk: it is float64 of shape [1, 2]"
    ));
    assert!(why("bytes").contains("it is uint8 of shape [1, 2]"));
    assert!(
        why("no").contains("there is no array `no`; known arrays: bytes, double, images, labels")
    );
    assert!(safetensors::disk_rows(&two, "labels").unwrap().is_none());
    let images = safetensors::disk_rows(&two, "images").unwrap().unwrap();
    assert_eq!(images.read(&[1]).unwrap().reshape([-1]), Tensor::from_slice(&[2_u8]));
    let why = npz::disk_rows(&one, "images").unwrap_err().to_string();
    assert!(why.contains("it is compressed") && why.contains("numpy.savez"), "{why}");
    assert!(npz::disk_rows(&one, "labels").unwrap().is_none());
}

#[test]
fn an_array_that_an_archive_stores_as_it_is_is_found_wherever_it_lies() {
    use npyz::WriterBuilder as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let mut archive = npyz::npz::NpzWriter::new(File::create(&path).unwrap());
    let stored =
        zip::write::FileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let values: Vec<f32> = (0..30).map(|i| i as f32 / 7.0).collect();
    // A name of odd length puts the following entries out of alignment.
    for (name, order) in
        [("odd", npyz::Order::C), ("x", npyz::Order::C), ("f", npyz::Order::Fortran)]
    {
        let array = archive.array(name, stored).unwrap().default_dtype();
        let mut writer = array.order(order).shape(&[10, 3]).begin_nd().unwrap();
        writer.extend(values.iter().copied()).unwrap();
        writer.finish().unwrap();
    }
    archive.zip_writer().finish().unwrap();
    let rows = npz::disk_rows(&path, "x").unwrap().unwrap();
    let all = Tensor::from_slice(&values).view([10, 3]);
    assert_eq!(rows.read(&[9, 0]).unwrap(), all.index_select(0, &Tensor::from_slice(&[9_i64, 0])));
    let why = npz::disk_rows(&path, "f").unwrap_err().to_string();
    assert!(why.contains("it lies in Fortran order"), "{why}");
}
