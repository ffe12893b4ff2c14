//! The sheet that pictures are drawn on: anti-aliased lines, dots, bands and boxes on pixels, so that
//! thin curves and thousands of half-transparent points stay crisp. Text comes from
//! [`super::text`]; a finished sheet leaves through [`super::png`].

use super::rect::Rect;
use super::style::Color;

/// A sheet of pixels. Drawing outside `clip` has no effect.
pub(super) struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<[f32; 3]>,
    clip: (usize, usize, usize, usize),
    /// How much of each pixel the shape under construction covers; zero between shapes.
    mask: Vec<f32>,
    touched: Vec<usize>,
}

impl Canvas {
    pub fn new(width: usize, height: usize, background: Color) -> Self {
        let n = width * height;
        Canvas {
            width,
            height,
            pixels: vec![background.rgb; n],
            clip: (0, 0, width, height),
            mask: vec![0.0; n],
            touched: Vec::new(),
        }
    }

    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// The picture as rows of red, green, blue bytes.
    pub fn to_rgb(&self) -> Vec<u8> {
        self.pixels.iter().flatten().map(|c| (c.clamp(0.0, 1.0) * 255.0).round() as u8).collect()
    }

    /// Draws with everything outside `rect` cut off.
    pub fn clipped<T>(&mut self, rect: Rect, draw: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.clip;
        let edge = |v: f64, max: usize| v.round().clamp(0.0, max as f64) as usize;
        self.clip = (
            edge(rect.x0, self.width).max(before.0),
            edge(rect.y0, self.height).max(before.1),
            edge(rect.x1, self.width).min(before.2),
            edge(rect.y1, self.height).min(before.3),
        );
        let out = draw(self);
        self.clip = before;
        out
    }

    /// The pixels of `[lo, hi]` that are not cut off, along x.
    fn columns(&self, lo: f64, hi: f64) -> std::ops::Range<usize> {
        let from = lo.floor().max(self.clip.0 as f64) as usize;
        let to = (hi.ceil().max(0.0) as usize).min(self.clip.2);
        from..to
    }

    /// The pixels of `[lo, hi]` that are not cut off, along y.
    fn rows(&self, lo: f64, hi: f64) -> std::ops::Range<usize> {
        let from = lo.floor().max(self.clip.1 as f64) as usize;
        let to = (hi.ceil().max(0.0) as usize).min(self.clip.3);
        from..to
    }

    fn blend(&mut self, index: usize, color: Color, coverage: f32) {
        let a = (color.alpha * coverage).clamp(0.0, 1.0);
        for (old, new) in self.pixels[index].iter_mut().zip(color.rgb) {
            *old += (new - *old) * a;
        }
    }

    fn cover(&mut self, index: usize, coverage: f32) {
        if coverage > 0.0 {
            if self.mask[index] == 0.0 {
                self.touched.push(index);
            }
            self.mask[index] = self.mask[index].max(coverage);
        }
    }

    /// Adds to a pixel's coverage, as for the parts of a letter; [`Canvas::ink`] ends the shape.
    pub fn add_cover(&mut self, x: i64, y: i64, coverage: f32) {
        let (x0, y0, x1, y1) = self.clip;
        if x >= x0 as i64 && x < x1 as i64 && y >= y0 as i64 && y < y1 as i64 && coverage > 0.0 {
            let index = y as usize * self.width + x as usize;
            if self.mask[index] == 0.0 {
                self.touched.push(index);
            }
            self.mask[index] += coverage;
        }
    }

    /// Colours the shape whose coverage has been gathered, once, whatever overlaps itself.
    pub fn ink(&mut self, color: Color) {
        for index in std::mem::take(&mut self.touched) {
            let coverage = std::mem::replace(&mut self.mask[index], 0.0);
            self.blend(index, color, coverage.min(1.0));
        }
    }

    pub fn fill(&mut self, rect: Rect, color: Color) {
        let part = |lo: f64, hi: f64, at: usize| {
            (hi.min(at as f64 + 1.0) - lo.max(at as f64)).clamp(0.0, 1.0)
        };
        for y in self.rows(rect.y0, rect.y1) {
            for x in self.columns(rect.x0, rect.x1) {
                let coverage = part(rect.x0, rect.x1, x) * part(rect.y0, rect.y1, y);
                self.blend(y * self.width + x, color, coverage as f32);
            }
        }
    }

    /// The outline of a box, kept on whole pixels.
    pub fn outline(&mut self, rect: Rect, color: Color) {
        let r = Rect::new(rect.x0.round(), rect.y0.round(), rect.x1.round(), rect.y1.round());
        self.fill(Rect::new(r.x0, r.y0, r.x1, r.y0 + 1.0), color);
        self.fill(Rect::new(r.x0, r.y1 - 1.0, r.x1, r.y1), color);
        self.fill(Rect::new(r.x0, r.y0 + 1.0, r.x0 + 1.0, r.y1 - 1.0), color);
        self.fill(Rect::new(r.x1 - 1.0, r.y0 + 1.0, r.x1, r.y1 - 1.0), color);
    }

    pub fn dot(&mut self, (cx, cy): (f64, f64), radius: f64, color: Color) {
        self.disc((cx, cy), radius, |distance| radius + 0.5 - distance);
        self.ink(color);
    }

    pub fn ring(&mut self, (cx, cy): (f64, f64), radius: f64, width: f64, color: Color) {
        self.disc((cx, cy), radius + width, |distance| {
            width / 2.0 + 0.5 - (distance - radius).abs()
        });
        self.ink(color);
    }

    fn disc(&mut self, (cx, cy): (f64, f64), reach: f64, coverage: impl Fn(f64) -> f64) {
        if !(cx.is_finite() && cy.is_finite()) {
            return;
        }
        for y in self.rows(cy - reach - 1.0, cy + reach + 1.0) {
            for x in self.columns(cx - reach - 1.0, cx + reach + 1.0) {
                let distance = (x as f64 + 0.5 - cx).hypot(y as f64 + 0.5 - cy);
                self.cover(y * self.width + x, coverage(distance).clamp(0.0, 1.0) as f32);
            }
        }
    }

    /// A line through `points` with round joins; a point that is not finite breaks it.
    pub fn line(&mut self, points: &[(f64, f64)], width: f64, color: Color) {
        for pair in points.windows(2) {
            self.segment(pair[0], pair[1], width.max(1.0) / 2.0);
        }
        self.ink(color.fade(width.min(1.0)));
    }

    /// Like [`Canvas::line`], in strokes of `on` pixels with gaps of `off` pixels.
    pub fn dashes(&mut self, points: &[(f64, f64)], width: f64, on: f64, off: f64, color: Color) {
        let mut walked = 0.0;
        for pair in points.windows(2) {
            let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
            let length = (x1 - x0).hypot(y1 - y0);
            if !length.is_finite() || length == 0.0 || length > 1e5 {
                continue;
            }
            let at = |d: f64| (x0 + (x1 - x0) * d / length, y0 + (y1 - y0) * d / length);
            let mut dash = (walked / (on + off)).floor() * (on + off) - walked;
            while dash < length {
                if dash + on > 0.0 {
                    self.segment(at(dash.max(0.0)), at((dash + on).min(length)), width / 2.0);
                }
                dash += on + off;
            }
            walked += length;
        }
        self.ink(color);
    }

    fn segment(&mut self, (x0, y0): (f64, f64), (x1, y1): (f64, f64), half: f64) {
        if ![x0, y0, x1, y1].iter().all(|v| v.is_finite() && v.abs() < 1e7) {
            return;
        }
        let (dx, dy) = (x1 - x0, y1 - y0);
        let (length2, reach) = (dx * dx + dy * dy, half + 1.0);
        for y in self.rows(y0.min(y1) - reach, y0.max(y1) + reach) {
            let cy = y as f64 + 0.5;
            // only the part of the segment near this row can touch its pixels
            let (mut a, mut b) = (0.0, 1.0);
            if dy.abs() > 1e-9 {
                let (p, q) = ((cy - reach - y0) / dy, (cy + reach - y0) / dy);
                (a, b) = (p.min(q).clamp(0.0, 1.0), p.max(q).clamp(0.0, 1.0));
            }
            let (xa, xb) = (x0 + a * dx, x0 + b * dx);
            for x in self.columns(xa.min(xb) - reach, xa.max(xb) + reach) {
                let cx = x as f64 + 0.5;
                let t = if length2 > 0.0 {
                    (((cx - x0) * dx + (cy - y0) * dy) / length2).clamp(0.0, 1.0)
                } else {
                    0.0
                };
                let distance = (cx - x0 - t * dx).hypot(cy - y0 - t * dy);
                self.cover(y * self.width + x, (half + 0.5 - distance).clamp(0.0, 1.0) as f32);
            }
        }
    }

    /// Fills between the curves `low` and `high` over increasing `xs`; values that are not finite leave a gap.
    pub fn band(&mut self, xs: &[f64], low: &[f64], high: &[f64], color: Color) {
        for i in 1..xs.len().min(low.len()).min(high.len()) {
            let (xa, xb) = (xs[i - 1], xs[i]);
            if ![xa, xb, low[i - 1], low[i], high[i - 1], high[i]].iter().all(|v| v.is_finite())
                || xb <= xa
            {
                continue;
            }
            for x in self.columns(xa, xb) {
                let share = (xb.min(x as f64 + 1.0) - xa.max(x as f64)).clamp(0.0, 1.0);
                let t = ((x as f64 + 0.5 - xa) / (xb - xa)).clamp(0.0, 1.0);
                let (p, q) = (
                    low[i - 1] + t * (low[i] - low[i - 1]),
                    high[i - 1] + t * (high[i] - high[i - 1]),
                );
                let (top, bottom) = (p.min(q), p.max(q));
                for y in self.rows(top, bottom) {
                    let coverage =
                        (bottom.min(y as f64 + 1.0) - top.max(y as f64)).clamp(0.0, 1.0) * share;
                    self.add_cover(x as i64, y as i64, coverage as f32);
                }
            }
        }
        self.ink(color);
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
        let mut canvas = Canvas::new(100, 60, PAPER);
        canvas.line(&[(10.0, 10.0), (50.0, 40.0)], 4.0, Color::new(0, 0, 0));
        let area = 50.0 * 4.0 + std::f64::consts::PI * 4.0;
        assert!((darkness(&canvas) - area).abs() < 0.06 * area, "{}", darkness(&canvas));
    }

    #[test]
    fn clipping_and_values_that_are_not_finite_leave_the_rest_alone() {
        let mut canvas = Canvas::new(20, 20, PAPER);
        canvas.clipped(Rect::new(5.0, 5.0, 10.0, 10.0), |c| {
            c.fill(Rect::new(-9.0, -9.0, 99.0, 99.0), INK)
        });
        canvas.line(&[(f64::NAN, 1.0), (f64::INFINITY, 2.0), (1e30, -1e30)], 2.0, INK);
        canvas.dot((f64::NAN, 3.0), 5.0, INK);
        canvas.band(&[0.0, f64::NAN], &[0.0, 1.0], &[2.0, 2.0], INK);
        let untouched = canvas.to_rgb().iter().filter(|b| **b == 255).count();
        assert_eq!(untouched, 3 * (20 * 20 - 25));
    }
}
