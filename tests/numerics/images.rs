//! Images: files of several formats, bytes on the device, mirroring, frozen parts, and
//! convolutional networks.

use crate::common::values;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;
use std::path::Path;
use triflow::data::Data;
use triflow::io::{ArrayData, NamedArray, npz};
use triflow::prelude::*;
use triflow::rng::{Purpose, seed_torch};
use triflow::tch::{Device, Kind};
use triflow::train::Control;
use triflow::{Experiment, Trainer};

fn write(path: &Path, bytes: &[u8], gzip: bool) {
    if !gzip {
        return std::fs::write(path, bytes).unwrap();
    }
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).unwrap();
    let name = format!("{}.gz", path.file_name().unwrap().to_str().unwrap());
    std::fs::write(path.with_file_name(name), packed.finish().unwrap()).unwrap();
}

/// An IDX file of bytes.
fn idx(shape: &[u32], values: &[u8]) -> Vec<u8> {
    let lengths = shape.iter().flat_map(|n| n.to_be_bytes());
    [0, 0, 8, shape.len() as u8].into_iter().chain(lengths).chain(values.iter().copied()).collect()
}

fn load(yaml: &str) -> triflow::Result<Splits> {
    triflow_plugins::link();
    let source: Component<dyn DataSource> = serde_yaml::from_str(yaml).unwrap();
    source.build(&DataContext::new(1, ""))?.load()
}

fn bytes(t: &Option<Tensor>) -> Vec<u8> {
    let t = t.as_ref().unwrap();
    assert_eq!(t.kind(), Kind::Uint8);
    Vec::try_from(t.reshape([-1])).unwrap()
}

fn ints(t: &Option<Tensor>) -> Vec<i64> {
    Vec::try_from(t.as_ref().unwrap()).unwrap()
}

#[test]
fn idx_files_are_read_plain_and_gzipped() {
    let pixels: Vec<u8> = (0..3 * 4 * 5).collect();
    for gzip in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| write(&folder.path().join(name), bytes, gzip);
        file("train-images-idx3-ubyte", &idx(&[3, 4, 5], &pixels));
        file("train-labels-idx1-ubyte", &idx(&[3], &[7, 0, 2]));
        let yaml = format!("{{ type: mnist, path: '{}' }}", folder.path().display());
        let found = load(&yaml).unwrap();
        assert!(found.test.is_none());
        assert_eq!(found.train.x.as_ref().unwrap().size(), [3, 1, 4, 5]);
        assert_eq!(bytes(&found.train.x), pixels);
        assert_eq!(ints(&found.train.y), [7, 0, 2]);
        file("t10k-images.idx3-ubyte", &idx(&[1, 4, 5], &pixels[20..40]));
        file("t10k-labels.idx1-ubyte", &idx(&[1], &[9]));
        let test = load(&yaml).unwrap().test.unwrap();
        assert_eq!((bytes(&test.x), ints(&test.y)), (pixels[20..40].to_vec(), vec![9]));
        file("train-labels-idx1-ubyte", &idx(&[2], &[7, 0]));
        let error = load(&yaml).unwrap_err().to_string();
        assert!(error.contains("3 images, but") && error.contains("has 2 labels"), "{error}");
        file("train-labels-idx1-ubyte", &idx(&[3], &[7, 0]));
        let error = load(&yaml).unwrap_err().to_string();
        assert!(error.contains("says that its shape is [3], but holds 2 values"), "{error}");
    }
}

#[test]
fn a_packed_file_is_read_as_far_as_its_header_says() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| write(&folder.path().join(name), bytes, true);
    file("train-labels-idx1-ubyte", &idx(&[3], &[7, 0, 2]));
    let yaml = format!("{{ type: mnist, path: '{}' }}", folder.path().display());
    let error_of = |shape: &[u32], values: usize| {
        file("train-images-idx3-ubyte", &idx(shape, &vec![0; values]));
        load(&yaml).unwrap_err().to_string()
    };
    // A file of 70 KiB that decompresses to 16 MiB of zeros.
    let more = error_of(&[3, 1, 1], 1 << 24);
    assert!(
        more.contains("says that its shape is [3, 1, 1], but holds 4 or more values"),
        "{more}"
    );
    let fewer = error_of(&[u32::MAX, u32::MAX, 1], 3);
    assert!(
        fewer.contains("its shape is [4294967295, 4294967295, 1], but holds 3 values"),
        "{fewer}"
    );
    let beyond = error_of(&[u32::MAX, u32::MAX, u32::MAX], 3);
    assert!(beyond.contains("but holds "), "{beyond}");
}

/// A PNG whose header declares a size, without pixels.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = b"IHDR".to_vec();
    header.extend(width.to_be_bytes().into_iter().chain(height.to_be_bytes()));
    header.extend([8, 2, 0, 0, 0]);
    let mut crc = flate2::Crc::new();
    crc.update(&header);
    bytes.extend(13_u32.to_be_bytes());
    bytes.extend(header);
    bytes.extend(crc.sum().to_be_bytes());
    // Without a chunk of pixels the header would be incomplete.
    bytes.extend([0, 0, 0, 0]);
    bytes.extend(b"IDAT");
    bytes.extend([0x35, 0xaf, 0x06, 0x1e]);
    bytes
}

#[test]
fn an_image_that_claims_too_many_pixels_is_refused_before_it_is_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.png"), png_header(30_000, 30_000)).unwrap();
    let yaml = format!("{{ type: image_folder, path: '{}' }}", folder.path().display());
    let error = load(&yaml).unwrap_err().to_string();
    let why = "a.png: is 30000 pixels wide and 30000 high; images have 100000000 pixels at most";
    assert!(error.ends_with(why), "{error}");
    std::fs::write(folder.path().join("a.png"), png_header(5_000, 5_000)).unwrap();
    let error = load(&yaml).unwrap_err().to_string();
    let why = "a.png: is 5000 pixels wide and 5000 high: it unpacks from 45 to 75000000 bytes, more \
               than 1000 times as many, which no picture does";
    assert!(error.ends_with(why), "{error}");
}

#[test]
fn cifar_files_are_rows_of_a_label_and_three_planes() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = format!("{{ type: cifar10, path: '{}' }}", folder.path().display());
    let error = load(&yaml).unwrap_err().to_string();
    assert!(error.contains("there is no data_batch_1.bin"), "{error}");
    let inside = folder.path().join("cifar-10-batches-bin");
    std::fs::create_dir(&inside).unwrap();
    let row = |label: u8| -> Vec<u8> {
        std::iter::once(label).chain((0..3072).map(|i| (i / 1024) as u8 * 80 + label)).collect()
    };
    write(&inside.join("data_batch_1.bin"), &[row(3), row(9)].concat(), false);
    write(&inside.join("data_batch_2.bin"), &row(0), true);
    write(&inside.join("test_batch.bin"), &row(5), false);
    let found = load(&yaml).unwrap();
    assert_eq!(ints(&found.train.y), [3, 9, 0]);
    let x = found.train.x.as_ref().unwrap();
    assert_eq!(x.size(), [3, 3, 32, 32]);
    let blue = x.select(1, 2).select(0, 1);
    assert_eq!((blue.min().int64_value(&[]), blue.max().int64_value(&[])), (169, 169));
    assert_eq!(ints(&found.test.unwrap().y), [5]);
    write(&inside.join("data_batch_1.bin"), &row(3)[1..], false);
    let error = load(&yaml).unwrap_err().to_string();
    assert!(error.contains("3072 bytes are not rows of 3073"), "{error}");
}

#[test]
fn each_folder_of_images_is_a_class() {
    let folder = tempfile::tempdir().unwrap();
    for (class, width, shade) in [("b", 6, 200), ("a", 4, 100)] {
        std::fs::create_dir(folder.path().join(class)).unwrap();
        let picture = image::RgbImage::from_pixel(width, 4, image::Rgb([shade, 0, 50]));
        picture.save(folder.path().join(class).join("one.png")).unwrap();
    }
    let source = |more: &str| {
        load(&format!("{{ type: image_folder, path: '{}'{more} }}", folder.path().display()))
    };
    let error = source("").unwrap_err().to_string();
    assert!(error.contains("has 4 rows and 6 columns, the images before it 4 and 4"), "{error}");
    let found = source(", size: 2").unwrap().train;
    assert_eq!(ints(&found.y), [0, 1]);
    assert_eq!(found.x.as_ref().unwrap().size(), [2, 3, 2, 2]);
    let one = |shade: u8| [[shade; 4], [0; 4], [50; 4]].concat();
    assert_eq!(bytes(&found.x), [one(100), one(200)].concat());
    assert_eq!(source(", size: 2, channels: 1").unwrap().train.x.unwrap().size(), [2, 1, 2, 2]);
}

/// Writes an image of one shade, and makes its folder.
fn picture(path: &Path, shade: u8) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    image::RgbImage::from_pixel(2, 2, image::Rgb([shade; 3])).save(path).unwrap();
}

fn of_folder(folder: &Path) -> triflow::Result<Splits> {
    load(&format!("{{ type: image_folder, path: '{}', channels: 1 }}", folder.display()))
}

#[test]
fn what_systems_and_editors_leave_in_a_folder_of_images_is_no_class_and_no_image() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    picture(&at(".ipynb_checkpoints/one-checkpoint.png"), 9);
    picture(&at("__MACOSX/cats/one.png"), 9);
    picture(&at("cats/.ipynb_checkpoints/one-checkpoint.png"), 9);
    picture(&at("cats/one.png"), 10);
    picture(&at("dogs/one.png"), 20);
    picture(&at("stray.png"), 9);
    for name in ["._one.png", "dogs/._one.png", "cats/Thumbs.db", ".DS_Store"] {
        std::fs::write(at(name), b"no image").unwrap();
    }
    std::fs::create_dir(at("empty")).unwrap();
    let found = of_folder(folder.path()).unwrap().train;
    assert_eq!(ints(&found.y), [0, 1]);
    assert_eq!(found.classes, ["cats", "dogs"]);
    assert_eq!(bytes(&found.x), [[10; 4], [20; 4]].concat());
}

#[test]
fn images_of_every_usual_format_are_read_and_in_folders_below_a_class() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["a/1.bmp", "a/2.gif", "a/3.PNG", "a/deep/er/4.tif", "a/deep/5.tiff", "b/6.webp"];
    for (i, name) in names.iter().enumerate() {
        picture(&folder.path().join(name), 10 * i as u8);
    }
    let found = of_folder(folder.path()).unwrap().train;
    assert_eq!(ints(&found.y), [0, 0, 0, 0, 0, 1]);
    // One pixel of each image, in the order of the names.
    let shades: Vec<u8> = bytes(&found.x).chunks(4).map(|pixels| pixels[0]).collect();
    assert_eq!(shades, [0, 10, 20, 40, 30, 50]);
}

#[test]
fn folders_called_train_and_test_are_sets() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    picture(&at("train/cats/1.png"), 1);
    picture(&at("train/dogs/2.png"), 2);
    // Without other splits, the folder `train` is a class.
    assert_eq!(of_folder(folder.path()).unwrap().train.classes, ["train"]);
    picture(&at("Validation/dogs/3.png"), 3);
    picture(&at("test/cats/4.png"), 4);
    let Splits { train, val, test, .. } = of_folder(folder.path()).unwrap();
    let (val, test) = (val.unwrap(), test.unwrap());
    assert_eq!((ints(&train.y), ints(&val.y), ints(&test.y)), (vec![0, 1], vec![1], vec![0]));
    assert_eq!((bytes(&val.x), bytes(&test.x)), (vec![3; 4], vec![4; 4]));
    let yaml = format!(
        "{{ task: generation, data: {{ type: image_folder, path: '{}' }}, training: {{ epochs: 1 }} }}",
        folder.path().display()
    );
    let trainer = Trainer::new(Experiment::from_yaml(&yaml).unwrap(), Path::new("")).unwrap();
    let data = trainer.data();
    assert_eq!((data.train.len(), data.val.len(), data.test.len()), (2, 1, 1));
    picture(&at("test/birds/5.png"), 5);
    let error = of_folder(folder.path()).unwrap_err().to_string();
    assert!(error.contains("the class `birds` has no training images; known classes: cats, dogs"));
}

#[test]
fn images_are_written_as_the_bytes_that_they_are() {
    let folder = tempfile::tempdir().unwrap();
    picture(&folder.path().join("cats/1.png"), 200);
    let rows = of_folder(folder.path()).unwrap();
    for name in ["out.npz", "out.safetensors"] {
        let path = folder.path().join(name);
        triflow::data::files::write_rows(&path, &rows).unwrap();
        let ending = name.strip_prefix("out.").unwrap();
        let back = load(&format!("{{ type: {ending}, path: '{}' }}", path.display())).unwrap();
        assert_eq!(bytes(&back.train.x), [200; 4]);
    }
}

const IMAGES: i64 = 12;

/// Writes images of 2 × 4 × 4 and one-hot rows of three classes to a file.
fn file(folder: &Path, name: &str, x: ArrayData, y: ArrayData) -> String {
    let n = IMAGES as usize;
    let y_shape = if y.len() == n { vec![n] } else { vec![n, 3] };
    let arrays = [
        NamedArray::new("x", vec![n, 2, 4, 4], x).unwrap(),
        NamedArray::new("y", y_shape, y).unwrap(),
    ];
    let path = folder.join(name);
    npz::write_npz(&path, &arrays).unwrap();
    path.display().to_string()
}

fn experiment(path: &str, more: &str) -> Experiment {
    triflow_plugins::link();
    let small = "network: { type: unet, channels: [8, 8], attention: [2], heads: 2, features: 8 }";
    Experiment::from_yaml(&format!(
        "{{ task: generation, data: {{ type: npz, path: '{path}', split: {{ train: 1, val: 0, test: 0 }} }},
           crn: {{ type: vanilla, {small} }}, device: cpu, threads: 1, {more} }}"
    ))
    .unwrap()
}

fn pixels() -> Vec<u8> {
    (0..IMAGES * 32).map(|i| ((i * 37) % 251) as u8).collect()
}

fn one_hot() -> Vec<f32> {
    (0..IMAGES).flat_map(|i| (0..3).map(move |k| if k == i % 3 { 1.0 } else { 0.0 })).collect()
}

fn cpu(experiment: &Experiment) -> (Data, triflow::data::Units) {
    Data::load(&mut experiment.clone(), Path::new(""), (Kind::Float, Device::Cpu)).unwrap()
}

#[test]
fn bytes_are_kept_and_give_the_rows_that_numbers_give() {
    let folder = tempfile::tempdir().unwrap();
    let labels: Vec<i64> = (0..IMAGES).map(|i| i % 3).collect();
    let numbers: Vec<f32> = pixels().iter().map(|b| f32::from(*b) / 255.0).collect();
    let raw = file(folder.path(), "bytes.npz", pixels().into(), labels.clone().into());
    let plain = file(folder.path(), "numbers.npz", numbers.into(), labels.into());
    let ((bytes, units), (floats, plain)) =
        (cpu(&experiment(&raw, "")), cpu(&experiment(&plain, "")));
    let held = |data: &Data| data.train.target.column.kind();
    assert_eq!((held(&bytes), held(&floats)), (Kind::Uint8, Kind::Float));
    let index = Tensor::from_slice(&[5_i64, 0, 11]);
    let (a, b) =
        (bytes.train.take(&index).unwrap().target, floats.train.take(&index).unwrap().target);
    assert!((&a - &b).abs().max().double_value(&[]) < 1e-5);
    let back = units.target.undo(&a) - plain.target.undo(&b);
    assert!(back.abs().max().double_value(&[]) < 1e-6);
    let all = bytes.held_out(100).unwrap().rows.target;
    assert!(all.mean(Kind::Float).double_value(&[]).abs() < 1e-5);
    assert!((all.std(false).double_value(&[]) - 1.0).abs() < 1e-5);
}

#[test]
fn one_hot_rows_are_the_labels_that_they_stand_for() {
    let folder = tempfile::tempdir().unwrap();
    let labels: Vec<i64> = (0..IMAGES).map(|i| i % 3).collect();
    let rows = file(folder.path(), "rows.npz", pixels().into(), one_hot().into());
    let integers = file(folder.path(), "integers.npz", pixels().into(), labels.into());
    let ((a, of_rows), (b, of_integers)) =
        (cpu(&experiment(&rows, "")), cpu(&experiment(&integers, "")));
    assert!(of_rows.condition_is_label && of_integers.condition_is_label);
    let condition = |data: &Data| data.train.all().unwrap().condition.unwrap();
    assert_eq!(condition(&a), condition(&b));
    let mut soft = one_hot();
    soft[1] = 0.5;
    let soft = file(folder.path(), "soft.npz", pixels().into(), soft.into());
    assert!(!cpu(&experiment(&soft, "")).1.condition_is_label);
}

#[test]
fn frozen_parts_stay_as_the_run_that_they_come_from_left_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "data.npz", pixels().into(), one_hot().into());
    let latent = "latent_shape: [2, 2, 2], encoder: { type: conv_normal, width: 4 },
                  decoder: { type: conv, width: 4 }";
    let training = "optimizer: { type: adamw, weight_decay: 0.5, learning_rate: 0.1 }, steps: 3,
                    flip: true, batch_size: 6";
    let train = |more: &str| -> triflow::Result<[f64; 3]> {
        let experiment =
            experiment(&path, &format!("{latent}, training: {{ {training}, {more} }}"));
        let mut trainer = Trainer::new(experiment, Path::new(""))?;
        let before = trainer.trained().parameters();
        trainer.fit(&mut |_, _| Ok(Control::Continue))?;
        let after = trainer.trained().parameters();
        let moved = |part: &str| {
            let both = before.iter().zip(&after).filter(|((name, _), _)| name.starts_with(part));
            both.map(|((_, a), (_, b))| (a - b).abs().max().double_value(&[])).fold(0.0, f64::max)
        };
        Ok(["encoder.", "decoder.", "crn."].map(moved))
    };
    let all = train("freeze: []").unwrap();
    assert!(all.iter().all(|moved| *moved > 0.0), "{all:?}");
    let [encoder, decoder, crn] = train("freeze: [encoder, decoder]").unwrap();
    assert!((encoder, decoder) == (0.0, 0.0) && crn > 0.0, "{encoder} {decoder} {crn}");
    let error = train("freeze: [noise_schedule]").unwrap_err().to_string();
    assert!(
        error.contains("there is nothing to freeze: `noise_schedule` has no parameters"),
        "{error}"
    );
    let error = train("freeze: [encoder, decoder, crn]").unwrap_err().to_string();
    assert!(error.contains("no parameter is left to learn"), "{error}");
}

#[test]
fn only_images_are_mirrored() {
    triflow_plugins::link();
    let yaml = "{ task: generation, data: two_moons, training: { flip: true } }";
    let error = Trainer::new(Experiment::from_yaml(yaml).unwrap(), Path::new("")).unwrap_err();
    assert!(error.to_string().contains("only images [channels, height, width]"), "{error}");
}

fn network(
    yaml: &str,
    z: &[i64],
    condition: Option<&[i64]>,
) -> triflow::Result<(nn::VarStore, Box<dyn Network>)> {
    triflow_plugins::link();
    let component: Component<dyn Network> = serde_yaml::from_str(yaml).unwrap();
    let _stream = seed_torch(3, Purpose::Init, 0);
    let vars = nn::VarStore::new(Device::Cpu);
    let network = component.build(&NetworkContext {
        vars: vars.root(),
        z_shape: z.to_vec(),
        condition_shape: condition.map(<[i64]>::to_vec),
        time_features: 8,
        output_shape: z.to_vec(),
        derivatives: 0..=0,
    })?;
    Ok((vars, network))
}

/// Checks that distant pixels influence each other, through attention and the lower levels.
#[test]
fn every_pixel_reaches_every_other_and_odd_sizes_come_back() {
    let _stream = seed_torch(4, Purpose::Data, 0);
    for (yaml, size) in [
        ("{ type: unet, channels: [8, 8, 8], attention: [4], heads: 2, features: 8 }", [7, 6]),
        ("{ type: dit, patch: 2, width: 8, blocks: 1, heads: 2 }", [8, 6]),
    ] {
        let shape = [1, size[0], size[1]];
        let (vars, network) = network(yaml, &shape, Some(&[3])).unwrap();
        for (_, mut variable) in vars.variables() {
            triflow::tch::no_grad(|| variable += variable.randn_like() * 0.2);
        }
        let z = Tensor::randn([1, 1, size[0], size[1]], (Kind::Float, Device::Cpu));
        let time = Tensor::ones([1, 8], (Kind::Float, Device::Cpu));
        let output_of = |z: &Tensor, class: i64| {
            let value = Tensor::from_slice(&[class]).one_hot(3).to_kind(Kind::Float);
            let condition = Condition::new(value);
            let input = NetworkInput { z, condition: Some(&condition), time: &time };
            network.forward(&input, Pass::EVAL).unwrap()
        };
        let output = output_of(&z, 0);
        assert_eq!(output.size(), z.size());
        let moved = z.copy();
        let _ = moved.narrow(2, 0, 1).narrow(3, 0, 1).fill_(5.0);
        let corner = output_of(&moved, 0) - &output;
        assert!(
            values(&corner).last().unwrap().abs() > 0.0,
            "{yaml}: the far corner does not notice"
        );
        assert!(
            (output_of(&z, 1) - output).abs().min().double_value(&[]) > 0.0,
            "{yaml}: the class"
        );
    }
}

#[test]
fn what_is_no_image_is_refused_with_what_would_be_right() {
    let refused = |yaml: &str, z: &[i64], text: &str| {
        let error = network(yaml, z, None).err().unwrap().to_string();
        assert!(error.contains(text), "{error}");
    };
    refused("unet", &[6], "`unet` needs images: z has shape [6]");
    refused("{ type: unet, channels: [6] }", &[1, 4, 4], "needs multiples of 4, got 6");
    refused("{ type: unet, heads: 3 }", &[1, 4, 4], "cannot be divided among 3 heads");
    refused("dit", &[1, 7, 8], "images of 7 rows and 8 columns cannot be cut into patches of 2");
    refused("{ type: dit, width: 10 }", &[1, 8, 8], "needs a multiple of 4 and of 4 heads, got 10");
    let encoder: Component<dyn Encoder> = serde_yaml::from_str("conv").unwrap();
    let vars = nn::VarStore::new(Device::Cpu);
    let error = encoder.build(&BuildContext {
        vars: vars.root(),
        target_shape: vec![1, 28, 28],
        target_blocks: Block::numbers(&[1, 28, 28]),
        condition_shape: None,
        latent_shape: Some(vec![4, 8, 8]),
    });
    let error = error.err().unwrap().to_string();
    assert!(
        error.contains("no number of halvings leads to [4, 8, 8] from images of 28 rows"),
        "{error}"
    );
    assert!(error.contains("`latent_shape: [4, 14, 14]`"), "{error}");
    let crn: Component<dyn Crn> =
        serde_yaml::from_str("{ type: potential, network: { type: unet } }").unwrap();
    let error = crn.build(&BuildContext {
        vars: vars.root(),
        target_shape: vec![1, 4, 4],
        target_blocks: Block::numbers(&[1, 4, 4]),
        condition_shape: None,
        latent_shape: Some(vec![1, 4, 4]),
    });
    let error = error.err().unwrap().to_string();
    assert!(error.contains("`unet` gives an image, not the scalar"), "{error}");
}
