"""Data frames in and out."""

import numpy as np
import pandas as pd
import pytest
from conftest import SMALL, command

import triflow


def penguins(n=300):
    """A table with columns of each type."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 3, n)
    mass = (3000 + 800 * kind + rng.normal(0, 200, n)).round().astype("int32")
    beak = pd.Series(38.0 + 4 * kind + rng.normal(0, 1, n)).round(1)
    beak[rng.random(n) < 0.1] = np.nan
    return pd.DataFrame(
        {
            "species": pd.Categorical.from_codes(kind, ["Adelie", "Gentoo", "Chinstrap"]),
            "mass": mass,
            "beak": beak,
            "tagged": rng.random(n) < 0.4,
            "seen": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), "D"),
            "island": np.array(["Biscoe", "Dream"])[rng.integers(0, 2, n)],
        }
    )


@pytest.fixture(scope="module")
def frame():
    return penguins()


@pytest.fixture(scope="module")
def run(frame, tmp_path_factory):
    out = tmp_path_factory.mktemp("table") / "run"
    return triflow.train(SMALL, data=frame, y="species", out=out, progress=False)


def test_types_of_columns_come_back(run, frame):
    drawn = run.generate(labels=["Gentoo", "Adelie"], n=40, seed=1, progress=False)
    assert list(drawn.columns) == list(frame.columns)
    assert len(drawn) == 80
    for name in frame.columns:
        assert drawn[name].dtype == frame[name].dtype, name
    assert list(drawn["species"].unique()) == ["Gentoo", "Adelie"]
    assert set(drawn["island"]) <= {"Biscoe", "Dream"}
    # Also of a run that is loaded.
    pd.testing.assert_frame_equal(drawn, triflow.load(run.path).generate(labels=["Gentoo", "Adelie"], n=40, seed=1))


def test_a_table_is_that_of_the_command(run, tmp_path):
    out = tmp_path / "samples.csv"
    done = command("generate", "--run", run.path, "--n", "20", "--seed", "3", "--out", out)
    assert done.returncode == 0, done.stderr
    theirs = pd.read_csv(out, parse_dates=["seen"])
    ours = run.generate(n=20, seed=3, progress=False)
    for name in ours.columns:
        same = ours[name].astype(theirs[name].dtype)
        pd.testing.assert_series_equal(same, theirs[name], check_exact=True)


def test_a_data_frame_is_the_file_of_the_same_rows(frame, run, tmp_path):
    frame.to_csv(tmp_path / "rows.csv", index=False)
    other = triflow.train(SMALL, data=tmp_path / "rows.csv", y="species", out=tmp_path / "run", progress=False)
    assert other.metrics["column_shapes"] == pytest.approx(run.metrics["column_shapes"], abs=0.1)
    assert other.generate(n=2, progress=False)["mass"].dtype == np.int64


def test_predictions_are_a_data_frame(frame, tmp_path):
    config = {**SMALL, "task": "regression"}
    x, y = frame[["species", "beak", "tagged"]], frame["mass"].astype(float)
    run = triflow.train(config, x=x, y=y, out=tmp_path / "run", progress=False)
    predicted = run.predict(x.head(5), samples=4, seed=1, progress=False)
    assert list(predicted.columns) == ["mass", "mass_std"] and len(predicted) == 5
    x.head(5).to_csv(tmp_path / "x.csv", index=False)
    words = ["--samples", "4", "--seed", "1", "--out", tmp_path / "predicted.csv"]
    done = command("predict", "--run", run.path, "--data", tmp_path / "x.csv", *words)
    assert done.returncode == 0, done.stderr
    theirs = pd.read_csv(tmp_path / "predicted.csv")
    pd.testing.assert_frame_equal(predicted, theirs, rtol=1e-12)


def test_missing_cells_and_times_survive(tmp_path):
    n = 200
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "count": pd.array(rng.integers(0, 5, n), dtype="Int64"),
            "flag": pd.array(rng.random(n) < 0.5, dtype="boolean"),
            "at": pd.Timestamp("2021-05-01 10:00", tz="Europe/Berlin") + pd.to_timedelta(rng.integers(0, 10**6, n), "s"),
        }
    )
    gaps = rng.random(n) < 0.3
    frame.loc[gaps, "count"] = pd.NA
    frame.loc[~gaps, "flag"] = pd.NA
    run = triflow.train(SMALL, data=frame, set={"unconditional": True}, out=tmp_path / "run", progress=False)
    drawn = run.generate(n=50, seed=1, progress=False)
    assert list(drawn.dtypes) == list(frame.dtypes)


def test_flags_are_labels(frame, tmp_path):
    run = triflow.train(SMALL, data=frame, y="tagged", out=tmp_path / "table", progress=False)
    assert list(run.generate(labels=[True, False], n=1, progress=False)["tagged"]) == [True, False]
    arrays = {"x": frame[["mass"]].to_numpy(float), "y": frame["tagged"].to_numpy()}
    run = triflow.train(SMALL, **arrays, out=tmp_path / "arrays", progress=False)
    drawn = run.generate(labels=[True, False], n=1, details=True, progress=False)
    assert list(drawn["labels"]) == [1, 0]


def test_a_column_of_another_type_is_refused(frame):
    wrong = frame.assign(span=pd.to_timedelta(range(len(frame)), "s"))
    with pytest.raises(TypeError, match="column 'span' holds timedelta64"):
        triflow.train(SMALL, data=wrong)
    twice = pd.concat([frame["mass"], frame["mass"]], axis=1)
    with pytest.raises(ValueError, match="two columns are called 'mass'"):
        triflow.train(SMALL, data=twice)
