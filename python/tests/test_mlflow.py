"""The tracker `mlflow` beside a real MLflow server, where that is installed."""

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import triflow
from conftest import SMALL, moons

mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "files"),
    ]
    log = (folder / "log.txt").open("w")
    process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
    base = f"http://127.0.0.1:{port}"
    for _ in range(240):
        try:
            urllib.request.urlopen(f"{base}/health", timeout=5)
            break
        except (urllib.error.URLError, OSError):
            assert process.poll() is None, (folder / "log.txt").read_text()
            time.sleep(0.5)
    yield base
    process.terminate()
    process.wait(timeout=60)


def test_a_run_is_on_the_server(server, tmp_path):
    x, y = moons()
    tracking = [{"type": "mlflow", "uri": server, "experiment": "moons"}]
    run = triflow.train({**SMALL, "tracking": tracking}, x=x, y=y, out=tmp_path / "run", progress=False)
    client = mlflow.MlflowClient(server)
    (experiment,) = [e for e in client.search_experiments() if e.name == "moons"]
    (remote,) = client.search_runs([experiment.experiment_id])
    assert remote.info.status == "FINISHED"
    assert remote.data.params["training.epochs"] == "3"
    history = client.get_metric_history(remote.info.run_id, "total/train")
    assert [m.step for m in sorted(history, key=lambda m: m.step)] == [1, 2, 3]
    assert any("w2" in name for name in remote.data.metrics)
    files = {file.path for file in client.list_artifacts(remote.info.run_id)}
    assert "loss_trends.png" in files
    copy = client.download_artifacts(remote.info.run_id, "loss_trends.png", str(tmp_path))
    assert Path(copy).read_bytes() == (Path(run.path) / "loss_trends.png").read_bytes()
