//! The one error type of the framework. Every message says what was wrong, where, and what would be
//! right; [`Error::exit_code`] tells a program how to leave.

use std::fmt::{self, Debug, Display};
use std::path::{Path, PathBuf};

/// Advice where training has diverged.
pub const DIVERGED: &str =
    "help: try a lower training.optimizer.learning_rate, or set training.clip_grad_norm";

/// The exit code of a program that its user stopped.
pub const INTERRUPTED: i32 = 130;

/// A result of the framework.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong, by who can put it right.
#[derive(thiserror::Error)]
pub enum Error {
    /// The experiment (a file, a flag, a library call) asks for something that cannot be.
    #[error("{0}")]
    Config(ConfigError),
    /// A data file is missing, unreadable or holds something unexpected.
    #[error("{}: {message}", path.display())]
    Data {
        /// The file.
        path: PathBuf,
        /// What is wrong with it and what would be right.
        message: String,
    },
    /// The device asked for is not there.
    #[error("{0}")]
    Device(String),
    /// A component failed or panicked while it ran.
    #[error("{kind} `{name}`{}: {message}", plugin.as_ref().map(|p| format!(" of the plugin {p}")).unwrap_or_default())]
    Component {
        /// The component's kind, such as `noise_schedule`.
        kind: &'static str,
        /// The component's registered name.
        name: String,
        /// The plugin that it came from, with its version; none for what is linked into the program.
        plugin: Option<String>,
        /// The first line of what it said.
        message: String,
    },
    /// A file or folder could not be read or written.
    #[error("cannot {action} {}: {}", path.display(), reason(source))]
    Io {
        /// What was tried, such as `write`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The user asked the run to stop; it can be resumed.
    #[error("interrupted; continue with `triflow resume --run {}`", quoted(run))]
    Interrupted {
        /// The run folder, whose last checkpoint is complete.
        run: PathBuf,
    },
    /// The user asked other work to stop.
    #[error("interrupted{}", go_on.as_ref().map(|c| format!("; continue with `{c}`")).unwrap_or_default())]
    Stopped {
        /// The command that goes on with it, where there is one.
        go_on: Option<String>,
    },
    /// Anything else that fails at run time.
    #[error("{0}")]
    Runtime(String),
}

/// As [`Display`]: a `main` that returns a [`Result`] ends with this.
impl Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

/// A wrong configuration, with its place and a way out.
#[derive(Debug, Default)]
pub struct ConfigError {
    /// What is wrong.
    pub message: String,
    /// The key, as `crn.network.hidden_dims[0]`; empty where no single key is to blame.
    pub key: String,
    /// Where the key was written: a file with its line, or a flag.
    pub place: Option<String>,
    /// What would be right.
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

    /// A data file that cannot be used.
    pub fn data(path: &Path, message: impl Into<String>) -> Self {
        Error::Data { path: path.to_owned(), message: message.into() }
    }

    /// A failure at run time.
    pub fn runtime(message: impl Into<String>) -> Self {
        Error::Runtime(message.into())
    }

    /// For `map_err` on file operations: `read(path).map_err(Error::io("read", path))`.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Error::Io { action, path, source }
    }

    /// Puts the key of a configuration error under `parent`, whatever it is; but for `latent_shape`, which
    /// several parts read.
    pub fn within(self, parent: &str) -> Self {
        let Error::Config(mut e) = self else { return self };
        if e.key != "latent_shape" {
            let dot = if e.key.is_empty() { "" } else { "." };
            e.key = format!("{parent}{dot}{}", e.key);
        }
        Error::Config(e)
    }

    /// Puts the key of a configuration error under `parent`, from whose part of the experiment it came: a
    /// component says `dropout`, its user knows it as `crn.network.dropout`. Keys that are whole already, and
    /// `latent_shape`, which several parts read, stay as they are.
    pub fn under(self, parent: &str) -> Self {
        let whole = |key: &str| {
            key.strip_prefix(parent).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        match self {
            Error::Config(e) if whole(&e.key) => Error::Config(e),
            other => other.within(parent),
        }
    }

    /// Says where a configuration error was written, unless that is known; other errors pass unchanged.
    pub fn placed(self, place: &str) -> Self {
        match self {
            Error::Config(mut e) => {
                e.place.get_or_insert_with(|| place.to_owned());
                Error::Config(e)
            }
            other => other,
        }
    }

    /// Adds advice to a configuration error; other errors pass unchanged.
    pub fn help(self, help: impl Into<String>) -> Self {
        match self {
            Error::Config(e) => Error::Config(ConfigError { help: Some(help.into()), ..e }),
            other => other,
        }
    }

    /// 2 for usage, configuration and input, 130 for an interruption, 1 for a failure at run time.
    pub fn exit_code(&self) -> i32 {
        match self {
            Error::Config(_) | Error::Data { .. } | Error::Device(_) => 2,
            Error::Interrupted { .. } | Error::Stopped { .. } => INTERRUPTED,
            Error::Component { .. } | Error::Io { .. } | Error::Runtime(_) => 1,
        }
    }
}

/// A path as a shell takes it, for commands in messages: in quotes where it needs them.
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    shlex::try_quote(&text).map_or_else(|_| text.clone(), std::borrow::Cow::into_owned)
}

/// What the system answered, without its number and the temporary names that a caller does not know.
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

/// LibTorch's messages carry some thirty C++ frames, and some begin with a place in its source: what is said is
/// shown, the rest is logged.
pub fn first_line(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    let after =
        |start: &str, end: &str| first.split_once(start)?.1.split_once(end).map(|(_, said)| said);
    let said = after("INTERNAL ASSERT FAILED at", "please report a bug to PyTorch. ")
        .or_else(|| after("[enforce fail at ", "] ")?.split_once(". ").map(|(_, said)| said))
        .unwrap_or(first);
    if said != text {
        log::debug!("{text}");
    }
    said.to_owned()
}

/// The nearest of `known` to `word`, if one is near enough to be a slip of the pen.
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

/// "did you mean `cosine`? known: cosine, linear, …" for an unknown name.
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
    fn a_command_that_is_advised_can_be_copied() {
        let run = PathBuf::from("my runs/a");
        let told = Error::Interrupted { run }.to_string();
        assert_eq!(told, "interrupted; continue with `triflow resume --run 'my runs/a'`");
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
}
