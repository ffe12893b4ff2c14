//! Text in the embedded font (Inter, see `assets/font/OFL.txt`), which `plotters` rasterises.
//! Letters are drawn four times as large and averaged, which positions them to a quarter of a
//! pixel.

use std::convert::Infallible;
use std::sync::OnceLock;

use plotters::style::{FontDesc, FontFamily, FontStyle, register_font};

use super::canvas::Canvas;
use super::style::Color;
use crate::{Error, Result};

const FAMILY: &str = "triflow-inter";
static REGULAR: &[u8] = include_bytes!("../../assets/font/Inter-Regular.otf");
static SEMI_BOLD: &[u8] = include_bytes!("../../assets/font/Inter-SemiBold.otf");

/// Ascent minus descent of Inter, in units of its em: `plotters` takes it as the size of a font.
const LINE_PER_EM: f64 = (2728.0 + 680.0) / 2816.0;
/// Height of a capital letter, in units of the em.
const CAP_PER_EM: f64 = 2048.0 / 2816.0;
/// Subpixels of a pixel, along each side.
const FINE: i32 = 4;

/// Weight of the letters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Weight {
    Regular,
    SemiBold,
}

/// The point of a text that its position refers to, along its line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Align {
    Start,
    Middle,
    End,
}

/// Size in pixels, weight and colour of text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Font {
    pub size: f64,
    pub weight: Weight,
    pub color: Color,
}

impl Font {
    pub fn regular(size: f64, color: Color) -> Self {
        Font { size, weight: Weight::Regular, color }
    }

    pub fn semi_bold(size: f64, color: Color) -> Self {
        Font { size, weight: Weight::SemiBold, color }
    }

    /// The height of a capital letter.
    pub fn cap(&self) -> f64 {
        self.size * CAP_PER_EM
    }

    fn desc(&self) -> Result<FontDesc<'static>> {
        static REGISTERED: OnceLock<bool> = OnceLock::new();
        let registered = REGISTERED.get_or_init(|| {
            register_font(FAMILY, FontStyle::Normal, REGULAR).is_ok()
                && register_font(FAMILY, FontStyle::Bold, SEMI_BOLD).is_ok()
        });
        if !registered {
            return Err(Error::runtime("the embedded font cannot be read"));
        }
        let style =
            if self.weight == Weight::SemiBold { FontStyle::Bold } else { FontStyle::Normal };
        // An even size keeps the base line on a whole subpixel.
        let size = (self.size * LINE_PER_EM * f64::from(FINE) / 2.0).round() * 2.0;
        Ok(FontDesc::new(FontFamily::Name(FAMILY), size, style))
    }

    /// Width of the text, in pixels.
    pub fn width(&self, text: &str) -> Result<f64> {
        let (_, (width, _)) = self.desc()?.layout_box(text).map_err(broken)?;
        Ok(f64::from(width) / f64::from(FINE))
    }

    /// The text, shortened with an ellipsis until it is no wider than `room` pixels.
    pub fn fit(&self, text: &str, room: f64) -> Result<String> {
        let mut kept: Vec<char> = text.chars().collect();
        let mut shown = text.to_owned();
        while self.width(&shown)? > room && kept.len() > 1 {
            kept.pop();
            shown = kept.iter().collect::<String>().trim_end().to_owned() + "…";
        }
        Ok(shown)
    }

    /// The text in lines no wider than `room` pixels, broken between words.
    pub fn wrap(&self, text: &str, room: f64) -> Result<Vec<String>> {
        let mut lines: Vec<String> = Vec::new();
        for word in text.split_whitespace() {
            match lines.last_mut() {
                Some(line) if self.width(&format!("{line} {word}"))? <= room => {
                    line.push(' ');
                    line.push_str(word);
                }
                _ => lines.push(self.fit(word, room)?),
            }
        }
        Ok(lines)
    }
}

/// Draws `text` with its base line through `(x, y)`.
pub(super) fn write(
    canvas: &mut Canvas,
    text: &str,
    at: (f64, f64),
    align: Align,
    font: Font,
) -> Result<()> {
    draw(canvas, text, at, align, font, false)
}

/// Draws `text` rotated to run upwards, with its base line through `(x, y)`.
pub(super) fn write_up(
    canvas: &mut Canvas,
    text: &str,
    at: (f64, f64),
    align: Align,
    font: Font,
) -> Result<()> {
    draw(canvas, text, at, align, font, true)
}

fn draw(
    canvas: &mut Canvas,
    text: &str,
    (x, y): (f64, f64),
    align: Align,
    font: Font,
    up: bool,
) -> Result<()> {
    let desc = font.desc()?;
    let back = match align {
        Align::Start => 0.0,
        Align::Middle => font.width(text)? / 2.0,
        Align::End => font.width(text)?,
    };
    let fine = f64::from(FINE);
    let half = (desc.get_size() / 2.0) as i32;
    // The base line sits on a whole pixel, which keeps the letters sharp.
    let (along, across) = if up { (-y - back, x.round()) } else { (x - back, y.round()) };
    let (along, across) = ((along * fine).round() as i32, (across * fine) as i32);
    let mut letters = Vec::new();
    let drawn = desc.draw(text, (0, 0), |dx, dy, coverage| {
        let (a, b) = (along + dx, across + dy - half);
        let (px, py) = if up { (b, -a - 1) } else { (a, b) };
        letters.push((px.div_euclid(FINE), py.div_euclid(FINE), coverage));
        Ok::<(), Infallible>(())
    });
    drawn.map_err(broken)?.map_err(broken)?;

    let range = |of: fn(&(i32, i32, f32)) -> i32| {
        letters.iter().map(of).fold(None, |range, v| {
            let (lo, hi) = range.unwrap_or((v, v));
            Some((v.min(lo), v.max(hi)))
        })
    };
    let (Some((left, right)), Some((top, bottom))) = (range(|l| l.0), range(|l| l.1)) else {
        return Ok(());
    };
    let width = (right - left + 1) as usize;
    let mut coverage = vec![0.0; width * (bottom - top + 1) as usize];
    for (px, py, share) in letters {
        coverage[(py - top) as usize * width + (px - left) as usize] +=
            share / (FINE * FINE) as f32;
    }
    canvas.stamp((left, top), width as u32, &coverage, font.color);
    Ok(())
}

fn broken(e: impl std::fmt::Display) -> Error {
    Error::runtime(format!("text cannot be drawn: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::style::{INK, PAPER};

    #[test]
    fn text_is_as_wide_as_it_says_and_shortens_to_its_room() {
        let font = Font::regular(20.0, INK);
        let width = font.width("training, 10⁻³ ≤ σ²").unwrap();
        let mut canvas = Canvas::new(400, 60, PAPER).unwrap();
        write(&mut canvas, "training, 10⁻³ ≤ σ²", (10.0, 40.0), Align::Start, font).unwrap();
        let rgb = canvas.to_rgb();
        let inked: Vec<usize> =
            (0..400).filter(|x| (0..60).any(|y| rgb[(y * 400 + x) * 3] < 128)).collect();
        assert!(inked[0] >= 10 && (*inked.last().unwrap() as f64) < 10.0 + width);
        assert!(*inked.last().unwrap() as f64 > 10.0 + width - 8.0);
        assert!(
            font.width(&font.fit("a very long name of a class", 90.0).unwrap()).unwrap() <= 90.0
        );
        assert_eq!(font.wrap("one two three", 85.0).unwrap(), ["one two", "three"]);
    }
}
