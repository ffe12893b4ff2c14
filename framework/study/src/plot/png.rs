//! Pictures reach the disk whole or not at all: they are encoded into a temporary file beside their
//! place, flushed, and renamed.

use std::fs::File;
use std::path::Path;

use plotters::backend::{BitMapBackend, DrawingBackend};

use super::canvas::Canvas;
use crate::{Error, Result};

/// Writes the canvas as a PNG file to `path`, replacing what was there.
pub(super) fn save(canvas: &Canvas, path: &Path) -> Result<()> {
    let failed =
        |e: &dyn std::fmt::Display| Error::runtime(format!("cannot write {}: {e}", path.display()));
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let (width, height) = canvas.size();
    let size = (width as u32, height as u32);
    let file = tempfile::Builder::new()
        .prefix(".plot-")
        .suffix(".png")
        .tempfile_in(folder)
        .map_err(|e| failed(&e))?;
    {
        let mut encoder = BitMapBackend::new(file.path(), size);
        encoder.blit_bitmap((0, 0), size, &canvas.to_rgb()).map_err(|e| failed(&e))?;
        encoder.present().map_err(|e| failed(&e))?;
    }
    allow_reading(file.as_file(), &failed)?;
    file.as_file().sync_all().map_err(|e| failed(&e))?;
    file.persist(path).map_err(|e| failed(&e.error))?;
    // so that the new name, too, survives a power cut; not every file system can do it
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// Temporary files are private; pictures are as readable as other files.
#[cfg(unix)]
fn allow_reading(file: &File, failed: &dyn Fn(&dyn std::fmt::Display) -> Error) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644)).map_err(|e| failed(&e))
}

#[cfg(not(unix))]
fn allow_reading(_: &File, _: &dyn Fn(&dyn std::fmt::Display) -> Error) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::style::PAPER;

    #[test]
    fn a_picture_is_written_whole_and_nothing_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picture.png");
        save(&Canvas::new(30, 20, PAPER), &path).unwrap();
        save(&Canvas::new(40, 20, PAPER), &path).unwrap();
        let names: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["picture.png"]);
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(&bytes[..8], b"\x89PNG\r\n\x1a\n");
        assert_eq!(&bytes[16..24], [0, 0, 0, 40, 0, 0, 0, 20]);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let e = save(&Canvas::new(3, 2, PAPER), &folder.path().join("nowhere/picture.png"))
            .unwrap_err();
        assert!(e.to_string().contains("nowhere"), "{e}");
    }
}
