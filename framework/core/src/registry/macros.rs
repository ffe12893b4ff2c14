//! Macros that declare kinds, components and groups of parameters.

/// Declares a kind of component: its registered name and the trait of the built thing.
///
/// Every method takes `&self` and returns a `Result`, so that a panic in it can become an error.
/// Required methods are in the trait, those with a default body under `provided`. The macro also
/// generates the spec trait, the guard around the built thing, and the registration.
#[macro_export]
macro_rules! component_kind {
    (
        $(#[doc = $doc:literal])*
        kind $kind:literal, spec $Spec:ident, context<$lt:lifetime> $Ctx:ty
            $(, common $Common:ty)? $(, received $received:path)?;
        $(#[$tm:meta])*
        pub trait $Built:ident {
            $(
                $(#[$rm:meta])*
                fn $rf:ident(&self $(, $ra:ident : $rat:ty)* $(,)?) -> Result<$rr:ty>;
            )*
        }
        $(provided {
            $(
                $(#[$pm:meta])*
                fn $pf:ident(&$pself:ident $(, $pa:ident : $pat:ty)* $(,)?) -> Result<$pr:ty> $body:block
            )*
        })?
    ) => {
        $(#[doc = $doc])*
        #[doc = ""]
        $(#[$tm])*
        pub trait $Built {
            $(
                $(#[$rm])*
                ///
                /// # Errors
                /// Errors of the component; a panic in it is an `Error::Component`.
                fn $rf(&self $(, $ra: $rat)*) -> $crate::Result<$rr>;
            )*
            $($(
                $(#[$pm])*
                ///
                /// # Errors
                /// Errors of the component; a panic in it is an `Error::Component`.
                fn $pf(&$pself $(, $pa: $pat)*) -> $crate::Result<$pr> $body
            )*)?
        }

        /// Specs of the kind; [`component!`](crate::component!) implements it.
        #[doc(hidden)]
        #[typetag::serde(tag = "type")]
        pub trait $Spec: ::std::fmt::Debug + Send + Sync {
            fn build_unguarded(
                &self,
                ctx: &<dyn $Built + 'static as $crate::registry::Kind>::Context<'_>,
            ) -> $crate::Result<Box<dyn $Built>>;
        }

        impl $crate::registry::Kind for dyn $Built {
            const NAME: &'static str = $kind;
            type Spec = dyn $Spec;
            type Context<$lt> = $Ctx;
            type Common = $crate::component_kind!(@common $($Common)?);

            fn read(text: &str, owner: $crate::registry::Owner) -> $crate::Result<Box<dyn $Spec>> {
                $crate::registry::guard(owner, || $crate::registry::read_spec::<Self>(text))
            }

            fn write(spec: &dyn $Spec, owner: $crate::registry::Owner) -> $crate::Result<String> {
                $crate::registry::guard(owner, || $crate::registry::yaml_text(spec))
            }

            fn build(
                spec: &dyn $Spec,
                owner: $crate::registry::Owner,
                ctx: &Self::Context<'_>,
            ) -> $crate::Result<Box<dyn $Built>> {
                struct Guarded {
                    inner: ::std::mem::ManuallyDrop<Box<dyn $Built>>,
                    owner: $crate::registry::Owner,
                }
                impl Drop for Guarded {
                    fn drop(&mut self) {
                        $crate::registry::drop_guarded(self.owner, &mut self.inner);
                    }
                }
                impl $Built for Guarded {
                    $(fn $rf(&self $(, $ra: $rat)*) -> $crate::Result<$rr> {
                        $crate::registry::guard(self.owner, || self.inner.$rf($($ra),*))
                    })*
                    $($(fn $pf(&self $(, $pa: $pat)*) -> $crate::Result<$pr> {
                        $crate::registry::guard(self.owner, || self.inner.$pf($($pa),*))
                    })*)?
                }
                $crate::registry::guard(owner, || spec.build_unguarded(ctx))
                    .map(::std::mem::ManuallyDrop::new)
                    .map(|inner| Box::new(Guarded { inner, owner }) as Box<dyn $Built>)
            }

            $(fn received(built: Box<Self>) -> Box<Self> {
                $received(built)
            })?

            fn vtable() -> &'static $crate::registry::Vtable<Self> {
                $crate::registry::Vtable::<Self>::OWN
            }
        }

        inventory::submit! {
            $crate::registry::KindRegistration {
                name: $kind,
                docs: &[$($doc),*],
                common_schema: || $crate::registry::schema_text::<$crate::component_kind!(@common $($Common)?)>(),
            }
        }
    };
    (@common) => { $crate::registry::NoCommon };
    (@common $Common:ty) => { $Common };
}

/// Declares a group of parameters: a public serde struct with the default of each field beside it,
/// which refuses unknown keys.
///
/// ```
/// # extern crate triflow_core as triflow;
/// triflow::parameters! {
///     /// Limits of a solver.
///     pub struct Limits {
///         /// Maximum number of steps.
///         pub steps: usize = 100,
///     }
/// }
/// assert_eq!(Limits::default().steps, 100);
/// ```
#[macro_export]
macro_rules! parameters {
    (
        $(#[$m:meta])*
        pub struct $S:ident {
            $($(#[$fm:meta])* pub $f:ident : $t:ty = $d:expr),* $(,)?
        }
    ) => {
        $(#[$m])*
        #[derive(Clone, Debug, PartialEq, $crate::serde::Serialize, $crate::serde::Deserialize, $crate::schemars::JsonSchema)]
        #[serde(crate = "triflow::serde", default, deny_unknown_fields)]
        #[schemars(crate = "triflow::schemars")]
        pub struct $S {
            $($(#[$fm])* pub $f: $t,)*
        }

        impl Default for $S {
            fn default() -> Self {
                Self { $($f: $d,)* }
            }
        }

        impl $crate::registry::Holds for $S {
            #[allow(unused_variables, unused_imports)]
            fn name(&self, key: &str) {
                use $crate::registry::{HoldsNone as _, HoldsSome as _};
                $((&$crate::registry::Field(&self.$f)).name(key, stringify!($f));)*
            }
        }
    };
}

/// Declares and registers a component: a group of parameters with a kind and a name. The author
/// also implements [`Spec`](crate::registry::Spec), which has one function.
///
/// ```
/// # extern crate triflow_core as triflow;
/// use triflow::prelude::*;
///
/// triflow::component! {
///     /// Log-SNR that is linear in time.
///     pub struct Straight: NoiseSchedule, NoiseScheduleSpec = "straight" {
///         /// Log-SNR at t = 1; at t = 0 it is the negative.
///         pub end: f64 = 5.0,
///     }
/// }
///
/// impl Spec<dyn NoiseSchedule> for Straight {
///     fn build(&self, _: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
///         Ok(Box::new(self.clone()))
///     }
/// }
///
/// impl NoiseSchedule for Straight {
///     fn gamma(&self, t: &Tensor) -> Result<Tensor> {
///         Ok((t * 2.0 - 1.0) * self.end)
///     }
/// }
/// ```
#[macro_export]
macro_rules! component {
    (
        $(#[doc = $doc:literal])*
        $(#[reference = $reference:literal])?
        $(#[aliases($($alias:literal),*)])?
        $(#[extensions($($extension:literal),*)])?
        $(#[example = $example:literal])?
        pub struct $S:ident : $Built:ident, $SpecTrait:ident = $name:tt {
            $($(#[$fm:meta])* pub $f:ident : $t:ty = $d:expr),* $(,)?
        }
    ) => {
        $crate::parameters! {
            $(#[doc = $doc])*
            pub struct $S { $($(#[$fm])* pub $f: $t = $d),* }
        }

        const _: () = {
            use $crate::{component::$SpecTrait, inventory, typetag};

            #[typetag::serde(name = $name)]
            impl $SpecTrait for $S {
                fn build_unguarded(
                    &self,
                    ctx: &<dyn $crate::component::$Built + 'static as $crate::registry::Kind>::Context<'_>,
                ) -> $crate::Result<Box<dyn $crate::component::$Built>> {
                    $crate::registry::Holds::name(self, "");
                    $crate::registry::Spec::build(self, ctx)
                }
            }

            impl From<$S> for $crate::registry::Component<dyn $crate::component::$Built> {
                fn from(spec: $S) -> Self {
                    Self::from_parts(
                        $name,
                        Box::new(spec),
                        <dyn $crate::component::$Built as $crate::registry::Kind>::vtable(),
                    )
                }
            }

            type Built = dyn $crate::component::$Built;
            const OWNER: $crate::registry::Owner = $crate::registry::Owner {
                kind: <Built as $crate::registry::Kind>::NAME,
                name: $name,
            };

            inventory::submit! {
                $crate::registry::Registration {
                    kind: OWNER.kind,
                    name: OWNER.name,
                    aliases: &[$($($alias),*)?],
                    docs: &[$($doc),*],
                    reference: concat!($($reference)?),
                    extensions: &[$($($extension),*)?],
                    schema: || {
                        $crate::registry::guard(OWNER, || Ok($crate::registry::schema_text::<$S>()))
                    },
                    example: || {
                        $crate::registry::guard(OWNER, || {
                            let example = concat!($($example)?);
                            if example.is_empty() {
                                let spec = <$S>::default();
                                let spec = $crate::registry::Component::<Built>::from(spec);
                                $crate::registry::yaml_text(&spec)
                            } else {
                                Ok(String::from(example))
                            }
                        })
                    },
                    module: ::std::module_path!(),
                    vtable: $crate::registry::Vtable::<Built>::erased(),
                }
            }
        };
    };
}
