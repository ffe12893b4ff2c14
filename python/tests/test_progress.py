"""Progress on a stream and in a notebook."""

import sys
import types

import pytest
from conftest import SMALL, moons

import triflow


def train(tmp_path):
    x, y = moons(200)
    return triflow.train(SMALL, x=x, y=y, out=tmp_path / "run")


def test_a_stream_gets_lines(tmp_path, capsys):
    train(tmp_path)
    said = capsys.readouterr().err.splitlines()
    assert said[0] == f"flow_matching gen, into {tmp_path / 'run'}"
    assert said[1].startswith("9/9 steps  epoch 3/3  loss ")
    assert said[2] == "measuring and drawing"


def test_progress_can_be_silent(tmp_path, capsys):
    x, y = moons(200)
    triflow.train(SMALL, x=x, y=y, out=tmp_path / "run", progress=False).generate(n=1, progress=False)
    said = capsys.readouterr()
    assert said.out + said.err == ""


def test_a_notebook_gets_one_bar_that_is_updated(tmp_path, monkeypatch, capsys):
    shown = []

    class Handle:
        def update(self, html):
            shown[-1] = html

    def display(html, display_id):
        shown.append(html)
        return Handle()

    shell = types.SimpleNamespace(kernel=object())
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: shell
    ipython.display = types.ModuleType("IPython.display")
    ipython.display.HTML, ipython.display.display = str, display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", ipython.display)
    train(tmp_path)
    assert len(shown) == 1 and "epoch 3/3  loss" in shown[0]
    assert capsys.readouterr().err == ""


def test_an_exception_of_the_progress_ends_the_training(tmp_path, monkeypatch):
    def fail(self, step, last):
        raise RuntimeError("no paper")

    monkeypatch.setattr("triflow._progress.Progress.step", fail)
    with pytest.raises(RuntimeError, match="no paper"):
        train(tmp_path)
