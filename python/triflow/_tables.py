"""Data frames: to a file of the library, and from its tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np

from . import _triflow
from ._arrays import handed


def is_frame(value: Any) -> bool:
    """True for a data frame or series of pandas."""
    return type(value).__module__.split(".")[0] == "pandas" and hasattr(value, "to_frame" if value.ndim == 1 else "columns")


def pandas() -> Optional[Any]:
    """The module pandas; `None` where it is not installed."""
    try:
        import pandas as pd
    except ImportError:
        return None
    return pd


def write(frame: Any, path: Path) -> None:
    """Writes a data frame as a table."""
    names = [str(name) for name in frame.columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two columns are called {twice[0]!r}")
    _triflow.write_table(path, [_column(name, frame.iloc[:, i]) for i, name in enumerate(names)])


def _column(name: str, cells: Any) -> Any:
    """A column as the compiled module takes it."""
    pd = pandas()
    kinds = pd.api.types
    texts: List[str] = []
    if kinds.is_object_dtype(cells.dtype) and kinds.infer_dtype(cells, skipna=True) in ("date", "datetime"):
        cells = pd.to_datetime(cells)
    if kinds.is_bool_dtype(cells.dtype) and not isinstance(cells.dtype, pd.CategoricalDtype):
        kind, values = "flag", cells.astype("boolean").to_numpy(dtype="float64", na_value=np.nan)
    elif kinds.is_integer_dtype(cells.dtype):
        kind, values = "whole", cells.astype("Float64").to_numpy(dtype="float64", na_value=np.nan)
    elif kinds.is_float_dtype(cells.dtype):
        kind, values = "real", cells.to_numpy(dtype="float64", na_value=np.nan)
    elif kinds.is_datetime64_any_dtype(cells.dtype):
        kind, values = _times(cells)
    elif isinstance(cells.dtype, pd.CategoricalDtype) or kinds.is_string_dtype(cells.dtype) or kinds.is_object_dtype(cells.dtype):
        texts, values = _texts(cells)
        kind = "text"
    else:
        raise TypeError(f"column {name!r} holds {cells.dtype}, which is no type of a column")
    return (name, kind, handed(np.ascontiguousarray(values, dtype="float64")), texts)


def _times(cells: Any) -> Any:
    """Format and seconds since 1970 of a column of times."""
    zoned = cells.dt.tz is not None
    if zoned:
        cells = cells.dt.tz_convert("UTC").dt.tz_localize(None)
    values = cells.to_numpy(dtype="datetime64[us]")
    missing = np.isnat(values)
    micros = values.astype("int64")
    known = micros[~missing]
    if zoned or (known % 86_400_000_000).any():
        parts = "%S%.f" if (known % 1_000_000).any() else "%S"
        kind = f"%Y-%m-%dT%H:%M:{parts}" + ("Z" if zoned else "")
    else:
        kind = "%Y-%m-%d"
    return kind, np.where(missing, np.nan, micros / 1e6)


def _texts(cells: Any) -> Any:
    """Names and codes of a column of categories or texts."""
    pd = pandas()
    if isinstance(cells.dtype, pd.CategoricalDtype):
        codes, names = cells.cat.codes.to_numpy(), list(cells.cat.categories)
    else:
        codes, names = pd.factorize(cells, sort=False)
    return [str(name) for name in names], np.where(codes < 0, np.nan, codes.astype("float64"))


def types(frame: Any) -> Dict[str, Any]:
    """Types of the columns of a data frame, for JSON."""
    pd, own = pandas(), {}
    for i, name in enumerate(frame.columns):
        dtype = frame.dtypes.iloc[i]
        if isinstance(dtype, pd.CategoricalDtype):
            texts = all(isinstance(category, str) for category in dtype.categories)
            if texts:
                own[str(name)] = {"categories": list(dtype.categories), "ordered": bool(dtype.ordered)}
        else:
            own[str(name)] = str(dtype)
    return own


def types_file(path: Path) -> Path:
    """The file with the types of a table's columns."""
    return path.with_name(f"{path.name}.types.json")


def types_beside(path: Path) -> Dict[str, Any]:
    """The types that were saved beside a table; empty for another file."""
    saved = types_file(path)
    return json.loads(saved.read_text()) if saved.is_file() else {}


def received(columns: List[Dict[str, Any]], types: Dict[str, Any]) -> Any:
    """A table of the compiled module as a data frame, with the types of the training rows where its
    cells have such; without pandas a dictionary of arrays."""
    pd = pandas()
    if pd is None:
        return {column["name"]: _plain(column) for column in columns}
    own = {column["name"]: _typed(pd, column, types.get(column["name"])) for column in columns}
    return pd.DataFrame(own)


def _values(column: Dict[str, Any]) -> Any:
    dtype = {"real": "float64", "flag": "uint8"}.get(column["kind"], "int64")
    return np.frombuffer(column["values"], dtype=dtype)


def _there(column: Dict[str, Any]) -> Any:
    there = column.get("there")
    return None if there is None else np.frombuffer(there, dtype="uint8").astype(bool)


def _plain(column: Dict[str, Any]) -> Any:
    """A column as an array: NaN, NaT or None where a cell is missing."""
    kind, there = column["kind"], _there(column)
    if kind == "text":
        return np.array(column["values"], dtype=object)
    values = _values(column)
    if kind in ("day", "time"):
        values = values.astype("datetime64[D]" if kind == "day" else "datetime64[us]")
        return values if there is None else np.where(there, values, np.datetime64("NaT"))
    if kind == "flag":
        values = values.astype(bool)
        return values if there is None else np.where(there, values.astype(object), None)
    return values if there is None else np.where(there, values, np.nan)


def _typed(pd: Any, column: Dict[str, Any], wanted: Any) -> Any:
    """A column as a series, of the type `wanted` if its cells have such."""
    kind, there = column["kind"], _there(column)
    if kind == "text":
        values = pd.Series(column["values"], dtype="str" if wanted is None else "object")
        if isinstance(wanted, dict):
            return values.astype(pd.CategoricalDtype(wanted["categories"], wanted["ordered"]))
        return values if wanted is None else _cast(values, wanted)
    if kind in ("day", "time"):
        values = pd.Series(_plain(column)).astype("datetime64[us]")
        if isinstance(wanted, str) and "," in wanted:
            values = values.dt.tz_localize("UTC")
        return _cast(values, wanted) if str(wanted).startswith("datetime64") else values
    if kind == "real":
        values = pd.Series(_values(column))
        return _cast(values, wanted) if str(wanted).lower().startswith("float") else values
    if kind == "flag":
        if there is None:
            values = pd.Series(_values(column).astype(bool))
        else:
            values = pd.array(_values(column).astype(bool), dtype="boolean")
            values = pd.Series(values).mask(~there)
        return _cast(values, wanted) if str(wanted).lower().startswith("bool") else values
    values = pd.Series(_values(column).copy())
    if there is not None:
        values = values.astype("Int64").mask(~there)
    if isinstance(wanted, dict):
        return values
    return _cast(values, wanted) if wanted is not None else values


def _cast(values: Any, wanted: str) -> Any:
    """The values in another type of their kind; as they are where it cannot hold them."""
    try:
        return values.astype(wanted)
    except (TypeError, ValueError, OverflowError):
        return values
