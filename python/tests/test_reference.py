"""Samples of the command beside those of the second implementation, from the same z_0."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import moons

import triflow
from triflow import reference
from triflow.reference.weights import read

OBJECTIVES = ("flow_matching", "diffusion", "ct")
#: Largest deviation, of samples of about unit size.
TOLERANCE = 1e-5

RNG = np.random.default_rng(5)
POINTS = dict(zip("xy", moons(120)))
IMAGES = {"x": RNG.normal(size=(60, 2, 8, 8)).astype("f4"), "y": RNG.integers(0, 3, 60)}
SERIES = {"x": RNG.normal(size=(60, 6, 2)).astype("f4"), "y": RNG.normal(size=(60, 6, 3)).astype("f4")}
AFTER = {**SERIES, "x": RNG.normal(size=(60, 5, 2)).astype("f4")}
SEQUENCE = {"task": {"type": "sequence", "mode": "generate"}}

#: Name: data, and settings of the network.
NETWORKS = {
    "mlp": (POINTS, {"type": "mlp", "hidden_dims": [16, 16]}),
    "mlp, gelu": (POINTS, {"type": "mlp", "hidden_dims": [16, 16], "activation": "gelu"}),
    "mlp, gelu_tanh": (POINTS, {"type": "mlp", "hidden_dims": [16, 16], "activation": "gelu_tanh"}),
    "residual_mlp": (POINTS, {"type": "residual_mlp", "width": 16, "hidden": 24, "blocks": 2}),
    "bilinear": (POINTS, {"type": "bilinear", "hidden_dims": [12, 16]}),
    "convex": (POINTS, {"type": "convex", "hidden_dims": [16, 12], "activation": "relu", "mu": 0.001}),
    "unet": (IMAGES, {"type": "unet", "channels": [8, 16], "attention": [4], "heads": 2, "features": 16}),
    "dit": (IMAGES, {"type": "dit", "width": 16, "heads": 2, "blocks": 2}),
    "temporal_conv": (SERIES, {"type": "temporal_conv", "width": 8, "blocks": 3}),
    "transformer": (SERIES, {"type": "transformer", "width": 16, "blocks": 2}),
    "temporal_conv, causal, after x": (AFTER, {"type": "temporal_conv", "width": 8, "blocks": 3, "causal": True}),
    "transformer, causal, after x": (AFTER, {"type": "transformer", "width": 16, "blocks": 2, "causal": True}),
}


def trained(folder, data, **config):
    """A run of a few steps. Then all its parameters get noise, since layers that begin at zero would
    otherwise hide what is before them."""
    own = {
        "training": {"steps": 3, "batch_size": 32, "condition_dropout": 0.1},
        "sampling": {"steps": 5},
        "threads": 1,
        "device": "cpu",
        **(SEQUENCE if data["y"].ndim == 3 else {}),
        **config,
    }
    if own.get("unconditional"):
        del own["training"]["condition_dropout"]
    run = triflow.train(own, data=data, out=folder, progress=False)
    file = run.path / "params.safetensors"
    arrays, metadata = read(file)
    rng = np.random.default_rng(1)
    noisy = {
        name: (all + (0 if name.startswith("units.") else 0.1) * rng.normal(size=all.shape)).astype(all.dtype)
        for name, all in sorted(arrays.items())
    }
    write(file, noisy, {name: text for name, text in metadata.items() if not name.startswith("xxh3")})
    return run


def write(file, arrays, metadata):
    """Writes a safetensors file."""
    header, data = {"__metadata__": metadata}, b""
    for name, all in arrays.items():
        kind = {"float32": "F32", "float64": "F64", "int64": "I64"}[all.dtype.name]
        ends = [len(data), len(data) + all.nbytes]
        header[name] = {"dtype": kind, "shape": list(all.shape), "data_offsets": ends}
        data += np.ascontiguousarray(all).tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file.write_bytes(len(text).to_bytes(8, "little") + text + data)


def drawn(run, **how):
    """Samples of a run with their z_0, conditions and states, and lengths where those are given."""
    units = json.loads(read(run.path / "params.safetensors")[1]["units"])
    shape = units["shapes"]["condition"]
    asked = {"n": 3}
    if shape is not None and not units["condition_is_label"]:
        asked = {"condition": np.random.default_rng(2).normal(size=(3, *shape)).astype("f4")}
    return run.generate(**asked, **how, trajectories=True, save_z0=True, progress=False)


def deviation(run, **how):
    """Largest deviation of the reference's samples and states, over the size of the samples."""
    theirs = drawn(run, **how)
    model = reference.load(run.path)
    given = {"labels": theirs.get("labels"), "condition": theirs.get("conditions")}
    given.update({key: how.pop(key) for key in ("lengths", "condition_lengths") if key in how})
    changed = {key: {"type": value} if isinstance(value, str) else value for key, value in how.items()}
    for key in set(changed) & {"solver", "grid"}:
        changed[key] = {"rho": 7.0, "shift": 3.0, "sigma_data": 1.0, "order": 2, **changed[key]}
    ours = model.sample(theirs["z0"], **given, **changed)
    states, _ = model.latents(theirs["z0"], **given, **changed)
    size = max(1.0, abs(theirs["samples"]).max())
    assert theirs["trajectories"].shape == states.swapaxes(0, 1).shape
    both = [(ours, theirs["samples"]), (states.swapaxes(0, 1), theirs["trajectories"])]
    return max(abs(a - b).max() / max(size, abs(b).max()) for a, b in both)


def near(run, **how):
    off = deviation(run, **how)
    assert off < TOLERANCE


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("name", NETWORKS)
def test_networks(tmp_path, name, objective):
    data, network = NETWORKS[name]
    near(trained(tmp_path / "run", data, objective=objective, crn={"network": network}))


LENGTHS = {"lengths": np.array([6, 2, 4]), "condition_lengths": np.array([1, 5, 3])}


@pytest.mark.parametrize("name", [name for name, (data, _) in NETWORKS.items() if data["y"].ndim == 3])
def test_padded_sequences(tmp_path, name):
    data, network = NETWORKS[name]
    steps = {f"{side}_lengths": RNG.integers(1, data[side].shape[1] + 1, 60) for side in "xy"}
    run = trained(tmp_path / "run", {**data, **steps}, crn={"network": network})
    near(run, **LENGTHS)
    near(run, lengths=LENGTHS["lengths"], guidance=1.5)
    near(run, condition_lengths=LENGTHS["condition_lengths"])


def test_padded_sequences_of_vectors(tmp_path):
    near(trained(tmp_path / "run", SERIES, crn={"network": {"type": "mlp", "hidden_dims": [8]}}), **LENGTHS)


@pytest.fixture(scope="module", params=OBJECTIVES)
def plain(request, tmp_path_factory):
    """A run of each objective."""
    network = {"type": "mlp", "hidden_dims": [16, 16]}
    folder = tmp_path_factory.mktemp(request.param) / "run"
    return trained(folder, POINTS, objective=request.param, crn={"network": network})


@pytest.mark.parametrize("solver", ["euler", "midpoint", "heun", "rk4", "ddim", "dpmpp", "exponential"])
def test_solvers(plain, solver):
    near(plain, solver=solver)


@pytest.mark.parametrize("grid", ["time", "gamma", "karras", "shifted"])
def test_step_grids(plain, grid):
    near(plain, grid=grid)


def test_guidance_and_many_steps(plain):
    near(plain, guidance=2.5)
    near(plain, solver="dpmpp", steps=20)


SMALL = {"crn": {"network": {"type": "mlp", "hidden_dims": [8, 8]}}}
SCHEDULES = (
    "linear quadratic polynomial cosine exponential cauchy laplace logistic sigmoid laplace_logsnr "
    "cauchy_logsnr linear_beta karras shifted monotonic_nn"
).split()


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_noise_schedules(tmp_path, schedule):
    run = trained(tmp_path / "run", POINTS, objective="ct", noise_schedule=schedule, **SMALL)
    near(run)
    near(run, grid="time")


def test_a_learned_noise_schedule(tmp_path):
    learned = {"type": "monotonic_nn", "learnable": True}
    near(trained(tmp_path / "run", POINTS, objective="ct", noise_schedule=learned, **SMALL))


@pytest.mark.parametrize("objective", ["diffusion", "v", "score", "edm"])
@pytest.mark.parametrize(
    "path", ["rectified", "polynomial", "variance_preserving", "variance_exploding", "sub_variance_preserving"]
)
def test_paths(tmp_path, path, objective):
    # Without a weight, the loss of scores is infinite at an end of two of them.
    loss = {"use_snr_weight": True} if objective == "score" else {}
    near(trained(tmp_path / "run", POINTS, objective=objective, path=path, loss=loss, **SMALL))


@pytest.mark.parametrize(
    "crn",
    [
        {"type": "potential", "skip": True, "network": {"type": "residual_mlp", "width": 8, "hidden": 12}},
        {"type": "hamiltonian", "network": {"type": "bilinear", "hidden_dims": [8, 8]}},
        {"type": "geometric", "network": {"type": "mlp", "hidden_dims": [8, 8], "activation": "tanh"}},
        {"type": "natural", "network": {"type": "convex", "hidden_dims": [8, 8]}},
        {"type": "vanilla", "skip": False, "time_embedding": {"dim": 1}, "network": {"type": "mlp"}},
    ],
    ids=lambda crn: crn["type"],
)
def test_crns(tmp_path, crn):
    near(trained(tmp_path / "run", POINTS, crn=crn))


@pytest.mark.parametrize(
    ("data", "parts"),
    [
        (POINTS, {"latent_shape": [4], "encoder": "mlp", "decoder": "mlp"}),
        (POINTS, {"latent_shape": [4], "encoder": "resnet_normal", "decoder": "resnet"}),
        (POINTS, {"latent_shape": [4], "encoder": "linear", "decoder": {"type": "identity", "head": "linear"}}),
        (IMAGES, {"latent_shape": [4], "encoder": "conv", "decoder": {"type": "conv", "width": 8}}),
    ],
    ids=["mlp", "resnet", "identity", "conv"],
)
def test_decoders(tmp_path, data, parts):
    near(trained(tmp_path / "run", data, **parts, **SMALL))


def test_no_condition(tmp_path):
    near(trained(tmp_path / "run", POINTS, unconditional=True, **SMALL))


def test_what_it_does_not_know_is_refused(plain, run):
    model = reference.load(run.path)
    z0 = np.zeros((1, 2))
    for how, text in [
        ({"solver": {"type": "dopri5"}}, "no solver `dopri5`, only ddim, dpm_solver_pp, dpmpp, euler"),
        ({"solver": {"type": "ddim", "eta": 0.5}}, "draws no noise, and `ddim` does with eta > 0"),
        ({"grid": {"type": "own"}}, "no step grid `own`, only gamma, karras, shifted, time"),
    ]:
        with pytest.raises(reference.Unsupported, match=text):
            model.sample(z0, labels=[0], **how)


def test_it_works_on_its_own(run, tmp_path):
    """Copied to another place, without the package and without LibTorch."""
    shutil.copytree(Path(reference.__file__).parent, tmp_path / "reference")
    np.savez(tmp_path / "drawn.npz", **run.generate(n=3, save_z0=True, progress=False))
    code = f"""
import sys; sys.path.insert(0, {str(tmp_path)!r})
import numpy as np, reference
drawn = np.load({str(tmp_path / "drawn.npz")!r})
off = abs(reference.load({str(run.path)!r}).sample(drawn["z0"], labels=drawn["labels"]) - drawn["samples"]).max()
print(off < 1e-5, sorted(name for name in sys.modules if "torch" in name or "triflow" in name))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "True []\n", done.stderr
