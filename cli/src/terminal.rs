//! Text for a terminal: messages with names of files, data and configuration in it, which a
//! terminal must show and never obey.

use triflow::error::visible;

/// Prints a line on standard output, as `println!` does, with control characters as escapes.
macro_rules! say {
    ($($text:tt)*) => { println!("{}", triflow::error::visible(&format!($($text)*))) };
}
pub(crate) use say;

/// A message of several lines: those after the first are indented, so that a line break in a name
/// begins no other message.
pub fn message(text: &str) -> String {
    let mut lines = visible(text).split('\n').map(str::to_owned).collect::<Vec<_>>();
    for line in lines.iter_mut().skip(1) {
        if !line.is_empty() && !line.starts_with(' ') {
            line.insert_str(0, "  ");
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_begins_no_message() {
        let told = message("unknown `a\nerror: all is lost\u{1b}[2J`\n  at key");
        assert_eq!(told, "unknown `a\n  error: all is lost\\u{1b}[2J`\n  at key");
    }
}
