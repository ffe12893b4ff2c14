"""A problem as both peers read it, and the tables of numbers that its networks need."""

import types

import numpy as np
import yaml
from safetensors.numpy import load_file

STEPS, RATE = 20, 1e-3


def read(config, file):
    """The problem of a YAML file beside, with the parameters and inputs that worker.rs wrote."""
    config, arrays = yaml.safe_load(open(config)), load_file(file)
    bench, prefix = config["bench"], "crn.network."
    features = bench["features"]
    return types.SimpleNamespace(
        net=types.SimpleNamespace(**config["crn"]["network"]),
        parameters={k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)},
        inputs=[arrays[k] for k in ("z0", "z1", "y", "t")],
        shape=features if isinstance(features, list) else [features],
        frequencies=frequencies(**config["crn"]["time_embedding"]),
        rows=bench.get("rows", 8192),
        batch=config["training"]["batch_size"],
        points=bench["points"],
        steps=bench["steps"],
    )


def frequencies(dim, scale):
    """Of the sines and cosines of time [dim / 2]."""
    half = dim // 2
    return (scale * 1e4 ** (-np.arange(half) / (half - 1))).astype(np.float32)


def groups(channels):
    """Number of groups that a U-Net normalises its channels in."""
    return next(g for g in range(max(1, min(32, channels // 4)), 0, -1) if channels % g == 0)


def positions(rows, columns, width):
    """Sinusoidal positions of the patches of an image [rows * columns, width]."""
    w = 1e4 ** (-np.arange(width // 4) / (width // 4))
    row, column = (at.reshape(-1, 1) * w for at in np.indices((rows, columns)))
    return np.concatenate([np.sin(row), np.cos(row), np.sin(column), np.cos(column)], 1).astype(np.float32)


def turns(length, width, heads):
    """Cosines and sines by which a transformer turns queries and keys [length, width / heads / 2]."""
    half = width // heads // 2
    angle = np.arange(length)[:, None] * 1e-4 ** (np.arange(half) / half)
    return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
