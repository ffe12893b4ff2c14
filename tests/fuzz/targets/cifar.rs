//! CIFAR-10's binary files. What is no packed file is repeated up to whole rows.

use std::path::Path;

pub fn run(folder: &Path, data: &[u8]) {
    const ROW: usize = 1 + 3 * 32 * 32;
    let packed = data.starts_with(&[0x1f, 0x8b]);
    let rows = match data {
        [_, short @ ..] if !packed && !short.is_empty() && data[0] < 200 => {
            let length = ROW * data.len().div_ceil(ROW);
            short.iter().copied().cycle().take(length).collect()
        }
        data => data.to_vec(),
    };
    if super::write(folder, "data_batch_1.bin", &rows).is_some() {
        let _ = super::load("{ type: cifar10, path: . }", folder);
    }
}
