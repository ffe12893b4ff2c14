//! The parts of a picture around its panels: title, subtitle, legend and colour scale.

use std::path::Path;

use super::canvas::Canvas;
use super::rect::Rect;
use super::style::{self, Color, FRAME, INK, PAPER, SOFT_INK, sequence, short};
use super::text::{Align, Font, write};
use crate::Result;

/// The width of every picture, in pixels.
pub(super) const WIDTH: f64 = 1500.0;
const MARGIN: f64 = 36.0;
/// The width between the margins.
pub(super) const INNER: f64 = WIDTH - 2.0 * MARGIN;

/// The kind of mark that an entry of a legend shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Key {
    Dot,
    Ring,
    Cross,
    Line,
    Dashes,
    Area,
}

/// An entry of a legend: a mark and its meaning.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub key: Key,
    pub color: Color,
    pub text: String,
}

impl Entry {
    pub fn new(key: Key, color: Color, text: impl Into<String>) -> Self {
        Entry { key, color, text: text.into() }
    }
}

/// A picture with its title and legend, and room for the panels.
pub(super) struct Figure {
    pub canvas: Canvas,
    /// Room for the panels.
    pub body: Rect,
}

impl Figure {
    /// A sheet with title, subtitle and legend, and `height` pixels below them for the panels.
    pub fn new(title: &str, subtitle: &str, legend: &[Entry], height: f64) -> Result<Self> {
        let title_font = Font::semi_bold(style::TITLE, INK);
        let subtitle_font = Font::regular(style::SUBTITLE, SOFT_INK);
        let titles = title_font.wrap(title, INNER)?;
        let subtitles = subtitle_font.wrap(subtitle, INNER)?;
        let rows = legend_rows(legend)?;

        let mut y = 28.0 + titles.len() as f64 * 33.0 + subtitles.len() as f64 * 24.0;
        let legend_top = y + 6.0;
        if !rows.is_empty() {
            y += 8.0 + rows.len() as f64 * 25.0;
        }
        let body = Rect::new(MARGIN, y + 14.0, WIDTH - MARGIN, y + 14.0 + height.ceil());
        let mut canvas = Canvas::new(WIDTH as usize, (body.y1 + 26.0) as usize, PAPER)?;

        let mut base = 25.0 + title_font.cap();
        for line in &titles {
            write(&mut canvas, line, (MARGIN, base), Align::Start, title_font)?;
            base += 33.0;
        }
        base -= 4.0;
        for line in &subtitles {
            write(&mut canvas, line, (MARGIN, base), Align::Start, subtitle_font)?;
            base += 24.0;
        }
        for (i, row) in rows.iter().enumerate() {
            draw_legend_row(&mut canvas, row, legend_top + 12.0 + 25.0 * i as f64)?;
        }
        Ok(Figure { canvas, body })
    }

    pub fn save(&self, path: &Path) -> Result<()> {
        self.canvas.save(path)
    }
}

const KEY_WIDTH: f64 = 26.0;

fn legend_font() -> Font {
    Font::regular(style::LABEL, INK)
}

/// The rows of a legend, each entry with its left end in pixels.
fn legend_rows(legend: &[Entry]) -> Result<Vec<Vec<(f64, Entry)>>> {
    let mut rows: Vec<Vec<(f64, Entry)>> = Vec::new();
    let mut x = MARGIN;
    for entry in legend {
        let text = legend_font().fit(&entry.text, INNER / 2.0)?;
        let width = KEY_WIDTH + 8.0 + legend_font().width(&text)? + 28.0;
        if rows.is_empty() || x + width - 28.0 > WIDTH - MARGIN {
            rows.push(Vec::new());
            x = MARGIN;
        }
        if let Some(row) = rows.last_mut() {
            row.push((x, Entry { text, ..entry.clone() }));
        }
        x += width;
    }
    Ok(rows)
}

fn draw_legend_row(canvas: &mut Canvas, row: &[(f64, Entry)], y: f64) -> Result<()> {
    for (x, Entry { key, color, text }) in row {
        let middle = x + KEY_WIDTH / 2.0;
        match key {
            Key::Dot => canvas.dot((middle, y), 5.5, *color),
            Key::Ring => canvas.ring((middle, y), 5.0, 1.8, *color),
            Key::Cross => cross(canvas, (middle, y), 5.0, 2.0, *color),
            Key::Line => canvas.line(&[(*x, y), (x + KEY_WIDTH, y)], 2.6, *color),
            Key::Dashes => canvas.dashes(&[(*x, y), (x + KEY_WIDTH, y)], 2.2, 7.0, 5.0, *color),
            Key::Area => canvas.fill(Rect::new(*x, y - 7.0, x + KEY_WIDTH, y + 7.0), *color),
        }
        let font = legend_font();
        write(canvas, text, (x + KEY_WIDTH + 8.0, y + font.cap() / 2.0), Align::Start, font)?;
    }
    Ok(())
}

/// Draws a diagonal cross.
pub(super) fn cross(canvas: &mut Canvas, (x, y): (f64, f64), half: f64, width: f64, color: Color) {
    canvas.line(&[(x - half, y - half), (x + half, y + half)], width, color);
    canvas.line(&[(x - half, y + half), (x + half, y - half)], width, color);
}

/// Draws the scale of values to the colours of [`sequence`] along the right side of `plot`.
pub(super) fn color_scale(
    canvas: &mut Canvas,
    plot: Rect,
    range: (f64, f64),
    label: &str,
) -> Result<()> {
    let bar = Rect::new(plot.x1 + 14.0, plot.y0, plot.x1 + 30.0, plot.y1);
    let steps = bar.height().round() as usize;
    for i in 0..steps {
        let y = bar.y0 + i as f64;
        canvas.fill(
            Rect::new(bar.x0, y, bar.x1, y + 1.0),
            sequence(1.0 - i as f64 / steps.max(2) as f64),
        );
    }
    canvas.outline(bar, FRAME);
    let font = Font::regular(style::TICK, SOFT_INK);
    for share in [0.0, 0.5, 1.0] {
        let value = range.0 + share * (range.1 - range.0);
        let base = bar.y1 - share * (bar.height() - font.cap());
        write(canvas, &short(value), (bar.x1 + 6.0, base), Align::Start, font)?;
    }
    let font = Font::regular(style::LABEL, INK);
    let text = font.fit(label, 90.0)?;
    write(canvas, &text, (bar.x0, bar.y0 - 11.0), Align::Start, font)
}

/// Width in pixels that [`color_scale`] takes beside a plot.
pub(super) const COLOR_SCALE_WIDTH: f64 = 92.0;
