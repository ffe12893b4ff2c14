"""Conditional residual networks: what is made of the output of a network.

Derivatives are exact: V(z + i·h·e) = V(z) + i·h·∂V/∂e for a tiny h. Second derivatives are central
differences of these, with an error of some 1e-9.
"""

import math

import numpy as np

from . import images, sequences, vectors
from .weights import known

NETWORKS = {**vectors.NETWORKS, **images.NETWORKS, **sequences.NETWORKS}
TINY, SMALL = 1e-30, 1e-5


def time_features(config, t):
    """sin(S·w_i·t), then cos(S·w_i·t), with w_i = 10000^(−i/(n/2 − 1)); t itself for n = 1."""
    n = config["dim"]
    if n == 1:
        return np.full((1, 1), t)
    angle = config["scale"] * 1e4 ** (-np.arange(n // 2) / (n // 2 - 1)) * t
    return np.concatenate([np.sin(angle), np.cos(angle)])[None]


class Field:
    """The function f(z, t, condition) of a model."""

    def __init__(self, p, config):
        self.p, self.config = p, config
        self.of = known("CRN", config["type"], CRNS)
        self.network = known("network", config["network"]["type"], NETWORKS)

    def __call__(self, z, t, condition, masks=(None, None)):
        """The output for z [n, …] at a time; ``condition`` is [n, …], or None where it is absent.
        ``masks`` are those of z and the condition where they are padded sequences."""
        self.masks = masks
        time = time_features(self.config["time_embedding"], t)
        rows = np.repeat(time, len(z), axis=0)
        output = self.of(self, z, rows, condition)
        if self.config["skip"]:
            output = output + self.p.linear("skip", time)[0, 0] / math.sqrt(time.shape[1]) * z
        return sequences.keep(output, masks[0])

    def net(self, z, time, condition):
        known = {"masks": self.masks} if self.network in sequences.NETWORKS.values() else {}
        return self.network(self.p.below("network"), self.config["network"], z, time, condition, **known)

    def potential(self, z, time, condition):
        """The scalar V [n, 1] at z [n, d]: the network, plus m·z with m linear in time and condition."""
        value = self.net(z, time, condition)
        if "tilt.weight" not in self.p:
            return value
        wide = self.p["tilt.weight"].shape[1] - time.shape[1]
        given = np.zeros((len(z), wide)) if condition is None else condition.reshape(len(z), -1)
        m = self.p.linear("tilt", np.hstack([time, given])) / math.sqrt(time.shape[1])
        return value + (m * z).sum(1, keepdims=True)

    def gradient(self, z, time, condition):
        """∇V, [n, d]."""
        steps = 1j * TINY * np.eye(z.shape[1])
        return np.hstack([self.potential(z + step, time, condition).imag / TINY for step in steps])

    def hessian_product(self, z, time, condition, direction):
        """Hess V·direction, [n, d]."""
        ends = (self.gradient(z + sign * SMALL * direction, time, condition) for sign in (1, -1))
        return (next(ends) - next(ends)) / (2 * SMALL)


def vanilla(field, z, time, condition):
    return field.net(z, time, condition)


def potential(field, z, time, condition):
    return field.config["sign"] * field.gradient(z, time, condition)


def hamiltonian(field, z, time, condition):
    dq, dp = np.split(field.gradient(z, time, condition), 2, axis=1)
    return np.hstack([dp, -dq])


def geometric(field, z, time, condition):
    direction = field.p["direction.bias"] + np.zeros_like(z)
    if condition is not None:
        x = condition.reshape(len(z), -1)
        direction = direction + (x @ field.p["direction.weight"].T if "direction.weight" in field.p else x)
    return field.hessian_product(z, time, condition, direction)


def natural(field, z, time, condition):
    columns = [field.hessian_product(z, time, condition, axis) for axis in np.eye(z.shape[1])]
    hessian = np.stack(columns, axis=2) + field.config["delta"] * np.eye(z.shape[1])
    return -np.linalg.solve(hessian, field.gradient(z, time, condition)[:, :, None])[:, :, 0]


def over_vectors(crn):
    """The CRN over the flattened z."""

    def of(field, z, time, condition):
        return crn(field, z.reshape(len(z), -1), time, condition).reshape(z.shape)

    return of


CRNS = {
    "vanilla": vanilla,
    "potential": over_vectors(potential),
    "hamiltonian": over_vectors(hamiltonian),
    "geometric": over_vectors(geometric),
    "natural": over_vectors(natural),
}
