//! Macros that declare kinds, components and groups of parameters.

/// Declares a kind of component: its registered name and the trait of the built thing.
///
/// Every method takes `&self` and returns a `Result`, so that a panic in it can become an error.
/// Required methods are in the trait, those with a default body under `provided`. The macro also
/// generates the guard around the built thing, and the registration.
#[macro_export]
macro_rules! component_kind {
    (
        $(#[doc = $doc:literal])*
        kind $kind:literal, $(spec $Spec:ident,)? context<$lt:lifetime> $Ctx:ty
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

        $(#[doc(hidden)]
        pub trait $Spec {})?

        impl $crate::registry::Kind for dyn $Built {
            const NAME: &'static str = $kind;
            type Context<$lt> = $Ctx;
            type Common = $crate::component_kind!(@common $($Common)?);

            fn guarded(built: Box<Self>, owner: $crate::registry::Owner) -> Box<Self> {
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
                Box::new(Guarded { inner: ::std::mem::ManuallyDrop::new(built), owner })
            }

            $(fn received(built: Box<Self>) -> Box<Self> {
                $received(built)
            })?
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
///     pub struct Straight: NoiseSchedule = "straight" {
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
///
/// Above the struct, in any order: the doc comment, and
/// - `#[reference = "…"]`: the paper or text that describes the method;
/// - `#[aliases("…", …)]`: other names in YAML;
/// - `#[extensions("csv", …)]`: extensions of the files that it reads, with the key `path`;
/// - `#[example = "…"]`: YAML that shows it, where its defaults alone do not work.
#[macro_export]
macro_rules! component {
    (
        $(#[$($attribute:tt)*])*
        pub struct $S:ident : $Built:ident $(, $SpecTrait:ident)? = $name:tt {
            $($(#[$fm:meta])* pub $f:ident : $t:ty = $d:expr),* $(,)?
        }
    ) => {
        $crate::parameters! {
            $(#[doc = $crate::component_attribute!(text; $($attribute)*)])*
            pub struct $S { $($(#[$fm])* pub $f: $t = $d),* }
        }

        const _: () = {
            type Built = dyn $crate::component::$Built;
            const OWNER: $crate::registry::Owner = $crate::registry::Owner {
                kind: <Built as $crate::registry::Kind>::NAME,
                name: $name,
            };
            impl From<$S> for $crate::registry::Component<Built> {
                fn from(spec: $S) -> Self {
                    Self::of_spec($name, spec)
                }
            }

            #[allow(unused_mut, reason = "a component may have no attribute")]
            const REGISTRATION: $crate::registry::Registration = {
                let mut all = $crate::registry::Registration {
                    kind: OWNER.kind,
                    name: OWNER.name,
                    aliases: &[],
                    docs: &[$($crate::component_attribute!(line; $($attribute)*)),*],
                    reference: "",
                    extensions: &[],
                    schema: || {
                        $crate::registry::guard(OWNER, || Ok($crate::registry::schema_text::<$S>()))
                    },
                    defaults: || {
                        $crate::registry::guard(OWNER, || {
                            let spec = $crate::registry::Component::<Built>::from(<$S>::default());
                            $crate::registry::yaml_text(&spec)
                        })
                    },
                    example: None,
                    module: ::std::module_path!(),
                    reader: $crate::registry::Reader::of::<Built, $S>(),
                };
                $($crate::component_attribute!(all; $($attribute)*);)*
                all
            };
            $crate::inventory::submit! { REGISTRATION }
        };
    };
}

/// One attribute above the struct of a [`component!`].
#[doc(hidden)]
#[macro_export]
macro_rules! component_attribute {
    // Text of the doc comment's line.
    (text; doc = $doc:literal) => { $doc };
    (text; $($other:tt)*) => { "" };
    (line; doc = $doc:literal) => { Some($doc) };
    (line; $($other:tt)*) => { None };
    ($all:ident; doc = $doc:literal) => {};
    ($all:ident; reference = $reference:expr) => { $all.reference = $reference };
    ($all:ident; example = $example:expr) => { $all.example = Some($example) };
    ($all:ident; aliases($($alias:literal),* $(,)?)) => { $all.aliases = &[$($alias),*] };
    ($all:ident; extensions($($extension:literal),* $(,)?)) => {
        $all.extensions = &[$($extension),*]
    };
    ($all:ident; $($other:tt)*) => {
        ::std::compile_error!(::std::concat!(
            "a component has no attribute `",
            ::std::stringify!($($other)*),
            "`; known: a doc comment, reference = \"…\", aliases(\"…\"), extensions(\"…\"), example = \"…\""
        ))
    };
}
