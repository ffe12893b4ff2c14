"""The Python code that the documents show, block by block."""

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from conftest import SMALL, command, moons

import triflow

DOCUMENTS = Path(os.environ.get("TRIFLOW_DOCUMENTS", Path(__file__).parents[2]))


def blocks(document, language="python"):
    """The blocks of Python of a document, or of another language."""
    return re.findall(rf"^```{language}\n(.*?)^```", (DOCUMENTS / document).read_text(), re.S | re.M)


def small(code):
    """The code with a short training."""
    return code.replace('{"training": {"epochs": 20}}', repr(SMALL))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def penguins(tmp_path_factory):
    """A run on rows of a table with the species Gentoo, trained to fill gaps."""
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    x, y = moons()
    frame = pandas.DataFrame({"beak": x[:, 0], "mass": x[:, 1], "species": np.array(["Adelie", "Gentoo"])[y]})
    out = tmp_path_factory.mktemp("penguins") / "run"
    config = {**SMALL, "training": {**SMALL["training"], "mask_columns": 0.5}}
    return triflow.train(config, data=frame, y="species", out=out, progress=False), frame


@pytest.fixture(scope="module")
def conditional(tmp_path_factory):
    """A run under conditions that are no labels, which can be guided."""
    x, _ = moons()
    config = {**SMALL, "training": {**SMALL["training"], "condition_dropout": 0.2}}
    out = tmp_path_factory.mktemp("conditional") / "run"
    return triflow.train(config, x=x, y=x.sum(axis=1, keepdims=True), out=out, progress=False)


@pytest.mark.parametrize("document", ["docs/python.md", "python/README.md"])
def test_the_first_example_trains_and_samples(document):
    names = {}
    exec(small(blocks(document)[0]), names)
    assert names["samples"].shape == (1000, 2)


def test_every_line_of_the_guide_runs(run, regression, penguins, conditional):
    named, frame = penguins
    x, y = moons(100, seed=1)
    partial = np.stack([x[:, 0], np.full(100, np.nan)], axis=1)[:3]
    gaps = frame.head(20).copy()
    gaps.loc[::3, "mass"] = np.nan
    # What `run` is in a line, by its beginning, and what else the line names.
    runs = {
        'run.generate(labels=["Gentoo"]': (named, {}),
        "run.generate(condition=": (conditional, {"rows": x[:4, :1]}),
        'run.generate(n=1000, solver={"type": "ddim"': (run, {}),
        "run.predict(": (regression, {"x_new": x}),
        "run.generate(given=": (run, {"partial": {"x": partial, "y": y[:3]}}),
        "run.edit(": (run, {"rows": {"x": x, "y": y}}),
        "states = run.invert(": (run, {"rows": {"x": x, "y": y}}),
        "run.generate(start=": (run, {}),
        "run.impute(": (named, {"frame": gaps}),
        "run.evaluate(": (run, {"x_new": x, "y_new": y, "theirs": x, "labels": y}),
        'run.export("network.pt"': (run, {}),
        'run.export("sampler.onnx"': (run, {}),
    }
    used = set()
    names = {"triflow": triflow, "np": np}
    lines = [line for block in blocks("docs/python.md")[1:] for line in block.splitlines() if "run." in line]
    for line in lines:
        (start,) = [start for start in runs if line.startswith(start)]
        this, others = runs[start]
        used.add(start)
        if ".onnx" not in line or importlib.util.find_spec("onnx"):
            exec(line, {**names, **others, "run": this}, names)
    assert used == set(runs), "lines that the guide has no more"


def test_the_comparison_of_the_guide_runs():
    (block,) = [block for block in blocks("docs/python.md") if "triflow.compare(" in block]
    x, y = moons()
    block = block.replace('seeds=5, budget={"epochs": 10}', 'seeds=1, budget={"epochs": 1}')
    block = block.replace('"artifacts/compare/20261130_0900"', "result.path")
    names = {"triflow": triflow, "config": SMALL, "x": x, "y": y}
    exec(block, names)
    assert len(names["result"].table()) == 3


@pytest.mark.parametrize("document", ["docs/weights.md", "docs/sampling.md"])
def test_a_program_without_triflow_draws_the_same_samples(document, run, capsys):
    if document == "docs/sampling.md":
        pytest.importorskip("safetensors", reason="safetensors is not installed")
    os.symlink(run.path.resolve(), "DIR")
    done = command("generate", "--run", "DIR", "--n", "50", "--save-z0", "--out", "samples.npz")
    assert done.returncode == 0, done.stderr
    (block,) = [block for block in blocks(document) if "samples.npz" in block]
    # The page has the steps of the default.
    exec(block.replace("steps, dim, scale = 20,", f"steps, dim, scale = {SMALL['sampling']['steps']},"), {})
    assert float(capsys.readouterr().out) < 1e-4


@pytest.fixture
def sampler(run):
    """A sampler in both formats, in this folder."""
    pytest.importorskip("onnx", reason="onnx is not installed")
    for name in ("sampler.pt", "sampler.onnx"):
        run.export(name, sampler=True)


def test_a_program_in_python_evaluates_exported_files(sampler, capsys):
    pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    names = {}
    (block,) = [block for block in blocks("docs/export.md") if "torch.jit.load" in block]
    exec(block, names)
    assert "'name': 'z0'" in capsys.readouterr().out
    assert names["samples"].shape == (5, 2)


@pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")
@pytest.mark.skipif("LIBTORCH" not in os.environ, reason="LIBTORCH names no LibTorch with headers")
def test_a_program_in_cpp_evaluates_an_exported_file(run):
    run.export("sampler.pt", sampler=True)
    (program,) = blocks("docs/export.md", "cpp")
    Path("sample.cpp").write_text(program)
    (compile_it,) = re.findall(r"`(g\+\+ [^`]*)`", (DOCUMENTS / "docs/export.md").read_text())
    subprocess.run(compile_it, shell=True, check=True)
    done = subprocess.run("./a.out", capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[ CPUFloatType{5,2} ]"), done.stdout
    assert len(re.findall(r"^ *-?\d+\.\d+ +-?\d+\.\d+$", done.stdout, re.M)) == 5, done.stdout
