//! Sizes of the images in a WebP file, whose reader decodes them before it says how large they are.

use std::io::{Read, Seek, SeekFrom};

/// Width and height of the largest image of a file of `length` bytes; `None` for other formats, and
/// damage that its reader finds.
pub(super) fn largest(
    file: &mut (impl Read + Seek),
    length: u64,
) -> std::io::Result<Option<(u32, u32)>> {
    let mut largest = None;
    let mut at = 12;
    let mut start = [0; 12];
    file.seek(SeekFrom::Start(0))?;
    if length < at {
        return Ok(None);
    }
    file.read_exact(&mut start)?;
    if &start[..4] != b"RIFF" || &start[8..] != b"WEBP" {
        return Ok(None);
    }
    // A name of four letters, the number of bytes, and these.
    while at + 18 <= length {
        let mut chunk = [0; 18];
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut chunk)?;
        let number = |from: usize, bytes: usize| {
            (0..bytes).fold(0_u32, |all, i| all | u32::from(chunk[from + i]) << (8 * i))
        };
        let size = match &chunk[..4] {
            b"VP8 " => Some((number(14, 2) & 0x3fff, number(16, 2) & 0x3fff)),
            b"VP8L" => Some(((number(9, 4) & 0x3fff) + 1, (number(9, 4) >> 14 & 0x3fff) + 1)),
            b"VP8X" => Some((number(12, 3) + 1, number(15, 3) + 1)),
            _ => None,
        };
        let pixels = |(width, height): (u32, u32)| u64::from(width) * u64::from(height);
        largest = largest.into_iter().chain(size).max_by_key(|size| pixels(*size));
        // The images of an animation are chunks inside one, behind its own 16 bytes.
        at += match &chunk[..4] {
            b"ANMF" => 8 + 16,
            _ => 8 + u64::from(number(4, 4)).next_multiple_of(2),
        };
    }
    Ok(largest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let size = (content.len() as u32).to_le_bytes();
        let padding = vec![0; content.len() % 2];
        [name.as_slice(), &size, content, &padding].concat()
    }

    fn size(chunks: &[Vec<u8>]) -> Option<(u32, u32)> {
        let all = [b"RIFF\0\0\0\0WEBP".to_vec(), chunks.concat(), vec![0; 10]].concat();
        let length = all.len() as u64;
        largest(&mut Cursor::new(all), length).unwrap()
    }

    #[test]
    fn the_largest_of_all_images_counts() {
        let lossy = |width: u16, height: u16| {
            let sides = [width.to_le_bytes(), height.to_le_bytes()].concat();
            chunk(b"VP8 ", &[&[0, 0, 0, 0x9d, 1, 0x2a][..], &sides].concat())
        };
        let lossless = |width: u32, height: u32| {
            let sides = ((width - 1) | ((height - 1) << 14)).to_le_bytes();
            chunk(b"VP8L", &[&[0x2f][..], &sides, &[0; 6]].concat())
        };
        // The upper two bits of a side are a scale.
        assert_eq!(size(&[lossy(0xc000 | 300, 20)]), Some((300, 20)));
        assert_eq!(size(&[lossless(16384, 7)]), Some((16384, 7)));
        let extended = chunk(b"VP8X", &[0, 0, 0, 0, 99, 0, 0, 49, 0, 0]);
        let frame = chunk(b"ANMF", &[&[0; 16][..], &lossy(1000, 1000)].concat());
        assert_eq!(size(std::slice::from_ref(&extended)), Some((100, 50)));
        assert_eq!(size(&[extended, chunk(b"ICCP", &[1; 11]), frame]), Some((1000, 1000)));
        assert_eq!(size(&[]), None);
        assert_eq!(largest(&mut Cursor::new(b"RIFF"), 4).unwrap(), None);
    }

    #[test]
    fn the_reader_of_images_agrees() {
        let image = image::RgbImage::from_pixel(31, 17, image::Rgb([1, 2, 3]));
        let mut bytes = Vec::new();
        image::codecs::webp::WebPEncoder::new_lossless(&mut bytes)
            .encode(&image, 31, 17, image::ColorType::Rgb8)
            .unwrap();
        let length = bytes.len() as u64;
        assert_eq!(largest(&mut Cursor::new(bytes), length).unwrap(), Some((31, 17)));
    }
}
