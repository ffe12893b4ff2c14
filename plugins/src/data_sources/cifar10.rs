use super::images::{find, folder, image_columns, open_unpacked};
use std::path::{Path as FsPath, PathBuf};
use triflow::prelude::*;

/// Number of bytes of an image.
const PIXELS: usize = 3 * 32 * 32;

triflow::component! {
    /// CIFAR-10 in its binary files: x is the image `[3, 32, 32]`, y its class (0 to 9).
    ///
    /// The files are `data_batch_1.bin` to `data_batch_5.bin` (those that exist) and, as test rows,
    /// `test_batch.bin`, in the folder or in `cifar-10-batches-bin` below it; each may be gzipped.
    /// Pixels are kept as bytes and read as numbers from 0 to 1.
    #[reference = "Krizhevsky 2009"]
    #[example = "{ type: cifar10, path: cifar-10-batches-bin }"]
    pub struct Cifar10: DataSource = "cifar10" {
        /// Folder of the files.
        pub path: triflow::config::FilePath,
    }
}

impl Spec<dyn DataSource> for Cifar10 {
    fn build(&self, ctx: &DataContext) -> Result<Box<dyn DataSource>> {
        Ok(Box::new(Files { folder: folder(&self.path, &ctx.base)? }))
    }
}

struct Files {
    folder: PathBuf,
}

impl DataSource for Files {
    fn load(&self) -> Result<Splits> {
        let below = self.folder.join("cifar-10-batches-bin");
        let folder = if below.is_dir() { &below } else { &self.folder };
        let named = |name: String| find(folder, &[&name]);
        let train: Vec<PathBuf> =
            (1..=5).filter_map(|i| named(format!("data_batch_{i}.bin"))).collect();
        if train.is_empty() {
            let message = "there is no data_batch_1.bin (or .gz) in this folder; unpack the \
                           archive first, for example with `tar xf`";
            return Err(Error::data(folder, message));
        }
        let test = named("test_batch.bin".to_owned());
        let test = test.map(|test| read(folder, &[test])).transpose()?;
        Ok(Splits { train: read(folder, &train)?, test, ..Splits::default() })
    }
}

/// Columns of the rows in `files`: a byte of the label, then the red, green and blue pixels.
fn read(folder: &FsPath, files: &[PathBuf]) -> Result<Columns> {
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for path in files {
        let bytes = triflow::io::read_to_end(path, open_unpacked(path)?)?;
        let rows = bytes.chunks_exact(1 + PIXELS);
        if !rows.remainder().is_empty() || bytes.is_empty() {
            let message = format!("{} bytes are not rows of {}", bytes.len(), 1 + PIXELS);
            return Err(Error::data(path, message));
        }
        for row in rows {
            if row[0] > 9 {
                let message = format!("row {} has the label {}, not 0 to 9", labels.len(), row[0]);
                return Err(Error::data(path, message));
            }
            labels.push(i64::from(row[0]));
            pixels.extend_from_slice(&row[1..]);
        }
    }
    image_columns(folder, &pixels, [3, 32, 32], &labels)
}
