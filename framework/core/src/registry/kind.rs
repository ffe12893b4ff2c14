//! What a kind of component is: a name, a spec trait, a trait of what is built, and a context.

use super::{Component, Owner};
use crate::error::Result;
use std::fmt::Debug;

/// A kind of component, implemented by [`component_kind!`](crate::component_kind) for the trait object of
/// what is built, such as `dyn NoiseSchedule`.
pub trait Kind: 'static {
    /// The kind's name, such as `noise_schedule`.
    const NAME: &'static str;
    /// The trait object of its specs.
    type Spec: ?Sized + Debug + Send + Sync + serde::Serialize;
    /// What a spec needs to be built.
    type Context<'a>;
    /// Keys that every component of this kind takes beside its own.
    type Common: Common;

    /// Reads a spec from YAML with this copy's typetag registry; a panic becomes an error that names the
    /// owner.
    fn read(text: &str, owner: Owner) -> Result<Box<Self::Spec>>;
    /// Writes a spec as YAML, nested ones included; a panic becomes an error that names the owner.
    fn write(spec: &Self::Spec, owner: Owner) -> Result<String>;
    /// Builds what the spec describes; panics, then and later, become errors that name the owner.
    fn build(spec: &Self::Spec, owner: Owner, ctx: &Self::Context<'_>) -> Result<Box<Self>>;
    /// Wraps what was built, in the code of whoever asked for it: a kind whose methods call their caller
    /// back keeps the caller's panics out of the owner's frames here.
    fn received(built: Box<Self>) -> Box<Self> {
        built
    }
    /// The functions above, as this copy of the framework compiled them.
    fn vtable() -> &'static Vtable<Self>;
}

/// What YAML says of a component: implemented by authors, once a component.
pub trait Spec<K: Kind + ?Sized>: Into<Component<K>> {
    /// Makes the thing that runs.
    fn build(&self, ctx: &K::Context<'_>) -> Result<Box<K>>;
}

/// Keys shared by every component of a kind.
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
    /// Their names.
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

/// A component's functions, in the code of whoever owns it (the host or a plugin).
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

    /// Forgets the kind's type, for a list of all kinds.
    pub const fn erased() -> ErasedVtable {
        ErasedVtable(std::ptr::from_ref(Self::OWN).cast())
    }
}

/// A [`Vtable`] whose kind stands beside it by name.
#[derive(Clone, Copy, Debug)]
pub struct ErasedVtable(*const ());

// SAFETY: it points to an immutable static of function pointers.
unsafe impl Send for ErasedVtable {}
// SAFETY: as above.
unsafe impl Sync for ErasedVtable {}

impl ErasedVtable {
    /// The vtable of kind `K`.
    ///
    /// # Safety
    /// It must stand in a registration whose kind is `K::NAME`: [`component!`](crate::component!) writes both.
    pub(super) unsafe fn typed<K: Kind + ?Sized>(self) -> &'static Vtable<K> {
        // SAFETY: kind names and kinds correspond one to one, within and across copies of the framework.
        unsafe { &*self.0.cast::<Vtable<K>>() }
    }
}
