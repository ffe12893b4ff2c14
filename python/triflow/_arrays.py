"""Arrays of callers (numpy, torch, lists) and of the compiled module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

import numpy as np


if TYPE_CHECKING:
    from ._triflow import Array


def array(values: Any) -> np.ndarray:
    """The values as a numpy array, without a copy where that is possible."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        if "bfloat16" in str(values.dtype):
            values = values.float()
        values = values.numpy()
    values = np.asarray(values)
    if values.dtype == object:
        if not all(isinstance(value, str) for value in values.ravel()):
            raise TypeError("an array of objects is none of numbers or texts")
        values = values.astype(str)
    if values.dtype.kind not in "biufU":
        raise TypeError(f"an array of {values.dtype} is none of numbers or texts")
    return values


def handed(values: np.ndarray) -> Array:
    """A numpy array as the compiled module takes it: float32, float64, int64 or uint8."""
    if values.dtype.kind in "bi" or values.dtype.kind == "u" and values.dtype != np.uint8:
        values = values.astype(np.int64)
    elif values.dtype == np.float16:
        values = values.astype(np.float32)
    elif values.dtype.kind == "f" and values.dtype.itemsize > 8:
        values = values.astype(np.float64)
    values = np.ascontiguousarray(values)
    return (values.dtype.name, list(values.shape), values.tobytes())


def rows(name: str, values: Any, condition_lengths: Any = None, lengths: Any = None) -> Tuple[Any, ...]:
    """Conditions in memory: numbers, or texts, which are names of classes."""
    values, classes = array(values), []
    if values.dtype.kind == "U":
        names, codes = np.unique(values, return_inverse=True)
        values, classes = codes.reshape(values.shape), [str(name) for name in names]
    sides = [None if side is None else handed(array(side)) for side in (condition_lengths, lengths)]
    return (name, handed(values), classes, *sides)


def received(arrays: Dict[str, Any]) -> Dict[str, Any]:
    """The arrays of the compiled module by name, and lists of names as arrays of texts."""
    own = {}
    for name, value in arrays.items():
        own[name] = np.array(value) if isinstance(value, list) else one(*value)
    return own


def one(dtype: str, shape: List[int], values: bytearray) -> np.ndarray:
    """A writable numpy array over the memory of `values`."""
    return np.frombuffer(values, dtype=dtype).reshape(shape)


def seeds(values: Any) -> Optional[List[int]]:
    """A list of seeds; `None` for none."""
    return None if values is None else [int(value) for value in np.asarray(values).ravel()]
