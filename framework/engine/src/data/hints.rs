//! Warnings about shapes whose axes may be in another order than they are read in.

use crate::component::{Columns, Part};

/// Warns of shapes that look as if their axes were in another order.
pub(super) fn hint_at_axes(table: &Columns, sequences: bool) {
    for part in [Part::X, Part::Y] {
        let Some((_, shape)) = table.layout(part) else { continue };
        if let Some(hint) = hint(&part.to_string(), &shape, sequences) {
            log::warn!("{hint}");
        }
    }
}

fn hint(name: &str, shape: &[i64], sequences: bool) -> Option<String> {
    const CHANNELS: [i64; 3] = [1, 3, 4];
    match *shape {
        [_, c, h, w] if CHANNELS.contains(&w) && !CHANNELS.contains(&c) => Some(format!(
            "{name} has shape {shape:?}: read as images of {c} channels, {h} by {w}; \
             numpy.moveaxis({name}, -1, 1) turns images [n, height, width, channels] into \
             [n, channels, height, width]"
        )),
        [_, steps, features] if sequences && features >= 4 * steps => Some(format!(
            "{name} has shape {shape:?}: read as sequences of {steps} positions with {features} \
             features each; numpy.swapaxes({name}, 1, 2) turns [n, channels, T] into [n, T, channels]"
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::hint;

    #[test]
    fn axes_that_look_turned_are_said_and_others_not() {
        assert!(hint("x", &[10, 28, 28, 3], false).unwrap().contains("moveaxis(x, -1, 1)"));
        assert!(hint("x", &[10, 28, 28, 1], false).is_some());
        assert!(hint("x", &[10, 3, 100], true).unwrap().contains("swapaxes(x, 1, 2)"));
        for (shape, sequences) in [
            (&[10, 3, 28, 28][..], false),
            (&[10, 1, 4, 4], false),
            (&[10, 3, 1, 1], false),
            (&[10, 100, 3], true),
            (&[10, 3, 100], false),
            (&[10, 3], true),
        ] {
            assert_eq!(hint("x", shape, sequences), None, "{shape:?}");
        }
    }
}
