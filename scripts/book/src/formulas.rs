//! Formulas: blocks of `math`, written in LaTeX, become MathML, which browsers show by themselves,
//! and indices and exponents within a line, written as plain text, are lowered and raised.

use crate::write;
use anyhow::{Result, anyhow};
use pulldown_cmark::utils::TextMergeWithOffset;
use pulldown_cmark::{Event, Options, Tag, TagEnd};
use pulldown_latex::config::DisplayMode;
use pulldown_latex::{Parser, RenderConfig, Storage, push_mathml};
use std::ops::Range;
use std::path::Path;

/// The style sheet of formulas, relative to the book.
pub const STYLE: &str = "formulas.css";

/// Indices of more than one letter; x_val and its like are names.
const INDICES: [&str; 6] = ["in", "kk", "max", "mid", "min", "new"];

macro_rules! file {
    ($name:literal) => {
        ($name, include_bytes!(concat!(env!("PULLDOWN_LATEX"), "/", $name)).as_slice())
    };
}

/// Writes the style sheet of formulas to `book`, and its fonts to `source`.
pub fn write_style(book: &Path, source: &Path) -> Result<()> {
    write(&book.join(STYLE), file!("styles.css").1)?;
    let fonts = [
        file!("font/latinmodern-math.woff2"),
        file!("font/lmroman12-regular.woff2"),
        file!("font/lmroman12-bold.woff2"),
        file!("font/lmroman12-italic.woff2"),
    ];
    fonts.iter().try_for_each(|(name, bytes)| write(&source.join(name), bytes))
}

/// The text with indices (z_0) lowered and exponents (e^(−γ/2)) raised, outside of headings, whose
/// anchors they would change, and of code.
pub fn with_scripts(text: &str) -> String {
    let parser = pulldown_cmark::Parser::new_ext(text, Options::ENABLE_TABLES);
    let (mut literal, mut places) = (0, Vec::new());
    for (event, range) in TextMergeWithOffset::new(parser.into_offset_iter()) {
        match event {
            Event::Start(Tag::Heading { .. } | Tag::CodeBlock(_) | Tag::HtmlBlock) => literal += 1,
            Event::End(TagEnd::Heading(_) | TagEnd::CodeBlock | TagEnd::HtmlBlock) => literal -= 1,
            Event::Text(_) if literal == 0 => scripts(text, range, &mut places),
            _ => {}
        }
    }
    crate::links::replaced(text, places)
}

/// Adds the indices and exponents in a range of a text.
fn scripts(text: &str, range: Range<usize>, places: &mut Vec<(Range<usize>, String)>) {
    let part = &text[range.clone()];
    for (at, mark) in part.match_indices(['_', '^']) {
        let before: Vec<char> = part[..at].chars().rev().take(2).collect();
        let after = &part[at + 1..];
        // An index belongs to a single letter, an exponent to anything.
        let letter = before.first().is_some_and(|c| c.is_alphabetic());
        let alone = before.get(1).is_none_or(|c| !c.is_alphanumeric() && *c != '_');
        let bracketed = after.strip_prefix('(').and_then(|rest| rest.split_once(')'));
        let word = |c: char| c.is_alphanumeric() && !"²³ⁿ".contains(c);
        let end = after.find(|c: char| !word(c)).unwrap_or(after.len());
        let index = &after[..end];
        let index = index.chars().count() == 1 || INDICES.contains(&index);
        let (script, length) = match (mark, bracketed) {
            ("^", Some((inner, _))) if !inner.contains('(') => (inner, inner.len() + 2),
            ("_", Some((inner, _))) if letter && alone => (inner, inner.len() + 2),
            ("^", _) if end > 0 => (&after[..end], end),
            ("_", _) if letter && alone && index => (&after[..end], end),
            _ => continue,
        };
        if after[length..].starts_with('_') || before.first().is_none_or(|c| c.is_whitespace()) {
            continue;
        }
        let tag = if mark == "_" { "sub" } else { "sup" };
        let start = range.start + at;
        places.push((start..start + 1 + length, format!("<{tag}>{script}</{tag}>")));
    }
}

/// The text with its formulas as MathML.
pub fn rendered(text: &str) -> Result<String> {
    let mut shown = String::new();
    let mut formula: Option<String> = None;
    for line in text.lines() {
        match &mut formula {
            None if line == "```math" => formula = Some(String::new()),
            None => shown.extend([line, "\n"]),
            Some(latex) if line == "```" => {
                // One line: a blank one would end the block of HTML.
                let mathml = mathml(latex)?.replace('\n', " ");
                shown.extend(["<div class=\"formula\">", &mathml, "</div>\n"]);
                formula = None;
            }
            Some(latex) => latex.extend([line, "\n"]),
        }
    }
    match formula {
        None => Ok(shown),
        Some(latex) => Err(anyhow!("a block of math does not end: {latex}")),
    }
}

fn mathml(latex: &str) -> Result<String> {
    let storage = Storage::new();
    let events: Vec<_> = Parser::new(latex, &storage).collect();
    if let Some(Err(error)) = events.iter().find(|event| event.is_err()) {
        return Err(anyhow!("a formula: {error}\n{latex}"));
    }
    let config = RenderConfig { display_mode: DisplayMode::Block, ..RenderConfig::default() };
    let mut mathml = String::new();
    push_mathml(&mut mathml, events.into_iter(), config)?;
    Ok(mathml)
}

#[cfg(test)]
mod tests {
    use super::{rendered, with_scripts};

    #[test]
    fn indices_and_exponents_of_prose_are_lowered_and_raised() {
        for (text, shown) in [
            ("z_0 and σ_max", "z<sub>0</sub> and σ<sub>max</sub>"),
            ("a_t² of h_(l−1)", "a<sub>t</sub>² of h<sub>l−1</sub>"),
            ("e^(−γ/2), t^p", "e<sup>−γ/2</sup>, t<sup>p</sup>"),
            ("arrays x_val and sub_variance", "arrays x_val and sub_variance"),
            ("`z_0` in code", "`z_0` in code"),
            ("# The z_0 of a heading", "# The z_0 of a heading"),
        ] {
            assert_eq!(with_scripts(text), shown);
        }
    }

    #[test]
    fn a_formula_becomes_mathml_and_a_false_one_is_an_error() {
        let shown = rendered("```math\n\\frac{a}{b}\n```\n").unwrap();
        assert!(shown.starts_with("<div class=\"formula\"><math") && shown.contains("<mfrac>"));
        assert!(rendered("```math\n\\nothing{a}\n```\n").is_err());
        assert!(rendered("```math\na\n").is_err());
    }
}
