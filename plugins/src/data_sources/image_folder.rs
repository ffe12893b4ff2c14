//! A folder of images.

use super::files::labels;
use super::images::folder;
use image::imageops::FilterType;
use std::path::{Path as FsPath, PathBuf};
use triflow::log;
use triflow::prelude::*;

/// The endings that are taken for images.
const ENDINGS: [&str; 3] = ["png", "jpg", "jpeg"];

triflow::component! {
    /// A folder of images (PNG, JPEG): x is the image, y its class, the folder that it lies in.
    ///
    /// Each folder inside is a class, numbered by name in alphabetical order; without one, there is no y. Pixels are
    /// kept as bytes and stand for numbers from 0 to 1.
    pub struct ImageFolder: DataSource, DataSourceSpec = "image_folder" {
        /// The folder.
        pub path: triflow::config::FilePath = triflow::config::FilePath::default(),
        /// Rows and columns: the middle square of each image is scaled to it; null: as the images are, all alike.
        pub size: Option<u32> = None,
        /// 3, for colours, or 1, for grey.
        pub channels: i64 = 3,
    }
}

impl Spec<dyn DataSource> for ImageFolder {
    fn build(&self, ctx: &DataContext) -> Result<Box<dyn DataSource>> {
        if ![1, 3].contains(&self.channels) {
            return Err(Error::config("channels", format!("needs 1 or 3, got {}", self.channels)));
        }
        if self.size == Some(0) {
            return Err(Error::config("size", "needs at least 1, got 0"));
        }
        let folder = folder(&self.path, &ctx.base)?;
        Ok(Box::new(Folder { folder, size: self.size, channels: self.channels }))
    }
}

struct Folder {
    folder: PathBuf,
    size: Option<u32>,
    channels: i64,
}

impl DataSource for Folder {
    fn load(&self) -> Result<Splits> {
        let classes: Vec<PathBuf> =
            entries(&self.folder)?.into_iter().filter(|path| path.is_dir()).collect();
        let files: Vec<(PathBuf, i64)> = if classes.is_empty() {
            images(&self.folder)?.into_iter().map(|path| (path, 0)).collect()
        } else {
            let names = classes.iter().filter_map(|c| c.file_name()?.to_str());
            log::info!("classes, from 0: {}", names.collect::<Vec<_>>().join(", "));
            let of = |(class, path): (usize, &PathBuf)| -> Result<Vec<(PathBuf, i64)>> {
                Ok(images(path)?.into_iter().map(|path| (path, class as i64)).collect())
            };
            classes.iter().enumerate().map(of).collect::<Result<Vec<_>>>()?.concat()
        };
        if files.is_empty() {
            let message = format!("there is no image ({}) in it", ENDINGS.join(", "));
            return Err(Error::data(&self.folder, message));
        }
        let mut pixels = Vec::new();
        let mut first = None;
        for (path, _) in &files {
            let (size, bytes) = self.read(path)?;
            let wanted = *first.get_or_insert(size);
            if wanted != size {
                let message = format!(
                    "has {} rows and {} columns, the images before it {} and {}; set `data.size`",
                    size.0, size.1, wanted.0, wanted.1
                );
                return Err(Error::data(path, message));
            }
            pixels.extend(bytes);
        }
        let (height, width) = first.unwrap_or_default();
        let n = files.len() as i64;
        let x = Tensor::from_slice(&pixels)
            .reshape([n, i64::from(height), i64::from(width), self.channels])
            .permute([0, 3, 1, 2])
            .contiguous();
        let y: Vec<i64> = files.iter().map(|(_, class)| *class).collect();
        let y = match classes.is_empty() {
            true => None,
            false => Some(labels(&self.folder, "the labels", &y)?),
        };
        Ok(Splits { train: Table { x: Some(x), y, ..Table::default() }, ..Splits::default() })
    }
}

impl Folder {
    /// Rows and columns, and pixels row by row.
    fn read(&self, path: &FsPath) -> Result<((u32, u32), Vec<u8>)> {
        let bad = |e: image::ImageError| Error::data(path, format!("cannot be read: {e}"));
        let mut image = image::open(path).map_err(bad)?;
        if let Some(size) = self.size {
            let side = image.width().min(image.height());
            let (x, y) = ((image.width() - side) / 2, (image.height() - side) / 2);
            image = image.crop_imm(x, y, side, side);
            if side != size {
                image = image.resize_exact(size, size, FilterType::Triangle);
            }
        }
        let size = (image.height(), image.width());
        let bytes = if self.channels == 1 {
            image.into_luma8().into_raw()
        } else {
            image.into_rgb8().into_raw()
        };
        Ok((size, bytes))
    }
}

/// What is in a folder, by name.
fn entries(folder: &FsPath) -> Result<Vec<PathBuf>> {
    let unreadable = |e: std::io::Error| Error::data(folder, format!("cannot be read: {e}"));
    let found = std::fs::read_dir(folder).map_err(unreadable)?;
    let found = found.map(|entry| entry.map(|e| e.path())).collect::<std::io::Result<Vec<_>>>();
    let mut found = found.map_err(unreadable)?;
    found.sort();
    Ok(found)
}

/// The images in a folder, by name.
fn images(folder: &FsPath) -> Result<Vec<PathBuf>> {
    let is_image = |path: &PathBuf| {
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        ending.is_some_and(|e| ENDINGS.contains(&&*e)) && path.is_file()
    };
    Ok(entries(folder)?.into_iter().filter(is_image).collect())
}
