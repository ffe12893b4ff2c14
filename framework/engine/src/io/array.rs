//! Named arrays as files hold them: a shape and values of one type, in C order (the last index
//! moves fastest). They stand between file formats and tensors and depend on neither.

use crate::{Error, Result};

/// An array of a file: its name, its shape and its values.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedArray {
    /// Name in the file.
    pub name: String,
    /// Length of each dimension; empty for a single number.
    pub shape: Vec<usize>,
    /// The values in C order, as many as the product of the shape.
    pub data: ArrayData,
}

impl NamedArray {
    /// An array of `data`, which must have as many values as `shape` holds.
    ///
    /// # Errors
    /// [`Error::Runtime`]: the number of values is not the product of the shape.
    pub fn new(
        name: impl Into<String>,
        shape: Vec<usize>,
        data: impl Into<ArrayData>,
    ) -> Result<Self> {
        let array = NamedArray { name: name.into(), shape, data: data.into() };
        array.check()?;
        Ok(array)
    }

    /// Checks that shape and values agree; writers do so again because the fields are public.
    pub(super) fn check(&self) -> Result<()> {
        if element_count(&self.shape) == Some(self.data.len()) {
            return Ok(());
        }
        Err(Error::runtime(format!(
            "array `{}` has shape {:?} but {} values",
            self.name,
            self.shape,
            self.data.len()
        )))
    }
}

/// Product of a shape; `None` if it overflows.
pub(super) fn element_count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |n, d| n.checked_mul(*d))
}

/// Checks that the arrays of one file have different names and that each shape fits its values.
pub(super) fn check_all(arrays: &[NamedArray]) -> Result<()> {
    let mut names = std::collections::HashSet::new();
    for array in arrays {
        array.check()?;
        if !names.insert(&array.name) {
            return Err(Error::runtime(format!("two arrays are called `{}`", array.name)));
        }
    }
    Ok(())
}

/// Passes the table of element types to the macro `$callback`, after the arguments `$before`. Its
/// columns: variant, Rust type, name in numpy, kind in an `.npy` file, type in a safetensors file.
macro_rules! dtypes {
    ($callback:ident $(, $before:tt)*) => {
        $callback! {
            $($before),*;
            F64 f64, "float64", Float, F64;
            F32 f32, "float32", Float, F32;
            I64 i64, "int64", Int, I64;
            I32 i32, "int32", Int, I32;
            I16 i16, "int16", Int, I16;
            I8 i8, "int8", Int, I8;
            U64 u64, "uint64", Uint, U64;
            U32 u32, "uint32", Uint, U32;
            U16 u16, "uint16", Uint, U16;
            U8 u8, "uint8", Uint, U8;
            Bool bool, "bool", Bool, BOOL;
        }
    };
}
pub(super) use dtypes;

macro_rules! array_data {
    (; $($variant:ident $type:ty, $name:literal, $letter:ident, $format:ident;)*) => {
        /// The values of an array, in C order.
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum ArrayData {
            $(
                #[doc = concat!("Values of type `", $name, "`.")]
                $variant(Vec<$type>),
            )*
        }

        impl ArrayData {
            /// Number of values.
            pub fn len(&self) -> usize {
                match self { $(ArrayData::$variant(v) => v.len(),)* }
            }

            /// Name of the type in numpy, such as `float32`.
            pub fn dtype(&self) -> &'static str {
                match self { $(ArrayData::$variant(_) => $name,)* }
            }
        }

        $(impl From<Vec<$type>> for ArrayData {
            fn from(values: Vec<$type>) -> Self {
                ArrayData::$variant(values)
            }
        })*
    };
}

dtypes!(array_data);

impl From<Vec<half::f16>> for ArrayData {
    fn from(values: Vec<half::f16>) -> Self {
        ArrayData::widened(values)
    }
}

impl ArrayData {
    /// Float32 values of numbers in half precision; the conversion is exact.
    pub(super) fn widened<T: Into<f32>>(values: impl IntoIterator<Item = T>) -> Self {
        ArrayData::F32(values.into_iter().map(Into::into).collect())
    }
}

/// The types that can be read, for messages; half precision becomes float32.
pub(super) const SUPPORTED: &str =
    "float64, float32, float16, signed and unsigned integers of 8 to 64 bits and bool";

/// Evaluates an expression on the vector inside an `ArrayData`, whatever its type.
macro_rules! with_values {
    ($data:expr, $values:ident => $body:expr) => {
        $crate::io::array::dtypes!(match_values, $data, $values, $body)
    };
}
pub(super) use with_values;

macro_rules! match_values {
    (
        $data:expr, $values:ident, $body:expr;
        $($variant:ident $type:ty, $name:literal, $letter:ident, $format:ident;)*
    ) => {
        match $data {
            $($crate::io::ArrayData::$variant($values) => $body,)*
        }
    };
}
pub(super) use match_values;

/// A number or truth value as files store it.
pub(super) trait Value: Copy {
    /// The value as a double; integers beyond 2⁵³ are rounded.
    fn to_f64(self) -> f64;
    /// The value as an integer; `None` for a floating-point type, or if it does not fit.
    fn to_i64(self) -> Option<i64>;
    /// Appends the value's little-endian bytes.
    fn put(self, bytes: &mut Vec<u8>);
    /// Parses exactly as many little-endian bytes as the type has; `None` if they are no value of
    /// it.
    fn get(bytes: &[u8]) -> Option<Self>;
}

macro_rules! value {
    ($($type:ty: $value:ident, $double:expr, $integer:expr;)*) => {
        $(impl Value for $type {
            fn to_f64(self) -> f64 {
                let $value = self;
                $double
            }
            fn to_i64(self) -> Option<i64> {
                let $value = self;
                $integer
            }
            fn put(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }
            fn get(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(<$type>::from_le_bytes)
            }
        })*
    };
}

value! {
    f64: v, v, { let _ = v; None };
    f32: v, v.into(), { let _ = v; None };
    i64: v, v as f64, Some(v);
    i32: v, v.into(), Some(v.into());
    i16: v, v.into(), Some(v.into());
    i8: v, v.into(), Some(v.into());
    u64: v, v as f64, v.try_into().ok();
    u32: v, v.into(), Some(v.into());
    u16: v, v.into(), Some(v.into());
    u8: v, v.into(), Some(v.into());
}

impl Value for bool {
    fn to_f64(self) -> f64 {
        u8::from(self).into()
    }
    fn to_i64(self) -> Option<i64> {
        Some(self.into())
    }
    fn put(self, bytes: &mut Vec<u8>) {
        bytes.push(self.into());
    }
    fn get(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }
}

impl ArrayData {
    /// True if there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values as doubles; integers beyond 2⁵³ are rounded, true is 1.
    pub fn to_f64(&self) -> Vec<f64> {
        with_values!(self, v => v.iter().map(|v| v.to_f64()).collect())
    }

    /// The values as doubles, without a copy where they are doubles already.
    pub fn into_f64(self) -> Vec<f64> {
        match self {
            ArrayData::F64(values) => values,
            other => other.to_f64(),
        }
    }

    /// The values as float32, rounded to the nearest.
    pub fn into_f32(self) -> Vec<f32> {
        match self {
            ArrayData::F32(values) => values,
            other => with_values!(other, v => v.iter().map(|v| v.to_f64() as f32).collect()),
        }
    }

    /// The values as integers, such as labels; `None` for a floating-point type, or if one is too
    /// large.
    pub fn to_i64(&self) -> Option<Vec<i64>> {
        with_values!(self, v => v.iter().map(|v| v.to_i64()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shape_and_values_must_agree() {
        assert!(NamedArray::new("a", vec![2, 2], vec![1.0, 2.0, 3.0, 4.0]).is_ok());
        assert!(NamedArray::new("scalar", vec![], vec![1_i64]).is_ok());
        assert!(NamedArray::new("none", vec![3, 0], Vec::<f32>::new()).is_ok());
        let message = NamedArray::new("a", vec![2, 2], vec![1.0]).unwrap_err().to_string();
        assert_eq!(message, "array `a` has shape [2, 2] but 1 values");
        assert!(NamedArray::new("a", vec![usize::MAX, 2], vec![1.0]).is_err());
    }

    #[test]
    fn values_convert() {
        assert_eq!(ArrayData::from(vec![-1_i16, 300]).to_f64(), [-1.0, 300.0]);
        assert_eq!(ArrayData::from(vec![true, false]).to_i64(), Some(vec![1, 0]));
        assert_eq!(ArrayData::from(vec![0.1_f64]).into_f32(), [0.1_f32]);
        assert_eq!(ArrayData::from(vec![0.1_f32]).to_i64(), None);
        assert_eq!(ArrayData::from(vec![u64::MAX]).to_i64(), None);
        assert_eq!(ArrayData::from(vec![7_u8]).dtype(), "uint8");
    }
}
