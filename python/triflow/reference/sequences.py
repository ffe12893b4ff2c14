"""Networks over sequences [n, T, d].

Masks [n, T] are True at the positions of a sequence and False in its padding at the end; None where
all are of full length.
"""

import numpy as np

from .activations import activate, attention, layer_norm, swish


def mask_of(lengths, x):
    """The mask [n, T] of ``x`` [n, T, d] with these lengths [n]; None for other rows."""
    if lengths is None or x is None or x.ndim != 3:
        return None
    return np.arange(x.shape[1]) < np.asarray(lengths)[:, None]


def keep(x, mask):
    """``x`` [n, T, d] with zeros in the padding."""
    return x if mask is None else np.where(mask[:, :, None], x, 0)


def tokens(p, config, z, time, condition, masks):
    """A row of tokens for z and the condition, their mask, and the features of time and of a summary
    of the condition. The tokens of z are the last ones. ``masks``: of z and the condition."""
    mask, given = masks
    row, context = keep(p.linear("z", z), mask), p.linear("time", time)
    if condition is not None:
        # Another condition than a sequence is one of a single position.
        condition = condition if condition.ndim == 3 else condition.reshape(len(z), 1, -1)
        steps, place = condition.shape[1], config["condition"]
        place = place or ("beside" if steps in (1, z.shape[1]) else "before")
        features = keep(swish(p.linear("features", condition)), given)
        count = steps if given is None else given.sum(1, keepdims=True)
        context = context + p.linear("summary", features.sum(1) / count)
        own = keep(p.linear("condition", condition), given)
        if place == "beside":
            row = keep(row + own, mask)
        else:
            if given is not None or mask is not None:
                given = np.ones((len(z), steps), bool) if given is None else given
                # Padding goes to the start, so that the condition ends where z begins.
                order = np.argsort(given, axis=1, kind="stable")
                own = np.take_along_axis(own, order[:, :, None], 1)
                given = np.take_along_axis(given, order, 1)
                mask = np.hstack([given, np.ones(z.shape[:2], bool) if mask is None else mask])
            row = np.concatenate([own, row], axis=1)
    return row, mask, swish(context)[:, None]


def temporal_conv(p, config, z, time, condition, masks=(None, None)):
    h, mask, context = tokens(p, config, z, time, condition, masks)
    for i in range(config["blocks"]):
        own, dilation = p.below(f"block_{i}"), 2**i
        scale, shift = np.split(own.linear("modulation", context), 2, axis=-1)
        inner = keep(activate(config["activation"], layer_norm(h) * (1 + scale) + shift), mask)
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


def transformer(p, config, z, time, condition, masks=(None, None)):
    h, mask, context = tokens(p, config, z, time, condition, masks)
    n, count, width = h.shape
    hidden = np.triu(np.ones((count, count), bool), 1) if config["causal"] else None
    if mask is not None:
        padding = ~mask[:, None, None]
        hidden = padding if hidden is None else padding | hidden

    def heads(x):
        return x.reshape(n, count, config["heads"], -1).swapaxes(1, 2)

    for i in range(config["blocks"]):
        own = p.below(f"block_{i}")
        m = np.split(own.linear("modulation", context), 6, axis=-1)
        normed = layer_norm(h) * (1 + m[0]) + m[1]
        q, k = (rotated(heads(own.linear(name, normed))) for name in ("queries", "keys"))
        attended = attention(q, k, heads(own.linear("values", normed)), hidden)
        h = h + own.linear("joined", attended.swapaxes(1, 2).reshape(h.shape)) * m[2]
        normed = layer_norm(h) * (1 + m[3]) + m[4]
        h = h + own.linear("outer", activate("gelu", own.linear("inner", normed))) * m[5]
    scale, shift = np.split(p.linear("last", context), 2, axis=-1)
    return p.linear("out", layer_norm(h[:, -z.shape[1] :]) * (1 + scale) + shift)


NETWORKS = {"temporal_conv": temporal_conv, "tcn": temporal_conv, "transformer": transformer}
