"""triflow's networks in JAX: functions of the parameters P by triflow's names, z, the features of
time, and of the condition what does not change while sampling. Images lie with the channels last,
kernels as [height, width, inputs, outputs]."""

import types
from functools import partial

import jax
import jax.numpy as jnp

from problem import groups, positions, turns

silu = jax.nn.silu


def network(net):
    """The network: `seen(P, y)` and `field(P, z, time, seen)`."""
    seen, field = {
        "mlp": (mlp_seen, mlp),
        "unet": (image_seen, unet),
        "dit": (image_seen, dit),
        "transformer": (transformer_seen, transformer),
    }[net.type]
    return types.SimpleNamespace(seen=partial(seen, net), field=partial(field, net))


def laid(array):
    """Images [rows, channels, height, width] with the channels last."""
    return jnp.array(array.transpose(0, 2, 3, 1) if array.ndim == 4 else array)


def parameters(arrays):
    return {k: jnp.array(a.transpose(2, 3, 1, 0) if a.ndim == 4 else a) for k, a in arrays.items()}


def linear(P, name, h):
    h = h @ P[f"{name}.weight"].T
    return h + P[f"{name}.bias"] if f"{name}.bias" in P else h


def mlp_seen(net, P, y):
    for i in range(len(net.hidden_dims)):
        y = silu(linear(P, f"condition.layer_{i}", y))
    return y


def mlp(net, P, z, time, seen):
    h = silu(linear(P, "join", jnp.concatenate([z, time, seen], 1)))
    for i in range(len(net.hidden_dims) - 1):
        h = silu(linear(P, f"body.layer_{i}", h))
    return linear(P, "out", h)


def image_seen(net, P, y):
    return linear(P, "condition", y)


def features_of(P, time, seen):
    return silu(linear(P, "features", silu(linear(P, "time", time) + seen)))


def conv(P, name, h, stride=1, weight="weight"):
    kernel = P[f"{name}.{weight}"]
    pad = ((kernel.shape[0] // 2,) * 2,) * 2
    order = ("NHWC", "HWIO", "NHWC")
    h = jax.lax.conv_general_dilated(h, kernel, (stride, stride), pad, dimension_numbers=order)
    return h + P[f"{name}.bias"] if f"{name}.bias" in P else h


def group_norm(P, name, h):
    b, r, c, n = h.shape
    g = h.reshape(b, r * c, groups(n), -1)
    mean, variance = g.mean((1, 3), keepdims=True), g.var((1, 3), keepdims=True)
    g = ((g - mean) * jax.lax.rsqrt(variance + 1e-5)).reshape(h.shape)
    return g * P[f"{name}.weight"] + P[f"{name}.bias"]


def stage(net, P, name, x, features):
    block, attended = f"{name}.block", f"{name}.attention"
    scale, shift = jnp.split(linear(P, f"{block}.adapt", features)[:, None, None], 2, -1)
    h = conv(P, f"{block}.conv_0", silu(group_norm(P, f"{block}.norm_0", x)))
    h = silu(group_norm(P, f"{block}.norm_1", h) * (scale + 1) + shift)
    x = conv(P, f"{block}.skip", x) if f"{block}.skip.weight" in P else x
    x = x + conv(P, f"{block}.conv_1", h)
    if f"{attended}.qkv" not in P:
        return x
    b, r, c, n = x.shape
    qkv = conv(P, attended, group_norm(P, f"{attended}.norm", x), weight="qkv")
    h = attention(qkv.reshape(b, r * c, 3 * n), net.heads)
    return x + conv(P, f"{attended}.out", h.reshape(b, r, c, n))


def attention(qkv, heads):
    """Attention of queries, keys and values side by side [batch, length, 3 * width]."""
    b, length, width = qkv.shape
    q, k, v = jnp.moveaxis(qkv.reshape(b, length, 3, heads, -1), 2, 0)
    return jax.nn.dot_product_attention(q, k, v).reshape(b, length, width // 3)


def unet(net, P, z, time, seen):
    features, h, kept = features_of(P, time, seen), conv(P, "entry", z), []
    levels = range(len(net.channels))
    for i in levels:
        if i > 0:
            h = conv(P, f"down_{i}", h, 2)
        for k in range(net.blocks):
            h = stage(net, P, f"down_{i}_{k}", h, features)
            kept.append(h)
    h = stage(net, P, "middle_1", stage(net, P, "middle_0", h, features), features)
    for i in reversed(levels):
        for k in range(net.blocks):
            h = stage(net, P, f"up_{i}_{k}", jnp.concatenate([h, kept.pop()], -1), features)
        if i > 0:
            h = conv(P, f"up_{i}", jnp.repeat(jnp.repeat(h, 2, 1), 2, 2))
    return conv(P, "out", silu(group_norm(P, "norm", h)))


def modulated(x, scale, shift, eps):
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(variance + eps) * (scale + 1) + shift


def modulation(P, name, features, count):
    return jnp.split(linear(P, name, features)[:, None], count, -1)


def dit(net, P, z, time, seen):
    features, (b, h, w, c), q = features_of(P, time, seen), z.shape, net.patch
    rows, columns = h // q, w // q
    x = z.reshape(b, rows, q, columns, q, c).transpose(0, 1, 3, 5, 2, 4).reshape(b, rows * columns, -1)
    x = linear(P, "entry", x) + positions(rows, columns, net.width)
    for i in range(net.blocks):
        name = f"block_{i}"
        by = modulation(P, f"{name}.adapt", features, 6)
        a = attention(linear(P, f"{name}.qkv", modulated(x, by[0], by[1], 1e-6)), net.heads)
        x = x + linear(P, f"{name}.out", a) * by[2]
        a = jax.nn.gelu(linear(P, f"{name}.wide", modulated(x, by[3], by[4], 1e-6)), approximate=True)
        x = x + linear(P, f"{name}.narrow", a) * by[5]
    x = linear(P, "out", modulated(x, *modulation(P, "adapt", features, 2), 1e-6))
    return x.reshape(b, rows, columns, c, q, q).transpose(0, 1, 4, 2, 5, 3).reshape(b, h, w, c)


def transformer_seen(net, P, y):
    return linear(P, "condition", y)[:, None], linear(P, "summary", silu(linear(P, "features", y)))


def transformer(net, P, z, time, seen):
    said, x = silu(linear(P, "time", time) + seen[1]), linear(P, "z", z) + seen[0]
    b, length, width = x.shape
    cos, sin = (a[:, None] for a in turns(length, width, net.heads))

    def turned(h):
        a, b = jnp.split(h, 2, -1)
        return jnp.concatenate([a * cos - b * sin, a * sin + b * cos], -1)

    for i in range(net.blocks):
        name = f"block_{i}"
        by = modulation(P, f"{name}.modulation", said, 6)
        h = modulated(x, by[0], by[1], 1e-5)
        q, k, v = (linear(P, f"{name}.{s}", h).reshape(b, length, net.heads, -1) for s in ("queries", "keys", "values"))
        h = jax.nn.dot_product_attention(turned(q), turned(k), v).reshape(x.shape)
        x = x + linear(P, f"{name}.joined", h) * by[2]
        h = linear(P, f"{name}.inner", modulated(x, by[3], by[4], 1e-5))
        x = x + linear(P, f"{name}.outer", jax.nn.gelu(h, approximate=False)) * by[5]
    return linear(P, "out", modulated(x, *modulation(P, "last", said, 2), 1e-5))
