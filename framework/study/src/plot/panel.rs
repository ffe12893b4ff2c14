//! Marks in one set of axes, and remarks on values that are not visible.

use super::Scatter;
use super::axis::Axis;
use super::canvas::Canvas;
use super::rect::Rect;
use super::stats::mixed;
use super::style::{self, Color, INK, PAPER, counted};
use super::text::{Align, Font, write};
use crate::Result;

/// A panel in its place on the sheet; marks are given in the units of its axes.
pub(super) struct Panel {
    pub plot: Rect,
    pub x: Axis,
    pub y: Axis,
}

impl Panel {
    /// The ticks of x, as many as can be labelled without overlap.
    pub fn x_ticks(&self, font: Font) -> Result<Vec<(f64, String)>> {
        if let count @ 1.. = self.x.name_count() {
            let room = self.plot.width() / count as f64 - 4.0;
            let shorten = |(at, name): (f64, String)| Ok((at, font.fit(&name, room)?));
            return self.x.ticks(count as f64).into_iter().map(shorten).collect();
        }
        let mut ticks = Vec::new();
        for wanted in [8.0, 6.0, 4.0, 3.0, 2.0, 1.0] {
            if wanted * 50.0 > self.plot.width() && wanted > 2.0 {
                continue;
            }
            ticks = self.x.ticks(wanted);
            let mut room_used = 0.0;
            for (_, text) in &ticks {
                room_used += font.width(text)? + 22.0;
            }
            if room_used <= self.plot.width() {
                return Ok(ticks);
            }
        }
        // The step is fixed and too fine for labels this long: every second tick is left out.
        let mut kept = false;
        ticks.retain(|_| {
            kept = !kept;
            kept
        });
        Ok(ticks)
    }

    pub fn px(&self, x: f64) -> f64 {
        self.plot.x0 + self.x.share(x) * self.plot.width()
    }

    pub fn py(&self, y: f64) -> f64 {
        self.plot.y1 - self.y.share(y) * self.plot.height()
    }

    pub fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.px(x), self.py(y))
    }

    /// Number of points that are finite and outside the axes.
    pub fn outside(&self, points: &[(f64, f64)]) -> usize {
        let finite = points.iter().filter(|p| p.0.is_finite() && p.1.is_finite());
        finite.filter(|p| !(self.x.contains(p.0) && self.y.contains(p.1))).count()
    }

    /// Draws dots of `size` (radius, opacity) in a mixed order, so that no colour hides another.
    pub fn dots(
        &self,
        canvas: &mut Canvas,
        points: &[(f64, f64)],
        size: (f64, f64),
        color: impl Fn(usize) -> Color,
    ) {
        canvas.clipped(self.plot, |canvas| {
            for i in mixed(points.len()) {
                canvas.dot(self.at(points[i]), size.0, color(i).fade(size.1));
            }
        });
    }

    pub fn path(&self, canvas: &mut Canvas, points: &[(f64, f64)], width: f64, color: Color) {
        let pixels: Vec<_> = points.iter().map(|p| self.at(*p)).collect();
        canvas.clipped(self.plot, |canvas| canvas.line(&pixels, width, color));
    }

    pub fn dashed(&self, canvas: &mut Canvas, points: &[(f64, f64)], width: f64, color: Color) {
        let pixels: Vec<_> = points.iter().map(|p| self.at(*p)).collect();
        canvas.clipped(self.plot, |canvas| canvas.dashes(&pixels, width, 7.0, 5.0, color));
    }

    pub fn band(&self, canvas: &mut Canvas, xs: &[f64], low: &[f64], high: &[f64], color: Color) {
        let px: Vec<_> = xs.iter().map(|x| self.px(*x)).collect();
        let map = |ys: &[f64]| ys.iter().map(|y| self.py(*y)).collect::<Vec<_>>();
        canvas.clipped(self.plot, |canvas| canvas.band(&px, &map(low), &map(high), color));
    }

    /// Draws bars from zero, one a bin, with thin gaps.
    pub fn bars(&self, canvas: &mut Canvas, edges: &[f64], heights: &[f64], color: Color) {
        canvas.clipped(self.plot, |canvas| {
            for (edge, height) in edges.windows(2).zip(heights) {
                let (x0, x1) = (self.px(edge[0]), self.px(edge[1]));
                let gap = if x1 - x0 > 6.0 { 0.5 } else { 0.0 };
                canvas.fill(Rect::new(x0 + gap, self.py(*height), x1 - gap, self.plot.y1), color);
            }
        });
    }

    /// Draws the outline of bars.
    pub fn steps(
        &self,
        canvas: &mut Canvas,
        edges: &[f64],
        heights: &[f64],
        width: f64,
        color: Color,
    ) {
        let mut path = Vec::new();
        if let Some(first) = edges.first() {
            path.push((*first, 0.0));
        }
        for (edge, height) in edges.windows(2).zip(heights) {
            path.extend([(edge[0], *height), (edge[1], *height)]);
        }
        if let Some(last) = edges.last() {
            path.push((*last, 0.0));
        }
        self.path(canvas, &path, width, color);
    }

    /// Writes remarks in the panel's upper right corner, on a pale background that keeps them
    /// readable.
    pub fn notes(&self, canvas: &mut Canvas, notes: &[String]) -> Result<()> {
        self.notes_from(canvas, notes, self.plot.y0 + 20.0)
    }

    /// Writes remarks in the panel's lower right corner.
    pub fn notes_below(&self, canvas: &mut Canvas, notes: &[String]) -> Result<()> {
        self.notes_from(canvas, notes, self.plot.y1 + 9.0 - 19.0 * notes.len() as f64)
    }

    fn notes_from(&self, canvas: &mut Canvas, notes: &[String], first: f64) -> Result<()> {
        let font = Font::regular(style::NOTE, INK);
        for (i, note) in notes.iter().enumerate() {
            let text = font.fit(note, self.plot.width() - 20.0)?;
            let (base, right) = (first + 19.0 * i as f64, self.plot.x1 - 9.0);
            let background =
                Rect::new(right - font.width(&text)? - 4.0, base - 13.5, right + 4.0, base + 4.5);
            canvas.fill(background, PAPER.fade(0.82));
            write(canvas, &text, (right, base), Align::End, font)?;
        }
        Ok(())
    }

    /// Writes a remark in the middle of the panel.
    pub fn remark(&self, canvas: &mut Canvas, text: &str) -> Result<()> {
        let font = Font::regular(style::LABEL, INK);
        let (x, y) = ((self.plot.x0 + self.plot.x1) / 2.0, (self.plot.y0 + self.plot.y1) / 2.0);
        write(canvas, text, (x, y + font.cap() / 2.0), Align::Middle, font)
    }

    /// Writes how many points are not visible: outside the axes, or not finite.
    pub fn note_missing(&self, canvas: &mut Canvas, points: &[(f64, f64)]) -> Result<()> {
        self.notes(canvas, &self.missing(points))
    }

    /// The remarks of [`Panel::note_missing`].
    pub fn missing(&self, points: &[(f64, f64)]) -> Vec<String> {
        let outside = self.outside(points);
        let broken = points.iter().filter(|p| !(p.0.is_finite() && p.1.is_finite())).count();
        let mut notes = Vec::new();
        if outside > 0 {
            notes.push(format!("{} outside", counted(outside, "point")));
        }
        if broken > 0 {
            notes.push(format!("{} not finite", counted(broken, "point")));
        }
        notes
    }
}

/// The first coordinate of every point.
pub(super) fn first_coordinate(points: &Scatter) -> Vec<f64> {
    (0..points.len()).map(|i| points.row(i).first().copied().unwrap_or(f64::NAN)).collect()
}
