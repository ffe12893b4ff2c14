//! Traits of a kind of component: name, spec, built thing, context and shared keys.

#![expect(unsafe_code, reason = "keeps readers of components of all kinds without their types")]

use super::group::{check_group, read_group, write_group};
use super::read::parsed;
use super::{Component, Group, Key, Owner, Setting as _, guard, yaml_text};
use crate::error::Result;
use std::fmt::Debug;
use std::marker::PhantomData;

/// A kind of component. [`component_kind!`](crate::component_kind) implements it for the trait
/// object of the built thing, such as `dyn NoiseSchedule`.
pub trait Kind: 'static {
    /// Name of the kind, such as `noise_schedule`.
    const NAME: &'static str;
    /// Context in which a spec is built.
    type Context<'a>;
    /// Keys that all components of this kind take besides their own.
    type Common: Common;

    /// Wraps a built component in its owner's copy: panics in its methods and its `drop` become
    /// errors of `owner`.
    fn guarded(built: Box<Self>, owner: Owner) -> Box<Self>;
    /// Wraps a built component in the caller's copy. A kind whose methods call their caller back
    /// uses it to keep the caller's panics out of the owner's frames.
    fn received(built: Box<Self>) -> Box<Self> {
        built
    }
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

/// A spec of a kind, without its type. Its functions are compiled into the owner's copy of the
/// framework (the host or a plugin) and run under that copy's guard.
#[doc(hidden)]
pub trait AnySpec<K: Kind + ?Sized>: Debug + Send + Sync {
    /// The spec's own keys, with the components inside it, as YAML.
    ///
    /// # Errors
    /// [`Error::Component`](crate::Error::Component) for a spec that cannot be written, or a panic.
    fn write(&self, owner: Owner) -> Result<String>;
    /// Builds the thing that the spec describes; panics in it, then and later, become errors of
    /// `owner`.
    ///
    /// # Errors
    /// Errors of the component; [`Error::Component`](crate::Error::Component) for a panic.
    fn build_guarded(&self, owner: Owner, ctx: &K::Context<'_>) -> Result<Box<K>>;
}

impl<K, S> AnySpec<K> for S
where
    K: Kind + ?Sized,
    S: Spec<K> + Group + Debug + Send + Sync,
{
    fn write(&self, owner: Owner) -> Result<String> {
        guard(owner, || yaml_text(&write_group(self)?))
    }

    fn build_guarded(&self, owner: Owner, ctx: &K::Context<'_>) -> Result<Box<K>> {
        let built = guard(owner, || {
            check_group(self)?;
            self.set_key("");
            Spec::build(self, ctx)
        });
        built.map(|built| K::guarded(built, owner))
    }
}

/// Keys that all components of a kind take: any group of parameters with defaults.
pub trait Common: Group + Clone + Debug + Default + PartialEq + Send + Sync {}

impl<G: Group + Clone + Debug + Default + PartialEq + Send + Sync> Common for G {}

crate::parameters! {
    /// No shared keys.
    pub struct NoCommon {}
}

/// Reads a spec from the YAML of its own keys, in the owner's copy.
pub(super) type Read<K> = fn(&str, Owner) -> Result<Box<dyn AnySpec<K>>>;

/// The function of a component that reads its spec, without the type of its kind, which is known
/// by name.
#[derive(Clone, Copy, Debug)]
pub struct Reader(*const ());

// SAFETY: it points to an immutable static of a function pointer.
unsafe impl Send for Reader {}
// SAFETY: as for `Send`.
unsafe impl Sync for Reader {}

impl Reader {
    /// The function that reads the spec `S`, as compiled into this copy of the framework.
    pub const fn of<K, S>() -> Self
    where
        K: Kind + ?Sized,
        S: Spec<K> + Group + Debug + Send + Sync + 'static,
    {
        struct Of<K: ?Sized, S>(PhantomData<K>, PhantomData<S>);
        impl<K, S> Of<K, S>
        where
            K: Kind + ?Sized,
            S: Spec<K> + Group + Debug + Send + Sync + 'static,
        {
            const READ: &'static Read<K> = &(Self::read as Read<K>);

            fn read(text: &str, owner: Owner) -> Result<Box<dyn AnySpec<K>>> {
                guard(owner, || {
                    let yaml = parsed(text)?;
                    let others: Vec<_> = K::Common::KEYS.iter().map(Key::name).collect();
                    Ok(Box::new(read_group::<S>(&yaml, &others)?) as Box<dyn AnySpec<K>>)
                })
            }
        }
        Self(std::ptr::from_ref(Of::<K, S>::READ).cast())
    }

    /// The function for kind `K`.
    ///
    /// # Safety
    /// `self` must be from a registration whose kind is `K::NAME`;
    /// [`component!`](crate::component!) sets both.
    pub(super) unsafe fn typed<K: Kind + ?Sized>(self) -> Read<K> {
        // SAFETY: kind names and kinds correspond one to one, in and between copies of the
        // framework.
        unsafe { *self.0.cast::<Read<K>>() }
    }
}
