//! Arrays between Python and the library, as type, shape and bytes in C order.

use crate::settings::unexpected;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyByteArray, PyDict};
use triflow::io::{ArrayData, NamedArray};
use triflow::tch::{Kind, Tensor};

/// An array from Python: name of the type in numpy, shape, and bytes in C order.
pub type Given = (String, Vec<i64>, PyBackedBytes);

/// Copies an array of float32, float64, int64 or uint8 into a tensor.
pub fn tensor((dtype, shape, bytes): &Given) -> PyResult<Tensor> {
    let kind = match dtype.as_str() {
        "float32" => Kind::Float,
        "float64" => Kind::Double,
        "int64" => Kind::Int64,
        "uint8" => Kind::Uint8,
        other => return Err(unexpected(&format!("array of {other}"))),
    };
    Tensor::f_from_data_size(bytes, shape, kind).map_err(|e| unexpected(&format!("array: {e}")))
}

/// A dictionary of arrays by name: each a type, a shape and a `bytearray`.
pub fn dictionary<'py>(py: Python<'py>, arrays: &[NamedArray]) -> PyResult<Bound<'py, PyDict>> {
    let all = PyDict::new(py);
    for array in arrays {
        let bytes = match &array.data {
            ArrayData::F64(values) => bytes(py, values, |v| v.to_le_bytes()),
            ArrayData::F32(values) => bytes(py, values, |v| v.to_le_bytes()),
            ArrayData::I64(values) => bytes(py, values, |v| v.to_le_bytes()),
            ArrayData::U8(values) => Ok(PyByteArray::new(py, values)),
            other => Err(unexpected(&format!("array of {}", other.dtype()))),
        };
        all.set_item(&array.name, (array.data.dtype(), &array.shape, bytes?))?;
    }
    Ok(all)
}

/// The bytes of numbers, in the order of the machines that LibTorch is built for.
pub fn bytes<'py, T: Copy, const N: usize>(
    py: Python<'py>,
    values: &[T],
    of: impl Fn(T) -> [u8; N],
) -> PyResult<Bound<'py, PyByteArray>> {
    PyByteArray::new_with(py, values.len() * N, |into| {
        for (into, value) in into.chunks_exact_mut(N).zip(values) {
            into.copy_from_slice(&of(*value));
        }
        Ok(())
    })
}
