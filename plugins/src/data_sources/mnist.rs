use super::images::{find, folder, image_columns, open_unpacked};
use std::io::Read as _;
use std::path::{Path as FsPath, PathBuf};
use triflow::io::read_to_end;
use triflow::prelude::*;

triflow::component! {
    /// MNIST, or a set of its layout, in IDX files: x is the image `[1, 28, 28]`, y its class.
    ///
    /// Fashion-MNIST and KMNIST have this layout. The files are `train-images-idx3-ubyte`,
    /// `train-labels-idx1-ubyte` and, as test rows, the two that begin with `t10k`; each may be
    /// gzipped. Pixels are kept as bytes and read as numbers from 0 to 1.
    #[reference = "LeCun et al. 1998"]
    #[example = "{ type: mnist, path: mnist }"]
    pub struct Mnist: DataSource = "mnist" {
        /// Folder of the files.
        pub path: triflow::config::FilePath,
    }
}

impl Spec<dyn DataSource> for Mnist {
    fn build(&self, ctx: &DataContext) -> Result<Box<dyn DataSource>> {
        Ok(Box::new(Files { folder: folder(&self.path, &ctx.base)? }))
    }
}

struct Files {
    folder: PathBuf,
}

impl DataSource for Files {
    fn load(&self) -> Result<Splits> {
        let train = self.set("train")?.ok_or_else(|| {
            let message = "there is no train-images-idx3-ubyte (or .gz) with \
                           train-labels-idx1-ubyte in this folder";
            Error::data(&self.folder, message)
        })?;
        Ok(Splits { train, test: self.set("t10k")?, ..Splits::default() })
    }
}

impl Files {
    /// Images and labels of the files that begin with `set`; `None` if one of the two is missing.
    fn set(&self, set: &str) -> Result<Option<Columns>> {
        let file = |what: &str| {
            let names = [
                format!("{set}-{what}-ubyte"),
                format!("{set}-{}-ubyte", what.replace("-idx", ".idx")),
            ];
            find(&self.folder, &[&names[0], &names[1]])
        };
        let (Some(images), Some(classes)) = (file("images-idx3"), file("labels-idx1")) else {
            return Ok(None);
        };
        let (shape, pixels) = read_idx(&images)?;
        let (_, y) = read_idx(&classes)?;
        let [n, height, width] = shape[..] else {
            let message = format!("holds an array of shape {shape:?}, not [n, rows, columns]");
            return Err(Error::data(&images, message));
        };
        if n != y.len() {
            let message = format!("{n} images, but {} has {} labels", classes.display(), y.len());
            return Err(Error::data(&images, message));
        }
        let y: Vec<i64> = y.into_iter().map(i64::from).collect();
        image_columns(&images, &pixels, [1, height, width], &y).map(Some)
    }
}

/// Shape and bytes of an IDX file: 0, 0, the type of values (8: bytes), the number of axes, their
/// lengths as big-endian 32-bit numbers, the values.
fn read_idx(path: &FsPath) -> Result<(Vec<usize>, Vec<u8>)> {
    let mut file = open_unpacked(path)?;
    let unreadable = |e: std::io::Error| Error::data(path, format!("cannot be read: {e}"));
    let bad = |message: &str| Err(Error::data(path, message.to_owned()));
    let mut head = Vec::new();
    file.by_ref().take(4).read_to_end(&mut head).map_err(unreadable)?;
    let [0, 0, kind, axes] = head[..] else {
        return bad("is not an IDX file: it does not begin with two zero bytes");
    };
    if kind != 8 {
        return bad("is an IDX file of values other than bytes");
    }
    let mut lengths = Vec::new();
    file.by_ref().take(4 * u64::from(axes)).read_to_end(&mut lengths).map_err(unreadable)?;
    if lengths.len() < 4 * usize::from(axes) {
        return bad("ends before its values");
    }
    let length = |four: &[u8]| four.iter().fold(0, |n, byte| n << 8 | usize::from(*byte));
    let shape: Vec<usize> = lengths.chunks(4).map(length).collect();
    let expected = shape.iter().try_fold(1_u64, |n, d| n.checked_mul(*d as u64));
    // Reading one byte more than expected detects a file that is too long.
    let values = read_to_end(path, file.take(expected.unwrap_or(0).saturating_add(1)))?;
    if expected != Some(values.len() as u64) {
        let more = if expected.is_some_and(|n| n < values.len() as u64) { " or more" } else { "" };
        let count = values.len();
        let message = format!("says that its shape is {shape:?}, but holds {count}{more} values");
        return bad(&message);
    }
    Ok((shape, values))
}
