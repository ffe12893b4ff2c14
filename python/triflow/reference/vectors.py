"""Networks over vectors. Each takes its parameters, its settings and the inputs: z [n, d], the
features of time [n, k], and the condition [n, c], or None where it is absent or there is none."""

import numpy as np

from .activations import activate, mlp, softplus


def flat(x):
    return None if x is None else x.reshape(len(x), -1)


def features(p, condition, activation, n):
    """Features of the condition by layers of their own, zeros where it is absent, as a list: empty
    for a network without a condition."""
    count = p.below("condition").count("layer")
    if count == 0:
        return []
    if condition is None:
        return [np.zeros((n, len(p[f"condition.layer_{count - 1}.bias"])))]
    return [mlp(p.below("condition"), condition, activation)]


def trunk(p, config, z, time, condition):
    """z, time and features of the condition, joined by a linear layer, and further layers."""
    act = config["activation"]
    inputs = np.hstack([z, time, *features(p, condition, act, len(z))])
    return mlp(p.below("body"), activate(act, p.linear("join", inputs)), act)


def perceptron(p, config, z, time, condition):
    return p.linear("out", trunk(p, config, z, time, condition))


def residual(p, config, z, time, condition):
    """Blocks h + W₂·act(W₁·h) over a sum of linear maps."""
    h = p.linear("z", z) + p.linear("time", time)
    if condition is not None:
        h = h + p.linear("condition", condition)
    for i in range(config["blocks"]):
        h = h + p.linear(f"block_{i}_out", activate(config["activation"], p.linear(f"block_{i}_in", h)))
    return p.linear("out", h)


def bilinear(p, config, z, time, condition):
    """W·act((U z + p)·(V c + q))."""
    c = trunk(p, config, z, time, condition)
    return p.linear("out", activate(config["activation"], p.linear("z", z) * p.linear("factor", c)))


def convex(p, config, z, time, condition):
    """h₁ = act(A₀z + B₀c), hₗ₊₁ = act(softplus(Wₗ)·hₗ + Aₗz + Bₗc),
    V = softplus(w)·h_L + q·z + μ/2·|z|²."""
    inputs = np.hstack([time, *features(p, condition, "swish", len(z))])
    c = mlp(p.below("body"), activate("swish", p.linear("join", inputs)), "swish")
    above = 0
    for i in range(len(config["hidden_dims"])):
        h = activate(config["activation"], p.linear(f"z_{i}", z) + p.linear(f"context_{i}", c) + above)
        above = h @ softplus(p[f"raised_{i}.weight"]).T
    line = p.linear("line", z) if "line.weight" in p else 0
    return above + line + config["mu"] / 2 * (z * z).sum(1, keepdims=True)


def over_vectors(network):
    """The network over the flattened z and condition. Its output is that of z, or one number."""

    def of(p, config, z, time, condition):
        output = network(p, config, flat(z), time, flat(condition))
        return output.reshape(z.shape) if output.size == z.size else output

    return of


NETWORKS = {
    "mlp": over_vectors(perceptron),
    "residual_mlp": over_vectors(residual),
    "bilinear": over_vectors(bilinear),
    "convex": over_vectors(convex),
    "icnn": over_vectors(convex),
}
