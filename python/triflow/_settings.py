"""Experiments as a caller gives them, as layers of settings."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, List, Mapping, Optional, Union


if TYPE_CHECKING:
    from ._triflow import Layer

#: A dictionary, YAML text, or the path of an experiment file.
Config = Union[None, str, "os.PathLike[str]", Mapping[str, Any]]


def as_json(value: Any) -> str:
    """A value of a configuration as JSON; numpy's numbers and paths are taken too."""

    def plain(value: Any) -> Any:
        if isinstance(value, os.PathLike):
            return os.fspath(value)
        if hasattr(value, "tolist"):
            return value.tolist()
        raise TypeError(f"{type(value).__name__} is no value of a configuration: {value!r}")

    return json.dumps(value, default=plain, allow_nan=False)


def layers(config: Config, changes: Optional[Mapping[str, Any]] = None) -> List[Layer]:
    """The layers of `config`, and of `changes` by their dotted keys above it."""
    given: List[Layer] = []
    if isinstance(config, Mapping):
        own = dict(config)
        if "extends" in own:
            given.append(("file", os.fspath(own.pop("extends")), "", ""))
        given += [set_layer(str(key), value, "config") for key, value in own.items()]
    elif isinstance(config, os.PathLike):
        given.append(("file", os.fspath(config), "", ""))
    elif isinstance(config, str):
        is_text = "\n" in config or (":" in config and not Path(config).is_file())
        given.append(("text", config, "config", "") if is_text else ("file", config, "", ""))
    elif config is not None:
        raise TypeError(f"config is a dict, YAML text or a path, not {type(config).__name__}")
    given += [set_layer(key, value, "set") for key, value in (changes or {}).items()]
    return given


def set_layer(key: str, value: Any, place: str) -> Layer:
    """The layer of one value at a dotted key; `place` names its origin in messages."""
    return ("set", key, place, as_json(value))
