"""Samples from other beginnings than noise, missing cells and metrics, beside those of the command."""

import inspect
import json

import numpy as np
import pandas as pd
import pytest
from conftest import SMALL, command, moons

import triflow


def commanded(run, name, *words, out=None):
    """The arrays that the command writes."""
    done = command(name, "--run", run.path, *words, "--out", out)
    assert done.returncode == 0, done.stderr
    return np.load(out)


def same(ours, theirs):
    assert sorted(ours) == sorted(theirs.files)
    for name in theirs.files:
        assert np.array_equal(ours[name], theirs[name], equal_nan=ours[name].dtype.kind == "f"), name


@pytest.fixture
def rows(tmp_path):
    """Three rows with their labels, in memory and in a file."""
    x, y = moons(3, seed=3)
    np.savez(tmp_path / "rows.npz", x=x, y=y)
    return {"x": x, "y": y}, tmp_path / "rows.npz"


def test_states_along_the_paths_are_those_of_the_command(run, tmp_path):
    theirs = commanded(run, "generate", "--n", "2", "--trajectories", "--save-z0", out=tmp_path / "a.npz")
    ours = run.generate(n=2, trajectories=True, save_z0=True, progress=False)
    same(ours, theirs)
    assert ours["trajectories"].shape == (4, 5, 2) and ours["times"].tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert np.array_equal(ours["trajectories"][:, 0], ours["z0"])


def test_rows_are_edited_as_by_the_command(run, rows, tmp_path):
    arrays, file = rows
    theirs = commanded(run, "generate", "--edit", file, "--at", "0.5", "--n", "2", out=tmp_path / "a.npz")
    for given in (arrays, file):
        same(run.edit(given, 0.5, 2, details=True, progress=False), theirs)
    labelled = run.edit(arrays["x"], 0.5, labels=[1], progress=False)
    words = ["--edit", file, "--at", "0.5", "--labels", "1"]
    assert np.array_equal(labelled, commanded(run, "generate", *words, out=tmp_path / "b.npz")["samples"])


def test_rows_are_led_back_and_forth(run, rows, tmp_path):
    arrays, file = rows
    theirs = commanded(run, "generate", "--invert", file, out=tmp_path / "a.npz")
    states = run.invert(arrays, details=True, solver=None, progress=False)
    same(states, theirs)
    assert np.array_equal(run.invert(arrays, progress=False), states["z"])
    theirs = commanded(run, "generate", "--from", tmp_path / "a.npz", out=tmp_path / "b.npz")
    same(run.generate(start=states, details=True, progress=False), theirs)
    back = run.generate(labels=arrays["y"], start=states["z"], at=0.0, steps=50, progress=False)
    assert back.shape == arrays["x"].shape
    close = run.generate(start=run.invert(arrays, steps=200, details=True, progress=False), steps=200, progress=False)
    assert abs(close - arrays["x"]).max() < 1e-3


def test_rows_are_completed_as_by_the_command(tmp_path):
    x, _ = moons()
    run = triflow.train(SMALL, x=x, set={"unconditional": True}, out=tmp_path / "run", progress=False)
    partial = x[:3].copy()
    partial[:, 1] = np.nan
    np.savez(tmp_path / "partial.npz", x=partial)
    words = ["--given", tmp_path / "partial.npz", "--n", "2"]
    theirs = commanded(run, "generate", *words, out=tmp_path / "a.npz")
    ours = run.generate(given=partial, n=2, details=True, progress=False)
    same(ours, theirs)
    assert np.array_equal(ours["samples"][:, 0], np.repeat(partial[:, 0], 2))


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A run on a table that fills in cells, and its rows."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 2, 200)
    frame = pd.DataFrame({"size": rng.normal(kind, 0.2).round(3), "kind": pd.Categorical(np.array(["low", "high"])[kind])})
    config = {**SMALL, "unconditional": True}
    config["training"] = {**SMALL["training"], "mask_columns": 0.5}
    out = tmp_path_factory.mktemp("table") / "run"
    return triflow.train(config, data=frame, out=out, progress=False), frame


def test_missing_cells_are_those_of_the_command(table, tmp_path):
    run, frame = table
    holes = frame.head(6).copy()
    holes.loc[[0, 2], "size"] = np.nan
    holes.loc[1, "kind"] = None
    holes.to_csv(tmp_path / "holes.csv", index=False)
    done = command("impute", "--run", run.path, "--data", tmp_path / "holes.csv", "--out", tmp_path / "full.csv")
    assert done.returncode == 0, done.stderr
    theirs = pd.read_csv(tmp_path / "full.csv")
    for given in (holes, tmp_path / "holes.csv"):
        ours = run.impute(given, progress=False)
        assert not ours.isna().any().any()
        assert ours["kind"].tolist() == theirs["kind"].tolist()
        np.testing.assert_allclose(ours["size"], theirs["size"], rtol=1e-6)
        assert ours["kind"].dtype == frame["kind"].dtype
    spread = run.impute(holes, draws=3, progress=False)
    assert list(spread) == ["size", "kind", "size_std", "kind_others"]


def test_a_run_is_measured_as_by_the_command(run, tmp_path):
    x, y = moons(60, seed=9)
    np.savez(tmp_path / "rows.npz", x=x, y=y)
    for words, how in [
        (["--draws", "2", "--seed", "3", "--metric", "mmd2"], {"draws": 2, "seed": 3, "metrics": ["mmd2"]}),
        (["--data", tmp_path / "rows.npz", "--likelihood", "20"], {"data": {"x": x, "y": y}, "likelihood": 20}),
    ]:
        done = command("evaluate", "--run", run.path, *words)
        assert done.returncode == 0, done.stderr
        theirs, ours = json.loads(done.stdout), run.evaluate(**how)
        assert ours["w2"] == theirs["w2"]
        numbers = lambda metrics: {key: value for key, value in metrics.items() if isinstance(value, float)}
        assert numbers(ours) == numbers(theirs)
        assert ours.get("likelihood") == theirs.get("likelihood")


def test_errors_have_the_texts_of_the_command_and_name_the_argument(run, rows, tmp_path):
    arrays, file = rows
    out = tmp_path / "a.npz"
    cases = [
        (["--edit", file, "--at", "1"], lambda: run.edit(arrays, 1.0)),
        (["--invert", file, "--solver", "dpmpp"], lambda: run.invert(arrays, solver="dpmpp")),
        (["--edit", file, "--at", "0.5", "--n", "0"], lambda: run.edit(arrays, 0.5, 0)),
    ]
    for words, call in cases:
        done = command("generate", "--run", run.path, *words, "--out", out)
        with pytest.raises(triflow.ConfigError) as caught:
            call()
        assert done.stderr == f"error: {caught.value}\n"
    with pytest.raises(triflow.DataError) as caught:
        run.edit({"x": np.zeros((2, 3), "f4"), "y": [0, 1]}, 0.5)
    assert str(caught.value).startswith("rows: ") and str(caught.value.path) == "rows"
    with pytest.raises(triflow.DataError, match="^given: all entries are given"):
        run.generate(given=arrays)
    with pytest.raises(triflow.ConfigError, match="was not trained to fill in missing cells"):
        run.impute(pd.DataFrame({"a": [1.0]}))


def test_arguments_are_shown_and_others_are_refused(run):
    shown = inspect.signature(triflow.Run.generate).parameters
    assert {"solver", "steps", "seed", "labels"} <= set(shown) and "sampling" not in shown
    assert {"x", "y", "validation"} <= set(inspect.signature(triflow.train).parameters)
    with pytest.raises(TypeError, match=r"generate\(\): got an unexpected keyword argument 'stepz'"):
        run.generate(stepz=3)
