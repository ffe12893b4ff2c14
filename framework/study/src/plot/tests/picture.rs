use std::path::Path;

use tiny_skia::Pixmap;

use crate::plot::style::{BLUE, Color, FRAME, GREEN, GRID, PAPER, VERMILION, category};

/// Number of pixels for which marks may interrupt a frame.
const CROSSED: usize = 40;
/// Length in pixels of a frame's sides, at least.
const LEAST: usize = 60;
/// Largest difference of a pixel's channel from that of a colour.
const MISS: f32 = 5.0;
/// Number of pixels of a mark, at least: fewer come from edges where colours meet.
const MARK: usize = 20;

/// A picture read from its file, with the panels in it.
pub(super) struct Picture {
    name: String,
    pixels: Pixmap,
    panels: Vec<Inside>,
}

/// The inside of a panel's frame: columns and rows of pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inside {
    pub x: (usize, usize),
    pub y: (usize, usize),
}

impl Picture {
    pub fn read(path: &Path) -> Self {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let pixels = Pixmap::load_png(path).unwrap_or_else(|e| panic!("{name}: {e}"));
        let mut picture = Picture { name, pixels, panels: Vec::new() };
        picture.panels = picture.find_panels();
        picture
    }

    pub fn size(&self) -> (usize, usize) {
        (self.pixels.width() as usize, self.pixels.height() as usize)
    }

    /// The insides of all panels, by rows from the top.
    pub fn panels(&self) -> &[Inside] {
        &self.panels
    }

    pub fn pixel(&self, x: usize, y: usize) -> [f32; 3] {
        let p = self.pixels.pixels()[y * self.pixels.width() as usize + x];
        [p.red(), p.green(), p.blue()].map(f32::from)
    }

    /// End of the run of the frame's colour that begins at 0, within `length` pixels; 0 without
    /// one. Marks may interrupt it, paper ends it.
    fn run(&self, length: usize, at: impl Fn(usize) -> (usize, usize)) -> usize {
        let (frame, paper) = (bytes(FRAME), bytes(PAPER));
        let pixel = |i: usize| {
            let (x, y) = at(i);
            self.pixel(x, y)
        };
        let (mut end, mut i) = (0, 0);
        while i < length && i < end + CROSSED && (i == 0 || end > 0) && pixel(i) != paper {
            if pixel(i) == frame {
                end = i + 1;
            }
            i += 1;
        }
        end
    }

    fn find_panels(&self) -> Vec<Inside> {
        let (width, height) = self.size();
        let mut panels = Vec::new();
        for y in 0..height {
            let mut x = 0;
            while x < width {
                let across = self.run(width - x, |i| (x + i, y));
                if across >= LEAST {
                    let down = self.run(height - y, |i| (x, y + i));
                    if down >= LEAST {
                        panels
                            .push(Inside { x: (x + 2, x + across - 2), y: (y + 2, y + down - 2) });
                    }
                }
                x += across.max(1);
            }
        }
        panels
    }

    /// Number of a panel's pixels that `test` accepts, counted up to `most`.
    fn count(&self, inside: Inside, most: usize, test: impl Fn([f32; 3]) -> bool) -> usize {
        let all =
            (inside.y.0..inside.y.1).flat_map(|y| (inside.x.0..inside.x.1).map(move |x| (x, y)));
        all.filter(|(x, y)| test(self.pixel(*x, *y))).take(most).count()
    }

    /// Number of pixels of this colour on paper, at least half as opaque, counted up to [`MARK`].
    pub fn ink(&self, inside: Inside, color: Color) -> usize {
        let (paper, full) = (bytes(PAPER), bytes(color));
        let way: Vec<f32> = paper.iter().zip(full).map(|(p, c)| c - p).collect();
        let length: f32 = way.iter().map(|w| w * w).sum();
        self.count(inside, MARK, |pixel| {
            let off = pixel.iter().zip(paper).map(|(v, p)| v - p);
            let share = off.zip(&way).map(|(o, w)| o * w).sum::<f32>() / length;
            let nearest = [0, 1, 2].map(|c| paper[c] + share * way[c]);
            share >= 0.5 * color.alpha && share <= 1.05 && distance(pixel, nearest) <= MISS
        })
    }

    /// Asserts that at least 1 % of panel `i` is of this colour on paper, more than the edges of
    /// lines.
    pub fn covers(&self, i: usize, color: Color) {
        let inside = self.panels[i];
        let on_paper = bytes(PAPER.mix(color, f64::from(color.alpha)));
        let least = (inside.x.1 - inside.x.0) * (inside.y.1 - inside.y.0) / 100;
        let found = self.count(inside, least, |pixel| distance(pixel, on_paper) <= 2.0);
        assert_eq!(found, least, "{}: panel {i} has no area of {color:?}", self.name);
    }

    /// Asserts that there are panels and none is empty.
    pub fn is_not_empty(&self) {
        assert!(!self.panels.is_empty(), "{}: no panel", self.name);
        for (i, inside) in self.panels.iter().enumerate() {
            let behind = [PAPER, GRID].map(bytes);
            let marks =
                self.count(*inside, MARK, |pixel| behind.iter().all(|b| distance(pixel, *b) > 8.0));
            assert!(marks >= MARK, "{}: panel {i} is empty", self.name);
        }
    }

    /// Asserts that there are as many panels, and each has marks of its colours.
    pub fn has(&self, panels: &[Vec<Color>]) {
        assert_eq!(self.panels.len(), panels.len(), "{}: {:?}", self.name, self.panels);
        for (i, (inside, colors)) in self.panels.iter().zip(panels).enumerate() {
            for color in colors {
                let ink = self.ink(*inside, *color);
                assert!(ink >= MARK, "{}: panel {i} has {ink} pixels of {color:?}", self.name);
            }
        }
    }

    /// Asserts like [`Picture::has`], and that no panel has a colour of another series.
    pub fn shows(&self, panels: &[Vec<Color>]) {
        self.has(panels);
        for (i, (inside, own)) in self.panels.iter().zip(panels).enumerate() {
            let is_own = |other: &Color| own.iter().any(|color| color.rgb == other.rgb);
            for other in [BLUE, VERMILION, GREEN, category(1)].iter().filter(|c| !is_own(c)) {
                let ink = self.ink(*inside, *other);
                assert!(ink < MARK, "{}: panel {i} has {ink} pixels of {other:?}", self.name);
            }
        }
    }
}

fn bytes(color: Color) -> [f32; 3] {
    color.rgb.map(|c| (c * 255.0).round())
}

/// Largest difference of a channel.
fn distance(a: [f32; 3], b: [f32; 3]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}
