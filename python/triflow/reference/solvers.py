"""Grids of steps, and solvers that draw no noise.

A field has ``derivative(z, s)``, dz/ds at clock s, ``data(z, s)``, the predicted data, and
``level(s)``, the numbers (a, b) of the path.
"""

import math

import numpy as np

from .weights import Unsupported, known


def shift(t, factor):
    n = 1 - t
    return 1 - factor * n / (1 + (factor - 1) * n)


def equal(start, end, steps):
    return [start + (end - start) * i / steps for i in range(steps + 1)]


def karras(start, end, steps, config):
    """Equal steps of σ^(1/ρ), σ = e^(−γ/2)."""
    power = 2 * config["rho"]
    return [-power * math.log(root) for root in equal(math.exp(-start / power), math.exp(-end / power), steps)]


def shifted(start, end, steps, config):
    """Equal steps before the noise share n = 1 − t is shifted to s·n/(1 + (s − 1)·n)."""
    ends = (shift(t, 1 / config["shift"]) for t in (start, end))
    return [shift(t, config["shift"]) for t in equal(*ends, steps)]


#: Clock of a grid, and its nodes.
GRIDS = {
    "time": ("time", lambda start, end, steps, config: equal(start, end, steps)),
    "gamma": ("gamma", lambda start, end, steps, config: equal(start, end, steps)),
    "karras": ("gamma", karras),
    "shifted": ("time", shifted),
}

#: Rows of the stages and weights of Runge-Kutta methods.
TABLEAUS = {
    "euler": ([[]], [1]),
    "midpoint": ([[], [1 / 2]], [0, 1]),
    "heun": ([[], [1]], [1 / 2, 1 / 2]),
    "rk4": ([[], [1 / 2], [0, 1 / 2], [0, 0, 1]], [1 / 6, 1 / 3, 1 / 3, 1 / 6]),
}


def combined(weights, slopes):
    return sum(w * k for w, k in zip(weights, slopes) if w)


def runge_kutta(tableau):
    rows, weights = tableau

    def integrate(field, z, nodes, config):
        for s, end in zip(nodes, nodes[1:]):
            h, slopes = end - s, []
            for row in rows:
                slopes.append(field.derivative(z + h * combined(row, slopes), s + h * sum(row)))
            z = z + h * combined(weights, slopes)
            yield z

    return integrate


def half_log_snr(level):
    a, b = level
    return -math.inf if a == 0 else math.inf if b == 0 else math.log(a / b)


def held(z, data, here, there):
    """The step with the predicted data, and so the noise, held constant."""
    ratio = there[1] / here[1]
    return ratio * z + (there[0] - here[0] * ratio) * data


def ddim(field, z, nodes, config):
    for s, end in zip(nodes, nodes[1:]):
        z = held(z, field.data(z, s), field.level(s), field.level(end))
        yield z


def dpmpp(field, z, nodes, config):
    """DPM-Solver++(2M): data from the line through the last two predictions."""
    steps, before = len(nodes) - 1, None
    for i, (s, end) in enumerate(zip(nodes, nodes[1:])):
        here, there = field.level(s), field.level(end)
        data, length = field.data(z, s), half_log_snr(there) - half_log_snr(here)
        first = before is None or math.isinf(length) or (i + 1 == steps and steps < 15)
        line = data if first else data + length / (2 * before[1]) * (data - before[0])
        z, before = held(z, line, here, there), (data, length)
        yield z


def exponential(field, z, nodes, config):
    """Exact for data N(0, σ²): z/√V moves along θ = arctan(a·σ/b) with a slope F, V = a²σ² + b²."""
    sigma, before = config["sigma_data"], None
    for s, end in zip(nodes, nodes[1:]):
        (a, b), (a_end, b_end) = field.level(s), field.level(end)
        root, root_end = math.hypot(a * sigma, b), math.hypot(a_end * sigma, b_end)
        angle = math.atan2(a_end * sigma, b_end) - math.atan2(a * sigma, b)
        slope = (field.data(z, s) * root - z * (a * sigma**2 / root)) / (b * sigma)
        line = slope
        if before is not None and config["order"] == 2:
            line = slope + angle / (2 * before[1]) * (slope - before[0])
        z, before = root_end * (z / root + angle * line), (slope, angle)
        yield z


SOLVERS = {
    **{name: runge_kutta(tableau) for name, tableau in TABLEAUS.items()},
    "ddim": ddim,
    "dpmpp": dpmpp,
    "dpm_solver_pp": dpmpp,
    "exponential": exponential,
}


def solver(config):
    """The solver of a configuration: a function that yields the state after each step."""
    if config.get("eta"):
        raise Unsupported(f"the reference draws no noise, and `{config['type']}` does with eta > 0")
    return known("solver", config["type"], SOLVERS)


def states(field, z, nodes, config):
    """All states, [steps + 1, n, …]: z itself, and that after each step."""
    return np.stack([z, *solver(config)(field, z, nodes, config)])
