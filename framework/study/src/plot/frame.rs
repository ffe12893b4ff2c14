//! Title, grid, ticks and labels of a panel, fitted into the room that it is given.

use super::axis::{Axis, equal_aspect, nice_step, share_a_unit};
use super::canvas::Canvas;
use super::panel::Panel;
use super::rect::Rect;
use super::style::{self, FRAME, GRID, INK, PAPER, SOFT_INK};
use super::text::{Align, Font, write, write_up};
use crate::Result;

/// Share of a panel's width that names of y may take.
const NAMES: f64 = 0.36;

/// A panel without its place on the sheet: title, labels and axes.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub title: String,
    pub x_label: String,
    pub y_label: String,
    pub x: Axis,
    pub y: Axis,
    /// `true` for equal aspect, if both coordinates share a unit: it is then as long along both
    /// axes.
    pub equal: bool,
    /// `true` if the values of y mean nothing by themselves and are not written.
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

    /// The room above and below the plot, in pixels.
    pub fn margins(&self) -> (f64, f64) {
        let top = if self.title.is_empty() { 8.0 } else { 30.0 };
        (top, if self.x_label.is_empty() { 28.0 } else { 52.0 })
    }

    /// The height in pixels at which a panel of this width shows both ranges at equal aspect. The
    /// plot within it is between `least` and `most` high.
    pub fn height_for(&self, width: f64, least: f64, most: f64) -> f64 {
        let (top, bottom) = self.margins();
        let plot = width - 66.0;
        let ideal = match self.shares_a_unit() {
            true => plot * (self.y.hi - self.y.lo).abs() / (self.x.hi - self.x.lo).abs(),
            false => plot,
        };
        ideal.clamp(least, most) + top + bottom
    }

    fn shares_a_unit(&self) -> bool {
        share_a_unit((self.x.hi - self.x.lo).abs(), (self.y.hi - self.y.lo).abs())
    }

    /// Draws the axes with title and labels into `outer`.
    pub fn draw(&self, canvas: &mut Canvas, outer: Rect) -> Result<Panel> {
        let (top, bottom) = self.margins();
        let tick_font = Font::regular(style::TICK, SOFT_INK);
        let mut y_font = tick_font;
        let (mut x, mut y) = (self.x.clone(), self.y.clone());
        let mut plot = Rect::new(outer.x0, outer.y0 + top, outer.x1 - 8.0, outer.y1 - bottom);
        // The width of the labels of y depends on its range, which at equal aspect depends on the
        // width that they leave: two rounds settle both.
        let mut y_ticks = Vec::new();
        // Panels above each other line up unless a label is longer than usual.
        let usual = if outer.width() > 400.0 { 40.0 } else { 0.0 };
        let mut widest = usual;
        for _ in 0..2 {
            let label = if self.y_label.is_empty() { 4.0 } else { style::LABEL + 12.0 };
            plot.x0 = (outer.x0 + label + if self.hide_y { 0.0 } else { widest + 9.0 }).round();
            if self.equal && self.shares_a_unit() {
                let ranges = equal_aspect((x.lo, x.hi), (y.lo, y.hi), plot.width(), plot.height());
                let per_pixel = (ranges[0].1 - ranges[0].0) / plot.width();
                let distance = (plot.width().min(plot.height()) / 4.0).clamp(45.0, 110.0);
                let step = nice_step(per_pixel * distance, 1.0);
                (x.lo, x.hi, x.step) = (ranges[0].0, ranges[0].1, Some(step));
                (y.lo, y.hi, y.step) = (ranges[1].0, ranges[1].1, Some(step));
            }
            y_ticks = if self.hide_y {
                Vec::new()
            } else {
                let wanted = (plot.height() / 55.0).clamp(2.0, 7.0);
                let ticks = y.ticks(wanted);
                if ticks.len() < 2 { y.ticks(2.0 * wanted) } else { ticks }
            };
            if let count @ 1.. = y.name_count() {
                y_font.size = (plot.height() / count as f64).clamp(9.0, style::TICK);
                for (_, name) in &mut y_ticks {
                    *name = y_font.fit(name, NAMES * outer.width())?;
                }
            }
            widest = usual;
            for (_, text) in &y_ticks {
                widest = y_font.width(text)?.max(widest);
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
            let base = panel.py(*v) + 0.5 + y_font.cap() / 2.0;
            write(canvas, text, (plot.x0 - 8.0, base), Align::End, y_font)?;
        }
        canvas.outline(plot.grow(0.5), FRAME);

        let label_font = Font::regular(style::LABEL, INK);
        if !self.x_label.is_empty() {
            let text = label_font.fit(&self.x_label, outer.width())?;
            let middle =
                within((plot.x0 + plot.x1) / 2.0, label_font.width(&text)?, outer.x0, outer.x1);
            write(canvas, &text, (middle, plot.y1 + 45.0), Align::Middle, label_font)?;
        }
        if !self.y_label.is_empty() {
            let text = label_font.fit(&self.y_label, outer.height())?;
            let middle =
                within((plot.y0 + plot.y1) / 2.0, label_font.width(&text)?, outer.y0, outer.y1);
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
            let text = font.fit(&self.title, plot.x1 - outer.x0)?;
            // A long title begins left of the plot.
            let start = plot.x0.min(plot.x1 - font.width(&text)?);
            write(canvas, &text, (start, plot.y0 - 11.0), Align::Start, font)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_equal_panel_has_equal_pixels_per_unit_and_keeps_its_ranges() {
        let mut canvas = Canvas::new(500, 400, PAPER).unwrap();
        let frame = Frame::new("t", Axis::linear((-1.0, 2.0)), Axis::linear((-0.5, 1.0)))
            .labels("x", "y")
            .equal();
        let panel = frame.draw(&mut canvas, Rect::new(10.0, 10.0, 490.0, 390.0)).unwrap();
        let across = panel.px(1.0) - panel.px(0.0);
        let up = panel.py(0.0) - panel.py(1.0);
        assert!((across - up).abs() < 1e-9, "{across} {up}");
        assert!(
            panel.x.contains(-1.0)
                && panel.x.contains(2.0)
                && panel.y.contains(-0.5)
                && panel.y.contains(1.0)
        );
        assert_eq!(panel.outside(&[(0.0, 0.0), (99.0, 0.0), (f64::NAN, 0.0)]), 1);
    }

    #[test]
    fn coordinates_of_different_units_fill_a_panel_each() {
        let mut canvas = Canvas::new(500, 400, PAPER).unwrap();
        // Millimetres and grams.
        let frame = Frame::new("t", Axis::linear((30.0, 60.0)), Axis::linear((2500.0, 6000.0)));
        let panel = frame.equal().draw(&mut canvas, Rect::new(10.0, 10.0, 490.0, 390.0)).unwrap();
        let (width, height) =
            (panel.px(60.0) - panel.px(30.0), panel.py(2500.0) - panel.py(6000.0));
        assert!(width > 0.9 * panel.plot.width() && height > 0.9 * panel.plot.height());
    }
}
