//! Folders of images. The first byte chooses channels and size.

use std::path::Path;

pub fn run(folder: &Path, data: &[u8]) {
    let Some((options, image)) = data.split_first() else { return };
    let channels = if options & 1 == 0 { 3 } else { 1 };
    let size = if options & 2 == 0 { "" } else { ", size: 8" };
    if super::write(folder, "pictures/a/1.png", image).is_some() {
        let source =
            format!("{{ type: image_folder, path: pictures, channels: {channels}{size} }}");
        let _ = super::load(&source, folder);
    }
}
