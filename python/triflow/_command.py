"""The command `triflow` of this package."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Dict, NoReturn

from . import _libtorch

#: The program itself.
PROGRAM = Path(__file__).parent / "bin" / "triflow"


def environment() -> Dict[str, str]:
    """The environment in which the program finds LibTorch: in front of LD_LIBRARY_PATH, unless its
    own run path leads there."""
    env = dict(os.environ)
    lib = _libtorch.folder()
    beside = PROGRAM.parent.parent.parent / "torch" / "lib"
    if lib.resolve() != beside.resolve():
        rest = env.get("LD_LIBRARY_PATH")
        env["LD_LIBRARY_PATH"] = f"{lib}:{rest}" if rest else str(lib)
    return env


def main() -> NoReturn:
    """Runs the program with the arguments of this process, in its place."""
    try:
        env = environment()
    except ImportError as e:
        print(f"error: {e}", file=sys.stderr)
        sys.exit(1)
    os.execve(PROGRAM, ["triflow", *sys.argv[1:]], env)
