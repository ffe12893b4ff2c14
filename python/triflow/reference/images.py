"""Networks over images [n, C, H, W]."""

import numpy as np

from .activations import attention, gelu_tanh, layer_norm, swish


def conv(p, name, x, stride=1):
    """Convolution with ``weight`` [outputs, inputs, k, k], k odd, and zeros around the image."""
    weight = p[f"{name}.weight"]
    k = weight.shape[-1]
    x = np.pad(x, ((0, 0), (0, 0), (k // 2, k // 2), (k // 2, k // 2)))
    patches = np.lib.stride_tricks.sliding_window_view(x, (k, k), (2, 3))[:, :, ::stride, ::stride]
    y = np.einsum("ncyxij,ocij->noyx", patches, weight, optimize=True)
    return y + p[f"{name}.bias"][:, None, None]


def group_norm(p, name, x):
    """Mean 0 and variance 1 over groups of channels: at most 32, of at least four each."""
    n, channels = x.shape[:2]
    groups = max(g for g in range(1, max(1, min(32, channels // 4)) + 1) if channels % g == 0)
    normed = layer_norm(x.reshape(n, groups, -1)).reshape(x.shape)
    return normed * p[f"{name}.weight"][:, None, None] + p[f"{name}.bias"][:, None, None]


def residual_block(p, x, features=None):
    """x + conv(act(norm(conv(act(norm x))))); features scale and shift the second norm."""
    h = group_norm(p, "norm_1", conv(p, "conv_0", swish(group_norm(p, "norm_0", x))))
    if features is not None:
        scale, shift = np.split(p.linear("adapt", features)[:, :, None, None], 2, axis=1)
        h = h * (1 + scale) + shift
    x = conv(p, "skip", x) if "skip.weight" in p else x
    return x + conv(p, "conv_1", swish(h))


def self_attention(p, x, heads):
    """x + attention between its pixels."""
    n, channels, height, width = x.shape
    qkv = np.einsum("ncyx,oc->noyx", group_norm(p, "norm", x), p["qkv"][:, :, 0, 0])
    qkv = qkv.reshape(n, 3, heads, channels // heads, height * width).swapaxes(3, 4)
    h = attention(qkv[:, 0], qkv[:, 1], qkv[:, 2]).swapaxes(2, 3)
    return x + conv(p, "out", h.reshape(x.shape))


def doubled(x, height, width):
    """Each pixel of an image of this size is the pixel at its place in x, the nearest one."""
    rows = np.arange(height) * x.shape[2] // height
    columns = np.arange(width) * x.shape[3] // width
    return x[:, :, rows][:, :, :, columns]


def inputs(p, z, time, condition):
    """z, with a condition that is an image as further channels, and the features of time and of any
    other condition."""
    features = p.linear("time", time)
    if condition is not None and "condition.weight" in p:
        features = features + p.linear("condition", condition.reshape(len(z), -1))
    elif condition is not None:
        z = np.concatenate([z, condition], axis=1)
    return z, swish(p.linear("features", swish(features)))


def with_channels(network):
    """The network with zeros in place of an absent condition that is an image."""

    def of(p, config, z, time, condition):
        if condition is None and "condition.weight" not in p:
            missing = channels_of(p, config) - z.shape[1]
            condition = np.zeros((len(z), missing, *z.shape[2:])) if missing else None
        return network(p, config, z, time, condition)

    return of


def channels_of(p, config):
    """Channels of z and of a condition beside it."""
    entries = p["entry.weight"].shape[1]
    return entries // config["patch"] ** 2 if "patch" in config else entries


def unet(p, config, z, time, condition):
    z, features = inputs(p, z, time, condition)

    def stage(name, x):
        x = residual_block(p.below(f"{name}.block"), x, features)
        has_attention = f"{name}.attention.qkv" in p
        return self_attention(p.below(f"{name}.attention"), x, config["heads"]) if has_attention else x

    h, skips = conv(p, "entry", z), []
    levels, blocks = range(len(config["channels"])), range(config["blocks"])
    for i in levels:
        h = conv(p, f"down_{i}", h, stride=2) if i > 0 else h
        for k in blocks:
            h = stage(f"down_{i}_{k}", h)
            skips.append(h)
    h = stage("middle_1", stage("middle_0", h))
    for i in reversed(levels):
        for k in blocks:
            h = stage(f"up_{i}_{k}", np.concatenate([h, skips.pop()], axis=1))
        if i > 0:
            h = conv(p, f"up_{i}", doubled(h, *skips[-1].shape[2:]))
    return conv(p, "out", swish(group_norm(p, "norm", h)))


def positions(rows, columns, width):
    """Sines and cosines of the row, then of the column, of each patch."""
    rates = 1e4 ** (-np.arange(width // 4) / (width // 4))
    row, column = (at.reshape(-1, 1) * rates for at in np.indices((rows, columns)))
    return np.hstack([np.sin(row), np.cos(row), np.sin(column), np.cos(column)])


def dit(p, config, z, time, condition):
    shape, side, width, heads = z.shape, config["patch"], config["width"], config["heads"]
    n, rows, columns = len(z), z.shape[2] // side, z.shape[3] // side
    z, features = inputs(p, z, time, condition)

    def modulation(name, parts):
        return np.split(p.linear(name, features)[:, None], parts, axis=2)

    def norm(x, scale, shift):
        return layer_norm(x, eps=1e-6) * (1 + scale) + shift

    patches = z.reshape(n, -1, rows, side, columns, side).transpose(0, 2, 4, 1, 3, 5)
    h = p.linear("entry", patches.reshape(n, rows * columns, -1)) + positions(rows, columns, width)
    for i in range(config["blocks"]):
        m, own = modulation(f"block_{i}.adapt", 6), p.below(f"block_{i}")
        qkv = own.linear("qkv", norm(h, m[0], m[1])).reshape(n, -1, 3, heads, width // heads)
        q, k, v = qkv.transpose(2, 0, 3, 1, 4)
        attended = attention(q, k, v).swapaxes(1, 2).reshape(h.shape)
        h = h + own.linear("out", attended) * m[2]
        h = h + own.linear("narrow", gelu_tanh(own.linear("wide", norm(h, m[3], m[4])))) * m[5]
    out = p.linear("out", norm(h, *modulation("adapt", 2)))
    out = out.reshape(n, rows, columns, shape[1], side, side).transpose(0, 3, 1, 4, 2, 5)
    return out.reshape(shape)


NETWORKS = {"unet": with_channels(unet), "dit": with_channels(dit)}
