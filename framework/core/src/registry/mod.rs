//! The one mechanism behind every kind of component.
//!
//! A component is two types: a small serde struct, the *spec* (what YAML says), and the *built thing*
//! (what runs). [`component_kind!`](crate::component_kind) declares a kind, [`component!`](crate::component!)
//! declares and registers a component, and [`Component`] is what a configuration field holds. Listing,
//! look-up, suggestions, schema and examples all come from the same registration.

mod component;
mod guard;
mod kind;
mod macros;
mod messages;
mod named;
mod read;
mod schema;

pub use component::Component;
pub use guard::{Owner, drop_guarded, guard, guard_engine};
pub use kind::{Common, Kind, NoCommon, Spec, Vtable};
pub use messages::explained;
#[doc(hidden)]
pub use named::{Field, Holds, HoldsNone, HoldsSome};
pub use read::{deserialize, read_spec};
pub use schema::{
    experiment_schema, is_component_of, is_nullable, properties_of, schema_text, variant, variants,
    yaml_text,
};

use crate::error::{Error, Result, nearest, suggestion};
use crate::host::Library;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError, RwLock};

/// What one component says of itself; made by [`component!`](crate::component!).
#[derive(Debug)]
pub struct Registration {
    /// The kind's name, such as `noise_schedule`.
    pub kind: &'static str,
    /// The name in YAML.
    pub name: &'static str,
    /// Further names that mean the same.
    pub aliases: &'static [&'static str],
    /// The doc comment, line by line.
    pub docs: &'static [&'static str],
    /// The paper or text that it comes from; may be empty.
    pub reference: &'static str,
    /// Endings of the files that it reads, without the dot; such a component takes the file's path under
    /// the key `path`.
    pub extensions: &'static [&'static str],
    /// JSON schema of the spec, as text.
    pub schema: fn() -> Result<String>,
    /// The spec with its defaults, as YAML.
    pub example: fn() -> Result<String>,
    /// Path of the module that defines it; it begins with the name of its crate.
    pub module: &'static str,
    /// The owner's functions, typed by the kind.
    pub vtable: kind::ErasedVtable,
}
inventory::collect!(Registration);

/// What one kind says of itself; made by [`component_kind!`](crate::component_kind).
#[derive(Debug)]
pub struct KindRegistration {
    /// The kind's name, as in error messages and `triflow list KIND`.
    pub name: &'static str,
    /// The doc comment, line by line.
    pub docs: &'static [&'static str],
    /// JSON schema of the keys that every component of the kind takes, as text; `{}` for none.
    pub common_schema: fn() -> String,
}
inventory::collect!(KindRegistration);

/// The lowest layer of every experiment, as YAML. A crate of components submits one.
#[derive(Debug)]
pub struct Defaults(pub &'static str);
inventory::collect!(Defaults);

/// A registered component, as the host sees it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What the component says of itself.
    pub info: &'static Registration,
    /// The plugin that it came from; none for what is linked into the program.
    pub plugin: Option<&'static Library>,
}

impl Entry {
    /// `built-in`, or the plugin that it came from, with its version.
    pub fn origin(&self) -> String {
        self.plugin.map_or_else(|| "built-in".to_owned(), ToString::to_string)
    }

    /// The first paragraph of the doc comment.
    pub fn summary(&self) -> String {
        paragraph(self.info.docs)
    }

    /// The whole doc comment.
    pub fn description(&self) -> String {
        let lines: Vec<_> =
            self.info.docs.iter().map(|l| l.strip_prefix(' ').unwrap_or(l)).collect();
        lines.join("\n")
    }

    /// Whether `name` is this component's name or one of its aliases.
    pub fn answers_to(&self, name: &str) -> bool {
        self.info.name == name || self.info.aliases.contains(&name)
    }
}

fn paragraph(docs: &[&str]) -> String {
    let lines: Vec<_> = docs.iter().map(|l| l.trim()).take_while(|l| !l.is_empty()).collect();
    lines.join(" ")
}

/// Every component that this process knows. One process has one registry, owned by the host.
#[derive(Debug)]
pub struct Registry {
    entries: RwLock<Vec<Entry>>,
    libraries: RwLock<Vec<&'static Library>>,
    /// Why nothing that is linked is known: two crates have a component of one name.
    clash: Option<String>,
    /// Held while a library is loaded.
    pub loading: Mutex<()>,
    defaults: Vec<&'static str>,
}

/// The host's registry, in a plugin's copy.
static OF_HOST: OnceLock<&'static Registry> = OnceLock::new();

/// Makes the host's registry that of this copy; the first one stays.
pub(crate) fn attach(of_host: &'static Registry) -> &'static Registry {
    OF_HOST.get_or_init(|| of_host)
}

/// The process-wide registry: the host's, in a plugin's copy of the framework as well.
pub fn registry() -> &'static Registry {
    static OWN: OnceLock<Registry> = OnceLock::new();
    if let Some(of_host) = OF_HOST.get() {
        return of_host;
    }
    OWN.get_or_init(|| {
        let mut registry = Registry {
            entries: RwLock::default(),
            clash: None,
            libraries: RwLock::default(),
            loading: Mutex::default(),
            defaults: inventory::iter::<Defaults>.into_iter().map(|d| d.0).collect(),
        };
        registry.clash = registry.add_own(None).err().map(|e| e.to_string());
        registry
    })
}

impl Registry {
    /// Adds every component linked into this copy of the framework; all or, where a name is taken, none.
    pub fn add_own(&self, plugin: Option<&'static Library>) -> Result<()> {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        let mut all = entries.clone();
        for info in inventory::iter::<Registration> {
            let names = || std::iter::once(&info.name).chain(info.aliases);
            let taken = all.iter().find_map(|e| {
                let same_kind = e.info.kind == info.kind;
                names().find(|name| same_kind && e.answers_to(name)).map(|name| (e, name))
            });
            if let Some((entry, name)) = taken {
                let message = format!(
                    "the {} `{name}` is there already: {}",
                    spoken(info.kind),
                    entry.plugin.map_or_else(
                        || "built-in".into(),
                        |l| format!("{l}, {}", l.path.display())
                    ),
                );
                return Err(Error::config("", message).help("give the new one another name"));
            }
            all.push(Entry { info, plugin });
        }
        // inventory's order is the linker's.
        all.sort_by_key(|e| (e.info.kind, e.info.name));
        *entries = all;
        Ok(())
    }

    /// The loaded plugins, in the order of loading.
    pub fn libraries(&self) -> Vec<&'static Library> {
        self.libraries.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes a library that was loaded.
    pub fn add_library(&self, library: &'static Library) {
        self.libraries.write().unwrap_or_else(PoisonError::into_inner).push(library);
    }

    /// The components of `kind` (all for `None`), sorted by kind and name.
    pub fn list(&self, kind: Option<&str>) -> Vec<Entry> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.iter().filter(|e| kind.is_none_or(|k| e.info.kind == k)).cloned().collect()
    }

    /// The error where no component of a kind is known.
    pub fn nothing_of(&self, kind: &str) -> Error {
        match &self.clash {
            Some(clash) => Error::config("", format!("two crates of this program clash: {clash}")),
            None => none_linked(kind),
        }
    }

    /// The component of `kind` called `name`; an unknown name answers with the nearest.
    pub fn find(&self, kind: &str, name: &str) -> Result<Entry> {
        let all = self.list(Some(kind));
        all.iter().find(|e| e.answers_to(name)).cloned().ok_or_else(|| {
            if all.is_empty() {
                return self.nothing_of(kind);
            }
            let known: Vec<_> = all.iter().map(|e| e.info.name).collect();
            let mut help = suggestion(name, &plural(kind), known.iter().copied());
            if nearest(name, known).is_none() {
                help += "; a plugin's is known once `plugins` or `--plugin` names its library";
            }
            Error::config("", format!("unknown {} `{name}`", spoken(kind))).help(help)
        })
    }

    /// The component of `kind` that reads files with the ending of `path`, in whatever case.
    pub fn reader(&self, kind: &str, path: &Path) -> Result<Entry> {
        let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase());
        let name = name.unwrap_or_default();
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        let all = self.list(Some(kind));
        // An ending may have parts, as `csv.gz` has.
        let ends = |known: &str| {
            name.strip_suffix(known).is_some_and(|stem| stem.len() > 1 && stem.ends_with('.'))
        };
        let found = all.iter().find(|e| e.info.extensions.iter().any(|known| ends(known)));
        found.cloned().ok_or_else(|| {
            if all.is_empty() {
                return self.nothing_of(kind);
            }
            let known: Vec<_> = all
                .iter()
                .flat_map(|e| e.info.extensions)
                .map(|known| format!(".{known}"))
                .collect();
            let known = known.join(", ");
            let what = match ending {
                Some(ending) => format!("no {} reads .{ending} files", spoken(kind)),
                None => "the name has no ending that says what the file is".to_owned(),
            };
            Error::data(path, format!("{what}; known endings: {known}"))
        })
    }

    /// Every kind with its one-paragraph description, sorted.
    pub fn kinds(&self) -> BTreeMap<&'static str, String> {
        inventory::iter::<KindRegistration>
            .into_iter()
            .map(|k| (k.name, paragraph(k.docs)))
            .collect()
    }

    /// A kind by its name; an unknown one answers with the nearest.
    pub fn kind(&self, kind: &str) -> Result<&'static KindRegistration> {
        let name = kind.replace('-', "_");
        let found = inventory::iter::<KindRegistration>.into_iter().find(|k| k.name == name);
        found.ok_or_else(|| {
            Error::config("", format!("unknown kind of component `{kind}`")).help(suggestion(
                kind,
                "kinds",
                self.kinds().keys().copied(),
            ))
        })
    }

    /// Checks a kind's name; an unknown one answers with the nearest.
    pub fn check_kind(&self, kind: &str) -> Result<&'static str> {
        Ok(self.kind(kind)?.name)
    }
}

/// The lowest layer of every experiment.
pub fn default_layers() -> &'static [&'static str] {
    &registry().defaults
}

/// A noun with its article, by sound: `an objective`, `a noise schedule`.
pub fn with_article(noun: &str) -> String {
    let consonant = ["uni", "use", "eu", "one"].iter().any(|sound| noun.starts_with(sound));
    let vowel = noun.starts_with(['a', 'e', 'i', 'o', 'u']) && !consonant;
    format!("{} {noun}", if vowel { "an" } else { "a" })
}

/// The error of a program into which no component of a kind is linked.
fn none_linked(kind: &str) -> Error {
    Error::config("", format!("this program has no {}", plural(kind))).help(
        "call `triflow_plugins::link()` at the start of `main` for the built-in components; those of another \
         crate are there once the program names something of it",
    )
}

/// A kind as it is said: `noise schedule`.
pub fn spoken(kind: &str) -> String {
    kind.replace('_', " ")
}

fn plural(kind: &str) -> String {
    format!("{}s", spoken(kind))
}
