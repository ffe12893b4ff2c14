//! Formulas: blocks of `math`, written in LaTeX, become MathML, which browsers show by themselves.

use anyhow::{Result, anyhow};
use pulldown_latex::config::DisplayMode;
use pulldown_latex::{Parser, RenderConfig, Storage, push_mathml};

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
