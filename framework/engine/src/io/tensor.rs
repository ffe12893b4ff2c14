//! Exact conversion between tensors and named arrays.

use super::{ArrayData, NamedArray};
use crate::{Error, Result};
use tch::{Device, Kind, Tensor};

/// Copies a float64, float32, int64 or uint8 tensor into an array of a file.
///
/// # Errors
/// [`Error::Runtime`]: the tensor is of another kind.
pub fn to_array(name: impl Into<String>, tensor: &Tensor) -> Result<NamedArray> {
    let shape = tensor.size().iter().map(|s| *s as usize).collect();
    let flat = tensor.detach().to_device(Device::Cpu).reshape([-1]);
    match tensor.kind() {
        Kind::Double => NamedArray::new(name, shape, Vec::<f64>::try_from(flat)?),
        Kind::Int64 => NamedArray::new(name, shape, Vec::<i64>::try_from(flat)?),
        Kind::Float => NamedArray::new(name, shape, Vec::<f32>::try_from(flat)?),
        Kind::Uint8 => NamedArray::new(name, shape, Vec::<u8>::try_from(flat)?),
        other => Err(Error::runtime(format!("a tensor of kind {other:?} cannot be written"))),
    }
}

/// Copies a float64, float32 or int64 array into a tensor on the CPU.
///
/// # Errors
/// [`Error::Runtime`]: the array is of another type, or its shape does not fit its values.
pub fn to_tensor(array: &NamedArray) -> Result<Tensor> {
    let flat = match &array.data {
        ArrayData::F64(values) => Tensor::from_slice(values),
        ArrayData::F32(values) => Tensor::from_slice(values),
        ArrayData::I64(values) => Tensor::from_slice(values),
        other => {
            let dtype = other.dtype();
            let message =
                format!("`{}` is {dtype}; expected float64, float32 or int64", array.name);
            return Err(Error::runtime(message));
        }
    };
    let shape: Vec<i64> = array.shape.iter().map(|s| *s as i64).collect();
    Ok(flat.f_view(shape.as_slice())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_comes_back_as_it_was() {
        let float = Tensor::from_slice(&[0.1f32, -2.0, 3.5, 4.0, f32::MIN_POSITIVE, 6.0]);
        let view = float.view([2, 3]).transpose(0, 1);
        for tensor in [
            view.shallow_clone(),
            view.to_kind(Kind::Double) / 3.0,
            Tensor::from_slice(&[i64::MAX, -1]),
            Tensor::zeros([0, 2], (Kind::Float, Device::Cpu)),
            Tensor::from(1.5f64),
        ] {
            let back = to_tensor(&to_array("a", &tensor).unwrap()).unwrap();
            assert_eq!((back.size(), back.kind()), (tensor.size(), tensor.kind()));
            assert!(back.equal(&tensor));
        }
        assert!(to_array("a", &Tensor::from(true)).is_err());
    }
}
