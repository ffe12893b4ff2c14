//! The crate of a new plugin or program, with all settings that an author would otherwise have to
//! know.

use crate::error::{Error, Result};
use crate::registry::{registry, spoken, with_article};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Place of the framework's source, as a dependency of a crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Framework {
    /// The folder of the crate `triflow` on this machine.
    Folder(PathBuf),
    /// A revision of a git repository.
    Git {
        /// URL of the repository.
        url: String,
        /// Full hash of the commit.
        revision: String,
    },
}

impl Framework {
    /// The crate `triflow` in `folder`, or in the folder `framework` in it.
    ///
    /// # Errors
    /// [`Error::Config`] where it is in neither.
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

    /// Line of a manifest for the dependency `package`, which the code knows as `name`. `folder` is
    /// the package's, from the root of the repository.
    fn dependency(&self, name: &str, package: &str, folder: &str) -> String {
        let place = match self {
            Self::Folder(path) => {
                let path = path.with_file_name("").join(folder);
                format!("path = {}", toml_text(&path.to_string_lossy()))
            }
            Self::Git { url, revision } => {
                format!("git = {}, rev = {}", toml_text(url), toml_text(revision))
            }
        };
        match name == package {
            true => format!("{name} = {{ {place} }}\n"),
            false => format!("{name} = {{ package = \"{package}\", {place} }}\n"),
        }
    }
}

/// Kind of crate.
#[derive(Clone, Debug)]
enum Purpose {
    /// A shared library with a component of this kind.
    Plugin(&'static str),
    /// A program that uses the built-in components, with this source.
    Program(&'static str),
}

/// A crate to be written.
#[derive(Clone, Debug)]
pub struct Scaffold {
    purpose: Purpose,
    name: String,
    /// Place of the framework's source.
    pub framework: Framework,
    /// Content of the host's `Cargo.lock`, so that all dependencies have the host's versions;
    /// empty: none.
    pub lock: String,
    /// Folder of the host's LibTorch; `None` where the author sets `LIBTORCH`.
    pub libtorch: Option<PathBuf>,
}

impl Scaffold {
    /// The crate of a plugin `name` with a component `name` of `kind`.
    ///
    /// # Errors
    /// [`Error::Config`] for an unknown kind, a name that no crate can have, or the name of an
    /// existing component of the kind.
    pub fn plugin(kind: &str, name: &str, framework: Framework) -> Result<Self> {
        let kind = registry().check_kind(kind)?;
        let new = Self::new(Purpose::Plugin(kind), name, framework, "my_schedule")?;
        if registry().find(kind, &new.name).is_ok() {
            let message =
                format!("there is {} `{}` already", with_article(&spoken(kind)), new.name);
            return Err(Error::config("", message).help(format!("`my_{}` would do", new.name)));
        }
        Ok(new)
    }

    /// The crate of a program `name` with `source` as `src/main.rs`; it depends on the framework
    /// and on the built-in components.
    ///
    /// # Errors
    /// [`Error::Config`] for a name that no crate can have.
    pub fn program(name: &str, source: &'static str, framework: Framework) -> Result<Self> {
        Self::new(Purpose::Program(source), name, framework, "my_model")
    }

    /// `example` is a valid name for the error message.
    fn new(purpose: Purpose, name: &str, framework: Framework, example: &str) -> Result<Self> {
        let name = name.replace('-', "_");
        let letters =
            name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !letters || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
            let message = format!("`{name}` cannot be the name of a crate");
            return Err(Error::config("", message)
                .help(format!("small letters, digits and `_`, a letter first, as `{example}`")));
        }
        if RESERVED.contains(&name.as_str()) {
            let message = format!("`{name}` is a word of Rust or of cargo");
            return Err(Error::config("", message).help(format!("`my_{name}` would do")));
        }
        Ok(Self { purpose, name, framework, lock: String::new(), libtorch: None })
    }

    /// Name of the crate; of a plugin also that of its component.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The library or program that `cargo build --release` makes, relative to cargo's target
    /// folder.
    pub fn artifact(&self) -> PathBuf {
        use std::env::consts::{DLL_PREFIX, DLL_SUFFIX, EXE_SUFFIX};
        let name = &self.name;
        Path::new("release").join(match self.purpose {
            Purpose::Plugin(_) => format!("{DLL_PREFIX}{name}{DLL_SUFFIX}"),
            Purpose::Program(_) => format!("{name}{EXE_SUFFIX}"),
        })
    }

    /// Writes the crate into `parent`, in a folder with its name, completely or not at all. Returns
    /// that folder.
    ///
    /// # Errors
    /// [`Error::Config`] where the folder exists; [`Error::Io`] where it cannot be written.
    pub fn write(&self, parent: &Path) -> Result<PathBuf> {
        let folder = parent.join(&self.name);
        if folder.exists() {
            let message = format!("{} is there already", folder.display());
            return Err(Error::config("", message).help("choose another name, or another folder"));
        }
        std::fs::create_dir_all(parent).map_err(Error::io("make the folder", parent))?;
        let draft = tempfile::Builder::new().prefix(".new-crate").tempdir_in(parent);
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
        let source = match self.purpose {
            Purpose::Plugin(kind) => ("src/lib.rs", self.component(kind)?),
            Purpose::Program(source) => ("src/main.rs", source.to_owned()),
        };
        let mut files = vec![
            ("Cargo.toml", self.manifest()),
            ("build.rs", self.build_script()),
            source,
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
        let of = |name, package, folder| self.framework.dependency(name, package, folder);
        let (what, rest) = match self.purpose {
            Purpose::Plugin(kind) => {
                let mut kind = with_article(&spoken(kind));
                kind[..1].make_ascii_uppercase();
                let core = of("triflow", "triflow-core", "framework/core");
                let text = format!(
                    "[lib]\ncrate-type = [\"cdylib\"]\n\n\
                     # The very source that the triflow which loads the plugin was built from; of it\n\
                     # the core, which is all that a component needs.\n\
                     [dependencies]\n{core}"
                );
                (format!("{kind} of triflow"), text)
            }
            Purpose::Program(_) => {
                let framework = of("triflow", "triflow", "framework");
                let components = of("triflow-plugins", "triflow-plugins", "plugins");
                let text = format!(
                    "# The framework, and the built-in components.\n[dependencies]\n{framework}{components}"
                );
                ("A program that uses triflow".to_owned(), text)
            }
        };
        let name = &self.name;
        format!(
            "[package]\nname = \"{name}\"\ndescription = \"{what}\"\nversion = \"0.1.0\"\n\
             edition = \"2024\"\npublish = false\n\n{rest}\n\
             # A workspace of its own, wherever it lies.\n\
             [workspace]\n\n\
             # As triflow's own, so that a shared target folder builds LibTorch's C++ layer once.\n\
             [profile.release]\ndebug = false\noverflow-checks = true\ncodegen-units = 16\nlto = \"off\"\n"
        )
    }

    fn build_script(&self) -> String {
        let links = match self.purpose {
            Purpose::Plugin(_) => "TRIFLOW_CORE",
            Purpose::Program(_) => "TRIFLOW",
        };
        BUILD.replace("LINKS", links)
    }

    /// Source of the kind's starter, with the component's name.
    fn component(&self, kind: &str) -> Result<String> {
        let starter = crate::testing::kit(kind)?.starter;
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

/// Name of the component's type, such as `MySchedule` for `my_schedule`; another one where
/// `starter` uses that name.
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

/// Types that the macros use by their bare names.
const IN_MACROS: &[&str] =
    &["Box", "Built", "Clone", "Debug", "Default", "From", "PartialEq", "Self", "String", "Vec"];

const BUILD: &str = r#"//! Lets what is built here find LibTorch.

fn main() {
    if let Ok(lib) = std::env::var("DEP_LINKS_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
    }
}
"#;

/// Names that cargo or Rust refuses, or that would hide a crate used in the source.
const RESERVED: &[&str] = &[
    "abstract",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "build",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "do",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "incremental",
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
    "triflow_plugins",
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

/// A text as a TOML string.
fn toml_text(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
