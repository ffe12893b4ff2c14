"""Rows of callers as data of an experiment. They are written to a file, once for the same rows:
runs can then be resumed, measured again and repeated, from Python and by the command."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Tuple

import numpy as np

from . import _settings, _tables, _triflow
from ._arrays import array
from ._settings import Config, set_layer

if TYPE_CHECKING:
    from ._triflow import Layer


def experiment(config: Config, changes: Any, out: Any, rows: Mapping[str, Any]) -> List[Layer]:
    """The layers of an experiment and of its rows, which are written below the folder `out`."""
    given = _settings.layers(config, changes)
    return given + layers(given, None if out is None else Path(out) / "data", **rows)


def layers(
    given: List[Layer],
    folder: Optional[Path],
    x: Any = None,
    y: Any = None,
    data: Any = None,
    validation: Any = None,
    test: Any = None,
) -> List[Layer]:
    """The layers of the rows of a call, which stand above those of `given`. Rows in memory are
    written below `folder`, by default below the experiment's `output_dir`."""
    named = {"x": x, "y": y, "validation": validation, "test": test}
    if data is None and all(value is None for value in named.values()):
        return []
    if data is not None and any(value is not None for value in (validation, test)):
        raise TypeError("validation and test are for x and y; of `data`, data.split divides the rows")
    if isinstance(data, (str, os.PathLike)):
        return _of_file(os.fspath(data), x, y)
    if folder is None:
        folder = Path(json.loads(_triflow.setting(given, "output_dir") or '"artifacts"')) / "data"
    if data is not None and _tables.is_frame(data):
        return _of_frame(data, folder, _names("x", x), _names("y", y))
    if isinstance(data, Mapping):
        if any(value is not None for value in (x, y)):
            raise TypeError("give either data or x and y")
        return _of_arrays({str(name): array(values) for name, values in data.items()}, folder)
    if data is not None:
        raise TypeError(f"data is a path, a data frame or a dict of arrays, not {type(data).__name__}")
    if _tables.is_frame(x) or _tables.is_frame(y):
        return _of_sides(x, y, folder, validation, test)
    sets = {"x": x, "y": y}
    for name, rows in (("val", validation), ("test", test)):
        if rows is not None:
            sets[f"x_{name}"], sets[f"y_{name}"] = rows if isinstance(rows, tuple) else (rows, None)
    return _of_arrays({name: array(all) for name, all in sets.items() if all is not None}, folder)


def _names(side: str, given: Any) -> Any:
    """Names of columns that `x` or `y` gives beside a data frame."""
    if given is None or isinstance(given, str):
        return given
    if isinstance(given, (list, tuple)) and all(isinstance(name, str) for name in given):
        return list(given)
    raise TypeError(f"{side} names columns where data is given, and is no {type(given).__name__}")


def _of_file(path: str, x: Any, y: Any) -> List[Layer]:
    own = []
    if Path(path).is_dir():
        own.append(set_layer("data.path", path, "data"))
    else:
        own.append(set_layer("data", {"type": _triflow.source_of(path), "path": path}, "data"))
    sides = (("x", _names("x", x)), ("y", _names("y", y)))
    return own + [set_layer(f"data.{side}", names, side) for side, names in sides if names]


def _of_arrays(arrays: Dict[str, np.ndarray], folder: Path) -> List[Layer]:
    digest = hashlib.sha256()
    for name, values in sorted(arrays.items()):
        arrays[name] = values = np.ascontiguousarray(values)
        digest.update(repr((name, values.dtype.str, values.shape)).encode())
        digest.update(values.view(np.uint8) if values.dtype.kind != "U" else values.tobytes())
    path = folder / f"rows_{digest.hexdigest()[:16]}.npz"
    _write_once(path, lambda new: np.savez(new, **arrays))
    return [set_layer("data", {"type": _triflow.source_of(path), "path": str(path.absolute())}, "x, y")]


def _of_frame(frame: Any, folder: Path, x: Any, y: Any) -> List[Layer]:
    if frame.ndim == 1:
        frame = frame.to_frame()
    with tempfile.TemporaryDirectory() as temporary:
        new = Path(temporary) / "rows.feather"
        _tables.write(frame, new)
        digest = hashlib.sha256(new.read_bytes())
        types = json.dumps(_tables.types(frame), ensure_ascii=False)
        digest.update(types.encode())
        path = folder / f"rows_{digest.hexdigest()[:16]}.feather"
        _write_once(_tables.types_file(path), lambda to: Path(to).write_text(types))
        _write_once(path, lambda to: Path(to).write_bytes(new.read_bytes()))
    return _of_file(str(path.absolute()), x, y)


def _of_sides(x: Any, y: Any, folder: Path, validation: Any, test: Any) -> List[Layer]:
    """The layers of an x and a y of which one is a data frame."""
    if validation is not None or test is not None:
        raise TypeError("validation and test are for arrays; of data frames, data.split divides the rows")
    pd = _tables.pandas()
    sides: List[Tuple[str, Any]] = []
    for name, side in (("x", x), ("y", y)):
        if side is None:
            continue
        if not _tables.is_frame(side):
            values = array(side)
            names = [name] if values.ndim == 1 else [f"{name}{i}" for i in range(values.shape[1])]
            side = pd.DataFrame(values if values.ndim == 2 else values[:, None], columns=names)
        elif side.ndim == 1:
            side = side.to_frame(side.name if side.name is not None else name)
        sides.append((name, side.reset_index(drop=True)))
    lengths = {name: len(side) for name, side in sides}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"x has {lengths['x']} rows and y {lengths['y']}")
    names = {name: [str(column) for column in side.columns] for name, side in sides}
    frame = pd.concat([side for _, side in sides], axis=1)
    return _of_frame(frame, folder, names.get("x"), names.get("y"))


def _write_once(path: Path, write: Callable[[str], Any]) -> None:
    """Writes a file whole, unless it is there: its name follows from what it holds."""
    if path.is_file():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, new = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    try:
        write(new)
        os.chmod(new, 0o644)
        os.replace(new, path)
    except BaseException:
        os.unlink(new)
        raise
