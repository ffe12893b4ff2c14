"""The package itself: the command, LibTorch, types."""

import os
import subprocess
import sys
from pathlib import Path

from conftest import command

import triflow


def python(code, **changes):
    """Runs code in another interpreter with other variables of the environment."""
    env = {name: value for name, value in {**os.environ, **changes}.items() if value is not None}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)


def test_the_command_has_the_version_of_the_module():
    done = command("--version")
    assert done.stdout.split()[:2] == ["triflow", triflow.__version__]
    module = subprocess.run([sys.executable, "-m", "triflow", "--version"], capture_output=True, text=True)
    assert module.stdout == done.stdout


def test_a_missing_libtorch_is_an_import_error_that_says_what_to_do(tmp_path):
    done = python("import triflow", LIBTORCH=None)
    if "no package torch" in done.stderr:
        assert "pip install 'torch==2.11.*'" in done.stderr
    done = python("import triflow", LIBTORCH=str(tmp_path))
    assert f"ImportError: LIBTORCH={tmp_path}: there is no lib/libtorch_cpu.so" in done.stderr
    done = command("list", env={**os.environ, "LIBTORCH": str(tmp_path)})
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: LIBTORCH={tmp_path}: there is no lib/libtorch_cpu.so\n  help: ")


def test_another_version_of_libtorch_is_refused(tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/libtorch_cpu.so").touch()
    (tmp_path / "build-version").write_text("2.10.0+cpu\n")
    done = python("import triflow", LIBTORCH=str(tmp_path))
    assert f"ImportError: LIBTORCH={tmp_path} is version 2.10.0+cpu, and triflow needs 2.11" in done.stderr


def test_the_package_has_types_and_documentation():
    assert (Path(triflow.__file__).parent / "py.typed").is_file()
    for name in triflow.__all__:
        assert name == "__version__" or getattr(triflow, name).__doc__
