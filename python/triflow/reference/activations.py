"""Activations, norms and attention.

An activation also takes complex numbers x + i·h with a tiny h, for which it returns
f(x) + i·h·f'(x): derivatives are taken that way, without rounding errors (``crns``).
"""

import math

import numpy as np

from .weights import known

erf = np.vectorize(math.erf, otypes=[float])


def sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


def softplus(x):
    return np.logaddexp(0, x)


def normal_cdf(x):
    return 0.5 * (1 + erf(x / math.sqrt(2)))


def normal_density(x):
    return np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


def gelu_tanh(x):
    """The approximation of gelu by tanh."""
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def gelu_tanh_slope(x):
    t = np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * math.sqrt(2 / math.pi) * (1 + 0.134145 * x * x)


#: Name: function, and its derivative.
FUNCTIONS = {
    "swish": (lambda x: x * sigmoid(x), lambda x: sigmoid(x) * (1 + x * sigmoid(-x))),
    "gelu": (lambda x: x * normal_cdf(x), lambda x: normal_cdf(x) + x * normal_density(x)),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "softplus": (softplus, sigmoid),
    "gelu_tanh": (gelu_tanh, gelu_tanh_slope),
    "relu": (lambda x: np.maximum(x, 0), lambda x: (x > 0) * 1.0),
}
FUNCTIONS["silu"] = FUNCTIONS["swish"]


def activate(name, x):
    """The activation called ``name``, entry by entry."""
    function, slope = known("activation", name, FUNCTIONS)
    if np.iscomplexobj(x):
        return function(x.real) + 1j * x.imag * slope(x.real)
    return function(x)


def swish(x):
    return activate("swish", x)


def layer_norm(x, eps=1e-5):
    """Mean 0 and variance 1 over the last axis."""
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + eps)


def attention(q, k, v, hidden=None):
    """softmax(q·kᵀ/√d)·v over [..., tokens, d]; ``hidden`` [..., tokens, tokens] is true where a
    token must not look."""
    scores = q @ np.swapaxes(k, -1, -2) / math.sqrt(q.shape[-1])
    if hidden is not None:
        # Finite, so that padding that must look nowhere does not become NaN.
        scores = np.where(hidden, -1e300, scores)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True) @ v


def mlp(p, x, name):
    """Linear layers ``layer_0``, ``layer_1``, …, with the activation ``name`` after each."""
    for i in range(p.count("layer")):
        x = activate(name, p.linear(f"layer_{i}", x))
    return x


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)
