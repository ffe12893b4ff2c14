"""Rows of callers as files that the library reads once, in a temporary folder."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from pathlib import Path
from typing import Any, Iterator, Mapping, Optional

import numpy as np

from . import _tables
from ._arrays import array
from ._errors import Error


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A temporary folder. Errors name the argument in place of a file in it."""
    with tempfile.TemporaryDirectory() as name:
        path = re.compile(re.escape(name) + r"/(\w+)\.(npz|feather)")

        def named(text: Any) -> Any:
            return path.sub(r"\1", text) if isinstance(text, str) else text

        try:
            yield Path(name)
        except Error as e:
            e.args = tuple(named(text) for text in e.args)
            for key in ("message", "place", "help"):
                if hasattr(e, key):
                    setattr(e, key, named(getattr(e, key)))
            if hasattr(e, "path"):
                e.path = Path(named(os.fspath(e.path)))
            raise


def written(name: str, rows: Any, folder: Path, side: str, lengths: Mapping[str, Any] = {}) -> Optional[str]:
    """The path of a file with `rows`: the path that they are, a data frame, a dict of arrays as an
    ``.npz`` has them, or an array, which is the ``side`` x or y."""
    if rows is None:
        return None
    if isinstance(rows, (str, os.PathLike)):
        return os.fspath(rows)
    if _tables.is_frame(rows):
        file = folder / f"{name}.feather"
        _tables.write(rows if rows.ndim == 2 else rows.to_frame(side), file)
        return str(file)
    file = folder / f"{name}.npz"
    arrays = dict(rows) if isinstance(rows, Mapping) else {side: rows}
    arrays.update({key: value for key, value in lengths.items() if value is not None})
    np.savez(file, **{str(key): array(values) for key, values in arrays.items()})
    return str(file)
