"""Networks over sequences [n, T, d] of full length."""

import numpy as np

from .activations import activate, attention, layer_norm, swish


def tokens(p, config, z, time, condition):
    """A row of tokens for z and the condition, and the features of time and of a summary of the
    condition. The tokens of z are the last ones."""
    row, context = p.linear("z", z), p.linear("time", time)
    if condition is not None:
        # Another condition than a sequence is one of a single position.
        condition = condition if condition.ndim == 3 else condition.reshape(len(z), 1, -1)
        steps, place = condition.shape[1], config["condition"]
        place = place or ("beside" if steps in (1, z.shape[1]) else "before")
        context = context + p.linear("summary", swish(p.linear("features", condition)).mean(1))
        own = p.linear("condition", condition)
        row = row + own if place == "beside" else np.concatenate([own, row], axis=1)
    return row, swish(context)[:, None]


def temporal_conv(p, config, z, time, condition):
    h, context = tokens(p, config, z, time, condition)
    for i in range(config["blocks"]):
        own, dilation = p.below(f"block_{i}"), 2**i
        scale, shift = np.split(own.linear("modulation", context), 2, axis=-1)
        inner = activate(config["activation"], layer_norm(h) * (1 + scale) + shift)
        reach = dilation * (config["kernel"] - 1)
        before = reach if config["causal"] else reach // 2
        padded = np.pad(inner, ((0, 0), (before, reach - before), (0, 0)))
        taps = range(config["kernel"])
        parts = [padded[:, k * dilation : k * dilation + h.shape[1]] @ own["weight"][:, :, k].T for k in taps]
        h = h + own.linear("out", activate(config["activation"], sum(parts) + own["bias"]))
    return p.linear("out", layer_norm(h[:, -z.shape[1] :]))


def rotated(x):
    """Rotates pairs of features by angles that grow with the position, [n, heads, tokens, d]."""
    half = x.shape[-1] // 2
    angle = np.arange(x.shape[2])[:, None] * 1e-4 ** (np.arange(half) / half)
    a, b, cos, sin = x[..., :half], x[..., half:], np.cos(angle), np.sin(angle)
    return np.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1)


def transformer(p, config, z, time, condition):
    h, context = tokens(p, config, z, time, condition)
    n, count, width = h.shape
    later = np.triu(np.ones((count, count), bool), 1) if config["causal"] else None

    def heads(x):
        return x.reshape(n, count, config["heads"], -1).swapaxes(1, 2)

    for i in range(config["blocks"]):
        own = p.below(f"block_{i}")
        m = np.split(own.linear("modulation", context), 6, axis=-1)
        normed = layer_norm(h) * (1 + m[0]) + m[1]
        q, k = (rotated(heads(own.linear(name, normed))) for name in ("queries", "keys"))
        attended = attention(q, k, heads(own.linear("values", normed)), later)
        h = h + own.linear("joined", attended.swapaxes(1, 2).reshape(h.shape)) * m[2]
        normed = layer_norm(h) * (1 + m[3]) + m[4]
        h = h + own.linear("outer", activate("gelu", own.linear("inner", normed))) * m[5]
    scale, shift = np.split(p.linear("last", context), 2, axis=-1)
    return p.linear("out", layer_norm(h[:, -z.shape[1] :]) * (1 + scale) + shift)


NETWORKS = {"temporal_conv": temporal_conv, "tcn": temporal_conv, "transformer": transformer}
