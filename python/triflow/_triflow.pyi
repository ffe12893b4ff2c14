"""The compiled part of the package, which the other modules wrap."""

from os import PathLike
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

__version__: str

#: ("file", path, "", ""), ("text", YAML, place, "") or ("set", key, place, value in YAML).
Layer = Tuple[str, str, str, str]
#: Type in numpy, shape, and bytes in C order.
Array = Tuple[str, Sequence[int], bytes]
#: Path of a file, or name, rows, classes, and lengths of conditions and targets.
Asked = Union[str, "PathLike[str]", Tuple[str, Array, List[str], Optional[Array], Optional[Array]]]

def train(given: List[Layer], out: Optional[str] = None, progress: Any = None) -> Path: ...
def resume(
    path: "PathLike[str]",
    data_path: Optional[str] = None,
    epochs: Optional[int] = None,
    steps: Optional[int] = None,
    set: List[Tuple[str, str]] = ...,
    progress: Any = None,
) -> Path: ...
def setting(given: List[Layer], key: str) -> Optional[str]: ...
def source_of(path: "str | PathLike[str]") -> str: ...
def config_of(path: "PathLike[str]") -> str: ...
def generate(
    path: "PathLike[str]",
    sampling: Dict[str, Any],
    as_table: bool,
    n: Optional[int] = None,
    labels: List[str] = ...,
    condition: Optional[Asked] = None,
    seeds: Optional[List[int]] = None,
    save_z0: bool = False,
    trajectories: bool = False,
    progress: Any = None,
) -> Any: ...
def predict(
    path: "PathLike[str]",
    sampling: Dict[str, Any],
    as_table: bool,
    x: Asked,
    samples: Optional[int] = None,
    seeds: Optional[List[int]] = None,
    progress: Any = None,
) -> Any: ...
def start(
    path: "PathLike[str]",
    sampling: Dict[str, Any],
    as_table: bool,
    beginning: Dict[str, Any],
    progress: Any = None,
) -> Any: ...
def impute(
    path: "PathLike[str]",
    sampling: Dict[str, Any],
    file: Optional[str],
    draws: int = 1,
    progress: Any = None,
) -> Any: ...
def evaluate(
    path: "PathLike[str]",
    sampling: Dict[str, Any],
    data: Optional[str] = None,
    samples: Optional[str] = None,
    draws: int = 5,
    points: int = 2000,
    likelihood: Optional[int] = None,
) -> str: ...
def export(path: "PathLike[str]", sampling: Dict[str, Any], sampler: bool, out: "PathLike[str]") -> None: ...
def has_columns(path: "PathLike[str]") -> bool: ...
def write_table(path: "str | PathLike[str]", columns: List[Tuple[str, str, Array, List[str]]]) -> None: ...
def plan(given: List[Layer], out: Optional[str] = None) -> Path: ...
