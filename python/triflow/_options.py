"""Arguments that several calls have in common, each written once."""

from __future__ import annotations

import functools
import inspect
import os
from typing import Any, Callable, Dict, Mapping, Optional, TypedDict, TypeVar, Union, get_type_hints

from ._settings import as_json

PathLike = Union[str, "os.PathLike[str]"]
F = TypeVar("F", bound=Callable[..., Any])


class Rows(TypedDict, total=False):
    """The rows that a model is trained on."""

    x: Any
    y: Any
    data: Any
    validation: Any
    test: Any


class Sampling(TypedDict, total=False):
    """How a run is sampled, where not as its configuration says.

    ``seed`` is that of z_0. ``solver``, ``grid`` and ``noise`` are names or dicts with a ``type``;
    ``set`` maps further keys of ``sampling`` to values. ``best`` takes the parameters of the lowest
    validation loss. ``data_path`` is where the run's data are now.
    """

    seed: Optional[int]
    solver: Any
    steps: Optional[int]
    grid: Any
    guidance: Optional[float]
    noise: Any
    set: Optional[Mapping[str, Any]]
    best: bool
    data_path: Optional[PathLike]


def takes(options: Any) -> Callable[[F], F]:
    """Shows the keys of a TypedDict as arguments of a function that takes them as ``**…``, and
    refuses others."""

    def decorated(function: F) -> F:
        own = inspect.signature(function)
        named = [p for p in own.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        for name, hint in get_type_hints(options).items():
            default = False if hint is bool else None
            kind = inspect.Parameter.KEYWORD_ONLY
            named.append(inspect.Parameter(name, kind, default=default, annotation=hint))
        signature = own.replace(parameters=named)

        @functools.wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            try:
                signature.bind(*args, **kwargs)
            except TypeError as e:
                raise TypeError(f"{function.__name__}(): {e}") from None
            return function(*args, **kwargs)

        called.__signature__ = signature  # type: ignore[attr-defined]
        return called  # type: ignore[return-value]

    return decorated


def handed(options: Mapping[str, Any], units: Optional[str] = None, metrics: Any = ()) -> Dict[str, Any]:
    """Options of sampling as the compiled module takes them."""

    def part(value: Any) -> Optional[str]:
        return None if value is None else as_json(value)

    path = options.get("data_path")
    return {
        "seed": options.get("seed"),
        "solver": part(options.get("solver")),
        "steps": options.get("steps"),
        "grid": part(options.get("grid")),
        "guidance": options.get("guidance"),
        "noise": part(options.get("noise")),
        "set": [f"{key}={as_json(value)}" for key, value in (options.get("set") or {}).items()],
        "best": options.get("best", False),
        "data_path": None if path is None else os.fspath(path),
        "units": units,
        "metrics": [as_json(metric) for metric in ([metrics] if isinstance(metrics, (str, dict)) else metrics)],
    }
