//! A new plugin's crate: everything that its author would have to know and set, written once.

use crate::error::{Error, Result};
use crate::registry::{registry, spoken, with_article};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Where a plugin's crate finds this framework.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Framework {
    /// The folder of the crate `triflow` on this machine.
    Folder(PathBuf),
    /// A repository at a revision.
    Git {
        /// Where it is.
        url: String,
        /// The whole hash.
        revision: String,
    },
}

impl Framework {
    /// The crate in `folder`, or in the `framework` below it.
    pub fn in_folder(folder: &Path) -> Result<Self> {
        let holds_it = |folder: &PathBuf| {
            let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
            manifest.contains("[package]\nname = \"triflow\"\n")
        };
        let found = [folder.to_owned(), folder.join("framework")].into_iter().find(holds_it);
        let found = found.and_then(|found| found.canonicalize().ok());
        found.map(Self::Folder).ok_or_else(|| {
            let message = format!("the crate `triflow` is not in {}", folder.display());
            Error::config("", message).help("name a folder with triflow's source")
        })
    }
}

/// A crate to be written.
#[derive(Clone, Debug)]
pub struct Scaffold {
    kind: &'static str,
    name: String,
    /// Where it finds this framework.
    pub framework: Framework,
    /// The host's own `Cargo.lock`, so that every crate has the same version; empty for none.
    pub lock: String,
    /// Folder of the host's LibTorch; none where the author has set `LIBTORCH`.
    pub libtorch: Option<PathBuf>,
}

impl Scaffold {
    /// A crate `name` with a component `name` of `kind`.
    ///
    /// # Errors
    /// An unknown kind; a name that is no name of a crate, or that a component of the kind has already.
    pub fn new(kind: &str, name: &str, framework: Framework) -> Result<Self> {
        let kind = registry().check_kind(kind)?;
        let name = name.replace('-', "_");
        let letters =
            name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !letters || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
            let message = format!("`{name}` cannot be the name of a component's crate");
            return Err(Error::config("", message)
                .help("small letters, digits and `_`, a letter first, as `my_schedule`"));
        }
        if RESERVED.contains(&name.as_str()) {
            let message = format!("`{name}` is a word of Rust or of cargo");
            return Err(Error::config("", message).help(format!("`my_{name}` would do")));
        }
        if registry().find(kind, &name).is_ok() {
            let message = format!("there is {} `{name}` already", with_article(&spoken(kind)));
            return Err(Error::config("", message).help(format!("`my_{name}` would do")));
        }
        Ok(Self { kind, name, framework, lock: String::new(), libtorch: None })
    }

    /// Name of the crate and of the component.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The kind of the component.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The library that `cargo build --release` leaves, relative to cargo's target folder.
    pub fn artifact(&self) -> PathBuf {
        use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
        Path::new("release").join(format!("{DLL_PREFIX}{}{DLL_SUFFIX}", self.name))
    }

    /// Writes the crate into `parent`, in a folder of its name, and returns that folder: whole, or not at
    /// all.
    pub fn write(&self, parent: &Path) -> Result<PathBuf> {
        let folder = parent.join(&self.name);
        if folder.exists() {
            let message = format!("{} is there already", folder.display());
            return Err(Error::config("", message).help("choose another name, or another folder"));
        }
        std::fs::create_dir_all(parent).map_err(Error::io("make the folder", parent))?;
        let draft = tempfile::Builder::new().prefix(".new-plugin").tempdir_in(parent);
        let draft = draft.map_err(Error::io("write into", parent))?;
        let whole = draft.path().join(&self.name);
        for (name, text) in self.files()? {
            let path = whole.join(name);
            let folder = path.parent().unwrap_or(&whole);
            std::fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
            std::fs::write(&path, text).map_err(Error::io("write", &path))?;
        }
        std::fs::rename(&whole, &folder).map_err(Error::io("write", &folder))?;
        Ok(folder)
    }

    fn files(&self) -> Result<Vec<(&'static str, String)>> {
        let mut files = vec![
            ("Cargo.toml", self.manifest()),
            ("build.rs", BUILD.to_owned()),
            ("src/lib.rs", self.source()?),
            (".gitignore", "/target\n".to_owned()),
        ];
        if !self.lock.is_empty() {
            files.push(("Cargo.lock", self.lock.clone()));
        }
        if let Some(libtorch) = &self.libtorch {
            let path = toml_text(&libtorch.to_string_lossy());
            let text = format!(
                "# The LibTorch of the triflow that this crate was made by; a LIBTORCH that is set wins.\n\
                 [env]\nLIBTORCH = {path}\n"
            );
            files.push((".cargo/config.toml", text));
        }
        Ok(files)
    }

    fn manifest(&self) -> String {
        let framework = match &self.framework {
            Framework::Folder(path) => format!("path = {}", toml_text(&path.to_string_lossy())),
            Framework::Git { url, revision } => {
                format!("git = {}, rev = {}", toml_text(url), toml_text(revision))
            }
        };
        let mut kind = with_article(&spoken(self.kind));
        kind[..1].make_ascii_uppercase();
        let name = &self.name;
        format!(
            "[package]\nname = \"{name}\"\ndescription = \"{kind} of triflow\"\nversion = \"0.1.0\"\n\
             edition = \"2024\"\npublish = false\n\n\
             [lib]\ncrate-type = [\"cdylib\"]\n\n\
             # The very source that the triflow which loads the plugin was built from.\n\
             [dependencies]\ntriflow = {{ {framework} }}\n\n\
             # A workspace of its own, wherever it lies.\n\
             [workspace]\n\n\
             # As triflow's own, so that a shared target folder builds LibTorch's C++ layer once.\n\
             [profile.release]\ndebug = false\noverflow-checks = true\ncodegen-units = 16\nlto = \"off\"\n"
        )
    }

    /// The kind's starter under the new name.
    fn source(&self) -> Result<String> {
        let starter = registry().kind(self.kind)?.starter;
        let camel = struct_name(&self.name, starter);
        let declaration = "triflow::component! {";
        let mut text = String::new();
        let _ = match starter.split_once(declaration) {
            Some((before, after)) => {
                write!(text, "{before}triflow::plugin!();\n\n{declaration}{after}")
            }
            None => write!(text, "triflow::plugin!();\n\n{starter}"),
        };
        Ok(text.replace("MyComponent", &camel).replace("my_component", &self.name))
    }
}

/// The name of the component's type: `MySchedule` for `my_schedule`, unless `starter` means something else by
/// that.
fn struct_name(name: &str, starter: &str) -> String {
    let mut camel = String::new();
    for word in name.split('_') {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|c| c.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    let mut words = starter.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    if words.any(|word| word == camel) || IN_MACROS.contains(&camel.as_str()) {
        camel.push_str("Component");
    }
    camel
}

/// Types of which the macros speak by their bare names.
const IN_MACROS: &[&str] =
    &["Box", "Built", "Clone", "Debug", "Default", "From", "PartialEq", "Self", "String", "Vec"];

const BUILD: &str = r#"//! Lets the tests find LibTorch.

fn main() {
    if let Ok(lib) = std::env::var("DEP_TRIFLOW_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
    }
}
"#;

/// Names that cargo or Rust refuses, or that would hide a crate that the source speaks of.
const RESERVED: &[&str] = &[
    "abstract",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "triflow",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

/// A string of TOML.
fn toml_text(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
