//! Panels: one set of axes with its title, grid and labels, and the marks drawn in it.

use super::Points;
use super::axis::{Axis, equal_aspect, nice_step};
use super::canvas::{Canvas, Rect};
use super::style::{self, Color, FRAME, GRID, INK, PAPER, SOFT_INK, counted};
use super::text::{Align, Font, write, write_up};
use crate::Result;

/// What a panel shows, before it has a place.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub title: String,
    pub x_label: String,
    pub y_label: String,
    pub x: Axis,
    pub y: Axis,
    /// A unit is as long along both axes.
    pub equal: bool,
    /// The values of y mean nothing by themselves and are not written.
    pub hide_y: bool,
}

impl Frame {
    pub fn new(title: impl Into<String>, x: Axis, y: Axis) -> Self {
        Frame {
            title: title.into(),
            x_label: String::new(),
            y_label: String::new(),
            x,
            y,
            equal: false,
            hide_y: false,
        }
    }

    pub fn labels(mut self, x: impl Into<String>, y: impl Into<String>) -> Self {
        self.x_label = x.into();
        self.y_label = y.into();
        self
    }

    pub fn equal(mut self) -> Self {
        self.equal = true;
        self
    }

    pub fn hide_y(mut self) -> Self {
        self.hide_y = true;
        self
    }

    /// The room above and below the plot.
    pub fn margins(&self) -> (f64, f64) {
        let top = if self.title.is_empty() { 8.0 } else { 30.0 };
        (top, if self.x_label.is_empty() { 28.0 } else { 52.0 })
    }

    /// The height at which a panel of this width shows both ranges at equal aspect, within limits.
    pub fn height_for(&self, width: f64, least: f64, most: f64) -> f64 {
        let (top, bottom) = self.margins();
        let plot = width - 66.0;
        let ideal = plot * (self.y.hi - self.y.lo).abs() / (self.x.hi - self.x.lo).abs();
        ideal.clamp(least, most) + top + bottom
    }

    /// Draws the axes into `outer`, labels included.
    pub fn draw(&self, canvas: &mut Canvas, outer: Rect) -> Result<Panel> {
        let (top, bottom) = self.margins();
        let tick_font = Font::regular(style::TICK, SOFT_INK);
        let (mut x, mut y) = (self.x.clone(), self.y.clone());
        let mut plot = Rect::new(outer.x0, outer.y0 + top, outer.x1 - 8.0, outer.y1 - bottom);
        // how wide the labels of y are depends on its range, which may depend on the room left
        let mut y_ticks = Vec::new();
        // panels above each other line up unless a label is longer than most
        let usual = if outer.width() > 400.0 { 40.0 } else { 0.0 };
        let mut widest = usual;
        for _ in 0..2 {
            let label = if self.y_label.is_empty() {
                4.0
            } else {
                style::LABEL + 12.0
            };
            plot.x0 = (outer.x0 + label + if self.hide_y { 0.0 } else { widest + 9.0 }).round();
            if self.equal {
                let ranges = equal_aspect((x.lo, x.hi), (y.lo, y.hi), plot.width(), plot.height());
                let per_pixel = (ranges[0].1 - ranges[0].0) / plot.width();
                let apart = (plot.width().min(plot.height()) / 4.0).clamp(45.0, 110.0);
                let step = nice_step(per_pixel * apart, 1.0);
                (x.lo, x.hi, x.step) = (ranges[0].0, ranges[0].1, Some(step));
                (y.lo, y.hi, y.step) = (ranges[1].0, ranges[1].1, Some(step));
            }
            y_ticks = if self.hide_y {
                Vec::new()
            } else {
                y.ticks((plot.height() / 55.0).clamp(2.0, 7.0))
            };
            widest = usual;
            for (_, text) in &y_ticks {
                widest = tick_font.width(text)?.max(widest);
            }
        }
        let panel = Panel { plot, x, y };
        let x_ticks = panel.x_ticks(tick_font)?;

        canvas.fill(plot, PAPER);
        for (v, _) in &x_ticks {
            let at = panel.px(*v).round();
            canvas.fill(Rect::new(at, plot.y0, at + 1.0, plot.y1), GRID);
        }
        for (v, _) in &y_ticks {
            let at = panel.py(*v).round();
            canvas.fill(Rect::new(plot.x0, at, plot.x1, at + 1.0), GRID);
        }
        for (v, text) in &x_ticks {
            write(
                canvas,
                text,
                (panel.px(*v) + 0.5, plot.y1 + 9.0 + tick_font.cap()),
                Align::Middle,
                tick_font,
            )?;
        }
        for (v, text) in &y_ticks {
            let base = panel.py(*v) + 0.5 + tick_font.cap() / 2.0;
            write(canvas, text, (plot.x0 - 8.0, base), Align::End, tick_font)?;
        }
        canvas.outline(plot.grow(0.5), FRAME);

        let label_font = Font::regular(style::LABEL, INK);
        if !self.x_label.is_empty() {
            let text = label_font.fit(&self.x_label, outer.width())?;
            let middle = within(
                (plot.x0 + plot.x1) / 2.0,
                label_font.width(&text)?,
                outer.x0,
                outer.x1,
            );
            write(
                canvas,
                &text,
                (middle, plot.y1 + 45.0),
                Align::Middle,
                label_font,
            )?;
        }
        if !self.y_label.is_empty() {
            let text = label_font.fit(&self.y_label, outer.height())?;
            let middle = within(
                (plot.y0 + plot.y1) / 2.0,
                label_font.width(&text)?,
                outer.y0,
                outer.y1,
            );
            write_up(
                canvas,
                &text,
                (outer.x0 + label_font.cap() + 2.0, middle),
                Align::Middle,
                label_font,
            )?;
        }
        if !self.title.is_empty() {
            let font = Font::semi_bold(style::PANEL_TITLE, INK);
            let text = font.fit(&self.title, plot.width())?;
            write(canvas, &text, (plot.x0, plot.y0 - 11.0), Align::Start, font)?;
        }
        Ok(panel)
    }
}

fn within(middle: f64, length: f64, lo: f64, hi: f64) -> f64 {
    if length >= hi - lo {
        (lo + hi) / 2.0
    } else {
        middle.clamp(lo + length / 2.0, hi - length / 2.0)
    }
}

/// A panel in its place: marks are given in the units of its axes.
pub(super) struct Panel {
    pub plot: Rect,
    pub x: Axis,
    pub y: Axis,
}

impl Panel {
    /// As many marks on x as can be written without touching.
    fn x_ticks(&self, font: Font) -> Result<Vec<(f64, String)>> {
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
        // the step is given and too fine for such long labels: every other mark stays
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

    /// How many of the points are finite and lie outside the axes.
    pub fn outside(&self, points: &[(f64, f64)]) -> usize {
        let finite = points.iter().filter(|p| p.0.is_finite() && p.1.is_finite());
        finite
            .filter(|p| !(self.x.contains(p.0) && self.y.contains(p.1)))
            .count()
    }

    /// Draws dots in a mixed order, so that no colour hides another.
    pub fn dots(
        &self,
        canvas: &mut Canvas,
        points: &[(f64, f64)],
        size: (f64, f64),
        color: impl Fn(usize) -> Color,
    ) {
        canvas.clipped(self.plot, |canvas| {
            for i in super::stats::mixed(points.len()) {
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
        canvas.clipped(self.plot, |canvas| {
            canvas.dashes(&pixels, width, 7.0, 5.0, color)
        });
    }

    pub fn band(&self, canvas: &mut Canvas, xs: &[f64], low: &[f64], high: &[f64], color: Color) {
        let px: Vec<_> = xs.iter().map(|x| self.px(*x)).collect();
        let map = |ys: &[f64]| ys.iter().map(|y| self.py(*y)).collect::<Vec<_>>();
        canvas.clipped(self.plot, |canvas| {
            canvas.band(&px, &map(low), &map(high), color)
        });
    }

    /// Bars from zero, one a bin, with thin gaps.
    pub fn bars(&self, canvas: &mut Canvas, edges: &[f64], heights: &[f64], color: Color) {
        canvas.clipped(self.plot, |canvas| {
            for (edge, height) in edges.windows(2).zip(heights) {
                let (x0, x1) = (self.px(edge[0]), self.px(edge[1]));
                let gap = if x1 - x0 > 6.0 { 0.5 } else { 0.0 };
                canvas.fill(
                    Rect::new(x0 + gap, self.py(*height), x1 - gap, self.plot.y1),
                    color,
                );
            }
        });
    }

    /// The outline of bars.
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

    /// Remarks in the panel's upper right corner, on a veil that keeps them readable.
    pub fn notes(&self, canvas: &mut Canvas, notes: &[String]) -> Result<()> {
        self.notes_from(canvas, notes, self.plot.y0 + 20.0)
    }

    /// Remarks in the panel's lower right corner.
    pub fn notes_below(&self, canvas: &mut Canvas, notes: &[String]) -> Result<()> {
        self.notes_from(
            canvas,
            notes,
            self.plot.y1 + 9.0 - 19.0 * notes.len() as f64,
        )
    }

    fn notes_from(&self, canvas: &mut Canvas, notes: &[String], first: f64) -> Result<()> {
        let font = Font::regular(style::NOTE, INK);
        for (i, note) in notes.iter().enumerate() {
            let text = font.fit(note, self.plot.width() - 20.0)?;
            let (base, right) = (first + 19.0 * i as f64, self.plot.x1 - 9.0);
            let veil = Rect::new(
                right - font.width(&text)? - 4.0,
                base - 13.5,
                right + 4.0,
                base + 4.5,
            );
            canvas.fill(veil, PAPER.fade(0.82));
            write(canvas, &text, (right, base), Align::End, font)?;
        }
        Ok(())
    }

    /// Says how many points do not show, if any: outside the axes, or not finite.
    pub fn note_missing(&self, canvas: &mut Canvas, points: &[(f64, f64)]) -> Result<()> {
        self.notes(canvas, &self.missing(points))
    }

    /// The remarks of [`Panel::note_missing`].
    pub fn missing(&self, points: &[(f64, f64)]) -> Vec<String> {
        let outside = self.outside(points);
        let broken = points
            .iter()
            .filter(|p| !(p.0.is_finite() && p.1.is_finite()))
            .count();
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
pub(super) fn first_coordinate(points: &Points) -> Vec<f64> {
    (0..points.len())
        .map(|i| points.row(i).first().copied().unwrap_or(f64::NAN))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_equal_panel_has_equal_pixels_per_unit_and_keeps_its_ranges() {
        let mut canvas = Canvas::new(500, 400, PAPER);
        let frame = Frame::new("t", Axis::linear((-1.0, 2.0)), Axis::linear((-0.5, 1.0)))
            .labels("x", "y")
            .equal();
        let panel = frame
            .draw(&mut canvas, Rect::new(10.0, 10.0, 490.0, 390.0))
            .unwrap();
        let across = panel.px(1.0) - panel.px(0.0);
        let up = panel.py(0.0) - panel.py(1.0);
        assert!((across - up).abs() < 1e-9, "{across} {up}");
        assert!(
            panel.x.contains(-1.0)
                && panel.x.contains(2.0)
                && panel.y.contains(-0.5)
                && panel.y.contains(1.0)
        );
        assert_eq!(
            panel.outside(&[(0.0, 0.0), (99.0, 0.0), (f64::NAN, 0.0)]),
            1
        );
    }
}
