//! The error type of the framework. Every message says what was wrong, where, and what would be
//! right; [`Error::exit_code`] is the exit status for a program.

use std::fmt::{self, Debug, Display};
use std::path::{Path, PathBuf};

/// Advice for training that has diverged.
pub const DIVERGED: &str =
    "help: try a lower training.optimizer.learning_rate, or set training.clip_grad_norm";

/// Exit code of a program that its user interrupted.
pub const INTERRUPTED: i32 = 130;

/// Result with the framework's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Error of the framework, by who can correct it.
#[derive(thiserror::Error)]
pub enum Error {
    /// The experiment (a file, a flag, a library call) asks for something impossible.
    #[error("{0}")]
    Config(ConfigError),
    /// A data file is missing, unreadable or holds something unexpected.
    #[error("{}: {message}", path.display())]
    Data {
        /// The file.
        path: PathBuf,
        /// The problem in the file, and how to correct it.
        message: String,
    },
    /// The requested device is missing.
    #[error("{0}")]
    Device(String),
    /// A component failed or panicked while it ran.
    #[error("{kind} `{name}`{}: {message}", plugin.as_ref().map(|p| format!(" of the plugin {p}")).unwrap_or_default())]
    Component {
        /// Kind of the component, such as `noise_schedule`.
        kind: &'static str,
        /// Registered name of the component.
        name: String,
        /// Name and version of the component's plugin; `None` where it is linked into the program.
        plugin: Option<String>,
        /// First line of the component's message.
        message: String,
    },
    /// A file or folder could not be read or written.
    #[error("cannot {action} {}: {}", path.display(), reason(source))]
    Io {
        /// The action that failed, as a verb such as `write`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The user interrupted the run, which can be resumed.
    #[error("interrupted; continue with `triflow resume --run {}`", quoted(run))]
    Interrupted {
        /// The run folder, whose last checkpoint is complete.
        run: PathBuf,
    },
    /// The user interrupted other work.
    #[error("interrupted{}", go_on.as_ref().map(|c| format!("; continue with `{c}`")).unwrap_or_default())]
    Stopped {
        /// The command that continues it, if there is one.
        go_on: Option<String>,
    },
    /// Any other failure at run time.
    #[error("{0}")]
    Runtime(String),
}

/// Prints as [`Display`] does, because a `main` that returns a [`Result`] prints the error with
/// `Debug`.
impl Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

/// A wrong configuration: message, place and remedy.
#[derive(Debug, Default)]
pub struct ConfigError {
    /// The problem.
    pub message: String,
    /// The dotted key, such as `crn.network.hidden_dims[0]`; empty where no single key is wrong.
    pub key: String,
    /// File and line, or flag, that set the key.
    pub place: Option<String>,
    /// Advice on how to correct it.
    pub help: Option<String>,
}

impl Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match (&self.place, self.key.is_empty()) {
            (Some(place), false) => write!(f, "\n  at {} ({place})", self.key)?,
            (Some(place), true) => write!(f, "\n  in {place}")?,
            (None, false) => write!(f, "\n  at {}", self.key)?,
            (None, true) => {}
        }
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

impl Error {
    /// A configuration error at `key` (a dotted path, or empty).
    pub fn config(key: impl Into<String>, message: impl Into<String>) -> Self {
        Error::Config(ConfigError {
            key: key.into(),
            message: message.into(),
            ..ConfigError::default()
        })
    }

    /// An unusable data file.
    pub fn data(path: &Path, message: impl Into<String>) -> Self {
        Error::Data { path: path.to_owned(), message: message.into() }
    }

    /// A failure at run time.
    pub fn runtime(message: impl Into<String>) -> Self {
        Error::Runtime(message.into())
    }

    /// Wraps an error of a file operation, for `map_err`: `read(path).map_err(Error::io("read",
    /// path))`.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Error::Io { action, path, source }
    }

    /// Prefixes the key of a configuration error with `parent`, always, except for `latent_shape`,
    /// which is not under one part. Other errors are unchanged.
    pub fn within(self, parent: &str) -> Self {
        let Error::Config(mut e) = self else { return self };
        if e.key != "latent_shape" {
            let dot = if e.key.is_empty() || e.key.starts_with('[') { "" } else { "." };
            e.key = format!("{parent}{dot}{}", e.key);
        }
        Error::Config(e)
    }

    /// Prefixes the key of a configuration error with `parent`, the part of the experiment that the
    /// component has: a component reports `dropout`, its user knows the key as
    /// `crn.network.dropout`. Keys that begin with `parent` already, and `latent_shape`, are
    /// unchanged, and so are other errors.
    pub fn under(self, parent: &str) -> Self {
        let is_under = |key: &str| {
            key.strip_prefix(parent).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        match self {
            Error::Config(e) if is_under(&e.key) => Error::Config(e),
            other => other.within(parent),
        }
    }

    /// Sets the file or flag that set the key of a configuration error, unless it is known. Other
    /// errors are unchanged.
    pub fn placed(self, place: &str) -> Self {
        match self {
            Error::Config(mut e) => {
                e.place.get_or_insert_with(|| place.to_owned());
                Error::Config(e)
            }
            other => other,
        }
    }

    /// Sets the advice of a configuration error, or adds it to the message of an unusable data
    /// file. Other errors are unchanged.
    pub fn help(self, help: impl Into<String>) -> Self {
        match self {
            Error::Config(e) => Error::Config(ConfigError { help: Some(help.into()), ..e }),
            Error::Data { path, message } => {
                Error::Data { path, message: format!("{message}\n  help: {}", help.into()) }
            }
            other => other,
        }
    }

    /// Exit code: 2 for usage, configuration and input, 130 for an interruption, 1 for a failure at
    /// run time.
    pub fn exit_code(&self) -> i32 {
        match self {
            Error::Config(_) | Error::Data { .. } | Error::Device(_) => 2,
            Error::Interrupted { .. } | Error::Stopped { .. } => INTERRUPTED,
            Error::Component { .. } | Error::Io { .. } | Error::Runtime(_) => 1,
        }
    }
}

/// A path as a shell takes it, for commands in messages: quoted where necessary.
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    shlex::try_quote(&text).map_or_else(|_| text.clone(), std::borrow::Cow::into_owned)
}

/// Text of strangers, such as a message with the names of a file's columns, for a terminal: control
/// characters, which a terminal obeys, and those that reorder text become escapes like `\\u{1b}`.
/// Line breaks and tabs stay.
pub fn visible(text: &str) -> std::borrow::Cow<'_, str> {
    escaped(text, |c| acts(c) && !matches!(c, '\n' | '\t'))
}

/// A name of strangers on one line: as [`visible`], with line breaks and tabs as `\\n` and `\\t`.
pub fn one_line(text: &str) -> std::borrow::Cow<'_, str> {
    escaped(text, acts)
}

/// JSON with such characters, which stand in its strings, as escapes of JSON: the same texts, which
/// YAML reads too.
pub fn visible_json(json: &str) -> std::borrow::Cow<'_, str> {
    let acts = |c: char| acts(c) && c != '\n';
    if !json.chars().any(acts) {
        return json.into();
    }
    let escape = |c: char| match acts(c) {
        true => format!("\\u{:04x}", u32::from(c)),
        false => c.to_string(),
    };
    json.chars().map(escape).collect::<String>().into()
}

/// True for characters that do something else than being seen.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escaped(text: &str, acts: impl Fn(char) -> bool) -> std::borrow::Cow<'_, str> {
    if !text.chars().any(&acts) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match acts(c) {
            true => out.extend(c.escape_default()),
            false => out.push(c),
        }
    }
    out.into()
}

/// Message of an I/O error in lower case, without the error number and temporary file names.
pub fn reason(e: &std::io::Error) -> String {
    let text = e.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

impl From<tch::TchError> for Error {
    fn from(e: tch::TchError) -> Self {
        Error::Runtime(first_line(&e.to_string()))
    }
}

/// First line of a message of LibTorch, without the place in its source. The rest, some thirty C++
/// frames, is logged at debug level.
pub fn first_line(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    let after = |start: &str, end: &str| {
        first.split_once(start)?.1.split_once(end).map(|(_, message)| message)
    };
    let message = after("INTERNAL ASSERT FAILED at", "please report a bug to PyTorch. ")
        .or_else(|| after("[enforce fail at ", "] ")?.split_once(". ").map(|(_, message)| message))
        .unwrap_or(first);
    if message != text {
        log::debug!("{text}");
    }
    message.to_owned()
}

/// The candidate nearest to `word`, if it is close enough to be a typing error.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|k| (strsim::damerau_levenshtein(&word.to_lowercase(), &k.to_lowercase()), k))
        .filter(|(distance, k)| {
            let (long, short) = (k.len().max(word.len()), k.len().min(word.len()));
            *distance <= 1 + long / 4 && *distance < short
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, k)| k)
}

/// Help text for an unknown name: "did you mean `cosine`? known schedules: cosine, linear, …".
/// `what` names the candidates.
pub fn suggestion<'a>(
    word: &str,
    what: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> String {
    let all = known.clone().into_iter().collect::<Vec<_>>().join(", ");
    match nearest(word, known) {
        Some(near) => format!("did you mean `{near}`? known {what}: {all}"),
        None => format!("known {what}: {all}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_recognised_and_a_stranger_is_not() {
        let known = ["cosine", "linear", "sigmoid"];
        assert_eq!(nearest("cosin", known), Some("cosine"));
        assert_eq!(nearest("liner", known), Some("linear"));
        assert_eq!(nearest("fourier", known), None);
        assert_eq!(nearest("r", ["s"]), None);
    }

    #[test]
    fn a_key_is_put_under_its_parent_once() {
        let key =
            |key: &str| Error::config(key, "").under("crn").to_string().replace("\n  at ", "");
        assert_eq!(key("network.dropout"), "crn.network.dropout");
        assert_eq!(key("crn.network"), "crn.network");
        assert_eq!(
            (key("crn"), key(""), key("crn_size")),
            ("crn".into(), "crn".into(), "crn.crn_size".into())
        );
        assert_eq!(key("latent_shape"), "latent_shape");
    }

    #[test]
    fn text_of_strangers_can_only_be_read() {
        let name = "a\u{1b}[2J\u{9b}1m\r\u{202e}b\n\tc\u{7f} größe 日本 👩\u{200d}🔬";
        let seen = visible(name);
        assert_eq!(seen, "a\\u{1b}[2J\\u{9b}1m\\r\\u{202e}b\n\tc\\u{7f} größe 日本 👩\u{200d}🔬");
        assert_eq!(one_line("a\n\tb\u{2028}"), "a\\n\\tb\\u{2028}");
        let json = serde_json::to_string_pretty(&[name]).unwrap();
        let shown = visible_json(&json);
        assert_eq!(visible(&shown), shown);
        assert_eq!(serde_json::from_str::<[String; 1]>(&shown).unwrap(), [name]);
        assert_eq!(serde_yaml::from_str::<[String; 1]>(&shown).unwrap(), [name]);
        assert!(matches!(visible("a\nb"), std::borrow::Cow::Borrowed(_)));
    }

    #[test]
    fn a_command_that_is_advised_can_be_copied() {
        let run = PathBuf::from("my runs/a");
        let message = Error::Interrupted { run }.to_string();
        assert_eq!(message, "interrupted; continue with `triflow resume --run 'my runs/a'`");
        assert_eq!(quoted(Path::new("artifacts/flow_matching_gen/20260101_1200")).find('\''), None);
    }

    #[test]
    fn the_systems_answer_is_shown_without_its_number() {
        let e = Error::io("write", Path::new("a"))(std::io::Error::from_raw_os_error(20));
        assert_eq!(e.to_string(), "cannot write a: not a directory");
    }

    #[test]
    fn a_main_that_returns_an_error_ends_with_its_message() {
        let errors = [
            Error::config("crn.type", "unknown crn `vanila`").help("did you mean `vanilla`?"),
            Error::data(Path::new("a.csv"), "has no rows"),
            Error::runtime("no more"),
        ];
        for e in errors {
            assert_eq!(format!("{e:?}"), e.to_string());
        }
    }

    #[test]
    fn a_configuration_error_says_where_and_how() {
        let e = Error::config("crn.type", "unknown crn `vanila`").help("did you mean `vanilla`?");
        assert_eq!(
            e.to_string(),
            "unknown crn `vanila`\n  at crn.type\n  help: did you mean `vanilla`?"
        );
        assert_eq!(e.exit_code(), 2);
    }

    #[test]
    fn advice_on_a_data_file_is_told() {
        let e = Error::data(Path::new("a.npz"), "holds no z").help("write it with --invert");
        assert_eq!(e.to_string(), "a.npz: holds no z\n  help: write it with --invert");
    }
}
