//! The registration of components, one mechanism for all kinds.
//!
//! A component is two types: a small struct of parameters, the *spec*, which is read from YAML, and
//! the *built thing*, which runs. [`component_kind!`](crate::component_kind) declares a kind,
//! [`component!`](crate::component!) declares and registers a component, and [`Component`] is the
//! type of a configuration field. Lists, look-up, suggestions and examples all come from one
//! registration.
//!
//! The keys of a spec, as those of an experiment, are one table ([`Field`]), from which come
//! reading, errors, merging of layers, the schema and descriptions.

mod component;
mod group;
mod guard;
mod kind;
mod macros;
mod parameter;
mod range;
mod read;
mod schema;
mod table;
#[cfg(test)]
mod tests;

pub use component::Component;
pub use group::{Group, check_group, read_variant, tagged};
#[doc(hidden)]
pub use group::{Keys, Visitor};
pub use guard::{Owner, drop_guarded, guard, guard_engine};
#[doc(hidden)]
pub use kind::{AnySpec, Reader};
pub use kind::{Common, Kind, NoCommon, Spec};
pub use parameter::{Parameter, Setting, needs};
#[doc(hidden)]
pub use parameter::{deserialize, serialize};
pub use range::Range;
#[doc(hidden)]
pub use read::{unknown_word, word, yaml_text};
pub use schema::{experiment_schema, group_schema, properties_of};
/// YAML, as read and written within one copy of the framework.
pub use serde_yaml::{Mapping, Value as Yaml};
#[doc(hidden)]
pub use table::paragraphs;
pub use table::{Field, Key, Shape, Variant, Word};

use crate::error::{Error, Result, nearest, suggestion};
use crate::host::Library;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError, RwLock};

/// Registration of a component; made by [`component!`](crate::component!).
#[derive(Debug)]
pub struct Registration {
    /// Name of the kind, such as `noise_schedule`.
    pub kind: &'static str,
    /// Name of the component in YAML.
    pub name: &'static str,
    /// Other names of the same component.
    pub aliases: &'static [&'static str],
    /// Doc comment of the component, line by line; `None` at the places of other attributes.
    pub docs: &'static [Option<&'static str>],
    /// Paper or text that describes the method; may be empty.
    pub reference: &'static str,
    /// Extensions of the files that it reads, without the dot. Such a component has the key `path`
    /// for its file.
    pub extensions: &'static [&'static str],
    /// Name of the component that took its place; empty unless it is there for the sake of earlier
    /// files alone.
    pub superseded: &'static str,
    /// Table of the spec's own keys.
    pub table: fn() -> Result<Vec<Field>>,
    /// YAML that shows the component, where its defaults alone do not work.
    pub example: Option<&'static str>,
    /// Path of the module that defines it; its first part is the crate.
    pub module: &'static str,
    /// Function of the component's copy of the framework; its type depends on the kind.
    pub reader: kind::Reader,
}
inventory::collect!(Registration);

impl Registration {
    /// Table of the component's own keys and the shared keys of its kind. Own keys are missing
    /// where the component's defaults panic.
    pub fn fields(&self) -> Vec<Field> {
        let mut fields = (self.table)().unwrap_or_else(|e| {
            log::debug!("{e}");
            Vec::new()
        });
        let kinds = inventory::iter::<KindRegistration>.into_iter();
        fields.extend(kinds.filter(|kind| kind.name == self.kind).flat_map(|kind| (kind.common)()));
        fields
    }

    /// True if `path` has one of the extensions of the component.
    pub fn reads(&self, path: &Path) -> bool {
        let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase());
        // An extension may have several parts, such as `csv.gz`.
        let ends = |known: &&str| {
            let stem = name.as_ref().and_then(|name| name.strip_suffix(known));
            stem.is_some_and(|stem| stem.len() > 1 && stem.ends_with('.'))
        };
        self.extensions.iter().any(ends)
    }

    /// YAML of the component as an example: the author's, or its name with all defaults.
    ///
    /// # Errors
    /// [`Error::Component`] for a panic in a default.
    pub fn example(&self) -> Result<String> {
        if let Some(text) = self.example {
            return Ok(text.to_owned());
        }
        (self.table)()?;
        let mut example = Mapping::new();
        example.insert("type".into(), self.name.into());
        for field in self.fields().into_iter().filter(|field| !field.key.unwritten) {
            let name = field.key.name();
            let default = field.default.unwrap_or_else(|| name.to_uppercase());
            example.insert(name.into(), read::parsed(&default)?);
        }
        yaml_text(&example)
    }
}

/// Registration of a kind; made by [`component_kind!`](crate::component_kind).
#[derive(Debug)]
pub struct KindRegistration {
    /// Name of the kind, as in error messages and `triflow list KIND`.
    pub name: &'static str,
    /// Doc comment of the kind, line by line.
    pub docs: &'static [&'static str],
    /// Table of the keys that all components of the kind take.
    pub common: fn() -> Vec<Field>,
}
inventory::collect!(KindRegistration);

/// Default values of an experiment, in YAML, below every experiment file. A crate of components
/// submits one.
#[derive(Debug)]
pub struct Defaults(pub &'static str);
inventory::collect!(Defaults);

/// A registered component, as the host sees it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Registration of the component.
    pub info: &'static Registration,
    /// The plugin of the component; `None` where it is linked into the program.
    pub plugin: Option<&'static Library>,
}

impl Entry {
    /// Origin for lists: `built-in`, or name and version of the plugin.
    pub fn origin(&self) -> String {
        self.plugin.map_or_else(|| "built-in".to_owned(), ToString::to_string)
    }

    /// First paragraph of the doc comment.
    pub fn summary(&self) -> String {
        paragraph(self.lines())
    }

    /// Complete doc comment.
    pub fn description(&self) -> String {
        let lines: Vec<_> = self.lines().map(|l| l.strip_prefix(' ').unwrap_or(l)).collect();
        lines.join("\n")
    }

    fn lines(&self) -> impl Iterator<Item = &'static str> {
        self.info.docs.iter().copied().flatten()
    }

    /// True if `name` is the component's name or one of its aliases.
    pub fn answers_to(&self, name: &str) -> bool {
        self.info.name == name || self.info.aliases.contains(&name)
    }
}

fn paragraph<'l>(docs: impl Iterator<Item = &'l str>) -> String {
    let lines: Vec<_> = docs.map(str::trim).take_while(|l| !l.is_empty()).collect();
    lines.join(" ")
}

/// Registry of all components that this process knows. A process has one registry, owned by the
/// host.
#[derive(Debug)]
pub struct Registry {
    entries: RwLock<Vec<Entry>>,
    libraries: RwLock<Vec<&'static Library>>,
    /// Message for two linked crates with a component of one name; no linked component is
    /// registered then.
    clash: Option<String>,
    /// Lock held while a library is loaded.
    pub loading: Mutex<()>,
    defaults: Vec<&'static str>,
}

/// The host's registry; set in a plugin's copy only.
static OF_HOST: OnceLock<&'static Registry> = OnceLock::new();

/// Makes the host's registry that of this copy, once: later calls keep the first. Returns the
/// registry in use.
pub(crate) fn attach(of_host: &'static Registry) -> &'static Registry {
    OF_HOST.get_or_init(|| of_host)
}

/// The registry of the process; in a plugin's copy of the framework too it is the host's.
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
    /// Adds all components linked into this copy of the framework.
    ///
    /// # Errors
    /// [`Error::Config`] where a name or alias is taken; nothing is added then.
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
        // inventory lists in the order of the linker.
        all.sort_by_key(|e| (e.info.kind, e.info.name));
        *entries = all;
        Ok(())
    }

    /// Loaded plugins, in the order of loading.
    pub fn libraries(&self) -> Vec<&'static Library> {
        self.libraries.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds a loaded library to the list of plugins.
    pub fn add_library(&self, library: &'static Library) {
        self.libraries.write().unwrap_or_else(PoisonError::into_inner).push(library);
    }

    /// Components of `kind` (`None`: of all kinds), sorted by kind and name.
    pub fn list(&self, kind: Option<&str>) -> Vec<Entry> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.iter().filter(|e| kind.is_none_or(|k| e.info.kind == k)).cloned().collect()
    }

    /// Error where no component of a kind is registered.
    pub fn none_registered(&self, kind: &str) -> Error {
        match &self.clash {
            Some(clash) => Error::config("", format!("two crates of this program clash: {clash}")),
            None => none_linked(kind),
        }
    }

    /// The component of `kind` with the name or alias `name`.
    ///
    /// # Errors
    /// [`Error::Config`] with the nearest name for an unknown one, or where the kind has no
    /// components.
    pub fn find(&self, kind: &str, name: &str) -> Result<Entry> {
        let all = self.list(Some(kind));
        all.iter().find(|e| e.answers_to(name)).cloned().ok_or_else(|| {
            if all.is_empty() {
                return self.none_registered(kind);
            }
            let known: Vec<_> = all.iter().map(|e| e.info.name).collect();
            let mut help = suggestion(name, &plural(kind), known.iter().copied());
            if nearest(name, known).is_none() {
                help += "; a plugin's is known once `plugins` or `--plugin` names its library";
            }
            Error::config("", format!("unknown {} `{name}`", spoken(kind))).help(help)
        })
    }

    /// The component of `kind` that reads files with the extension of `path`, in upper or lower
    /// case.
    ///
    /// # Errors
    /// [`Error::Data`] with the known extensions where there is none; [`Error::Config`] where the
    /// kind has no components.
    pub fn reader(&self, kind: &str, path: &Path) -> Result<Entry> {
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        let all = self.list(Some(kind));
        let found = all.iter().find(|e| e.info.superseded.is_empty() && e.info.reads(path));
        found.cloned().ok_or_else(|| {
            if all.is_empty() {
                return self.none_registered(kind);
            }
            let known = format!(".{}", self.endings(kind).join(", ."));
            let what = match ending {
                Some(ending) => format!("no {} reads .{ending} files", spoken(kind)),
                None => "the file name has no ending".to_owned(),
            };
            Error::data(path, format!("{what}; known endings: {known}"))
        })
    }

    /// Extensions of the files that components of `kind` read, without the first dot.
    pub fn endings(&self, kind: &str) -> Vec<&'static str> {
        let all = self.list(Some(kind)).into_iter();
        all.filter(|e| e.info.superseded.is_empty())
            .flat_map(|e| e.info.extensions)
            .copied()
            .collect()
    }

    /// All kinds with the first paragraph of their descriptions, sorted by name.
    pub fn kinds(&self) -> BTreeMap<&'static str, String> {
        inventory::iter::<KindRegistration>
            .into_iter()
            .map(|k| (k.name, paragraph(k.docs.iter().copied())))
            .collect()
    }

    /// The kind called `kind`; hyphens count as underscores.
    ///
    /// # Errors
    /// [`Error::Config`] with the nearest name for an unknown one.
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

    /// Name of the kind called `kind`; hyphens count as underscores.
    ///
    /// # Errors
    /// [`Error::Config`] with the nearest name for an unknown one.
    pub fn check_kind(&self, kind: &str) -> Result<&'static str> {
        Ok(self.kind(kind)?.name)
    }
}

/// Default values of every experiment, in YAML, as the linked crates submit them.
pub fn default_layers() -> &'static [&'static str] {
    &registry().defaults
}

/// Noun with its indefinite article, by sound: `an objective`, `a noise schedule`.
pub fn with_article(noun: &str) -> String {
    let consonant = ["uni", "use", "eu", "one"].iter().any(|sound| noun.starts_with(sound));
    let vowel = noun.starts_with(['a', 'e', 'i', 'o', 'u']) && !consonant;
    format!("{} {noun}", if vowel { "an" } else { "a" })
}

/// Error for a program into which no component of a kind is linked.
fn none_linked(kind: &str) -> Error {
    Error::config("", format!("this program has no {}", plural(kind))).help(
        "call `triflow_plugins::link()` at the start of `main` for the built-in components; those of another \
         crate are there once the program names something of it",
    )
}

/// Name of a kind in prose: `noise schedule` for `noise_schedule`.
pub fn spoken(kind: &str) -> String {
    kind.replace('_', " ")
}

fn plural(kind: &str) -> String {
    format!("{}s", spoken(kind))
}
