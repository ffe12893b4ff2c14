use super::figure::{Entry, Key};
use super::style::{self, BLUE, Color, MAX_CATEGORIES, category, label_name, sequence};

/// Colours of labels and their legend. Up to ten labels get colours of their own; more share a
/// continuous scale.
pub(super) struct Groups<'a> {
    names: &'a [String],
    /// The labels in use, ascending.
    used: Vec<usize>,
}

impl<'a> Groups<'a> {
    pub fn of<'b>(labels: impl IntoIterator<Item = &'b usize>, names: &'a [String]) -> Self {
        let mut used: Vec<usize> = labels.into_iter().copied().collect();
        used.sort_unstable();
        used.dedup();
        Groups { names, used }
    }

    /// `true` if every label has a colour of its own.
    pub fn distinct(&self) -> bool {
        (1..=MAX_CATEGORIES).contains(&self.used.len())
    }

    pub fn color(&self, label: usize) -> Color {
        let rank = self.used.binary_search(&label).unwrap_or(0);
        if self.distinct() {
            // Labels keep their colour from picture to picture, even if some of them are missing.
            return category(if self.used.last().is_some_and(|l| *l < MAX_CATEGORIES) {
                label
            } else {
                rank
            });
        }
        sequence(rank as f64 / (self.used.len() as f64 - 1.0).max(1.0))
    }

    /// The colour of point `i`; blue where there are no labels.
    pub fn color_of(&self, labels: Option<&[usize]>, i: usize) -> Color {
        labels.and_then(|l| l.get(i)).map_or(BLUE, |l| self.color(*l))
    }

    /// The legend of the colours: every label, or the first, middle and last of many.
    pub fn legend(&self) -> Vec<Entry> {
        let entry = |label: &usize| {
            Entry::new(Key::Dot, self.color(*label), label_name(self.names, *label))
        };
        if self.distinct() {
            return self.used.iter().map(entry).collect();
        }
        let Some(last) = self.used.len().checked_sub(1) else {
            return Vec::new();
        };
        let mut entries: Vec<Entry> =
            [0, last / 2, last].iter().map(|i| entry(&self.used[*i])).collect();
        if let Some(first) = entries.first_mut() {
            first.text = format!("{} labels, from {}", style::count(self.used.len()), first.text);
        }
        if let Some(last) = entries.last_mut() {
            last.text = format!("to {}", last.text);
        }
        entries
    }
}
