"""Comparisons."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from conftest import SMALL, command, moons

import triflow

SHORT = {**SMALL, "training": {"epochs": 1, "batch_size": 64}, "comparison": {"curve": None, "draws": 1, "points": 50}}


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    x, y = moons(200)
    out = tmp_path_factory.mktemp("compare") / "out"
    over = {"objective": ["flow_matching", "ct"]}
    return triflow.compare(SHORT, over=over, seeds=2, x=x, y=y, out=out, progress=False)


def test_a_comparison_has_a_row_for_each_cell_best_first(comparison):
    table = comparison.table()
    assert isinstance(table, pd.DataFrame)
    assert set(table["objective"]) == {"flow_matching", "ct"}
    assert list(table[comparison.metric]) == sorted(table[comparison.metric])
    assert table["verdict"][0] == "best"
    assert comparison.report.is_file()
    page = comparison._repr_html_()
    assert page.count("<svg") == 2 and "report.html" in page


def test_the_command_reports_the_same(comparison):
    done = command("compare", "--collect", comparison.path)
    assert done.returncode == 0, done.stderr
    again = triflow.Comparison(comparison.path)
    pd.testing.assert_frame_equal(again.table(), comparison.table())
    best = comparison.table().iloc[0]
    assert f"{best[comparison.metric]:.4f}" in done.stdout


def test_the_command_repeats_a_comparison(comparison, tmp_path):
    assert comparison.results["command"] == f"triflow compare --config {comparison.path}/experiment.yaml"
    done = command("compare", "--config", comparison.path / "experiment.yaml", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    mean = lambda of: list(of.table()[of.metric])
    assert mean(triflow.Comparison(tmp_path)) == mean(comparison)


def test_a_wrong_value_is_an_error_with_its_key():
    with pytest.raises(triflow.ConfigError) as caught:
        triflow.compare(SHORT, over={"objectiv": ["ct"]}, x=moons(50)[0])
    assert "objectiv" in str(caught.value)


def test_ctrl_c_stops_the_processes_of_a_comparison(tmp_path):
    code = f"""
import sys; sys.path.insert(0, {os.path.dirname(__file__)!r})
from conftest import SMALL, moons
import triflow
x, y = moons(200)
config = {{**SMALL, "training": {{"steps": 10**6, "batch_size": 64}}}}
try:
    triflow.compare(config, over={{"objective": ["ct"]}}, seeds=1, x=x, y=y, out={str(tmp_path / 'out')!r})
except triflow.Interrupted as e:
    print(e)
"""
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while not list(tmp_path.glob("out/**/config.yaml")) and time.monotonic() < until:
        time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    said, _ = child.communicate(timeout=60)
    assert f"triflow compare --resume {tmp_path / 'out'}" in said
    left = [file.read_bytes() for file in Path("/proc").glob("[0-9]*/cmdline") if file.exists()]
    assert not any(str(tmp_path / "out").encode() in words for words in left)
