#![expect(
    unsafe_code,
    reason = "restores the type of the reader of a component, which its kind names"
)]

use super::group::{read_group, tagged, write_group};
use super::kind::{AnySpec, Kind};
use super::parameter::{deserialize, needs, serialize};
use super::read::parsed;
use super::{Group as _, Mapping, Owner, Parameter, Setting, Shape, Yaml, registry, yaml_text};
use crate::error::{Error, Result};
use std::fmt::{self, Debug};
use std::sync::{Arc, OnceLock};

/// A configured component of kind `K`: the type of a configuration field.
///
/// It is a spec of its kind, found by name in the registry. In YAML it is a map with `type: NAME`
/// and the component's own keys, or the bare name. In Rust any spec converts:
/// `Component::from(Cosine::default())`.
pub struct Component<K: Kind + ?Sized> {
    name: &'static str,
    spec: Arc<dyn AnySpec<K>>,
    common: K::Common,
    /// Key in the component around it, set when that is built.
    key: OnceLock<Box<str>>,
}

impl<K: Kind + ?Sized> Component<K> {
    /// The component `name` of a spec. Authors use `From` of the spec, which
    /// [`component!`](crate::component!) generates.
    #[doc(hidden)]
    pub fn of_spec(name: &'static str, spec: impl AnySpec<K> + 'static) -> Self {
        Self::assembled(name, Arc::new(spec), K::Common::default())
    }

    fn assembled(name: &'static str, spec: Arc<dyn AnySpec<K>>, common: K::Common) -> Self {
        Self { name, spec, common, key: OnceLock::new() }
    }

    /// The registered component `name` with its defaults.
    ///
    /// # Errors
    /// [`Error::Config`] for an unknown name.
    pub fn named(name: &str) -> Result<Self> {
        Self::configured(name, Mapping::new())
    }

    /// The registered component `name` with its defaults, for the default of a parameter: `pub
    /// inner: Component<dyn NoiseSchedule> = Component::default_of("cosine")`.
    ///
    /// # Panics
    /// With an unknown name. Defaults are evaluated while a spec is read, under its owner's guard,
    /// which makes an error of the panic.
    pub fn default_of(name: &str) -> Self {
        Self::named(name).unwrap_or_else(|e| panic!("{e}"))
    }

    /// Registered name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Values of the keys that all components of the kind take.
    pub fn common(&self) -> &K::Common {
        &self.common
    }

    /// Replaces the values of the keys that all components of the kind take.
    pub fn with_common(self, common: K::Common) -> Self {
        Self { common, ..self }
    }

    /// Copies the component with other values for some of its own keys, each in YAML.
    ///
    /// # Errors
    /// [`Error::Config`] for a key that the component does not have, or a value out of its range;
    /// [`Error::Runtime`] for a value that is not YAML.
    pub fn with_keys(&self, keys: &[(String, String)]) -> Result<Self> {
        let mut own = self.own_keys()?;
        for (key, value) in keys {
            own.insert(key.as_str().into(), parsed(value)?);
        }
        Ok(Self::configured(self.name, own)?.with_common(self.common.clone()))
    }

    /// The component's own keys, written by its owner's code.
    fn own_keys(&self) -> Result<Mapping> {
        match parsed(&self.spec.write(self.owner())?)? {
            Yaml::Mapping(keys) => Ok(keys),
            _ => {
                Err(Error::runtime(format!("{} `{}` is not written as a map", K::NAME, self.name)))
            }
        }
    }

    /// Builds the thing that runs, in the owner's code.
    ///
    /// # Errors
    /// Errors of the component for parameters or a context that it cannot work with. In a component
    /// that is a field of another, the key of the error begins with that field's name.
    pub fn build(&self, ctx: &K::Context<'_>) -> Result<Box<K>> {
        let built = self.spec.build_guarded(self.owner(), ctx).map(K::received);
        built.map_err(|e| match self.key.get() {
            Some(key) => e.within(key),
            None => e,
        })
    }

    fn owner(&self) -> Owner {
        Owner { kind: K::NAME, name: self.name }
    }
}

impl<K: Kind + ?Sized> Clone for Component<K> {
    fn clone(&self) -> Self {
        Self {
            name: self.name,
            spec: Arc::clone(&self.spec),
            common: self.common.clone(),
            key: self.key.clone(),
        }
    }
}

impl<K: Kind + ?Sized> Debug for Component<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.spec.fmt(f)
    }
}

impl<K: Kind + ?Sized> PartialEq for Component<K> {
    fn eq(&self, other: &Self) -> bool {
        self.write().ok() == other.write().ok()
    }
}

impl<K: Kind + ?Sized> Setting for Component<K> {
    fn write(&self) -> Result<Yaml> {
        let mut map = Mapping::new();
        map.insert("type".into(), self.name.into());
        map.extend(self.own_keys()?);
        map.extend(write_group(&self.common)?);
        Ok(Yaml::Mapping(map))
    }

    fn set_key(&self, key: &str) {
        self.key.get_or_init(|| key.into());
    }
}

impl<K: Kind + ?Sized> Parameter for Component<K> {
    fn shape() -> Shape {
        Shape::Component(K::NAME)
    }

    fn read(yaml: &Yaml) -> Result<Self> {
        match (tagged(yaml), yaml) {
            (Some((name, keys)), _) => Self::configured(name, keys),
            (None, Yaml::Mapping(keys)) if keys.contains_key("type") => {
                Err(Error::config("type", "needs the name of a component"))
            }
            (None, Yaml::Mapping(_)) => Err(without_type(K::NAME)),
            _ => Err(needs("a name, or a map with `type: NAME`", yaml)),
        }
    }
}

/// Error for a map that names no component.
fn without_type(kind: &str) -> Error {
    let known: Vec<_> = registry().list(Some(kind)).iter().map(|entry| entry.info.name).collect();
    if known.is_empty() {
        return registry().none_registered(kind);
    }
    let error = Error::config("", "`type` is missing");
    error.help(format!("known types: {}", known.join(", ")))
}

impl<K: Kind + ?Sized> Component<K> {
    /// The component `name` with `keys`; its own keys are read by its owner's code.
    fn configured(name: &str, keys: Mapping) -> Result<Self> {
        let entry = registry().find(K::NAME, name)?;
        // SAFETY: the entry was found under the kind `K::NAME`.
        let read = unsafe { entry.info.reader.typed::<K>() };
        let name = entry.info.name;
        let is_common = |key: &Yaml| K::Common::KEYS.iter().any(|k| key.as_str() == Some(k.name()));
        let (common, own): (Mapping, Mapping) =
            keys.into_iter().partition(|(key, _)| is_common(key));
        // Passed as text: no type of a library may cross the boundary between copies.
        let spec = read(&yaml_text(&own)?, Owner { kind: K::NAME, name })?;
        let common = read_group(&Yaml::Mapping(common), &[])?;
        Ok(Self::assembled(name, spec.into(), common))
    }
}

impl<K: Kind + ?Sized> serde::Serialize for Component<K> {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        serialize(self, to)
    }
}

impl<'de, K: Kind + ?Sized> serde::Deserialize<'de> for Component<K> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        deserialize(from)
    }
}
