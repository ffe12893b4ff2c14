"""Runs as files that other programs evaluate without triflow."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Mapping

from . import _options, _triflow
from ._errors import ConfigError, Error


def export(run: Path, out: Any, sampler: bool, sampling: Mapping[str, Any]) -> Path:
    """Writes TorchScript or ONNX, by the ending of ``out``, whole or not at all."""
    out = Path(out)
    if out.suffix not in (".pt", ".onnx"):
        raise ConfigError(f"{out}: the name must end in .pt (TorchScript) or .onnx", key="", place="out")
    options = _options.handed(sampling)
    if out.suffix == ".pt":
        _triflow.export(run, options, sampler, out)
        return out
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "archive.pt"
        _triflow.export(run, options, sampler, archive)
        # Beside the result, so that it can take its name in one step.
        part = out.with_name(f".{out.name}.{os.getpid()}.tmp")
        try:
            _convert(archive, part)
            os.replace(part, out)
        finally:
            part.unlink(missing_ok=True)
    return out


def _convert(archive: Path, out: Path) -> None:
    program = [sys.executable, str(Path(__file__).with_name("_onnx.py")), str(archive), str(out)]
    # torch brings its own LibTorch.
    env = {name: value for name, value in os.environ.items() if name != "LIBTORCH"}
    done = subprocess.run(program, capture_output=True, text=True, env=env, check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["the conversion to ONNX failed"]
        raise Error(lines[-1])
