"""Decoders: from latents to normalised data."""

from .activations import activate, layer_norm, mlp, softmax, swish
from .images import conv, doubled, group_norm, residual_block
from .weights import Unsupported, known


def identity(p, config, z):
    return z


def perceptron(p, config, z):
    return mlp(p, z, config["activation"])


def resnet(p, config, z):
    h = p.linear("entry", z)
    for i in range(config["blocks"]):
        own = p.below(f"block_{i}")
        h = h + own.linear("out", activate(config["activation"], own.linear("in", layer_norm(h))))
    return h


def with_head(body):
    """A body over the flattened latent, and a head."""

    def decode(p, config, z, shape):
        if config["head"] == "blocks":
            raise Unsupported("the reference knows no decoder with head `blocks`")
        h = body(p, config, z.reshape(len(z), -1))
        h = p.linear("head", h) if "head.weight" in p else h
        h = h.reshape(len(z), *shape)
        return softmax(h) if config["head"] == "softmax" else h

    return decode


def convolutional(p, config, z, shape):
    levels = p.count("level")
    if "head.weight" in p:
        channels = p["entry.weight"].shape[1]
        side = [size >> (levels - 1) for size in shape[1:]]
        z = p.linear("head", z).reshape(len(z), channels, *side)
    h = conv(p, "entry", z)
    for i in reversed(range(levels)):
        own = p.below(f"level_{i}")
        if "double.weight" in own:
            h = conv(own, "double", doubled(h, 2 * h.shape[2], 2 * h.shape[3]))
        for k in range(config["blocks"]):
            h = residual_block(own.below(f"block_{k}"), h)
    return conv(p, "out", swish(group_norm(p, "norm", h)))


DECODERS = {
    "identity": with_head(identity),
    "mlp": with_head(perceptron),
    "resnet": with_head(resnet),
    "conv": convolutional,
}


def decoder(config):
    return known("decoder", config["type"], DECODERS)
