use super::super::read_texts;
use super::*;
use std::io::Write;

fn array(name: &str, shape: &[usize], data: impl Into<ArrayData>) -> NamedArray {
    NamedArray::new(name, shape.to_vec(), data).unwrap()
}

fn samples() -> Vec<NamedArray> {
    vec![
        array("z", &[2, 3], vec![1.5_f32, -2.0, f32::MIN_POSITIVE, 3.0, f32::INFINITY, 0.1]),
        array("a/deep name", &[], vec![f64::MAX]),
        array("labels", &[3], vec![i64::MIN, 0, i64::MAX]),
        array("empty", &[0, 4], Vec::<f64>::new()),
        array("i32", &[1, 1, 2], vec![1_i32, -1]),
        array("i16", &[2], vec![1_i16, -1]),
        array("i8", &[2], vec![1_i8, -1]),
        array("u64", &[1], vec![u64::MAX]),
        array("u32", &[1], vec![u32::MAX]),
        array("u16", &[1], vec![u16::MAX]),
        array("u8", &[2], vec![0_u8, 255]),
        array("bool", &[2], vec![true, false]),
    ]
}

/// The bytes of an `.npy` as numpy writes it.
fn npy(descr: &str, fortran: bool, shape: &str, values: &[u8]) -> Vec<u8> {
    let fortran = if fortran { "True" } else { "False" };
    let text = format!("{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.extend(values);
    bytes
}

fn read_bytes(bytes: &[u8]) -> Result<Vec<NamedArray>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    std::fs::write(&path, bytes).unwrap();
    read_arrays(&path)
}

fn message(bytes: &[u8]) -> String {
    read_bytes(bytes).unwrap_err().to_string()
}

/// Writes an archive of one array with `values` zeros, whose header claims `shape`.
fn claiming(path: &Path, shape: &str, values: usize) {
    let mut archive = zip::ZipWriter::new(File::create(path).unwrap());
    archive.start_file("x.npy", zip::write::FileOptions::default()).unwrap();
    archive.write_all(&npy("'<f4'", false, shape, &vec![0; 4 * values])).unwrap();
    archive.finish().unwrap();
}

#[test]
fn a_shape_that_the_file_does_not_hold_is_refused_before_anything_is_allocated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    for shape in ["(4611686018427387904,)", "(4611686018427387904, 4)", "(3000000000, 2)", "(1,)"] {
        claiming(&path, shape, 2);
        for error in [read_array(&path, "x").map(|_| ()), disk_rows(&path, "x").map(|_| ())] {
            let error = error.unwrap_err().to_string();
            assert!(error.contains("x.npz") && error.contains("array `x`"), "{shape}: {error}");
        }
    }
    claiming(&path, "(3000000000, 2)", 2);
    let error = read_array(&path, "x").unwrap_err().to_string();
    let why = "is damaged: its shape needs 24000000000 bytes, but 8 are there";
    assert!(error.ends_with(why), "{error}");
    // 2 MiB that are packed into 2 KiB; the header claims two values.
    claiming(&path, "(2,)", 1 << 19);
    assert!(std::fs::metadata(&path).unwrap().len() < 1 << 12);
    let error = read_array(&path, "x").unwrap_err().to_string();
    assert!(error.ends_with("its shape needs 8 bytes, but 2097152 are there"), "{error}");
    // More than so few bytes may unpack to, although the shape claims as much.
    claiming(&path, "(16777216,)", 1 << 24);
    for error in [read_array(&path, "x").map(|_| ()), read_texts(&path, "x").map(|_| ())] {
        let error = error.unwrap_err().to_string();
        assert!(error.contains("array `x` unpacks from ") && error.contains(" 67108"), "{error}");
    }
}

#[test]
fn an_array_larger_than_memory_is_refused_though_its_file_holds_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    let rows = memory::free() / 8 + (1 << 27);
    let head = npy("'<f4'", false, &format!("({rows}, 2)"), &[]);
    std::fs::write(&path, &head).unwrap();
    // A sparse file, which takes no space on disk.
    let file = File::options().write(true).open(&path).unwrap();
    file.set_len(head.len() as u64 + 8 * rows).unwrap();
    let error = read_arrays(&path).unwrap_err().to_string();
    let needs = format!("array `x` needs {} bytes of memory (", 8 * rows);
    assert!(error.contains(&needs) && error.ends_with(" are free"), "{error}");
    assert_eq!(disk_rows(&path, "x").unwrap().unwrap().len() as u64, rows);
}

#[test]
fn a_header_that_would_take_long_to_read_is_refused() {
    let deep = format!("({})", "(".repeat(2000));
    assert!(message(&npy("'<f4'", false, &deep, &[])).contains("is no description of an array"));
    let mut long = b"\x93NUMPY\x02\x00".to_vec();
    long.extend(u32::MAX.to_le_bytes());
    assert!(message(&long).contains("its header claims 4294967295 bytes"));
    // Each map might be a key of the one around it: 2^28 attempts in the reading library.
    let header = |text: &str| {
        let length = u16::try_from(text.len()).unwrap().to_le_bytes();
        [&b"\x93NUMPY\x01\x00"[..], &length, text.as_bytes(), &[0; 12]].concat()
    };
    for deep in ["{".repeat(28), "(".repeat(28), "[".repeat(28)] {
        let text = format!("{{'descr': '<f4', 'fortran_order': False, {deep}'shape': (3,), }}");
        let message = message(&header(&text));
        assert!(message.ends_with("its header is no description of an array"), "{message}");
    }
}

/// A disk on which that many bytes are free.
struct Disk(Cursor<Vec<u8>>, usize);

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.position() as usize + bytes.len() > self.1 {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Seek for Disk {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        self.0.seek(to)
    }
}

#[test]
fn a_disk_that_is_full_at_any_byte_is_an_error_and_no_panic() {
    let texts = ["red", "blue"].map(str::to_owned);
    let write = |bytes: usize, buffer: usize| {
        let disk = Disk(Cursor::default(), bytes);
        let mut disk = std::io::BufWriter::with_capacity(buffer, disk);
        write_archive(&mut disk, &samples(), &[("classes", texts.to_vec())])?;
        disk.flush()?;
        std::io::Result::Ok(disk.get_ref().0.get_ref().len())
    };
    let whole = write(usize::MAX, 0).unwrap();
    for bytes in (0..whole).step_by(7) {
        for buffer in [0, 16, 1 << 16] {
            let error = write(bytes, buffer).unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::StorageFull, "{bytes} {buffer}");
        }
    }
    assert_eq!(write(whole, 64).unwrap(), whole);
}

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("a.npz"), folder.path().join("b.npz"));
    write_npz(&one, &samples()).unwrap();
    assert_eq!(read_arrays(&one).unwrap(), samples());
    let names: Vec<_> = samples().into_iter().map(|a| a.name).collect();
    assert_eq!(list_names(&one).unwrap(), names);
    assert_eq!(read_array(&one, "labels").unwrap(), samples()[2]);
    let message = read_array(&one, "label").unwrap_err().to_string();
    assert!(
        message.contains("no array `label`; known arrays: z, a/deep name, labels"),
        "{message}"
    );
    write_npz(&two, &samples()).unwrap();
    let bytes = std::fs::read(one).unwrap();
    assert_eq!(bytes, std::fs::read(two).unwrap());
    assert_eq!(
        bytes[10..14],
        [0, 0, 0x21, 0],
        "midnight of 1 January 1980, whatever the clock says"
    );
}

#[test]
fn an_npy_is_named_after_its_file() {
    let bytes = npy("'<i4'", false, "(2,)", &[1, 0, 0, 0, 255, 255, 255, 255]);
    assert_eq!(read_bytes(&bytes).unwrap(), [array("x", &[2], vec![1_i32, -1])]);
}

#[test]
fn fortran_order_and_big_endian_values_are_turned() {
    let values: Vec<u8> = (0..24_u16).flat_map(u16::to_be_bytes).collect();
    let read = read_bytes(&npy("'>u2'", true, "(2, 3, 4)", &values)).unwrap();
    let at = |i: u16, j: u16, k: u16| i + 2 * (j + 3 * k);
    let expected: Vec<u16> = (0..24).map(|n| at(n / 12, n / 4 % 3, n % 4)).collect();
    assert_eq!(read, [array("x", &[2, 3, 4], expected)]);
}

#[test]
fn other_dtypes_are_refused_by_name() {
    for dtype in ["'<c8'", "'|O'", "'<U3'", "'<M8[s]'", "[('a', '<f4')]"] {
        let message = message(&npy(dtype, false, "(1,)", &[0; 16]));
        assert!(message.contains("array `x` has dtype"), "{message}");
        assert!(message.contains(dtype.trim_end_matches(")]")), "{message}");
        assert!(message.contains("save it as one of float64, float32"), "{message}");
    }
}

#[test]
fn half_precision_is_read_as_float32() {
    let read = read_bytes(&npy("'<f2'", false, "(2,)", &[0x00, 0x3e, 0x01, 0x00])).unwrap();
    assert_eq!(read[0].data, vec![1.5_f32, 5.9604645e-8].into());
    let read = read_bytes(&npy("'>f2'", true, "(2, 1)", &[0x3e, 0x00, 0xc0, 0x00])).unwrap();
    assert_eq!(read[0].data, vec![1.5_f32, -2.0].into());
}

#[test]
fn damage_is_an_error_and_no_panic() {
    let whole = npy("'<f8'", false, "(2,)", &[0; 16]);
    for length in 6..whole.len() {
        assert!(message(&whole[..length]).contains("array `x` is damaged"));
    }
    for shape in
        ["(4294967296, 4294967296)", "(0, 4294967296, 4294967296)", "(99999999999999999999,)"]
    {
        assert!(message(&npy("'<f8'", false, shape, &[])).contains("too large"), "{shape}");
    }
    assert!(message(&npy("'<f8'", false, "(1099511627776,)", &[0; 16])).contains("damaged"));
    assert!(message(&npy("'<f8'", false, "7", &[0; 16])).contains("damaged"));
    assert!(
        message(&npy("'<f8'", false, "(1,)", &[0; 16])).contains("needs 8 bytes, but 16 are there")
    );
    assert!(message(&npy("'|b1'", false, "(1,)", &[2])).contains("damaged"));
    assert!(message(b"").contains("neither"));
    assert!(message(b"a,b\n1,2\n").contains("neither"));
    assert!(message(b"PK\x03\x04 and no more").contains("damaged .npz"));
    assert!(
        read_arrays(Path::new("/no/such.npz")).unwrap_err().to_string().contains("cannot be read")
    );
}

#[test]
fn a_flipped_bit_in_an_archive_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let values: Vec<f64> = (0..1000).map(|i| f64::from(i).sin()).collect();
    write_npz(&path, &[array("a", &[1000], values)]).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::write(&path, bytes).unwrap();
    let message = read_arrays(&path).unwrap_err().to_string();
    assert!(message.contains("array `a` is damaged"), "{message}");
}

#[test]
fn what_is_no_array_in_an_archive_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
    for (name, bytes) in
        [("readme.txt", b"hello".to_vec()), ("b.npy", npy("'|u1'", false, "()", &[7]))]
    {
        zip.start_file(name, zip::write::FileOptions::default()).unwrap();
        zip.write_all(&bytes).unwrap();
    }
    zip.finish().unwrap();
    assert_eq!(list_names(&path).unwrap(), ["b"]);
    assert_eq!(read_array(&path, "b").unwrap(), array("b", &[], vec![7_u8]));
    assert_eq!(read_arrays(&path).unwrap().len(), 1);
}

#[test]
fn arrays_that_do_not_fit_are_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let twice = [array("a", &[1], vec![1.0]), array("a", &[1], vec![2.0])];
    assert!(
        write_npz(&path, &twice).unwrap_err().to_string().contains("two arrays are called `a`")
    );
    let wrong = NamedArray { name: "a".into(), shape: vec![3], data: vec![1.0].into() };
    assert!(write_npz(&path, &[wrong]).is_err());
    assert!(!path.exists());
}
