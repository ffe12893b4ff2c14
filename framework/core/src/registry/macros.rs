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
        kind $kind:literal, context<$lt:lifetime> $Ctx:ty
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
                common: || {
                    <$crate::component_kind!(@common $($Common)?) as $crate::registry::Group>::fields()
                },
            }
        }
    };
    (@common) => { $crate::registry::NoCommon };
    (@common $Common:ty) => { $Common };
}

/// Declares a group of parameters: a public struct with the default of each field beside it. A
/// field without a default is required; `new` takes the required ones, and a group without any has
/// a `Default`.
///
/// From it come the struct, its reading from YAML and writing, merging of layers, help, the JSON
/// schema and `triflow describe`. Unknown keys and values out of range are errors with the key. The
/// types of fields are [`Parameter`](crate::registry::Parameter)s.
///
/// Above a field, in any order: the doc comment, and
/// - `#[range(min = 0, below = 1)]`: range of the number, or of every number in an option or list,
///   with the ends `min` or `above` (which it excludes) and `max` or `below`; numbers are finite;
/// - `#[length(min = 1)]`: range of the number of entries of a list;
/// - `#[whole]`: a layer's value replaces that of the layers below, and is not merged with it;
/// - `#[unwritten]`: the key is not written where it has its default;
/// - `#[hidden]`: the field is no key: when it is read, it has its default.
///
/// ```
/// # extern crate triflow_core as triflow;
/// triflow::parameters! {
///     /// Limits of a solver.
///     pub struct Limits {
///         /// Maximum number of steps.
///         #[range(min = 1)]
///         pub steps: usize = 100,
///         /// Tolerance of errors.
///         #[range(above = 0, below = 1)]
///         pub tolerance: f64 = 1e-3,
///     }
/// }
/// assert_eq!(Limits::default().steps, 100);
/// ```
#[macro_export]
macro_rules! parameters {
    (
        $(#[$($m:tt)*])*
        pub struct $S:ident {
            $($(#[$($a:tt)*])* pub $f:ident : $t:ty = $d:expr),* $(,)?
        }
    ) => {
        $crate::parameters! {
            @group $(#[$($m)*])*
            pub struct $S { $($(#[$($a)*])* pub $f: $t = $d),* }
        }

        impl Default for $S {
            fn default() -> Self {
                Self { $($f: $d,)* }
            }
        }
    };
    (
        @group $(#[$($m:tt)*])*
        pub struct $S:ident {
            $($(#[$($a:tt)*])* pub $f:ident : $t:ty $(= $d:expr)?),* $(,)?
        }
    ) => {
        $(#[$($m)*])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $S {
            $($(#[doc = $crate::field_attribute!(text; $($a)*)])* pub $f: $t,)*
        }

        impl $crate::registry::Group for $S {
            const KEYS: &'static [$crate::registry::Key] = &[$({
                #[allow(unused_mut, reason = "a key may have no rule")]
                let mut key = $crate::registry::Key::new(
                    stringify!($f),
                    &[$($crate::field_attribute!(line; $($a)*)),*],
                );
                $($crate::field_attribute!(key; $($a)*);)*
                key
            }),*];

            fn types() -> Vec<(
                $crate::registry::Shape,
                Option<Box<dyn $crate::registry::Setting>>,
            )> {
                vec![$((
                    <$t as $crate::registry::Parameter>::shape(),
                    $crate::field_default!(boxed $t; $($d)?),
                )),*]
            }

            #[allow(unused_variables, reason = "a group may have no keys")]
            fn read_keys(keys: &mut $crate::registry::Keys<'_>) -> $crate::Result<Self> {
                Ok(Self { $($f: keys.next($crate::field_default!(maker $t; $($d)?))?),* })
            }

            #[allow(unused_variables, unused_mut, reason = "a group may have no keys")]
            fn visit(&self, visit: &mut $crate::registry::Visitor<'_>) -> $crate::Result<()> {
                let mut keys = <Self as $crate::registry::Group>::KEYS.iter();
                $(if let Some(key) = keys.next() {
                    visit(key, &self.$f)?;
                })*
                Ok(())
            }
        }

        impl $crate::serde::Serialize for $S {
            fn serialize<W: $crate::serde::Serializer>(&self, to: W) -> Result<W::Ok, W::Error> {
                $crate::registry::serialize(self, to)
            }
        }

        impl<'de> $crate::serde::Deserialize<'de> for $S {
            fn deserialize<R: $crate::serde::Deserializer<'de>>(from: R) -> Result<Self, R::Error> {
                $crate::registry::deserialize(from)
            }
        }
    };
    (
        $(#[$($m:tt)*])*
        pub struct $S:ident {
            $($(#[$($a:tt)*])* pub $f:ident : $t:ty $(= $d:expr)?),* $(,)?
        }
    ) => {
        $crate::parameters! {
            @group $(#[$($m)*])*
            pub struct $S { $($(#[$($a)*])* pub $f: $t $(= $d)?),* }
        }

        $crate::parameters! { @new $S [] [] $(($f; $t; $($d)?))* }
    };
    (@new $S:ident [$($known:tt)*] [$($other:tt)*] ($f:ident; $t:ty;) $($rest:tt)*) => {
        $crate::parameters! { @new $S [$($known)* ($f; $t)] [$($other)*] $($rest)* }
    };
    (@new $S:ident [$($known:tt)*] [$($other:tt)*] ($f:ident; $t:ty; $d:expr) $($rest:tt)*) => {
        $crate::parameters! { @new $S [$($known)*] [$($other)* ($f; $d)] $($rest)* }
    };
    (@new $S:ident [$(($f:ident; $t:ty))*] [$(($other:ident; $d:expr))*]) => {
        impl $S {
            /// The parameters with the required ones given and the defaults of the others.
            #[allow(clippy::too_many_arguments, reason = "as many as there are required fields")]
            pub fn new($($f: impl Into<$t>),*) -> Self {
                Self { $($f: $f.into(),)* $($other: $d,)* }
            }
        }
    };
}

/// One attribute above a field of [`parameters!`].
#[doc(hidden)]
#[macro_export]
macro_rules! field_attribute {
    // Text of the doc comment's line.
    (text; doc = $doc:literal) => { $doc };
    (text; $($other:tt)*) => { "" };
    (line; doc = $doc:literal) => { Some($doc) };
    (line; $($other:tt)*) => { None };
    ($key:ident; doc = $doc:literal) => {};
    ($key:ident; range($($end:ident = $at:expr),+ $(,)?)) => {
        #[allow(clippy::cast_precision_loss, clippy::cast_lossless, clippy::unnecessary_cast)]
        { $key.range = $crate::registry::Range::ALL$(.$end($at as f64))+; }
    };
    ($key:ident; length($($end:ident = $at:expr),+ $(,)?)) => {
        #[allow(clippy::cast_precision_loss, clippy::cast_lossless, clippy::unnecessary_cast)]
        { $key.length = $crate::registry::Range::ALL$(.$end($at as f64))+; }
    };
    ($key:ident; whole) => { $key.whole = true };
    ($key:ident; unwritten) => { $key.unwritten = true };
    ($key:ident; hidden) => { $key.hidden = true };
    ($key:ident; $($other:tt)*) => {
        ::std::compile_error!(::std::concat!(
            "a parameter has no attribute `",
            ::std::stringify!($($other)*),
            "`; known: a doc comment, range(min = 0, below = 1), length(min = 1), whole, unwritten, hidden"
        ))
    };
}

/// Default of a field: as a function, or boxed.
#[doc(hidden)]
#[macro_export]
macro_rules! field_default {
    (maker $t:ty;) => {
        None
    };
    (maker $t:ty; $d:expr) => {
        Some(|| -> $t { $d })
    };
    (boxed $t:ty;) => {
        None
    };
    (boxed $t:ty; $d:expr) => {{
        let default: $t = $d;
        Some(Box::new(default))
    }};
}

/// Declares an enum that is the value of a parameter: each variant with its word in YAML and
/// further words for the same.
///
/// ```
/// # extern crate triflow_core as triflow;
/// triflow::choices! {
///     /// Direction of a sweep.
///     pub enum Sweep {
///         /// From the first to the last.
///         Forward = "forward",
///         /// From the last to the first.
///         Backward = "backward" | "reverse",
///     }
/// }
/// assert_eq!(Sweep::Backward.name(), "backward");
/// ```
#[macro_export]
macro_rules! choices {
    (
        $(#[$m:meta])*
        pub enum $E:ident {
            $($(#[doc = $doc:literal])* $V:ident = $name:literal $(| $alias:literal)*),* $(,)?
        }
    ) => {
        $(#[$m])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $E {
            $($(#[doc = $doc])* $V),*
        }

        impl $E {
            /// The word in YAML.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$V => $name),*
                }
            }
        }

        impl $crate::registry::Parameter for $E {
            fn shape() -> $crate::registry::Shape {
                $crate::registry::Shape::Choice(vec![$($crate::registry::Word {
                    name: $name,
                    aliases: &[$($alias),*],
                    description: $crate::registry::paragraphs(&[$(Some($doc)),*]),
                }),*])
            }

            fn read(yaml: &$crate::registry::Yaml) -> $crate::Result<Self> {
                match $crate::registry::word(yaml)? {
                    $($name $(| $alias)* => Ok(Self::$V),)*
                    other => Err($crate::registry::unknown_word(other, &[$($name),*])),
                }
            }
        }

        impl $crate::registry::Setting for $E {
            fn write(&self) -> $crate::Result<$crate::registry::Yaml> {
                Ok(self.name().into())
            }
        }

        impl $crate::serde::Serialize for $E {
            fn serialize<W: $crate::serde::Serializer>(&self, to: W) -> Result<W::Ok, W::Error> {
                $crate::registry::serialize(self, to)
            }
        }

        impl<'de> $crate::serde::Deserialize<'de> for $E {
            fn deserialize<R: $crate::serde::Deserializer<'de>>(from: R) -> Result<Self, R::Error> {
                $crate::registry::deserialize(from)
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
/// - `#[superseded = "…"]`: name of the component that took its place, so that it reads no files
///   but those of experiments that name it;
/// - `#[example = "…"]`: YAML that shows it, where its defaults alone do not work.
#[macro_export]
macro_rules! component {
    (
        $(#[$($attribute:tt)*])*
        pub struct $S:ident : $Built:ident = $name:tt { $($fields:tt)* }
    ) => {
        $crate::parameters! {
            $(#[doc = $crate::component_attribute!(text; $($attribute)*)])*
            pub struct $S { $($fields)* }
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
                    superseded: "",
                    table: || {
                        $crate::registry::guard(OWNER, || {
                            Ok(<$S as $crate::registry::Group>::fields())
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
    ($all:ident; superseded = $by:literal) => { $all.superseded = $by };
    ($all:ident; aliases($($alias:literal),* $(,)?)) => { $all.aliases = &[$($alias),*] };
    ($all:ident; extensions($($extension:literal),* $(,)?)) => {
        $all.extensions = &[$($extension),*]
    };
    ($all:ident; $($other:tt)*) => {
        ::std::compile_error!(::std::concat!(
            "a component has no attribute `",
            ::std::stringify!($($other)*),
            "`; known: a doc comment, reference = \"…\", aliases(\"…\"), extensions(\"…\"), superseded = \"…\", example = \"…\""
        ))
    };
}
