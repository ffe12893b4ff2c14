"""`triflow serve` of the wheel: samples and predictions over HTTP, and Schemathesis against it."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest


@contextmanager
def served(run, *words):
    """The address of a server of a run."""
    command = [Path(sys.executable).parent / "triflow", "serve", "--run", run.path, "--port", "0", *words]
    server = subprocess.Popen([os.fspath(word) for word in command], stdout=subprocess.PIPE, text=True)
    try:
        yield server.stdout.readline().split()[-1]
        assert server.poll() is None, "the server has ended"
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=60) == 0


def ask(base, path, body, **headers):
    kinds = {"Content-Type": "application/json", **headers}
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{base}/{path}", body, kinds), timeout=60) as reply:
        return reply.read()


def test_rows_over_http_are_those_of_the_module(run, regression):
    with served(run) as base:
        reply = json.loads(ask(base, "generate", {"labels": [0, 1], "n": 5, "seed": 3}))
        own = run.generate(labels=[0, 1], n=5, seed=3)
        np.testing.assert_allclose(np.array(reply["samples"]), own, rtol=1e-5)
    x = np.random.default_rng(0).normal(size=(20, 2)).astype("float32")
    with served(regression) as base:
        own = regression.predict(x)
        reply = json.loads(ask(base, "predict", {"x": x.tolist()}))
        np.testing.assert_allclose(np.array(reply["predictions"]), own, rtol=1e-5, atol=1e-5)
        body = io.BytesIO()
        np.savez(body, x=x)
        kind = "application/x-npz"
        reply = ask(base, "predict", body.getvalue(), **{"Content-Type": kind, "Accept": kind})
        np.testing.assert_allclose(np.load(io.BytesIO(reply))["predictions"], own, rtol=1e-5, atol=1e-5)
        with pytest.raises(urllib.error.HTTPError) as refused:
            ask(base, "predict", {"x": [[1.0]]})
        assert refused.value.code == 400


@pytest.mark.skipif(
    shutil.which("schemathesis", path=Path(sys.executable).parent) is None, reason="schemathesis is not installed"
)
@pytest.mark.parametrize("kind", ["run", "regression"])
def test_what_the_description_says_is_so(kind, request):
    with served(request.getfixturevalue(kind), "--max-rows", "500") as base:
        command = [
            Path(sys.executable).parent / "schemathesis", "run", f"{base}/openapi.json",
            "--max-examples", os.environ.get("TRIFLOW_SCHEMATHESIS", "30"), "--seed", "1",
            "--checks", "all", "--exclude-checks", "positive_data_acceptance", "--workers", "2",
        ]
        done = subprocess.run([os.fspath(word) for word in command], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
