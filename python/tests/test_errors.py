"""Errors have the texts of the command."""

import numpy as np
import pytest
from conftest import SMALL, command, moons

import triflow


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("objective: diffuson\n", "objective"),
        ("training:\n  epochs: -1\n", "training.epochs"),
        ("training:\n  epoch: 1\n", "training.epoch"),
        ("crn: { network: { type: mlp, hidden_dims: [0] } }\n", "crn.network.hidden_dims[0]"),
    ],
)
def test_a_wrong_key_has_the_text_of_the_command(tmp_path, text, key):
    file = tmp_path / "own.yaml"
    file.write_text(text)
    done = command("run", file)
    assert done.returncode == 2
    with pytest.raises(triflow.ConfigError) as caught:
        triflow.train(file)
    error = caught.value
    assert done.stderr == f"error: {error}\n"
    assert error.key == key
    assert f"{file}:" in error.place
    assert error.help is None or f"help: {error.help}" in str(error)
    assert str(error).startswith(error.message)


def test_a_wrong_key_of_a_dict_is_named():
    with pytest.raises(triflow.ConfigError) as caught:
        triflow.train({"objective": "diffuson"})
    assert caught.value.key == "objective"
    assert caught.value.help.startswith("did you mean `diffusion`?")
    assert isinstance(caught.value, triflow.Error) and isinstance(caught.value, ValueError)


def test_requests_have_the_errors_of_the_command(run, regression, tmp_path):
    out = tmp_path / "a.npz"
    cases = [
        (run, ["generate", "--labels", "9"], lambda: run.generate(labels=[9])),
        (run, ["generate", "--solver", "heum"], lambda: run.generate(solver="heum")),
        (run, ["generate", "--n", "0"], lambda: run.generate(n=0)),
        (run, ["generate", "--set", "training.epochs=1"], lambda: run.generate(set={"training.epochs": 1})),
        (regression, ["generate", "--labels", "0"], lambda: regression.generate(labels=[0])),
    ]
    for of, (name, *words), call in cases:
        done = command(name, "--run", of.path, *words, "--out", out)
        with pytest.raises(triflow.ConfigError) as caught:
            call()
        assert done.stderr == f"error: {caught.value}\n"


def test_a_run_that_generates_does_not_predict(run):
    with pytest.raises(triflow.ConfigError, match="this run generates, it does not predict"):
        run.predict(np.zeros((1, 2), np.float32))


def test_rows_of_another_shape_are_refused_by_their_argument(regression):
    with pytest.raises(triflow.DataError, match=r"^x: rows have shape \[3\], but this run was trained on rows of shape \[2\]"):
        regression.predict(np.zeros((4, 3), np.float32))


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(triflow.ConfigError, match="is not a run folder: it has no config.yaml"):
        triflow.load(tmp_path)


def test_a_missing_data_file_is_a_data_error(tmp_path):
    with pytest.raises(triflow.DataError) as caught:
        triflow.train(SMALL, data=tmp_path / "none.csv")
    assert caught.value.path == tmp_path / "none.csv"


def test_warnings_reach_the_logger(run, caplog):
    run.generate(n=1, solver="dopri5", steps=9, progress=False)
    assert [record.name for record in caplog.records] == ["triflow"]
    assert "steps" in caplog.text


def test_arrays_of_objects_and_other_types_are_refused():
    x, _ = moons(20)
    with pytest.raises(TypeError, match="complex128"):
        triflow.train(SMALL, x=x.astype(complex))
    with pytest.raises(TypeError, match="neither|none of numbers or texts"):
        triflow.train(SMALL, x=np.array([object()] * 3))
    with pytest.raises(TypeError, match="config is a dict, YAML text or a path"):
        triflow.train(3)
