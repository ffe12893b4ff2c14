//! Findings of a comparison as sentences that claim no more than the statistics allow.

use super::missing::missing;
use super::number::{duration, interval, is_known, plain, signed, spread};
use super::results::{Better, Cell, Metric, Results, Score, Spread, Verdict};
use super::words::{NAMES, Words, listed};
use crate::metrics::{mean, mean_and_deviation};
use crate::plot::style::counted;

/// Formats a number for a sentence.
type Format = fn(f64) -> String;

/// Number of seeds from which on a difference that matters is likely to be detected.
const MANY_SEEDS: usize = 5;

/// The findings of a comparison, the most important first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// The main finding, in a sentence or two.
    pub headline: Words,
    /// Further findings.
    pub findings: Vec<Finding>,
    /// Effects of the axes with more than one value.
    pub effects: Vec<Effect>,
}

/// A finding and its subject.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Finding {
    /// Subject in a word or two, such as `Cost`.
    pub about: &'static str,
    /// The finding in one or more sentences.
    pub words: Words,
}

/// Main effect of an axis: means over the values of all others.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effect {
    /// The axis, as in [`Results::axes`].
    pub axis: String,
    /// Values of the axis from the best to the worst.
    pub values: Vec<Level>,
}

/// The mean score of a value of an axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Level {
    /// The value; `None` for the cells on which the axis has no effect.
    pub value: Option<String>,
    /// Primary metric: each seed's mean over the cells with this value.
    pub mean: Spread,
    /// Number of cells with this value that have a score.
    pub cells: usize,
}

/// Summarises `results` in sentences.
pub fn summary(results: &Results) -> Summary {
    let Some(metric) = results.metrics.first() else {
        let headline = Words::default().say("Nothing was measured.");
        let findings = missing(results).into_iter().flatten().collect();
        return Summary { headline, findings, effects: Vec::new() };
    };
    let view = View::new(results, metric);
    let findings = [
        view.tied(),
        view.worse(),
        view.not_judged(),
        view.floor(),
        view.other_metrics(),
        view.cheapest(),
    ];
    let mut findings: Vec<Finding> = findings.into_iter().flatten().collect();
    let effects = view.effects();
    findings.extend(effects.iter().map(|effect| view.tell(effect)));
    findings.extend(missing(results).into_iter().flatten());
    Summary { headline: view.headline(), findings, effects }
}

/// Results by their primary metric.
struct View<'a> {
    results: &'a Results,
    metric: &'a Metric,
    /// Cells with a score, from the best mean to the worst.
    sorted: Vec<(&'a Cell, &'a Score)>,
    judged: bool,
}

impl<'a> View<'a> {
    fn new(results: &'a Results, metric: &'a Metric) -> Self {
        let sorted = sorted(results, 0).into_iter().map(|(i, score)| (&results.cells[i], score));
        let judged = results.seeds.len() > 1 && metric.better != Better::None;
        View { results, metric, sorted: sorted.collect(), judged }
    }

    /// Names of the cells with a verdict.
    fn with(&self, verdict: Verdict) -> Vec<&'a str> {
        let cells = self.sorted.iter().filter(|(_, score)| score.verdict == verdict);
        cells.map(|(cell, _)| cell.name.as_str()).collect()
    }

    /// The cell that the others are compared with: the best of those with a value for every seed.
    /// Without a verdict, the one with the best mean.
    fn best(&self) -> Option<&(&'a Cell, &'a Score)> {
        let best = self.sorted.iter().find(|(_, score)| score.verdict == Verdict::Best);
        best.filter(|_| self.judged).or(self.sorted.first())
    }

    fn headline(&self) -> Words {
        let words = Words::default();
        let Some((best, score)) = self.best() else {
            return words.say("No cell has a score yet, or every one of them failed.");
        };
        if self.metric.better == Better::None {
            return words
                .name(&self.metric.title)
                .say(" has no better or worse values: no cell is best.");
        }
        // Cells with different data are ranked separately, and each data set has its best.
        let leaders: Vec<_> =
            self.sorted.iter().filter(|(_, score)| score.verdict == Verdict::Best).collect();
        if self.judged && leaders.len() > 1 {
            let words = words.say("Best on each of the data sets by ").name(&self.metric.title);
            let each = leaders.iter().map(|(cell, score)| {
                Words::default().name(&cell.name).say(format!(" ({})", spread(&score.spread)))
            });
            return listed(words.say(": "), each.collect()).say(".");
        }
        let has_the = |words: Words| {
            words.say(format!(
                " has the {} ",
                if self.metric.better == Better::More { "highest" } else { "lowest" }
            ))
        };
        let value = spread(&score.spread);
        if !self.judged {
            let words = has_the(words.name(&best.name)).name(&self.metric.title);
            let words = words.say(format!(": {value}."));
            return match self.sorted.len() {
                1 => words,
                _ => words.say(" One seed cannot say whether that is more than chance."),
            };
        }
        // A cell that lacks a seed may have a better mean.
        let first = self.sorted.first().is_none_or(|(cell, _)| cell.name == best.name);
        let words = if first { words } else { words.say("Of the cells with every seed, ") };
        let mut words =
            has_the(words.name(&best.name)).name(&self.metric.title).say(format!(": {value}"));
        if let Some(range) = interval(&score.spread) {
            words = words.say(format!(" (95 % interval {range})"));
        }
        match (self.with(Verdict::Tied).len(), self.with(Verdict::Unknown).len()) {
            (0, 0) if self.sorted.len() == 1 => words.say("."),
            (0, 0) => words.say(", and the difference to every other cell is more than noise."),
            (0, _) if self.with(Verdict::Worse).is_empty() => {
                words.say(". Too few seeds are measured to compare it with others.")
            }
            (0, _) => words.say(", and every cell that can be judged is worse."),
            (1, _) => words.say(", but one other cell is not distinguishable from it."),
            (n, _) => words.say(format!(", but {n} other cells are not distinguishable from it.")),
        }
    }

    fn tied(&self) -> Option<Finding> {
        let names = self.with(Verdict::Tied);
        if !self.judged || names.is_empty() {
            return None;
        }
        let n = self.results.seeds.len();
        let verb = if names.len() == 1 { " is" } else { " are" };
        let words = Words::default().names(names);
        let words = words.say(format!("{verb} not distinguishable from the best at 5 %."));
        let words = match n {
            ..MANY_SEEDS => words.say(format!(
                " That does not make them equal: {n} seeds can only show large differences."
            )),
            _ => words.say(" That does not make them equal; more seeds may tell them apart."),
        };
        Some(Finding { about: "Tied", words })
    }

    fn worse(&self) -> Option<Finding> {
        let names = self.with(Verdict::Worse);
        if !self.judged || names.is_empty() {
            return None;
        }
        let verb = if names.len() == 1 { " is" } else { " are" };
        let worst = self.sorted.iter().rev().find(|(_, score)| score.verdict == Verdict::Worse);
        let mut words = Words::default().names(names.iter().copied());
        words = words.say(format!("{verb} worse than the best at 5 %"));
        if let Some((cell, gap)) = worst.and_then(|(c, s)| Some((c, s.difference.as_ref()?))) {
            words = words.say(", ");
            if names.len() > 1 {
                words = words.name(&cell.name).say(" ");
            }
            words = words.say(format!("by {}", signed(gap)));
        }
        Some(Finding { about: "Worse", words: words.say(".") })
    }

    fn not_judged(&self) -> Option<Finding> {
        let names = self.with(Verdict::Unknown);
        if !self.judged || names.is_empty() {
            return None;
        }
        let words = Words::default().names(names);
        let words = words.say(": too few of the seeds gave a result to compare.");
        Some(Finding { about: "Not judged", words })
    }

    fn floor(&self) -> Option<Finding> {
        let floor = self.metric.floor.as_ref().filter(|floor| is_known(floor))?;
        let (best, score) = self.best()?;
        let gap = score.spread.mean - floor.mean;
        let words = Words::default().say(format!(
            "Real points in place of samples score {}, about what a perfect model can be expected to. ",
            spread(floor)
        ));
        let behind = match self.metric.better {
            Better::Less => gap > 0.0,
            Better::More => gap < 0.0,
            Better::None => return Some(Finding { about: "Real data", words }),
        };
        let share = gap.abs() / floor.mean.abs();
        let words = words.name(&best.name);
        let words = match behind {
            true if share.is_finite() => {
                let percent = plain((share * 1000.0).round() / 10.0);
                let side = if self.metric.better == Better::Less { "above" } else { "below" };
                words.say(format!(" is {percent} % {side} that."))
            }
            true => words.say(" does not reach that."),
            false => words.say(" reaches it."),
        };
        Some(Finding { about: "Real data", words })
    }

    fn other_metrics(&self) -> Option<Finding> {
        let first = self.sorted.first()?.0;
        let mut words = Words::default();
        for (m, metric) in self.results.metrics.iter().enumerate().skip(1) {
            let sorted = sorted(self.results, m);
            let Some((best, score)) = sorted.first().filter(|_| metric.better != Better::None)
            else {
                continue;
            };
            if !words.0.is_empty() {
                words = words.say(" ");
            }
            let best = &self.results.cells[*best];
            words = words.say("By ").name(&metric.title).say(": ").name(&best.name);
            words = words.say(format!(", {}", spread(&score.spread)));
            let tied = sorted.iter().filter(|(_, s)| s.verdict == Verdict::Tied).count();
            if self.judged && tied > 0 {
                words = words.say(format!(" ({} tied with it)", counted(tied, "cell")));
            }
            let own = first.metrics.get(m).and_then(Option::as_ref).map(|score| score.verdict);
            words = match own {
                Some(Verdict::Worse) if self.judged => {
                    words.say("; ").name(&first.name).say(" is worse there.")
                }
                _ => words.say("."),
            };
        }
        (!words.0.is_empty()).then_some(Finding { about: "Other metrics", words })
    }

    /// The cheapest of the cells that are best or tied with it.
    fn cheapest(&self) -> Option<Finding> {
        if self.sorted.len() < 2 || self.metric.better == Better::None {
            return None;
        }
        let good =
            |score: &Score| !self.judged || matches!(score.verdict, Verdict::Best | Verdict::Tied);
        let cells: Vec<&Cell> =
            self.sorted.iter().filter(|(_, score)| good(score)).map(|(cell, _)| *cell).collect();
        let words = Words::default();
        let words = match (self.judged, cells.len()) {
            (true, 1) => words.say("The best "),
            (true, n) => words.say(format!("Among these {n} that may be best, ")),
            (false, n) => words.say(format!("Of all {n}, whatever their quality, ")),
        };
        let alone = cells.len() == 1;
        let mut said = Vec::new();
        type Costs = fn(&Cell) -> &Spread;
        let costs: [(Costs, &str, Format); 3] = [
            (|c| &c.cost.training_seconds, "trains", duration),
            (
                |c| &c.cost.seconds_per_1000_samples,
                "samples",
                |s| format!("{} s for 1,000", plain((s * 1000.0).round() / 1000.0)),
            ),
            (|c| &c.cost.nfe, "needs", |n| format!("{} evaluations a sample", plain(n.round()))),
        ];
        for (cost, verb, text) in costs {
            let known: Vec<&Cell> = cells.iter().copied().filter(|c| is_known(cost(c))).collect();
            let Some(least) =
                known.iter().copied().min_by(|a, b| cost(a).mean.total_cmp(&cost(b).mean))
            else {
                continue;
            };
            let mean = cost(least).mean;
            let how = if verb == "needs" { "the fewest evaluations" } else { "fastest" };
            let all_same = known.iter().all(|c| cost(c).mean == mean);
            said.push(match (alone, all_same) {
                (true, _) if verb == "needs" => {
                    Words::default().say(format!("needs {}", text(mean)))
                }
                (true, _) => Words::default().say(format!("{verb} in {}", text(mean))),
                (false, true) => Words::default().say(format!("all need {}", text(mean))),
                (false, false) => {
                    let value = if verb == "needs" { plain(mean.round()) } else { text(mean) };
                    Words::default().name(&least.name).say(format!(" {verb} {how} ({value})"))
                }
            });
        }
        if said.is_empty() {
            return None;
        }
        Some(Finding { about: "Cost", words: listed(words, said).say(".") })
    }

    fn effects(&self) -> Vec<Effect> {
        let axes = self.results.axes.iter().enumerate();
        let effects = axes.map(|(a, axis)| Effect { axis: axis.clone(), values: self.levels(a) });
        effects.filter(|effect| effect.values.len() > 1).collect()
    }

    fn levels(&self, axis: usize) -> Vec<Level> {
        let mut levels: Vec<(Option<String>, Vec<&Score>)> = Vec::new();
        for cell in &self.results.cells {
            let Some(score) = cell.metrics.first().and_then(Option::as_ref) else { continue };
            let value = cell.settings.get(axis).cloned().flatten();
            if !is_known(&score.spread) {
                continue;
            }
            match levels.iter_mut().find(|(other, _)| *other == value) {
                Some((_, scores)) => scores.push(score),
                None => levels.push((value, vec![score])),
            }
        }
        let mut levels: Vec<Level> = levels
            .into_iter()
            .map(|(value, scores)| Level { value, mean: over_cells(&scores), cells: scores.len() })
            .filter(|level| is_known(&level.mean))
            .collect();
        let sign = sign(self.metric);
        levels.sort_by(|a, b| (sign * a.mean.mean).total_cmp(&(sign * b.mean.mean)));
        levels
    }

    fn tell(&self, effect: &Effect) -> Finding {
        let mut words = Words::default().say("Mean ").name(&self.metric.title).say(" by ");
        words = words.name(&effect.axis).say(": ");
        let shown = effect.values.iter().take(NAMES).enumerate();
        for (i, level) in shown {
            if i > 0 {
                words = words.say(", ");
            }
            words = words.name(level.value.as_deref().unwrap_or("none"));
            words =
                words.say(format!(" {} ({})", spread(&level.mean), counted(level.cells, "cell")));
        }
        if let Some(left) = effect.values.len().checked_sub(NAMES).filter(|n| *n > 0) {
            words = words.say(format!(" and {left} more"));
        }
        Finding { about: "Axis", words: words.say(".") }
    }
}

/// Cells with a score in metric `m`, by their index in [`Results::cells`], from the best mean to
/// the worst.
pub(super) fn sorted(results: &Results, m: usize) -> Vec<(usize, &Score)> {
    let Some(metric) = results.metrics.get(m) else { return Vec::new() };
    let scores = results.cells.iter().enumerate();
    let mut scores: Vec<(usize, &Score)> = scores
        .filter_map(|(i, cell)| Some((i, cell.metrics.get(m)?.as_ref()?)))
        .filter(|(_, score)| is_known(&score.spread))
        .collect();
    let sign = sign(metric);
    scores.sort_by(|a, b| (sign * a.1.spread.mean).total_cmp(&(sign * b.1.spread.mean)));
    scores
}

fn sign(metric: &Metric) -> f64 {
    if metric.better == Better::More { -1.0 } else { 1.0 }
}

/// Mean over cells for each seed, and its deviation over seeds; only seeds for which every cell has
/// a value.
fn over_cells(scores: &[&Score]) -> Spread {
    let seeds = scores.iter().map(|score| score.spread.values.len()).max().unwrap_or(0);
    let value = |score: &&Score, seed: usize| {
        score.spread.values.get(seed).copied().flatten().filter(|v| v.is_finite())
    };
    let values: Vec<Option<f64>> = (0..seeds)
        .map(|seed| {
            let all: Option<Vec<f64>> = scores.iter().map(|score| value(score, seed)).collect();
            all.map(|all| mean(&all))
        })
        .collect();
    let known: Vec<f64> = values.iter().flatten().copied().collect();
    let (mean, sd) = mean_and_deviation(&known);
    Spread { values, mean, sd, interval: None }
}

/// The mark of a verdict in tables.
pub(super) fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Best => "best",
        Verdict::Tied => "tied",
        Verdict::Worse => "worse",
        Verdict::Unknown => "",
    }
}

/// `true` if there are verdicts, which need more than one seed.
pub(super) fn has_verdicts(results: &Results) -> bool {
    results.seeds.len() > 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::example;
    use crate::compare::statistics::scores;

    #[test]
    fn the_best_is_named_and_nothing_is_declared_of_one_seed() {
        let results = example();
        let best = results.cells.iter().find(|cell| {
            cell.metrics[0].as_ref().is_some_and(|score| score.verdict == Verdict::Best)
        });
        let said = summary(&results);
        assert!(said.headline.to_string().contains(&best.unwrap().name), "{}", said.headline);
        let mut one = results.clone();
        one.seeds.truncate(1);
        let said = summary(&one).headline.to_string();
        assert!(said.contains("seed"), "{said}");
        assert_ne!(said, summary(&results).headline.to_string());
    }

    #[test]
    fn a_failure_is_told_with_its_reason() {
        let mut results = example();
        results.cells[0].errors = vec!["seed 3: out of memory".to_owned()];
        let said = summary(&results);
        let failed = said.findings.iter().find(|finding| finding.about == "Failed").unwrap();
        assert!(failed.words.to_string().contains("out of memory"), "{}", failed.words);
    }
    /// While a comparison is in progress, cells have values for some of the seeds.
    #[test]
    fn a_cell_that_lacks_a_seed_is_not_called_the_best_and_nothing_is_compared_with_it() {
        let of = |cells: Vec<Vec<Option<f64>>>| {
            let mut results = example();
            results.seeds = vec![1, 2, 3];
            results.metrics.truncate(1);
            results.metrics[0].better = Better::Less;
            results.cells.truncate(cells.len());
            for (i, score) in scores(&cells, Better::Less).into_iter().enumerate() {
                results.cells[i].metrics = vec![score];
            }
            let names: Vec<_> = results.cells.iter().map(|cell| cell.name.clone()).collect();
            (summary(&results).headline.to_string(), names)
        };
        let (said, names) = of(vec![
            vec![Some(2.0), Some(2.1), Some(2.2)],
            vec![Some(1.0), None, None],
            vec![Some(9.0), Some(9.2), Some(9.1)],
        ]);
        let begins = format!("Of the cells with every seed, {} has the lowest ", names[0]);
        assert!(said.starts_with(&begins), "{said}");
        assert!(said.ends_with("every cell that can be judged is worse."), "{said}");
        let (said, names) = of(vec![vec![Some(2.0), None, None], vec![None, None, None]]);
        assert!(said.starts_with(&format!("{} has the lowest ", names[0])), "{said}");
        assert!(said.ends_with("Too few seeds are measured to compare it with others."), "{said}");
    }
}
