"""Files in ONNX and TorchScript beside the run that they are of."""

import json
import subprocess
import sys

import numpy as np
import pytest
from conftest import SMALL
from test_reference import NETWORKS, POINTS, drawn, trained

import triflow

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("torch", reason="torch is not installed")

#: Largest deviation, of values of about unit size.
TOLERANCE = 1e-4


def session(file):
    return runtime.InferenceSession(str(file), providers=["CPUExecutionProvider"])


def given(run, drawn):
    """Inputs of a sampler, from the arrays of samples."""
    inputs = {"z0": drawn["z0"]}
    if "labels" in drawn:
        inputs["label"] = np.asarray(drawn["labels"]).astype("i8")
    if "conditions" in drawn:
        inputs["condition"] = drawn["conditions"]
    return inputs


@pytest.mark.parametrize("name", NETWORKS)
def test_a_sampler_in_onnx_gives_the_samples_of_every_network(tmp_path, name):
    data, network = NETWORKS[name]
    run = trained(tmp_path / "run", data, crn={"network": network})
    theirs = drawn(run, solver="heun", steps=4, guidance=1.5)
    file = run.export(tmp_path / "sampler.onnx", sampler=True, solver="heun", steps=4, guidance=1.5)
    assert file == tmp_path / "sampler.onnx"
    inputs, own = given(run, theirs), session(file)
    for argument in own.get_inputs():
        # Sequences of full length.
        if argument.name not in inputs:
            steps = data["x" if argument.name == "condition_length" else "y"].shape[1]
            inputs[argument.name] = np.full(len(theirs["z0"]), steps)
    (samples,) = own.run(None, inputs)
    size = max(1.0, abs(theirs["samples"]).max())
    off = abs(samples - theirs["samples"]).max() / size
    print(f"{name}: {off:.1e}, {file.stat().st_size} bytes")
    assert off < TOLERANCE


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_in_onnx_is_the_one_in_torchscript_for_any_number_of_rows(tmp_path, name):
    data, network = NETWORKS[name]
    run = trained(tmp_path / "run", data, crn={"network": network})
    own = session(run.export(tmp_path / "network.onnx"))
    run.export(tmp_path / "network.pt")
    rng = np.random.default_rng(3)
    inputs = {}
    for argument in own.get_inputs():
        shape = [7, *argument.shape[1:]]
        values = {
            "t": rng.uniform(size=7),
            "label": rng.integers(0, 2, 7),
            "present": rng.integers(0, 2, 7),
            "length": rng.integers(1, 6, 7),
            "condition_length": rng.integers(1, 5, 7),
        }.get(argument.name, rng.normal(size=shape))
        inputs[argument.name] = values.astype("i8" if "int64" in argument.type else "f4")
    (found,) = own.run(None, inputs)
    np.savez(tmp_path / "inputs.npz", **inputs)
    # In a process of its own, which holds the LibTorch of the package torch.
    program = (
        "import numpy, sys, torch; inputs = numpy.load(sys.argv[2])\n"
        "model = torch.jit.load(sys.argv[1])\n"
        "with torch.no_grad(): found = model(*[torch.from_numpy(inputs[name]) for name in inputs.files])\n"
        "numpy.save(sys.argv[3], found.numpy())"
    )
    files = [str(tmp_path / file) for file in ("network.pt", "inputs.npz", "found.npy")]
    subprocess.run([sys.executable, "-c", program, *files], check=True)
    expected = np.load(tmp_path / "found.npy")
    off = abs(found - expected).max() / max(1.0, abs(expected).max())
    print(f"{name}: {off:.1e}")
    assert off < TOLERANCE


def test_a_file_describes_itself(run, tmp_path):
    file = run.export(tmp_path / "sampler.onnx", sampler=True, solver="euler", steps=3)
    (own,) = onnx.load(file).metadata_props
    assert own.key == "triflow.json"
    about = json.loads(own.value)
    assert about["computes"] == "sampler" and about["triflow"] == triflow.__version__
    assert [one["name"] for one in about["inputs"]] == ["z0", "label"]
    assert about["config"]["sampling"]["steps"] == 3
    assert not list(tmp_path.glob(".*"))


def test_what_cannot_be_written_is_an_error_and_leaves_the_file_as_it_was(run, tmp_path):
    file = tmp_path / "model.onnx"
    file.write_text("old")
    with pytest.raises(triflow.ConfigError, match="must end in .pt"):
        run.export(tmp_path / "model.txt")
    with pytest.raises(triflow.ConfigError, match="`dopri5` chooses its steps"):
        run.export(file, sampler=True, solver="dopri5")
    with pytest.raises(triflow.ConfigError, match="the file holds the network alone"):
        run.export(file, solver="heun")
    potential = {"type": "potential", "network": {"type": "mlp", "hidden_dims": [8]}}
    gradient = trained(tmp_path / "gradient", POINTS, crn=potential)
    with pytest.raises(triflow.ConfigError, match="its output is a derivative"):
        gradient.export(file)
    assert file.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["gradient", "model.onnx"]


def test_a_sampler_of_a_table_gives_its_rows(tmp_path):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    torch = pytest.importorskip("torch", reason="torch is not installed")
    rng = np.random.default_rng(7)
    frame = pandas.DataFrame({
        "income": np.exp(rng.normal(size=200)),
        "kind": rng.choice(["old", "new", "none"], 200),
        "count": rng.integers(0, 9, 200),
    })
    frame.loc[::7, "income"] = np.nan
    columns = {"columns": {"income": {"scaling": "quantile"}}}
    config = {**SMALL, "unconditional": True, "data": columns}
    run = triflow.train(config, data=frame, out=tmp_path / "run", progress=False)
    theirs = run.generate(n=50, save_z0=True, details=True, progress=False)
    run.export(tmp_path / "sampler.pt", sampler=True)
    with torch.no_grad():
        rows = torch.jit.load(tmp_path / "sampler.pt")(torch.from_numpy(theirs["z0"])).numpy()
    np.testing.assert_allclose(rows, theirs["samples"], rtol=1e-4, atol=1e-4)
    # ONNX has no normal distribution function.
    with pytest.raises(triflow.Error, match="an operation that ONNX lacks: .*ndtr"):
        run.export(tmp_path / "sampler.onnx", sampler=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run", "sampler.pt"]
