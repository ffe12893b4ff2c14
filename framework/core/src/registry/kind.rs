//! Traits of a kind of component: name, spec, built thing, context and shared keys.

use super::{Component, Owner};
use crate::error::Result;
use std::fmt::Debug;

/// A kind of component. [`component_kind!`](crate::component_kind) implements it for the trait
/// object of the built thing, such as `dyn NoiseSchedule`.
pub trait Kind: 'static {
    /// Name of the kind, such as `noise_schedule`.
    const NAME: &'static str;
    /// Trait object of the specs.
    type Spec: ?Sized + Debug + Send + Sync + serde::Serialize;
    /// Context in which a spec is built.
    type Context<'a>;
    /// Keys that all components of this kind take besides their own.
    type Common: Common;

    /// Reads a spec from YAML with this copy's typetag registry.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) for YAML that is not a spec of the kind;
    /// [`Error::Component`](crate::Error::Component) for a panic.
    fn read(text: &str, owner: Owner) -> Result<Box<Self::Spec>>;
    /// Writes a spec, with those inside it, as YAML.
    ///
    /// # Errors
    /// [`Error::Component`](crate::Error::Component) for a spec that cannot be written, or a panic.
    fn write(spec: &Self::Spec, owner: Owner) -> Result<String>;
    /// Builds the thing that a spec describes; panics in it, then and later, become errors of
    /// `owner`.
    ///
    /// # Errors
    /// Errors of the component; [`Error::Component`](crate::Error::Component) for a panic.
    fn build(spec: &Self::Spec, owner: Owner, ctx: &Self::Context<'_>) -> Result<Box<Self>>;
    /// Wraps a built component in the caller's copy. A kind whose methods call their caller back
    /// uses it to keep the caller's panics out of the owner's frames.
    fn received(built: Box<Self>) -> Box<Self> {
        built
    }
    /// The functions above, as compiled into this copy of the framework.
    fn vtable() -> &'static Vtable<Self>;
}

/// Specification of a component, as written in YAML; implemented by its author.
pub trait Spec<K: Kind + ?Sized>: Into<Component<K>> {
    /// Builds the thing that runs.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) at a key of the spec for parameters or a context
    /// that the component cannot work with.
    fn build(&self, ctx: &K::Context<'_>) -> Result<Box<K>>;
}

/// Keys that all components of a kind take.
pub trait Common:
    Clone
    + Debug
    + Default
    + PartialEq
    + serde::Serialize
    + serde::de::DeserializeOwned
    + schemars::JsonSchema
    + Send
    + Sync
{
    /// Names of the keys.
    const KEYS: &'static [&'static str];
}

/// No shared keys.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
pub struct NoCommon {}

impl Common for NoCommon {
    const KEYS: &'static [&'static str] = &[];
}

type Read<K> = fn(&str, Owner) -> Result<Box<<K as Kind>::Spec>>;
type Write<K> = fn(&<K as Kind>::Spec, Owner) -> Result<String>;
type Build<K> =
    for<'a, 'b> fn(&'b <K as Kind>::Spec, Owner, &'b <K as Kind>::Context<'a>) -> Result<Box<K>>;

/// Functions of a component, in the code of its owner (the host or a plugin).
pub struct Vtable<K: Kind + ?Sized> {
    /// See [`Kind::read`].
    pub read: Read<K>,
    /// See [`Kind::write`].
    pub write: Write<K>,
    /// See [`Kind::build`].
    pub build: Build<K>,
}

impl<K: Kind + ?Sized> Vtable<K> {
    /// The functions of this copy of the framework.
    pub const OWN: &'static Self = &Self { read: K::read, write: K::write, build: K::build };

    /// The functions without their kind's type, for a list over all kinds.
    pub const fn erased() -> ErasedVtable {
        ErasedVtable(std::ptr::from_ref(Self::OWN).cast())
    }
}

/// A [`Vtable`] without the type of its kind, which is known by name.
#[derive(Clone, Copy, Debug)]
pub struct ErasedVtable(*const ());

// SAFETY: it points to an immutable static of function pointers.
unsafe impl Send for ErasedVtable {}
// SAFETY: as for `Send`.
unsafe impl Sync for ErasedVtable {}

impl ErasedVtable {
    /// The vtable of kind `K`.
    ///
    /// # Safety
    /// `self` must be from a registration whose kind is `K::NAME`;
    /// [`component!`](crate::component!) sets both.
    pub(super) unsafe fn typed<K: Kind + ?Sized>(self) -> &'static Vtable<K> {
        // SAFETY: kind names and kinds correspond one to one, in and between copies of the
        // framework.
        unsafe { &*self.0.cast::<Vtable<K>>() }
    }
}
