use super::files::labels;
use super::images::folder;
use image::imageops::FilterType;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufReader, Seek as _};
use std::path::{Path as FsPath, PathBuf};
use triflow::log;
use triflow::prelude::*;

/// File extensions of images.
const EXTENSIONS: [&str; 8] = ["png", "jpg", "jpeg", "gif", "webp", "bmp", "tif", "tiff"];

/// Names of the folders of each set.
const SETS: [(&str, &[&str]); 3] =
    [("train", &["train"]), ("val", &["val", "valid", "validation"]), ("test", &["test"])];

/// Largest number of pixels of an image file, as of 10,000 rows and columns.
const MAX_PIXELS: u64 = 100_000_000;

/// Largest ratio of the bytes of an image to those of its file: a picture of one colour reaches it
/// in some formats.
const MAX_RATIO: u64 = 1000;
/// Bytes of an image that are allowed whatever the ratio, as of 2,300 rows and columns.
const ALWAYS_ALLOWED: u64 = 16 << 20;

triflow::component! {
    /// A folder of images: x is the image, y its class, given by its folder.
    ///
    /// The images are PNG, JPEG, GIF (its first frame), WebP, BMP or TIFF. Each folder inside is a
    /// class, numbered in alphabetical order, of all images in it and below; without such folders
    /// there is no y. Folders `train` and `val` (or `valid`, `validation`) or `test` are sets, each
    /// with the folders of the classes. Hidden files and folders and `__MACOSX` are skipped. Pixels
    /// are kept as bytes and read as numbers from 0 to 1.
    #[example = "{ type: image_folder, path: pictures, size: 32 }"]
    pub struct ImageFolder: DataSource = "image_folder" {
        /// Folder of the images.
        pub path: triflow::config::FilePath,
        /// Side in pixels to which the central square of each image is scaled; null:
        /// images are kept, and have to be of one size.
        #[range(min = 1)]
        pub size: Option<u32> = None,
        /// Number of channels: 3 (red, green, blue) or 1 (grey).
        pub channels: i64 = 3,
    }
}

impl Spec<dyn DataSource> for ImageFolder {
    fn build(&self, ctx: &DataContext) -> Result<Box<dyn DataSource>> {
        if ![1, 3].contains(&self.channels) {
            return Err(Error::config("channels", format!("needs 1 or 3, got {}", self.channels)));
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
        let mut walk = Walk::default();
        let entries = walk.entries(&self.folder)?;
        let folders = entries.into_iter().filter(|path| path.is_dir()).collect::<Vec<_>>();
        let [train, val, test] = match sets(&folders, &mut walk) {
            Some(sets) => {
                walk.skip_files(&self.folder, "beside the folders of the sets")?;
                sets
            }
            None => [Some(self.folder.clone()), None, None],
        };
        let train = walk.set(&train.unwrap_or_default())?;
        let further = |folder: Option<PathBuf>, walk: &mut Walk| -> Result<Option<ImageSet>> {
            folder.map(|folder| walk.set(&folder)).transpose()
        };
        let (val, test) = (further(val, &mut walk)?, further(test, &mut walk)?);
        walk.log_skipped(&self.folder);
        let mut first_size = None;
        let mut columns = |set: &ImageSet| self.columns(set, &train.classes, &mut first_size);
        let train_rows = columns(&train)?;
        let val = val.as_ref().map(&mut columns).transpose()?;
        let test = test.as_ref().map(&mut columns).transpose()?;
        Ok(Splits { train: train_rows, val, test, ..Splits::default() })
    }
}

impl Folder {
    /// Columns of the images of a set, with labels by their place in `classes`. All images have the
    /// `first_size` (rows, columns), which the first image of all sets decides.
    ///
    /// # Errors
    /// The set has no image, a class that is not known, or classes where others have none; or an
    /// image cannot be read or has another size.
    fn columns(
        &self,
        set: &ImageSet,
        classes: &[String],
        first_size: &mut Option<(u32, u32)>,
    ) -> Result<Columns> {
        if set.files.is_empty() {
            let message = format!("there is no image ({}) in it", EXTENSIONS.join(", "));
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
                "some sets have folders of classes, and others do not",
            ));
        }
        let mut pixels = Vec::new();
        for (path, _) in &set.files {
            let (size, bytes) = self.read(path)?;
            if pixels.is_empty() {
                // Held three times: as read, as a tensor, and with its axes permuted.
                let all = (bytes.len() as u64).saturating_mul(3 * set.files.len() as u64);
                triflow::memory::check_file(&set.folder, "", all)?;
            }
            let expected = *first_size.get_or_insert(size);
            if expected != size {
                let message = format!(
                    "has {} rows and {} columns, the images before it {} and {}; set `data.size`",
                    size.0, size.1, expected.0, expected.1
                );
                return Err(Error::data(path, message));
            }
            pixels.extend(bytes);
        }
        let (height, width) = first_size.unwrap_or_default();
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

    /// Size (rows, columns) and pixels of an image, row by row.
    ///
    /// # Errors
    /// The file cannot be read or decoded, or has more than [`MAX_PIXELS`] pixels.
    fn read(&self, path: &FsPath) -> Result<((u32, u32), Vec<u8>)> {
        let bad = |e: image::ImageError| Error::data(path, format!("cannot be read: {e}"));
        let (mut file, length) = triflow::io::open_regular(path)?;
        let fits = super::tiff::lists_fit(&mut file, length).map_err(|e| bad(e.into()))?;
        if !fits {
            let message = "cannot be read: a list in its header is longer than the file";
            return Err(Error::data(path, message));
        }
        let largest = super::webp::largest(&mut file, length).map_err(|e| bad(e.into()))?;
        let open = || {
            let mut file = BufReader::new(&file);
            file.rewind()?;
            let mut reader = image::io::Reader::new(file).with_guessed_format()?;
            let mut limits = image::io::Limits::default();
            limits.max_alloc = Some(length.saturating_mul(MAX_RATIO).max(2 * ALWAYS_ALLOWED));
            reader.limits(limits);
            Ok(reader)
        };
        let check_size = |(width, height): (u32, u32)| {
            let pixels = u64::from(width) * u64::from(height);
            if pixels > MAX_PIXELS {
                let message = format!(
                    "is {width} pixels wide and {height} high; images have {MAX_PIXELS} pixels at \
                     most"
                );
                return Err(Error::data(path, message));
            }
            let bytes = pixels * self.channels as u64;
            if bytes > length.saturating_mul(MAX_RATIO).max(ALWAYS_ALLOWED) {
                let message = format!(
                    "is {width} pixels wide and {height} high: it unpacks from {length} to {bytes} \
                     bytes, more than {MAX_RATIO} times as many, which no picture does"
                );
                return Err(Error::data(path, message));
            }
            Ok(())
        };
        // The header is read first, so that a huge image is refused before it is decoded.
        largest.map_or(Ok(()), check_size)?;
        let reader = open().map_err(|e: std::io::Error| bad(e.into()))?;
        check_size(reader.into_dimensions().map_err(bad)?)?;
        let mut image = open().map_err(|e| bad(e.into()))?.decode().map_err(bad)?;
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

/// The folders of the sets train, val and test, if there is one for training and another; all other
/// folders are then skipped.
fn sets(folders: &[PathBuf], walk: &mut Walk) -> Option<[Option<PathBuf>; 3]> {
    let name = |path: &PathBuf| path.file_name().map(|n| n.to_string_lossy().to_lowercase());
    let set_of = |path: &PathBuf| {
        let name = name(path)?;
        SETS.iter().position(|(_, names)| names.contains(&name.as_str()))
    };
    let mut sets = [None, None, None];
    for folder in folders {
        if let Some(set) = set_of(folder) {
            sets[set].get_or_insert(folder.clone());
        }
    }
    let [Some(_), val, test] = &sets else { return None };
    if val.is_none() && test.is_none() {
        return None;
    }
    let used = |folder: &&PathBuf| sets.iter().flatten().any(|set| set == *folder);
    for other in folders.iter().filter(|folder| !used(folder)) {
        walk.skip(format!("the folder `{}`, which is not a set", name(other).unwrap_or_default()));
    }
    Some(sets)
}

/// The images of a set.
struct ImageSet {
    folder: PathBuf,
    /// Names of the folders with images in it, sorted; empty where there are no folders.
    classes: Vec<String>,
    /// Path and class of each image.
    files: Vec<(PathBuf, Option<String>)>,
}

/// Walk through folders that records what is skipped.
#[derive(Default)]
struct Walk {
    /// Hidden files and folders.
    hidden: BTreeSet<PathBuf>,
    /// Description and number of other files and folders.
    skipped: BTreeMap<String, usize>,
}

impl Walk {
    /// The files and folders in a folder, sorted, without hidden ones and `__MACOSX`.
    fn entries(&mut self, folder: &FsPath) -> Result<Vec<PathBuf>> {
        let unreadable = |e: std::io::Error| Error::data(folder, format!("cannot be read: {e}"));
        let paths = std::fs::read_dir(folder).map_err(unreadable)?;
        let paths = paths.map(|entry| entry.map(|e| e.path())).collect::<std::io::Result<Vec<_>>>();
        let mut paths = paths.map_err(unreadable)?;
        paths.sort();
        let (hidden, visible) = paths.into_iter().partition(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with('.') || name == "__MACOSX"
        });
        self.hidden.extend::<Vec<_>>(hidden);
        Ok(visible)
    }

    /// Records a file or folder that is skipped.
    fn skip(&mut self, description: String) {
        *self.skipped.entry(description).or_default() += 1;
    }

    /// Records the files in a folder itself, whose images are described by their `place`.
    fn skip_files(&mut self, folder: &FsPath, place: &str) -> Result<()> {
        for path in self.entries(folder)?.iter().filter(|path| path.is_file()) {
            match is_image(path) {
                true => self.skip(format!("images {place}")),
                false => self.skip(describe_file(path)),
            }
        }
        Ok(())
    }

    /// Appends the images in a folder and below, in order.
    fn images(&mut self, folder: &FsPath, into: &mut Vec<PathBuf>) -> Result<()> {
        for path in self.entries(folder)? {
            if path.is_dir() {
                self.images(&path, into)?;
            } else if is_image(&path) {
                into.push(path);
            } else {
                self.skip(describe_file(&path));
            }
        }
        Ok(())
    }

    /// The images of the set in a folder, each folder in it a class.
    fn set(&mut self, folder: &FsPath) -> Result<ImageSet> {
        let folders: Vec<PathBuf> =
            self.entries(folder)?.into_iter().filter(|path| path.is_dir()).collect();
        let (mut classes, mut files) = (Vec::new(), Vec::new());
        let mut add = |walk: &mut Self, from: &FsPath, class: Option<&String>| -> Result<usize> {
            let (mut images, before) = (Vec::new(), files.len());
            walk.images(from, &mut images)?;
            files.extend(images.into_iter().map(|image| (image, class.cloned())));
            Ok(files.len() - before)
        };
        if folders.is_empty() {
            add(self, folder, None)?;
        } else {
            self.skip_files(folder, "beside the folders of the classes, which belong to none")?;
        }
        for class in &folders {
            let name = class.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match add(self, class, Some(&name))? {
                0 => self.skip(format!("the folder `{name}`, which has no images")),
                _ => classes.push(name),
            }
        }
        Ok(ImageSet { folder: folder.to_owned(), classes, files })
    }

    /// Logs what was skipped.
    fn log_skipped(&self, folder: &FsPath) {
        let text = |all: &BTreeMap<String, usize>| {
            let each = all.iter().map(|(description, n)| match n {
                1 => description.clone(),
                n => format!("{n} × {description}"),
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
            log::info!("{}: skipped: {}", folder.display(), text(&hidden));
        }
        if !self.skipped.is_empty() {
            log::warn!("{}: not read: {}", folder.display(), text(&self.skipped));
        }
    }
}

/// Extension of a file in lower case; empty where it has none.
fn extension(path: &FsPath) -> String {
    path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default()
}

fn is_image(path: &FsPath) -> bool {
    EXTENSIONS.contains(&&*extension(path)) && path.is_file()
}

/// Description of a file that is not an image, for a message.
fn describe_file(path: &FsPath) -> String {
    match extension(path) {
        none if none.is_empty() => "files without an extension".to_owned(),
        extension => format!("files .{extension}"),
    }
}
