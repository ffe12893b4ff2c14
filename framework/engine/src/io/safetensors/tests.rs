use super::*;

fn samples() -> SafetensorsFile {
    let array = |name: &str, shape: &[usize], data: ArrayData| {
        NamedArray::new(name, shape.to_vec(), data).unwrap()
    };
    let mut arrays = vec![
        array("net.weight", &[2, 2], vec![1.0_f32, -0.5, f32::NEG_INFINITY, 1e-40].into()),
        array("b", &[], vec![std::f64::consts::PI].into()),
        array("flag", &[3], vec![true, false, true].into()),
        array("i16", &[1], vec![-2_i16].into()),
        array("i32", &[1], vec![-3_i32].into()),
        array("i64", &[2], vec![i64::MIN, 1].into()),
        array("i8", &[1], vec![-4_i8].into()),
        array("none", &[0, 2], Vec::<f32>::new().into()),
        array("u16", &[1], vec![5_u16].into()),
        array("u32", &[1], vec![6_u32].into()),
        array("u64", &[1], vec![u64::MAX].into()),
        array("u8", &[5], vec![1_u8, 2, 3, 4, 5].into()),
    ];
    arrays.sort_by(|a, b| a.name.cmp(&b.name));
    let metadata = [("zeta", "1"), ("alpha", "{\"k\": \"ü\\n\"}"), ("m", "")];
    let metadata = metadata.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    SafetensorsFile { arrays, metadata }
}

#[test]
fn what_is_written_is_read_back_and_equal_content_gives_equal_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("a"), folder.path().join("b"));
    let SafetensorsFile { arrays, metadata } = samples();
    write_safetensors(&one, &arrays, &metadata).unwrap();
    assert_eq!(read_safetensors(&one).unwrap(), samples());
    assert_eq!(read_safetensors_metadata(&one).unwrap(), metadata);
    let reversed: Vec<_> = arrays.into_iter().rev().collect();
    write_safetensors(&two, &reversed, &metadata).unwrap();
    assert_eq!(std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap());
    write_safetensors(&one, &[], &BTreeMap::new()).unwrap();
    assert_eq!(read_safetensors(&one).unwrap(), SafetensorsFile::default());
    assert!(read_safetensors_metadata(&one).unwrap().is_empty());
}

#[test]
fn no_damage_to_a_file_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let SafetensorsFile { arrays, metadata } = samples();
    write_safetensors(&path, &arrays, &metadata).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for bit in (0..whole.len()).map(|byte| 8 * byte + byte % 8) {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&path, &bytes).unwrap();
        let read = read_safetensors(&path);
        assert!(read.is_err(), "bit {bit} of byte {}: {:?}", bit / 8, bytes[bit / 8] as char);
        assert!(arrays.iter().any(|a| read_array(&path, &a.name).is_err()), "bit {bit}");
    }
    // Damage to one array does not prevent reading the others.
    let mut bytes = whole;
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert!(read_array(&path, "b").is_ok());
    let message = read_array(&path, "flag").unwrap_err().to_string();
    assert!(message.ends_with("or damaged: array `flag` is not what was written"), "{message}");
}

#[test]
fn rows_on_disk_that_are_not_what_was_written_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let array = NamedArray::new("x", vec![3, 2], vec![1_f32; 6]).unwrap();
    write_safetensors(&path, &[array], &BTreeMap::new()).unwrap();
    assert!(disk_rows(&path, "x").is_ok());
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let message = disk_rows(&path, "x").unwrap_err().to_string();
    assert!(message.ends_with("array `x` is not what was written"), "{message}");
}

/// Writes a file without digests, as other programs do.
fn foreign(path: &Path, header: &str, values: usize) {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(vec![0; values]);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn arrays_lie_one_behind_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let two = |a: &str, b: &str| {
        format!(
            r#"{{"a":{{"dtype":"F32","shape":[2],"data_offsets":{a}}},"b":{{"dtype":"F32","shape":[2],"data_offsets":{b}}}}}"#
        )
    };
    for (a, b, values, good) in [
        ("[0,8]", "[8,16]", 16, true),
        ("[8,16]", "[0,8]", 16, true),
        ("[0,8]", "[0,8]", 8, false),
        ("[0,8]", "[4,12]", 12, false),
        ("[0,8]", "[16,24]", 24, false),
        ("[8,0]", "[8,16]", 16, false),
        ("[0,8]", "[8,16]", 24, false),
        ("[0,8]", "[8,16]", 12, false),
    ] {
        foreign(&path, &two(a, b), values);
        let all = [
            read_safetensors(&path).is_ok(),
            read_array(&path, "b").is_ok(),
            disk_rows(&path, "b").is_ok(),
            list_names(&path).is_ok(),
        ];
        assert_eq!(all, [good; 4], "{a} {b} {values}");
    }
    foreign(
        &path,
        r#"{"a":{"dtype":"F32","shape":[4611686018427387904,2],"data_offsets":[0,8]}}"#,
        8,
    );
    assert!(read_safetensors(&path).is_err() && disk_rows(&path, "a").is_err());
    // Arrays without values whose rows are larger than any memory.
    for shape in
        ["[0,4611686018427387904,4]", "[0,2305843009213693952,3]", "[0,4294967296,4294967296]"]
    {
        let header = format!(r#"{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":[0,0]}}}}"#);
        foreign(&path, &header, 0);
        let error = disk_rows(&path, "a").unwrap_err().to_string();
        assert!(error.ends_with("array `a` is damaged: its shape is too large"), "{error}");
    }
}

#[test]
fn half_precision_is_read_as_float32_and_less_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let write = |header: &str, values: &[u8]| {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend(values);
        std::fs::write(&path, bytes).unwrap();
    };
    write(
        r#"{"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"BF16","shape":[2],"data_offsets":[4,8]}}"#,
        &[0x00, 0x3e, 0x01, 0x00, 0xc0, 0x3f, 0x00, 0xc0],
    );
    let values = |name| read_array(&path, name).unwrap().data;
    assert_eq!(values("h"), vec![1.5_f32, 5.9604645e-8].into());
    assert_eq!(values("b"), vec![1.5_f32, -2.0].into());
    write(r#"{"w":{"dtype":"F8_E5M2","shape":[2],"data_offsets":[0,2]}}"#, &[0; 2]);
    let message = read_safetensors(&path).unwrap_err().to_string();
    assert!(message.contains("array `w` has dtype F8_E5M2"), "{message}");
}

#[test]
fn damage_is_an_error_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let SafetensorsFile { arrays, metadata } = samples();
    write_safetensors(&path, &arrays, &metadata).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    for length in 0..bytes.len() {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let message = read_safetensors(&path).unwrap_err().to_string();
        assert!(message.contains("damaged"), "{message}");
    }
    for content in [&b""[..], b"12345678", &[255; 16], &[2, 0, 0, 0, 0, 0, 0, 0, b'[', b'x']] {
        std::fs::write(&path, content).unwrap();
        assert!(read_safetensors(&path).is_err() && read_safetensors_metadata(&path).is_err());
    }
    let mut broken = bytes;
    let flag = broken.len() - 1;
    broken[flag] = 9;
    std::fs::write(&path, broken).unwrap();
    assert!(read_safetensors(&path).is_err());
    foreign(&path, r#"{"flag":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}}"#, 1);
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() = 9;
    std::fs::write(&path, bytes).unwrap();
    let message = read_safetensors(&path).unwrap_err().to_string();
    assert!(message.contains("array `flag` is damaged"), "{message}");
    assert!(read_safetensors(&folder.path().join("no")).is_err());
}

#[test]
fn arrays_that_do_not_fit_are_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let array = |name: &str| NamedArray::new(name, vec![1], vec![1.0]).unwrap();
    let none = BTreeMap::new();
    assert!(write_safetensors(&path, &[array("a"), array("a")], &none).is_err());
    assert!(write_safetensors(&path, &[array("__metadata__")], &none).is_err());
    let wrong = NamedArray { name: "a".into(), shape: vec![2], data: vec![1.0].into() };
    assert!(write_safetensors(&path, &[wrong], &none).is_err());
    assert!(!path.exists());
}
