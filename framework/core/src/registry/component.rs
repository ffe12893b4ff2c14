use super::kind::{AnySpec, Common, Kind};
use super::read::{deserialize, through_serde};
use super::{Owner, registry, yaml_text};
use crate::error::{Error, Result};
use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde_yaml::{Mapping, Value};
use std::fmt::{self, Debug};
use std::marker::PhantomData;
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
        Self::read(name, Mapping::new())
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
        let wrong =
            |e: serde_yaml::Error| Error::runtime(format!("{} `{}`: {e}", K::NAME, self.name));
        let mut own: Mapping =
            serde_yaml::from_str(&self.spec.write(self.owner())?).map_err(wrong)?;
        for (key, value) in keys {
            own.insert(key.as_str().into(), serde_yaml::from_str(value).map_err(wrong)?);
        }
        Ok(Self::read(self.name, own)?.with_common(self.common.clone()))
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

    /// Sets the key under which another component has this one.
    pub(super) fn set_key(&self, key: &str) {
        self.key.get_or_init(|| key.into());
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
        serde_yaml::to_value(self).ok() == serde_yaml::to_value(other).ok()
    }
}

impl<K: Kind + ?Sized> serde::Serialize for Component<K> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Written as text: no type of the owner's YAML library may cross the boundary between
        // copies.
        let text = self.spec.write(self.owner());
        let spec = text.map_err(serde::ser::Error::custom)?;
        let spec = serde_yaml::from_str::<Mapping>(&spec);
        let spec = spec.map_err(serde::ser::Error::custom)?;
        let common = serde_yaml::to_value(&self.common).map_err(serde::ser::Error::custom)?;
        let common = common.as_mapping().cloned().unwrap_or_default();
        let mut map = serializer.serialize_map(Some(1 + spec.len() + common.len()))?;
        map.serialize_entry("type", self.name)?;
        for (key, value) in spec.iter().chain(&common) {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de, K: Kind + ?Sized> serde::Deserialize<'de> for Component<K> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ComponentVisitor(PhantomData))
    }
}

struct ComponentVisitor<K: ?Sized>(PhantomData<fn() -> Box<K>>);

impl<'de, K: Kind + ?Sized> Visitor<'de> for ComponentVisitor<K> {
    type Value = Component<K>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name, or a map with `type: NAME`")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Component<K>, E> {
        Component::read(name, Mapping::new()).map_err(through_serde)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Component<K>, A::Error> {
        let mut keys = Mapping::new();
        while let Some((key, value)) = map.next_entry::<Value, Value>()? {
            keys.insert(key, value);
        }
        let Some(name) = keys.remove("type") else {
            let known: Vec<_> =
                registry().list(Some(K::NAME)).iter().map(|entry| entry.info.name).collect();
            if known.is_empty() {
                return Err(through_serde(registry().none_registered(K::NAME)));
            }
            let error = Error::config("", "`type` is missing");
            return Err(through_serde(error.help(format!("known types: {}", known.join(", ")))));
        };
        let Some(name) = name.as_str() else {
            return Err(through_serde(Error::config("type", "needs the name of a component")));
        };
        Component::read(name, keys).map_err(through_serde)
    }
}

impl<K: Kind + ?Sized> Component<K> {
    /// The component `name` with `keys`; its own keys are read by its owner's code.
    fn read(name: &str, keys: Mapping) -> Result<Self> {
        let entry = registry().find(K::NAME, name)?;
        // SAFETY: the entry was found under the kind `K::NAME`.
        let read = unsafe { entry.info.reader.typed::<K>() };
        let name = entry.info.name;
        let is_common = |key: &Value| key.as_str().is_some_and(|k| K::Common::KEYS.contains(&k));
        let (common, own): (Mapping, Mapping) =
            keys.into_iter().partition(|(key, _)| is_common(key));
        // Passed as text: no type of a library may cross the boundary between copies.
        let spec = read(&yaml_text(&own)?, Owner { kind: K::NAME, name })?;
        Ok(Self::assembled(name, spec.into(), deserialize(Value::Mapping(common))?))
    }
}

impl<K: Kind + ?Sized> schemars::JsonSchema for Component<K> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        K::NAME.into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "$ref": format!("#/$defs/{}", K::NAME) })
    }
}
