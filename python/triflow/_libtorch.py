"""LibTorch for the module and the command: that of LIBTORCH, or of the package torch."""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import os
import sys
from pathlib import Path

#: Version that the module was built against.
VERSION = "2.11"
#: Libraries that are loaded before the module, each after those that it needs.
LIBRARIES = ("libgomp.so.1", "libc10.so", "libtorch_cpu.so")
HELP = f"install it with `pip install 'torch=={VERSION}.*'`, or set LIBTORCH to the folder of LibTorch {VERSION}"


def _of_environment(root: Path) -> Path:
    lib = root / "lib"
    if not (lib / "libtorch_cpu.so").is_file():
        raise ImportError(f"LIBTORCH={root}: there is no lib/libtorch_cpu.so\n  help: {HELP}")
    version = root / "build-version"
    _check(version.read_text().strip() if version.is_file() else "", f"LIBTORCH={root}")
    return lib


def _of_package() -> Path:
    spec = importlib.util.find_spec("torch")
    if spec is None or not spec.origin:
        raise ImportError(f"triflow needs LibTorch {VERSION}, and there is no package torch\n  help: {HELP}")
    lib = Path(spec.origin).parent / "lib"
    if not (lib / "libtorch_cpu.so").is_file():
        raise ImportError(f"the package torch in {lib.parent} has no lib/libtorch_cpu.so\n  help: {HELP}")
    _check(importlib.metadata.version("torch"), f"the package torch in {lib.parent}")
    return lib


def _check(version: str, what: str) -> None:
    if version.split("+")[0].split(".")[:2] != VERSION.split("."):
        raise ImportError(f"{what} is version {version or 'unknown'}, and triflow needs {VERSION}\n  help: {HELP}")


def folder() -> Path:
    """Folder of LibTorch's libraries: of the package torch if it is imported already, else of
    LIBTORCH if that is set, else of the installed package torch."""
    root = os.environ.get("LIBTORCH")
    if root and "torch" not in sys.modules:
        return _of_environment(Path(root))
    return _of_package()


def load() -> None:
    """Loads LibTorch into this process, so that the module finds it."""
    lib = folder()
    for name in LIBRARIES:
        path = lib / name
        if path.is_file():
            try:
                ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
            except OSError as e:
                raise ImportError(f"cannot load {path}: {e}") from e
