"""Small data and short trainings for the tests."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import triflow

#: Experiment of the tests: few steps of a small network.
SMALL = {
    "training": {"epochs": 3, "batch_size": 64},
    "crn": {"network": {"hidden_dims": [16]}},
    "sampling": {"steps": 4},
    "threads": 1,
    "device": "cpu",
}


def moons(n=400, seed=0):
    """Points of two classes."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    angle = rng.uniform(0, np.pi, n)
    x = np.stack([np.cos(angle) + y, np.sin(angle) * (1 - 2 * y)], axis=1)
    return (x + rng.normal(0, 0.1, x.shape)).astype(np.float32), y


def command(*words, **options):
    """Runs the command of the package."""
    words = [Path(sys.executable).parent / "triflow", *words]
    return subprocess.run([os.fspath(word) for word in words], capture_output=True, text=True, **options)


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """A run on points and their labels."""
    x, y = moons()
    out = tmp_path_factory.mktemp("run") / "moons"
    return triflow.train(SMALL, x=x, y=y, out=out, progress=False)


@pytest.fixture(scope="session")
def regression(tmp_path_factory):
    """A run that predicts numbers."""
    x, _ = moons()
    out = tmp_path_factory.mktemp("regression") / "run"
    config = {**SMALL, "task": "regression"}
    return triflow.train(config, x=x, y=x.sum(axis=1, keepdims=True), out=out, progress=False)
