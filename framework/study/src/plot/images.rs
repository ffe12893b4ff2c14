use std::path::Path;

use super::Scatter;
use super::figure::{Figure, INNER};
use super::rect::Rect;
use super::style::{self, Color, FRAME, INK, SOFT_INK};
use super::text::{Align, Font, write};
use crate::{Error, Result};

/// Largest and smallest side of one image, in pixels of the picture.
const SIDES: (f64, f64) = (96.0, 12.0);
const GAP: f64 = 4.0;
/// Gap between blocks, in pixels.
const BETWEEN: f64 = 44.0;
/// Room for the names of the rows, in pixels.
const NAMES: f64 = 110.0;

/// Contents of a picture of images: blocks beside each other, whose rows have common names.
#[derive(Debug, Clone, Default)]
pub struct ImageView {
    /// The picture's title.
    pub title: String,
    /// Description of how the images were made.
    pub subtitle: String,
    /// Channels (1: grey, 3: red, green, blue), rows and columns of each image.
    pub shape: [usize; 3],
    /// Values of black and white.
    pub range: (f64, f64),
    /// Name of each row, written left of it; empty for no names.
    pub rows: Vec<String>,
    /// Blocks from left to right.
    pub blocks: Vec<ImageBlock>,
}

/// A grid of images.
#[derive(Debug, Clone, Default)]
pub struct ImageBlock {
    /// Title, written above the block.
    pub title: String,
    /// Number of images in a row.
    pub columns: usize,
    /// Images `[n, channels·rows·columns]`, row by row of the grid.
    pub images: Scatter,
}

/// Draws grids of images to `path`.
///
/// # Errors
/// If the images are not of `shape`, do not have 1 or 3 channels, or there is none; if the file
/// cannot be written.
pub fn images(path: &Path, view: &ImageView) -> Result<()> {
    let [channels, height, width] = view.shape;
    if ![1, 3].contains(&channels) {
        return Err(Error::runtime(format!("images of {channels} channels cannot be drawn")));
    }
    for block in &view.blocks {
        block.images.check("images")?;
        if block.images.dim != channels * height * width || block.columns == 0 {
            let dim = block.images.dim;
            let message = format!("images of {dim} values are not of shape {:?}", view.shape);
            return Err(Error::runtime(message));
        }
    }
    let columns: usize = view.blocks.iter().map(|b| b.columns).sum();
    let rows = view.blocks.iter().map(|b| b.images.len().div_ceil(b.columns)).max();
    let (Some(rows), true) = (rows, columns > 0) else {
        return Err(Error::runtime("there is no image to draw"));
    };
    let names = if view.rows.is_empty() { 0.0 } else { NAMES };
    let room = INNER - names - BETWEEN * (view.blocks.len() - 1) as f64;
    // A whole number of pixels for each value if it fits, so that all values are drawn as large.
    let side = (room / columns as f64 - GAP).clamp(SIDES.1, SIDES.0);
    let step = side / height.max(width) as f64;
    let step = if step >= 1.0 { step.floor() } else { step };
    let (w, h) = (step * width as f64, step * height as f64);
    let mut figure = Figure::new(&view.title, &view.subtitle, &[], 34.0 + rows as f64 * (h + GAP))?;
    let body = figure.body;
    let heading = Font::semi_bold(style::PANEL_TITLE, INK);
    let label = Font::regular(style::LABEL, SOFT_INK);
    let top = body.y0 + 30.0;
    for (i, name) in view.rows.iter().take(rows).enumerate() {
        let text = label.fit(name, names - 12.0)?;
        let y = top + i as f64 * (h + GAP) + (h + label.cap()) / 2.0;
        write(&mut figure.canvas, &text, (body.x0 + names - 12.0, y), Align::End, label)?;
    }
    let mut left = body.x0 + names;
    for block in &view.blocks {
        let block_width = block.columns as f64 * (w + GAP);
        let text = heading.fit(&block.title, block_width.max(160.0))?;
        write(&mut figure.canvas, &text, (left, body.y0 + 17.0), Align::Start, heading)?;
        for i in 0..block.images.len() {
            let x = left + (i % block.columns) as f64 * (w + GAP);
            let y = top + (i / block.columns) as f64 * (h + GAP);
            let (x, y) = (x.round(), y.round());
            let values = block.images.row(i);
            for (row, column) in (0..height).flat_map(|r| (0..width).map(move |c| (r, c))) {
                let at = |channel: usize| {
                    let value = values[(channel.min(channels - 1) * height + row) * width + column];
                    let (low, high) = view.range;
                    let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
                    // NaN becomes 0, black.
                    (share * 255.0).round() as u8
                };
                let (px, py) = (x + column as f64 * step, y + row as f64 * step);
                let pixel = Rect::new(px, py, px + step, py + step);
                figure.canvas.fill(pixel, Color::new(at(0), at(1), at(2)));
            }
            figure.canvas.outline(Rect::new(x, y, x + w, y + h), FRAME);
        }
        left += block_width + BETWEEN;
    }
    figure.save(path)
}
