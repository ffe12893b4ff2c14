"""Training and sampling in PyTorch."""

import contextlib
import copy
import os

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import torch_networks
from problem import RATE, STEPS


def work(p, what, how, layout, precision):
    """What there is to do, as a function that returns how many units it did. `None`: it is done."""
    torch.set_num_threads(int(os.environ.get("THREADS", os.cpu_count())))
    torch.manual_seed(0)
    cast = contextlib.nullcontext
    if precision == "bf16":
        cast = lambda: torch.autocast("cpu", torch.bfloat16)
    wrap = torch.compile if how == "compile" else lambda f: f
    if what == "product":
        return product(torch.bfloat16 if precision == "bf16" else torch.float32)
    # What a side gets and makes lies as its convolutions like it.
    laid = {"memory_format": torch.channels_last} if layout == "last" else {}
    network = torch_networks.network(p)
    network.load_state_dict({k: torch.from_numpy(v) for k, v in p.parameters.items()})
    network.to(**laid)
    w = torch.from_numpy(p.frequencies)

    def field(z, seen, t):
        angle = t[:, None] * w
        with cast():
            return network(z, torch.cat([angle.sin(), angle.cos()], 1), seen).float()

    def loss_of(z0, z1, y, t):
        velocity = z1 - z0
        with cast():
            seen = network.seen(y)
        z = z0 + t.view(-1, *[1] * (z0.dim() - 1)) * velocity
        return (field(z, seen, t) - velocity).square().mean()

    if what == "check":
        z0, z1, y, t = (torch.from_numpy(a) for a in p.inputs)
        with torch.no_grad():
            print(loss_of(z0.contiguous(**laid), z1.contiguous(**laid), y, t).item())
        return None
    if what == "train":
        return train(p, network, wrap(drawn_loss(p, loss_of, laid)))
    return sample(p, network, wrap(field), laid, cast, what)


def drawn_loss(p, loss_of, laid):
    x, y = torch.randn(p.rows, *p.shape).contiguous(**laid), torch.randn(p.rows, 2)

    def loss():
        i = torch.randint(p.rows, (p.batch,))
        z1 = x[i]
        return loss_of(torch.randn_like(z1), z1, y[i], torch.rand(p.batch))

    return loss


def train(p, network, loss):
    optimizer = torch.optim.Adam(network.parameters(), RATE, fused=True)

    def work():
        for _ in range(p.steps):
            loss().backward()
            optimizer.step()
            optimizer.zero_grad()
        return p.steps

    return work


def sample(p, network, field, laid, cast, solver):
    y, dt = torch.randn(p.points, 2), 1 / STEPS

    def work():
        # One autocast around all steps casts every weight once.
        with torch.no_grad(), cast():
            z, seen = torch.randn(p.points, *p.shape).contiguous(**laid), network.seen(y)
            v = lambda z, t: field(z, seen, torch.full((p.points,), t))
            for i in range(STEPS):
                t = i * dt
                z = z + dt * (v(z + dt / 2 * v(z, t), t + dt / 2) if solver == "midpoint" else v(z, t))
        return p.points

    return work


def product(kind):
    """Billions of floating-point operations of a large matrix product."""
    a = torch.randn(3072, 3072).to(kind)

    def work():
        torch.mm(a, a)
        return 2 * 3072**3 / 1e9

    return work


def operations(p, kind):
    """Floating-point operations of a training step or a sampled point: two for every multiply-add
    of a product or convolution, of two rows, which all cost the same."""
    few = copy.copy(p)
    few.batch, few.points, few.steps, few.rows = 2, 2, 1, 2
    of_two = work(few, kind, "eager", "first", "float32")
    # The counter knows products, but not the kernels of attention.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        of_two()
    return counter.get_total_flops() // 2 * (p.batch if kind == "train" else 1)
