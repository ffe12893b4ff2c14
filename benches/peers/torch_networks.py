"""triflow's networks in PyTorch. Names of modules and parameters are triflow's. All take z, the
features of time and the condition."""

import torch
import torch.nn.functional as F
from torch import nn

from problem import groups, positions, turns

CONDITION = 2


def network(p):
    return {"mlp": Mlp, "unet": Unet, "dit": Dit, "transformer": Transformer}[p.net.type](p)


def layers(sizes):
    """Linear layers `layer_i`, each with swish behind it."""
    return nn.ModuleDict({f"layer_{i}": nn.Linear(a, b) for i, (a, b) in enumerate(zip(sizes, sizes[1:]))})


def through(linear, h):
    for layer in linear.values():
        h = F.silu(layer(h))
    return h


class Mlp(nn.Module):
    def __init__(self, p):
        super().__init__()
        sizes, (features,) = p.net.hidden_dims, p.shape
        self.condition = layers([CONDITION, *sizes])
        self.join = nn.Linear(features + 2 * len(p.frequencies) + sizes[-1], sizes[0])
        self.body, self.out = layers(sizes), nn.Linear(sizes[-1], features)

    def seen(self, y):
        """What does not change while sampling."""
        return through(self.condition, y)

    def forward(self, z, time, seen):
        return self.out(through(self.body, F.silu(self.join(torch.cat([z, time, seen], 1)))))


class Features(nn.Module):
    """Features of time and condition for images."""

    def __init__(self, p, width):
        super().__init__()
        self.time = nn.Linear(2 * len(p.frequencies), width)
        self.condition = nn.Linear(CONDITION, width, bias=False)
        self.features = nn.Linear(width, width)

    def seen(self, y):
        return self.condition(y)

    def both(self, time, seen):
        return F.silu(self.features(F.silu(self.time(time) + seen)))


class ResBlock(nn.Module):
    def __init__(self, a, b, features):
        super().__init__()
        self.norm_0, self.norm_1 = nn.GroupNorm(groups(a), a), nn.GroupNorm(groups(b), b)
        self.conv_0, self.conv_1 = nn.Conv2d(a, b, 3, padding=1), nn.Conv2d(b, b, 3, padding=1)
        self.adapt = nn.Linear(features, 2 * b)
        self.skip = nn.Conv2d(a, b, 1) if a != b else nn.Identity()

    def forward(self, x, features):
        scale, shift = self.adapt(features)[:, :, None, None].chunk(2, 1)
        h = self.norm_1(self.conv_0(F.silu(self.norm_0(x))))
        return self.skip(x) + self.conv_1(F.silu(h * (scale + 1) + shift))


class ImageAttention(nn.Module):
    def __init__(self, channels, heads):
        super().__init__()
        self.norm, self.heads = nn.GroupNorm(groups(channels), channels), heads
        self.qkv = nn.Parameter(torch.zeros(3 * channels, channels, 1, 1))
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        b, c, h, w = x.shape
        # [batch, positions, channels]: a view where the channels lie last.
        qkv = F.conv2d(self.norm(x), self.qkv).permute(0, 2, 3, 1).reshape(b, h * w, 3 * c)
        return x + self.out(attention(qkv, self.heads).view(b, h, w, c).permute(0, 3, 1, 2))


def attention(qkv, heads):
    """Attention of queries, keys and values side by side [batch, length, 3 * width]."""
    q, k, v = qkv.unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


class Stage(nn.Module):
    def __init__(self, net, a, b, height):
        super().__init__()
        self.block = ResBlock(a, b, net.features)
        self.attention = ImageAttention(b, net.heads) if height in net.attention else None

    def forward(self, x, features):
        h = self.block(x, features)
        return h if self.attention is None else self.attention(h)


class Unet(Features):
    def __init__(self, p):
        super().__init__(p, p.net.features)
        net, (depth, height, _) = p.net, p.shape
        now, heights = net.channels[0], []
        self.levels, self.blocks = range(len(net.channels)), range(net.blocks)
        self.entry = nn.Conv2d(depth, now, 3, padding=1)
        for i, channels in enumerate(net.channels):
            if i > 0:
                height = (height + 1) // 2
                self.add_module(f"down_{i}", nn.Conv2d(now, now, 3, stride=2, padding=1))
            for k in self.blocks:
                self.add_module(f"down_{i}_{k}", Stage(net, now, channels, height))
                now = channels
            heights.append(height)
        self.middle_0, self.middle_1 = Stage(net, now, now, height), Stage(net, now, now, 0)
        for i in reversed(self.levels):
            for k in self.blocks:
                self.add_module(f"up_{i}_{k}", Stage(net, now + net.channels[i], net.channels[i], heights[i]))
                now = net.channels[i]
            if i > 0:
                self.add_module(f"up_{i}", nn.Conv2d(now, now, 3, padding=1))
        self.norm, self.out = nn.GroupNorm(groups(now), now), nn.Conv2d(now, depth, 3, padding=1)

    def forward(self, z, time, seen):
        features, h, kept = self.both(time, seen), self.entry(z), []
        for i in self.levels:
            if i > 0:
                h = getattr(self, f"down_{i}")(h)
            for k in self.blocks:
                h = getattr(self, f"down_{i}_{k}")(h, features)
                kept.append(h)
        h = self.middle_1(self.middle_0(h, features), features)
        for i in reversed(self.levels):
            for k in self.blocks:
                h = getattr(self, f"up_{i}_{k}")(torch.cat([h, kept.pop()], 1), features)
            if i > 0:
                h = getattr(self, f"up_{i}")(F.interpolate(h, size=kept[-1].shape[2:], mode="nearest"))
        return self.out(F.silu(self.norm(h)))


def modulated(x, scale, shift, eps):
    return F.layer_norm(x, x.shape[-1:], eps=eps) * (scale + 1) + shift


class DitBlock(nn.Module):
    def __init__(self, net):
        super().__init__()
        width, inner = net.width, net.ratio * net.width
        self.adapt, self.heads = nn.Linear(width, 6 * width), net.heads
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x, features):
        by = self.adapt(features)[:, None].chunk(6, 2)
        x = x + self.out(attention(self.qkv(modulated(x, by[0], by[1], 1e-6)), self.heads)) * by[2]
        h = F.gelu(self.wide(modulated(x, by[3], by[4], 1e-6)), approximate="tanh")
        return x + self.narrow(h) * by[5]


class Dit(Features):
    def __init__(self, p):
        net, (depth, height, columns) = p.net, p.shape
        super().__init__(p, net.width)
        self.patch, self.grid = net.patch, (height // net.patch, columns // net.patch)
        inputs = depth * self.patch**2
        self.entry, self.out = nn.Linear(inputs, net.width), nn.Linear(net.width, inputs)
        self.adapt = nn.Linear(net.width, 2 * net.width)
        self.blocks = range(net.blocks)
        for i in self.blocks:
            self.add_module(f"block_{i}", DitBlock(net))
        self.register_buffer("at", torch.from_numpy(positions(*self.grid, net.width)), persistent=False)

    def forward(self, z, time, seen):
        features, (b, c, h, w), q, (rows, columns) = self.both(time, seen), z.shape, self.patch, self.grid
        x = z.view(b, c, rows, q, columns, q).permute(0, 2, 4, 1, 3, 5).reshape(b, rows * columns, -1)
        x = self.entry(x) + self.at
        for i in self.blocks:
            x = getattr(self, f"block_{i}")(x, features)
        x = self.out(modulated(x, *self.adapt(features)[:, None].chunk(2, 2), 1e-6))
        return x.view(b, rows, columns, c, q, q).permute(0, 3, 1, 4, 2, 5).reshape(b, c, h, w)


class Block(nn.Module):
    def __init__(self, net):
        super().__init__()
        width, inner = net.width, net.expansion * net.width
        self.modulation, self.heads = nn.Linear(width, 6 * width), net.heads
        self.queries, self.keys = nn.Linear(width, width), nn.Linear(width, width, bias=False)
        self.values, self.joined = nn.Linear(width, width), nn.Linear(width, width)
        self.inner, self.outer = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x, said, cos, sin):
        by = self.modulation(said)[:, None].chunk(6, -1)
        h = modulated(x, by[0], by[1], 1e-5)
        q, k, v = (f(h).unflatten(-1, (self.heads, -1)).transpose(1, 2) for f in (self.queries, self.keys, self.values))
        h = F.scaled_dot_product_attention(turned(q, cos, sin), turned(k, cos, sin), v)
        x = x + self.joined(h.transpose(1, 2).flatten(2)) * by[2]
        return x + self.outer(F.gelu(self.inner(modulated(x, by[3], by[4], 1e-5)))) * by[5]


def turned(x, cos, sin):
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1).to(x.dtype)


class Transformer(nn.Module):
    def __init__(self, p):
        super().__init__()
        net, (length, features) = p.net, p.shape
        self.z, self.time = nn.Linear(features, net.width), nn.Linear(2 * len(p.frequencies), net.width)
        self.condition, self.features = nn.Linear(CONDITION, net.width), nn.Linear(CONDITION, net.width)
        self.summary, self.blocks = nn.Linear(net.width, net.width), range(net.blocks)
        for i in self.blocks:
            self.add_module(f"block_{i}", Block(net))
        self.last, self.out = nn.Linear(net.width, 2 * net.width), nn.Linear(net.width, features)
        cos, sin = turns(length, net.width, net.heads)
        self.register_buffer("cos", torch.from_numpy(cos), persistent=False)
        self.register_buffer("sin", torch.from_numpy(sin), persistent=False)

    def seen(self, y):
        return self.condition(y)[:, None], self.summary(F.silu(self.features(y)))

    def forward(self, z, time, seen):
        said, x = F.silu(self.time(time) + seen[1]), self.z(z) + seen[0]
        for i in self.blocks:
            x = getattr(self, f"block_{i}")(x, said, self.cos, self.sin)
        return self.out(modulated(x, *self.last(said)[:, None].chunk(2, -1), 1e-5))
