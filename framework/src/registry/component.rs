//! [`Component`]: what a configuration field holds, a spec found by name in the registry.

use super::kind::{Common, Kind, Vtable};
use super::{Owner, registry};
use crate::error::Result;
use serde::de::{self, DeserializeSeed, IntoDeserializer, MapAccess, Visitor};
use serde::ser::SerializeMap;
use std::fmt::{self, Debug};
use std::marker::PhantomData;
use std::sync::Arc;

/// A component of kind `K` as configured: its spec and its owner's functions.
///
/// In YAML it is a map with `type: NAME` and the component's own keys, or the bare name. From Rust any
/// spec converts: `Component::from(Cosine::default())`.
pub struct Component<K: Kind + ?Sized> {
    name: &'static str,
    spec: Arc<K::Spec>,
    common: K::Common,
    vtable: &'static Vtable<K>,
}

impl<K: Kind + ?Sized> Component<K> {
    /// A component from its parts; authors use `From<TheSpec>`, which [`component!`](crate::component!) writes.
    pub fn from_parts(name: &'static str, spec: Box<K::Spec>, vtable: &'static Vtable<K>) -> Self {
        Self { name, spec: spec.into(), common: K::Common::default(), vtable }
    }

    /// The component `name` of the registry, with its defaults.
    pub fn named(name: &str) -> Result<Self> {
        registry().find(K::NAME, name)?;
        serde_yaml::from_value(serde_yaml::Value::from(name))
            .map_err(|e| crate::Error::config("", e.to_string()))
    }

    /// The component `name` of the registry, with its defaults, as the default of a parameter:
    /// `pub inner: Component<dyn NoiseSchedule> = Component::default_of("cosine")`.
    ///
    /// # Panics
    /// Where there is none. A default is asked for when a specification is read, under the guard of its
    /// owner, so that it comes back as an error.
    pub fn default_of(name: &str) -> Self {
        Self::named(name).unwrap_or_else(|e| panic!("{e}"))
    }

    /// The registered name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The keys that every component of the kind takes.
    pub fn common(&self) -> &K::Common {
        &self.common
    }

    /// The same component with other shared keys.
    pub fn with_common(self, common: K::Common) -> Self {
        Self { common, ..self }
    }

    /// Builds the thing that runs, in the owner's code.
    pub fn build(&self, ctx: &K::Context<'_>) -> Result<Box<K>> {
        (self.vtable.build)(&self.spec, self.owner(), ctx)
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
            vtable: self.vtable,
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
        // As text: no type of the owner's copy of a YAML library crosses the boundary.
        let text = (self.vtable.write)(&self.spec, self.owner());
        let spec = text.map_err(serde::ser::Error::custom)?;
        let spec = serde_yaml::from_str::<serde_yaml::Mapping>(&spec);
        let spec = spec.map_err(serde::ser::Error::custom)?;
        let common = serde_yaml::to_value(&self.common).map_err(serde::ser::Error::custom)?;
        let common = common.as_mapping().cloned().unwrap_or_default();
        let mut map = serializer.serialize_map(Some(spec.len() + common.len()))?;
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
        read_named(name, de::value::MapDeserializer::new(std::iter::empty::<(String, String)>()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Component<K>, A::Error> {
        let mut before = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            if key == "type" {
                let name: String = map.next_value()?;
                if before.is_empty() {
                    // The usual case streams, so that error paths survive.
                    return read_named(&name, map);
                }
                while let Some(entry) = map.next_entry::<String, serde_yaml::Value>()? {
                    before.push(entry);
                }
                return read_named::<K, _, _>(
                    &name,
                    de::value::MapDeserializer::new(before.into_iter()),
                )
                .map_err(|e: serde_yaml::Error| de::Error::custom(e));
            }
            before.push((key, map.next_value::<serde_yaml::Value>()?));
        }
        Err(de::Error::custom(format!(
            "`type` is missing; known types: {}",
            registry()
                .list(Some(K::NAME))
                .iter()
                .map(|e| e.info.name)
                .collect::<Vec<_>>()
                .join(", ")
        )))
    }
}

/// Reads the rest of a component's map with its owner's code.
fn read_named<'de, K, A, E>(name: &str, rest: A) -> Result<Component<K>, E>
where
    K: Kind + ?Sized,
    A: MapAccess<'de, Error = E>,
    E: de::Error,
{
    let entry = registry().find(K::NAME, name).map_err(|e| match e {
        crate::Error::Config(c) => {
            E::custom(format!("{}; {}", c.message, c.help.unwrap_or_default()))
        }
        other => E::custom(other),
    })?;
    // SAFETY: the entry was found under the kind `K::NAME`.
    let vtable = unsafe { entry.info.vtable.typed::<K>() };
    let mut common = serde_yaml::Mapping::new();
    let map =
        Rest { tag: Some(entry.info.name), map: rest, common: &mut common, keys: K::Common::KEYS };
    let mut deserializer =
        <dyn erased_serde::Deserializer<'_>>::erase(de::value::MapAccessDeserializer::new(map));
    let owner = Owner { kind: K::NAME, name: entry.info.name };
    let spec = (vtable.read)(&mut deserializer, owner).map_err(|e| {
        let mut message = e.to_string();
        if message.starts_with("unknown field ") {
            // The owner knows its own keys only.
            message.extend(K::Common::KEYS.iter().map(|key| format!(", `{key}`")));
        }
        E::custom(message)
    })?;
    drop(deserializer);
    // The path is kept in the message, from where `Layers` takes it.
    let common = serde_path_to_error::deserialize(serde_yaml::Value::Mapping(common))
        .map_err(|e| E::custom(format!("{}: {}", e.path(), e.inner())))?;
    Ok(Component { name: entry.info.name, spec: spec.into(), common, vtable })
}

/// A map with `type: NAME` put in front for the owner's typetag, and the kind's shared keys set aside.
struct Rest<'c, A> {
    tag: Option<&'static str>,
    map: A,
    common: &'c mut serde_yaml::Mapping,
    keys: &'static [&'static str],
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Rest<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        if self.tag.is_some() {
            return seed.deserialize("type".into_deserializer()).map(Some);
        }
        while let Some(key) = self.map.next_key::<String>()? {
            if self.keys.contains(&key.as_str()) {
                let value: serde_yaml::Value = self.map.next_value()?;
                self.common.insert(key.into(), value);
            } else {
                return seed.deserialize(key.into_deserializer()).map(Some);
            }
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        match self.tag.take() {
            Some(name) => seed.deserialize(name.into_deserializer()),
            None => self.map.next_value_seed(seed),
        }
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
