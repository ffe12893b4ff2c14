"""The file ``params.safetensors``: arrays by name, and the metadata beside them."""

import json
import struct
from pathlib import Path

import numpy as np

TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U8": "u1"}


class Unsupported(ValueError):
    """A part of a run that the reference does not know."""


def known(kind, name, table):
    """The entry of ``table`` for the component ``name``."""
    if name in table:
        return table[name]
    raise Unsupported(f"the reference knows no {kind} `{name}`, only {', '.join(sorted(table))}")


def read(path):
    """Arrays by name, and the metadata, both dictionaries."""
    data = Path(path).read_bytes()
    if len(data) < 8:
        raise ValueError(f"{path} is no safetensors file")
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    metadata = header.pop("__metadata__", {})
    arrays = {}
    for name, entry in header.items():
        start, end = (8 + size + at for at in entry["data_offsets"])
        dtype = known("type of numbers", entry["dtype"], TYPES)
        arrays[name] = np.frombuffer(data[start:end], dtype).reshape(entry["shape"])
    return arrays, metadata


def settings(text):
    """The configuration in the metadata: JSON, or YAML from earlier versions."""
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        import yaml
    except ImportError:
        raise Unsupported("this file's configuration is YAML, which needs the package pyyaml") from None
    return yaml.safe_load(text)


class Parameters:
    """The parameters whose names begin with a prefix, as float64."""

    def __init__(self, arrays, prefix=""):
        self._arrays, self._prefix = arrays, prefix

    def __contains__(self, name):
        return self._prefix + name in self._arrays

    def __getitem__(self, name):
        return self._arrays[self._prefix + name].astype(np.float64)

    def below(self, name):
        """The parameters below ``name``: those of ``name.…`` without it."""
        return Parameters(self._arrays, f"{self._prefix}{name}.")

    def linear(self, name, x):
        """The linear layer ``name``: ``weight`` [outputs, inputs] and, if there is one, ``bias``."""
        y = x @ self[f"{name}.weight"].T
        return y + self[f"{name}.bias"] if f"{name}.bias" in self else y

    def count(self, name):
        """How many ``name_0``, ``name_1``, … there are."""
        start = f"{self._prefix}{name}_"
        return len({key[len(start) :].split(".")[0] for key in self._arrays if key.startswith(start)})
