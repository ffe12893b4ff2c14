"""The notebooks of examples/notebooks in a real kernel of Jupyter, and Ctrl-C in one."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed: no notebook is run")
nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed: no notebook is run")
pytest.importorskip("ipykernel", reason="ipykernel is not installed: no notebook is run")

FOLDER = Path(os.environ.get("TRIFLOW_NOTEBOOKS", Path(__file__).parents[2] / "examples/notebooks"))


@pytest.mark.parametrize("name", ["two_moons", "tables"])
def test_a_notebook_runs_to_its_end(name, tmp_path):
    book = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    nbclient.NotebookClient(book, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    pages = [
        output["data"]["text/html"]
        for cell in book.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "text/html" in output.get("data", {})
    ]
    assert any("data:image/png;base64," in page for page in pages), "no run was shown"
    assert any("epoch" in page and "loss" in page for page in pages), "no bar of the training was shown"
    outputs = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]


def test_an_interrupted_cell_keeps_a_checkpoint_and_the_kernel(tmp_path):
    cells = [
        "import numpy as np, triflow\nx = np.random.default_rng(0).normal(size=(200, 2))",
        "triflow.train({'unconditional': True, 'threads': 1, 'training': {'steps': 10**7}}, x=x, out='run')",
        "print(triflow.load('run').path)",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    client = nbclient.NotebookClient(book, timeout=300, allow_errors=True, resources={"metadata": {"path": str(tmp_path)}})
    with client.setup_kernel():
        client.execute_cell(book.cells[0], 0)

        def interrupt():
            until = time.monotonic() + 120
            while not (tmp_path / "run/config.yaml").exists() and time.monotonic() < until:
                time.sleep(0.1)
            time.sleep(2)
            os.kill(client.km.provisioner.pid, signal.SIGINT)

        threading.Thread(target=interrupt).start()
        client.execute_cell(book.cells[1], 1)
        client.execute_cell(book.cells[2], 2)
    (error,) = [output for output in book.cells[1].outputs if output.output_type == "error"]
    assert error.ename == "Interrupted"
    assert f"triflow resume --run {tmp_path}/run" in error.evalue
    assert list((tmp_path / "run/checkpoints").glob("step_*.safetensors"))
    assert book.cells[2].outputs[0].text == "run\n"
