//! The few shapes that pictures are made of, anti-aliased by `tiny-skia`, so that thin curves and
//! thousands of half-transparent points stay crisp. Text comes from [`super::text`].

use std::io::Write;
use std::path::Path;

use tiny_skia::{
    FillRule, LineCap, LineJoin, Mask, Paint, PathBuilder, Pixmap, PixmapPaint,
    PremultipliedColorU8, Stroke, StrokeDash, Transform,
};

use super::rect::Rect;
use super::style::Color;
use crate::io::write_atomically;
use crate::{Error, Result};

/// Coordinates beyond this are not drawn: no sheet is as large, and `tiny-skia` has single
/// precision.
const FAR: f64 = 1e6;

/// A sheet of pixels to draw on. Drawing outside the clipping box has no effect.
pub(super) struct Canvas {
    sheet: Pixmap,
    clip: Option<Rect>,
    /// The mask of the last clipping box, kept because many curves are clipped to the same one.
    mask: Option<(Rect, Mask)>,
}

impl Canvas {
    /// An empty sheet of the colour `background`.
    ///
    /// # Errors
    /// If a side is zero or too large.
    pub fn new(width: usize, height: usize, background: Color) -> Result<Self> {
        let size = u32::try_from(width).ok().zip(u32::try_from(height).ok());
        let mut sheet =
            size.and_then(|(width, height)| Pixmap::new(width, height)).ok_or_else(|| {
                Error::runtime(format!("a picture of {width} x {height} pixels cannot be drawn"))
            })?;
        sheet.fill(background.into());
        Ok(Canvas { sheet, clip: None, mask: None })
    }

    /// The content of a PNG file of the sheet.
    ///
    /// # Errors
    /// If the sheet is too large for the format.
    pub fn png(&self) -> Result<Vec<u8>> {
        // Sheets have no transparent pixels. Rows of text and flat colour take a quarter of the
        // size with a filter chosen for each.
        let rgb = |p: &PremultipliedColorU8| [p.red(), p.green(), p.blue()];
        let pixels: Vec<u8> = self.sheet.pixels().iter().flat_map(rgb).collect();
        let mut content = Vec::new();
        let mut encoder = png::Encoder::new(&mut content, self.sheet.width(), self.sheet.height());
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Default);
        encoder.set_adaptive_filter(png::AdaptiveFilterType::Adaptive);
        let written = encoder.write_header().and_then(|mut writer| {
            writer.write_image_data(&pixels)?;
            writer.finish()
        });
        written.map_err(|e| Error::runtime(format!("a picture cannot be encoded as PNG: {e}")))?;
        Ok(content)
    }

    /// Writes the sheet as a PNG file to `path`, and replaces a file that is there.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let png = self.png()?;
        write_atomically(path, |file| file.write_all(&png))
    }

    /// Calls `draw`, whose marks are clipped to `rect`, rounded to whole pixels.
    pub fn clipped<T>(&mut self, rect: Rect, draw: impl FnOnce(&mut Self) -> T) -> T {
        let sheet =
            Rect::new(0.0, 0.0, f64::from(self.sheet.width()), f64::from(self.sheet.height()));
        let outer = self.clip;
        self.set_clip(Some(rect.round().within(outer.unwrap_or(sheet))));
        let out = draw(self);
        self.set_clip(outer);
        out
    }

    fn set_clip(&mut self, clip: Option<Rect>) {
        self.clip = clip;
        let Some(rect) =
            clip.filter(|rect| self.mask.as_ref().is_none_or(|(last, _)| last != rect))
        else {
            return;
        };
        let (width, height) = (self.sheet.width(), self.sheet.height());
        let Some(mut mask) = Mask::new(width, height) else { return };
        let rows = mask.data_mut().chunks_mut(width as usize);
        let (top, bottom) = (rect.y0 as usize, rect.y1 as usize);
        for row in rows.take(bottom).skip(top) {
            if let Some(inside) = row.get_mut(rect.x0 as usize..rect.x1 as usize) {
                inside.fill(u8::MAX);
            }
        }
        self.mask = Some((rect, mask));
    }

    /// The sheet, and the mask of the clipping box if there is one.
    fn parts(&mut self) -> (&mut Pixmap, Option<&Mask>) {
        let mask = self.mask.as_ref().map(|(_, mask)| mask).filter(|_| self.clip.is_some());
        (&mut self.sheet, mask)
    }

    fn fill_path(&mut self, path: PathBuilder, color: Color) {
        if let Some(path) = path.finish().filter(|path| is_area(path.bounds())) {
            let (sheet, mask) = self.parts();
            sheet.fill_path(&path, &color.into(), FillRule::Winding, Transform::identity(), mask);
        }
    }

    fn stroke_path(&mut self, path: PathBuilder, stroke: &Stroke, color: Color) {
        if let Some(path) = path.finish() {
            let (sheet, mask) = self.parts();
            sheet.stroke_path(&path, &color.into(), stroke, Transform::identity(), mask);
        }
    }

    pub fn fill(&mut self, rect: Rect, color: Color) {
        let sides = [rect.x0, rect.y0, rect.x1, rect.y1].map(|side| side.clamp(-FAR, FAR) as f32);
        let [x0, y0, x1, y1] = sides;
        if let Some(rect) = tiny_skia::Rect::from_ltrb(x0, y0, x1, y1).filter(|r| is_area(*r)) {
            let (sheet, mask) = self.parts();
            sheet.fill_rect(rect, &color.into(), Transform::identity(), mask);
        }
    }

    /// Draws the outline of a box, rounded to whole pixels.
    pub fn outline(&mut self, rect: Rect, color: Color) {
        let r = rect.round();
        self.fill(Rect::new(r.x0, r.y0, r.x1, r.y0 + 1.0), color);
        self.fill(Rect::new(r.x0, r.y1 - 1.0, r.x1, r.y1), color);
        self.fill(Rect::new(r.x0, r.y0 + 1.0, r.x0 + 1.0, r.y1 - 1.0), color);
        self.fill(Rect::new(r.x1 - 1.0, r.y0 + 1.0, r.x1, r.y1 - 1.0), color);
    }

    pub fn dot(&mut self, centre: (f64, f64), radius: f64, color: Color) {
        self.fill_path(circle(centre, radius), color);
    }

    pub fn ring(&mut self, centre: (f64, f64), radius: f64, width: f64, color: Color) {
        self.stroke_path(circle(centre, radius), &stroke(width), color);
    }

    /// Draws a line through `points` with round joins; a point that is not finite breaks it.
    pub fn line(&mut self, points: &[(f64, f64)], width: f64, color: Color) {
        // A line thinner than a pixel is drawn as a paler one of a pixel.
        self.stroke_path(polyline(points), &stroke(width.max(1.0)), color.fade(width.min(1.0)));
    }

    /// Draws like [`Canvas::line`], in strokes of `on` pixels with gaps of `off` pixels.
    pub fn dashes(&mut self, points: &[(f64, f64)], width: f64, on: f64, off: f64, color: Color) {
        let dash = StrokeDash::new(vec![on as f32, off as f32], 0.0);
        self.stroke_path(polyline(points), &Stroke { dash, ..stroke(width) }, color);
    }

    /// Fills between the curves `low` and `high` over increasing `xs`; a value that is not finite
    /// leaves a gap.
    pub fn band(&mut self, xs: &[f64], low: &[f64], high: &[f64], color: Color) {
        let points: Vec<_> =
            xs.iter().zip(low).zip(high).map(|((x, low), high)| (*x, *low, *high)).collect();
        let mut path = PathBuilder::new();
        for run in points.split(|(x, low, high)| !(near(*x) && near(*low) && near(*high))) {
            let there = run.iter().map(|(x, low, _)| (*x, *low));
            let back = run.iter().rev().map(|(x, _, high)| (*x, *high));
            for (i, (x, y)) in there.chain(back).enumerate() {
                let add = if i == 0 { PathBuilder::move_to } else { PathBuilder::line_to };
                add(&mut path, x as f32, y as f32);
            }
            path.close();
        }
        self.fill_path(path, color);
    }

    /// Colours pixels from `(x, y)` on, in rows of `width`, each as opaque as its `coverage` in
    /// 0..=1: the letters of a text.
    pub fn stamp(&mut self, (x, y): (i32, i32), width: u32, coverage: &[f32], color: Color) {
        let height = coverage.len() as u32 / width.max(1);
        let Some(mut stamp) = Pixmap::new(width, height) else { return };
        for (pixel, share) in stamp.pixels_mut().iter_mut().zip(coverage) {
            let part = tiny_skia::Color::from(color.fade(f64::from(share.min(1.0))));
            *pixel = part.premultiply().to_color_u8();
        }
        let (sheet, mask) = self.parts();
        sheet.draw_pixmap(
            x,
            y,
            stamp.as_ref(),
            &PixmapPaint::default(),
            Transform::identity(),
            mask,
        );
    }

    /// The picture as rows of red, green, blue bytes.
    #[cfg(test)]
    pub fn to_rgb(&self) -> Vec<u8> {
        self.sheet.pixels().iter().flat_map(|p| [p.red(), p.green(), p.blue()]).collect()
    }
}

impl From<Color> for tiny_skia::Color {
    fn from(color: Color) -> Self {
        let [r, g, b, a] =
            [color.rgb[0], color.rgb[1], color.rgb[2], color.alpha].map(|c| c.clamp(0.0, 1.0));
        tiny_skia::Color::from_rgba(r, g, b, a).unwrap_or(tiny_skia::Color::TRANSPARENT)
    }
}

impl From<Color> for Paint<'_> {
    fn from(color: Color) -> Self {
        let mut paint = Paint::default();
        paint.set_color(color.into());
        paint
    }
}

fn near(v: f64) -> bool {
    v.abs() < FAR
}

/// `true` if a fill of this box leaves ink; `tiny-skia` logs a warning for one that does not.
fn is_area(bounds: tiny_skia::Rect) -> bool {
    const LEAST: f32 = 1.0 / 1024.0;
    bounds.width() > LEAST && bounds.height() > LEAST
}

fn circle((x, y): (f64, f64), radius: f64) -> PathBuilder {
    let mut path = PathBuilder::new();
    if near(x) && near(y) {
        path.push_circle(x as f32, y as f32, radius as f32);
    }
    path
}

fn polyline(points: &[(f64, f64)]) -> PathBuilder {
    let mut path = PathBuilder::new();
    for run in points.split(|(x, y)| !(near(*x) && near(*y))) {
        for (i, (x, y)) in run.iter().enumerate() {
            let add = if i == 0 { PathBuilder::move_to } else { PathBuilder::line_to };
            add(&mut path, *x as f32, *y as f32);
        }
    }
    path
}

fn stroke(width: f64) -> Stroke {
    Stroke {
        width: width as f32,
        line_cap: LineCap::Round,
        line_join: LineJoin::Round,
        ..Stroke::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::style::{INK, PAPER};

    fn darkness(canvas: &Canvas) -> f64 {
        canvas.to_rgb().iter().map(|b| f64::from(255 - *b)).sum::<f64>() / f64::from(255 * 3)
    }

    #[test]
    fn a_line_covers_its_length_times_its_width() {
        let mut canvas = Canvas::new(100, 60, PAPER).unwrap();
        canvas.line(&[(10.0, 10.0), (50.0, 40.0)], 4.0, Color::new(0, 0, 0));
        let area = 50.0 * 4.0 + std::f64::consts::PI * 4.0;
        assert!((darkness(&canvas) - area).abs() < 0.06 * area, "{}", darkness(&canvas));
    }

    #[test]
    fn clipping_and_values_that_are_not_finite_leave_the_rest_alone() {
        let mut canvas = Canvas::new(20, 20, PAPER).unwrap();
        canvas.clipped(Rect::new(5.0, 5.0, 10.0, 10.0), |c| {
            c.fill(Rect::new(-9.0, -9.0, 99.0, 99.0), INK)
        });
        canvas.line(&[(f64::NAN, 1.0), (f64::INFINITY, 2.0), (1e30, -1e30)], 2.0, INK);
        canvas.dot((f64::NAN, 3.0), 5.0, INK);
        canvas.band(&[0.0, f64::NAN], &[0.0, 1.0], &[2.0, 2.0], INK);
        let untouched = canvas.to_rgb().iter().filter(|b| **b == 255).count();
        assert_eq!(untouched, 3 * (20 * 20 - 25));
    }

    #[test]
    fn a_picture_is_written_whole_and_nothing_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picture.png");
        for width in [30, 40] {
            Canvas::new(width, 20, PAPER).unwrap().save(&path).unwrap();
        }
        let names: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["picture.png"]);
        let read = Pixmap::load_png(&path).unwrap();
        assert_eq!((read.width(), read.height()), (40, 20));
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nowhere/picture.png");
        let e = Canvas::new(3, 2, PAPER).unwrap().save(&path).unwrap_err();
        assert!(e.to_string().contains("nowhere"), "{e}");
        assert!(Canvas::new(0, 2, PAPER).is_err());
    }
}
