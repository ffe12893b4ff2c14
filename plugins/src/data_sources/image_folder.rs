//! A folder of images.

use super::files::labels;
use super::images::folder;
use image::imageops::FilterType;
use std::collections::{BTreeMap, BTreeSet};
use std::io::BufReader;
use std::path::{Path as FsPath, PathBuf};
use triflow::log;
use triflow::prelude::*;

/// The endings that are taken for images.
const ENDINGS: [&str; 8] = ["png", "jpg", "jpeg", "gif", "webp", "bmp", "tif", "tiff"];

/// What folders of sets are called.
const SETS: [(&str, &[&str]); 3] =
    [("train", &["train"]), ("val", &["val", "valid", "validation"]), ("test", &["test"])];

/// Pixels of an image before it is scaled: 10,000 rows and columns.
const MOST_PIXELS: u64 = 100_000_000;

triflow::component! {
    /// A folder of images (PNG, JPEG, GIF, WebP, BMP, TIFF): x is the image, y its class, the folder that it lies in.
    ///
    /// Each folder inside is a class, numbered by name in alphabetical order, with all images in it and in folders
    /// below; without one, there is no y. Folders `train` and `val` (or `valid`, `validation`) or `test` are sets, each
    /// with the folders of the classes. Hidden files and folders and `__MACOSX` are passed over. Of an animation the
    /// first picture counts. Pixels are kept as bytes and stand for numbers from 0 to 1.
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
        let mut seen = Seen::default();
        let inside = seen.entries(&self.folder)?;
        let folders = inside.into_iter().filter(|path| path.is_dir()).collect::<Vec<_>>();
        let [train, val, test] = match sets(&folders, &mut seen) {
            Some(sets) => {
                seen.files_in(&self.folder, "beside the folders of the sets")?;
                sets
            }
            None => [Some(self.folder.clone()), None, None],
        };
        let train = seen.set(&train.unwrap_or_default())?;
        let further = |folder: Option<PathBuf>, seen: &mut Seen| -> Result<Option<Listed>> {
            folder.map(|folder| seen.set(&folder)).transpose()
        };
        let (val, test) = (further(val, &mut seen)?, further(test, &mut seen)?);
        seen.tell(&self.folder);
        let mut first = None;
        let mut table = |set: &Listed| self.table(set, &train.classes, &mut first);
        let train_rows = table(&train)?;
        let val = val.as_ref().map(&mut table).transpose()?;
        let test = test.as_ref().map(&mut table).transpose()?;
        Ok(Splits { train: train_rows, val, test, ..Splits::default() })
    }
}

impl Folder {
    /// The images of a set, which are all of the size of the `first`, with labels of `classes`.
    fn table(
        &self,
        set: &Listed,
        classes: &[String],
        first: &mut Option<(u32, u32)>,
    ) -> Result<Columns> {
        if set.files.is_empty() {
            let message = format!("there is no image ({}) in it", ENDINGS.join(", "));
            return Err(Error::data(&set.folder, message));
        }
        let unknown = set.classes.iter().find(|class| !classes.contains(class));
        if let Some(class) = unknown.filter(|_| !classes.is_empty()) {
            let message = format!(
                "the class `{class}` has no training images; known classes: {}",
                classes.join(", ")
            );
            return Err(Error::data(&set.folder, message));
        }
        if set.classes.is_empty() != classes.is_empty() {
            return Err(Error::data(
                &set.folder,
                "some sets have folders of classes, and some have not",
            ));
        }
        let mut pixels = Vec::new();
        for (path, _) in &set.files {
            let (size, bytes) = self.read(path)?;
            if pixels.is_empty() {
                // As read, as a tensor, and with its axes in their order.
                let all = (bytes.len() as u64).saturating_mul(3 * set.files.len() as u64);
                triflow::memory::check_file(&set.folder, "", all)?;
            }
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
        let x = Tensor::from_slice(&pixels)
            .reshape([set.files.len() as i64, i64::from(height), i64::from(width), self.channels])
            .permute([0, 3, 1, 2])
            .contiguous();
        let number = |class: &String| classes.iter().position(|known| known == class);
        let y: Option<Vec<i64>> =
            set.files.iter().map(|(_, class)| Some(number(class.as_ref()?)? as i64)).collect();
        let y = y.map(|y| labels(&set.folder, "the labels", &y)).transpose()?;
        Ok(Columns { x: Some(x), y, classes: classes.to_vec(), ..Columns::default() })
    }

    /// Rows and columns, and pixels row by row.
    fn read(&self, path: &FsPath) -> Result<((u32, u32), Vec<u8>)> {
        let bad = |e: image::ImageError| Error::data(path, format!("cannot be read: {e}"));
        let open = || {
            let (file, _) = triflow::io::open_regular(path)?;
            let reader = image::io::Reader::new(BufReader::new(file)).with_guessed_format();
            reader.map_err(|e| bad(e.into()))
        };
        // The header alone, before a pixel is unpacked.
        let (width, height) = open()?.into_dimensions().map_err(bad)?;
        if u64::from(width) * u64::from(height) > MOST_PIXELS {
            let message = format!(
                "is {width} pixels wide and {height} high; images have {MOST_PIXELS} pixels at most"
            );
            return Err(Error::data(path, message));
        }
        let mut image = open()?.decode().map_err(bad)?;
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

/// The folders of sets, where there is one for training and another; other folders are passed over then.
fn sets(folders: &[PathBuf], seen: &mut Seen) -> Option<[Option<PathBuf>; 3]> {
    let name = |path: &PathBuf| path.file_name().map(|n| n.to_string_lossy().to_lowercase());
    let of = |path: &PathBuf| {
        let name = name(path)?;
        SETS.iter().position(|(_, names)| names.contains(&name.as_str()))
    };
    let mut found = [None, None, None];
    for folder in folders {
        if let Some(set) = of(folder) {
            found[set].get_or_insert(folder.clone());
        }
    }
    let [Some(_), val, test] = &found else { return None };
    if val.is_none() && test.is_none() {
        return None;
    }
    let used = |folder: &&PathBuf| found.iter().flatten().any(|set| set == *folder);
    for other in folders.iter().filter(|folder| !used(folder)) {
        seen.other(format!("the folder `{}`, which is no set", name(other).unwrap_or_default()));
    }
    Some(found)
}

/// The images of a set.
struct Listed {
    folder: PathBuf,
    /// Names of the folders in it, by name; none where the images lie in it.
    classes: Vec<String>,
    /// The images, each with its class.
    files: Vec<(PathBuf, Option<String>)>,
}

/// What is passed over on the way, each kind with how often.
#[derive(Default)]
struct Seen {
    hidden: BTreeSet<PathBuf>,
    others: BTreeMap<String, usize>,
}

impl Seen {
    /// What is in a folder, by name, but for what systems and editors leave there.
    fn entries(&mut self, folder: &FsPath) -> Result<Vec<PathBuf>> {
        let unreadable = |e: std::io::Error| Error::data(folder, format!("cannot be read: {e}"));
        let found = std::fs::read_dir(folder).map_err(unreadable)?;
        let found = found.map(|entry| entry.map(|e| e.path())).collect::<std::io::Result<Vec<_>>>();
        let mut found = found.map_err(unreadable)?;
        found.sort();
        let (hidden, found) = found.into_iter().partition(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with('.') || name == "__MACOSX"
        });
        self.hidden.extend::<Vec<_>>(hidden);
        Ok(found)
    }

    fn other(&mut self, what: String) {
        *self.others.entry(what).or_default() += 1;
    }

    /// Counts the files that lie right in a folder.
    fn files_in(&mut self, folder: &FsPath, place: &str) -> Result<()> {
        for path in self.entries(folder)?.iter().filter(|path| path.is_file()) {
            match is_image(path) {
                true => self.other(format!("images {place}")),
                false => self.other(unread(path)),
            }
        }
        Ok(())
    }

    /// The images in a folder and below, in order.
    fn images(&mut self, folder: &FsPath, into: &mut Vec<PathBuf>) -> Result<()> {
        for path in self.entries(folder)? {
            if path.is_dir() {
                self.images(&path, into)?;
            } else if is_image(&path) {
                into.push(path);
            } else {
                self.other(unread(&path));
            }
        }
        Ok(())
    }

    /// The images of a set: each folder in it is a class.
    fn set(&mut self, folder: &FsPath) -> Result<Listed> {
        let folders: Vec<PathBuf> =
            self.entries(folder)?.into_iter().filter(|path| path.is_dir()).collect();
        let (mut classes, mut files) = (Vec::new(), Vec::new());
        let mut add = |seen: &mut Self, from: &FsPath, class: Option<&String>| -> Result<usize> {
            let (mut images, before) = (Vec::new(), files.len());
            seen.images(from, &mut images)?;
            files.extend(images.into_iter().map(|image| (image, class.cloned())));
            Ok(files.len() - before)
        };
        if folders.is_empty() {
            add(self, folder, None)?;
        } else {
            self.files_in(folder, "beside the folders of the classes, which belong to none")?;
        }
        for class in &folders {
            let name = class.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match add(self, class, Some(&name))? {
                0 => self.other(format!("the folder `{name}`, which has no images")),
                _ => classes.push(name),
            }
        }
        Ok(Listed { folder: folder.to_owned(), classes, files })
    }

    /// Says once what was passed over.
    fn tell(&self, folder: &FsPath) {
        let text = |all: &BTreeMap<String, usize>| {
            let each = all.iter().map(|(what, n)| match n {
                1 => what.clone(),
                n => format!("{n} × {what}"),
            });
            each.collect::<Vec<_>>().join(", ")
        };
        let mut hidden = BTreeMap::new();
        for path in &self.hidden {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let what =
                if name.starts_with("._") { "files `._…`".into() } else { name.into_owned() };
            *hidden.entry(what).or_default() += 1;
        }
        if !hidden.is_empty() {
            log::info!("{}: passed over: {}", folder.display(), text(&hidden));
        }
        if !self.others.is_empty() {
            log::warn!("{}: not read: {}", folder.display(), text(&self.others));
        }
    }
}

fn ending(path: &FsPath) -> String {
    path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default()
}

fn is_image(path: &FsPath) -> bool {
    ENDINGS.contains(&&*ending(path)) && path.is_file()
}

/// A file that is no image, for a message.
fn unread(path: &FsPath) -> String {
    match ending(path) {
        none if none.is_empty() => "files without an ending".to_owned(),
        ending => format!("files .{ending}"),
    }
}
