/// An axis-parallel box in pixels; `y` grows downwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rect {
    pub x0: f64,
    pub y0: f64,
    pub x1: f64,
    pub y1: f64,
}

impl Rect {
    pub fn new(x0: f64, y0: f64, x1: f64, y1: f64) -> Self {
        Rect { x0, y0, x1, y1 }
    }

    pub fn width(&self) -> f64 {
        self.x1 - self.x0
    }

    pub fn height(&self) -> f64 {
        self.y1 - self.y0
    }

    pub fn grow(&self, by: f64) -> Self {
        Rect::new(self.x0 - by, self.y0 - by, self.x1 + by, self.y1 + by)
    }

    /// The box with its sides rounded to whole pixels.
    pub fn round(&self) -> Self {
        Rect::new(self.x0.round(), self.y0.round(), self.x1.round(), self.y1.round())
    }

    /// The part of the box within `other`; empty if they do not overlap.
    pub fn within(&self, other: Rect) -> Self {
        let Rect { x0, y0, x1, y1 } = other;
        Rect::new(
            self.x0.clamp(x0, x1),
            self.y0.clamp(y0, y1),
            self.x1.clamp(x0, x1),
            self.y1.clamp(y0, y1),
        )
    }

    /// Divides the box into `columns` x `rows` cells with gaps between them, row by row.
    pub fn cells(&self, columns: usize, rows: usize, gap_x: f64, gap_y: f64) -> Vec<Rect> {
        let (columns, rows) = (columns.max(1), rows.max(1));
        let w = (self.width() - gap_x * (columns - 1) as f64) / columns as f64;
        let h = (self.height() - gap_y * (rows - 1) as f64) / rows as f64;
        (0..rows * columns)
            .map(|i| {
                let x = self.x0 + (i % columns) as f64 * (w + gap_x);
                let y = self.y0 + (i / columns) as f64 * (h + gap_y);
                Rect::new(x, y, x + w, y + h)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_tile_the_box() {
        let cells = Rect::new(0.0, 0.0, 110.0, 50.0).cells(2, 2, 10.0, 10.0);
        assert_eq!(cells[3], Rect::new(60.0, 30.0, 110.0, 50.0));
    }
}
