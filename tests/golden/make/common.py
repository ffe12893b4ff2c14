"""Number formats, random inputs and output that every generator shares."""

import json
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np
from mpmath import mp

mp.dps = 50

Json = dict[str, Any] | list[Any] | str | float | int | bool | None
"""A value of a golden file."""


class Normals:
    """Standard normal numbers from numpy's default generator, rounded as in the golden files."""

    def __init__(self, seed: int, digits: int) -> None:
        """The stream of `seed`, rounded to `digits` decimals."""
        self._generator = np.random.default_rng(seed)
        self._digits = digits

    def draw(self, *shape: int, scale: Any = 1.0, shift: Any = 0.0) -> np.ndarray:
        """The next prod(shape) numbers, as round(scale * normal + shift, digits)."""
        return np.round(scale * self._generator.standard_normal(shape) + shift, self._digits)


def plain(value: Any) -> Any:
    """`value` with every array, mpmath number and tuple turned into lists and floats."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, mp.mpf):
        return float(value)
    return value


def exact(values: Any) -> np.ndarray:
    """An object array of mpmath numbers equal to the floats `values`."""
    return np.vectorize(mp.mpf, otypes=[object])(np.asarray(values, dtype=float))


def worst_relative(pairs: Iterable[tuple[Any, Any]]) -> Any:
    """max |x - y| / |y| over `pairs`, or the absolute difference where y = 0."""
    return max(abs(x - y) / (abs(y) if y else 1) for x, y in pairs)


def write(golden: dict[str, Json]) -> None:
    """Prints `golden` in the format of the golden files: JSON, indented by one space a level."""
    sys.stdout.write(json.dumps(golden, indent=1))
