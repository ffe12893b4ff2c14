"""The peers' side of `make bench`: the problems S, M and L (see the YAML files beside) in JAX and
in PyTorch, written for speed as users of each would.

    peers.py jax   CONFIG scan|step|euler|midpoint|check [FILE]
    peers.py torch CONFIG train|euler|midpoint|gemm|check [FILE] [--how eager|fused|compile|autotune]

It has the protocol of benches/worker.rs: a line of seconds is answered by units a second and CPU
seconds a unit. `check` prints the loss at the parameters and inputs of the file that worker.rs
wrote."""

import argparse
import math
import os
import resource
import sys
import time

ROWS, CONDITION, EMBEDDING, STEPS = 8192, 2, 64, 20
RATE = 1e-3


def problem(path):
    import yaml

    config = yaml.safe_load(open(path))
    bench, training = config["bench"], config["training"]
    return {
        "features": bench["features"],
        "width": config["crn"]["network"]["hidden_dims"][0],
        "batch": training["batch_size"],
        "points": bench["points"],
        "steps": bench["steps"],
        "scale": config["crn"]["time_embedding"]["scale"],
    }


def serve(work):
    def cpu():
        used = resource.getrusage(resource.RUSAGE_SELF)
        return used.ru_utime + used.ru_stime

    began = time.perf_counter()
    work()
    first = time.perf_counter() - began
    work()
    print(f"ready {first:.2f}", flush=True)
    for line in sys.stdin:
        seconds, units, before, began = float(line), 0, cpu(), time.perf_counter()
        while time.perf_counter() - began < seconds:
            units += work()
        took = time.perf_counter() - began
        print(units / took, (cpu() - before) / units, flush=True)


def frequencies(scale):
    half = EMBEDDING // 2
    return [scale * 1e4 ** (-i / (half - 1)) for i in range(half)]


# The layers by triflow's names, in order.
NAMES = ["condition.layer_0", "condition.layer_1", "condition.layer_2", "join", "body.layer_0", "body.layer_1", "out"]


def loaded(path):
    """Arrays of the file that worker.rs wrote: layers as (weight, bias), inputs, loss."""
    from safetensors.numpy import load_file

    arrays = load_file(path)

    def find(name):
        (found,) = [k for k in arrays if k == name or k.endswith("." + name)]
        return arrays[found]

    layers = [(find(f"{name}.weight"), find(f"{name}.bias")) for name in NAMES]
    return layers, {name: arrays[name] for name in ("z0", "z1", "y", "t")}, float(arrays["loss"][0])


def jax_side(p, what, file):
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    import jax
    import jax.numpy as jnp
    import jax.random as jr
    import optax

    width, features = p["width"], p["features"]
    w = jnp.array(frequencies(p["scale"]), jnp.float32)

    def dense(layer, x):
        return x @ layer[0].T + layer[1]

    def condition(layers, y):
        for layer in layers[:3]:
            y = jax.nn.swish(dense(layer, y))
        return y

    def field(layers, z, features_of_y, t):
        angle = t[:, None] * w
        h = jnp.concatenate([z, jnp.sin(angle), jnp.cos(angle), features_of_y], 1)
        for layer in layers[3:6]:
            h = jax.nn.swish(dense(layer, h))
        return dense(layers[6], h)

    def loss_of(layers, z0, z1, y, t):
        velocity = z1 - z0
        found = field(layers, z0 + t[:, None] * velocity, condition(layers, y), t)
        return jnp.mean((found - velocity) ** 2)

    if what == "check":
        layers, inputs, _ = loaded(file)
        layers = [(jnp.array(a), jnp.array(b)) for a, b in layers]
        print(float(loss_of(layers, *(jnp.array(inputs[k]) for k in ("z0", "z1", "y", "t")))))
        return None

    shapes = [(width, CONDITION), (width, width), (width, width), (width, features + EMBEDDING + width)]
    shapes += [(width, width), (width, width), (features, width)]
    keys = jr.split(jr.PRNGKey(0), len(shapes) + 3)
    layers = [(jr.normal(k, s) / math.sqrt(s[1]), jnp.zeros(s[0])) for k, s in zip(keys, shapes)]
    x, y = jr.normal(keys[-3], (ROWS, features)), jr.normal(keys[-2], (ROWS, CONDITION))
    optimizer = optax.adam(RATE)

    def one(carry, _):
        layers, state, key = carry
        key, row_key, z_key, t_key = jr.split(key, 4)
        i = jr.randint(row_key, (p["batch"],), 0, ROWS)
        z0, t = jr.normal(z_key, (p["batch"], features)), jr.uniform(t_key, (p["batch"],))
        loss, gradient = jax.value_and_grad(loss_of)(layers, z0, x[i], y[i], t)
        update, state = optimizer.update(gradient, state, layers)
        return (optax.apply_updates(layers, update), state, key), loss

    carry = [(layers, optimizer.init(layers), keys[-1])]
    if what == "step":
        step = jax.jit(lambda c: one(c, None), donate_argnums=0)

        def work():
            for _ in range(p["steps"]):
                carry[0], _ = step(carry[0])
            jax.block_until_ready(carry[0])
            return p["steps"]

        return work
    if what == "scan":
        scan = jax.jit(lambda c: jax.lax.scan(one, c, None, length=p["steps"]), donate_argnums=0)

        def work():
            carry[0], _ = scan(carry[0])
            jax.block_until_ready(carry[0])
            return p["steps"]

        return work

    points, dt = p["points"], 1 / STEPS
    given = jr.normal(keys[-2], (points, CONDITION))

    @jax.jit
    def sample(layers, key):
        seen = condition(layers, given)
        v = lambda z, t: field(layers, z, seen, jnp.full((points,), t))

        def body(z, i):
            t = i * dt
            if what == "midpoint":
                return z + dt * v(z + dt / 2 * v(z, t), t + dt / 2), None
            return z + dt * v(z, t), None

        return jax.lax.scan(body, jr.normal(key, (points, features)), jnp.arange(STEPS))[0]

    def work():
        sample(layers, keys[-1]).block_until_ready()
        return points

    return work


def torch_side(p, what, file, how):
    import torch
    from torch import nn

    torch.set_num_threads(int(os.environ.get("THREADS", os.cpu_count())))
    torch.manual_seed(0)
    if what == "gemm":
        a = torch.randn(3072, 3072)

        def work():
            torch.mm(a, a)
            return 2 * 3072**3 / 1e9

        return work

    width, features = p["width"], p["features"]

    def mlp(sizes):
        return nn.Sequential(*(part for a, b in zip(sizes, sizes[1:]) for part in (nn.Linear(a, b), nn.SiLU())))

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.condition = mlp([CONDITION, width, width, width])
            self.body = mlp([features + EMBEDDING + width, width, width, width])
            self.out = nn.Linear(width, features)
            self.register_buffer("w", torch.tensor(frequencies(p["scale"])))

        def field(self, z, seen, t):
            angle = t[:, None] * self.w
            return self.out(self.body(torch.cat([z, angle.sin(), angle.cos(), seen], 1)))

        def forward(self, z, y, t):
            return self.field(z, self.condition(y), t)

    network = Network()

    def loss_of(z0, z1, y, t):
        velocity = z1 - z0
        return (network(z0 + t[:, None] * velocity, y, t) - velocity).square().mean()

    if what == "check":
        layers, inputs, _ = loaded(file)
        linear = [m for m in network.modules() if isinstance(m, nn.Linear)]
        with torch.no_grad():
            for own, (weight, bias) in zip(linear, layers):
                own.weight.copy_(torch.from_numpy(weight))
                own.bias.copy_(torch.from_numpy(bias))
            print(loss_of(*(torch.from_numpy(inputs[k]) for k in ("z0", "z1", "y", "t"))).item())
        return None

    compiled = how in ("compile", "autotune")
    wrap = (lambda f: torch.compile(f, mode="max-autotune" if how == "autotune" else None)) if compiled else (lambda f: f)
    if what == "train":
        x, y = torch.randn(ROWS, features), torch.randn(ROWS, CONDITION)
        optimizer = torch.optim.Adam(network.parameters(), RATE, fused=None if how == "eager" else True)

        def drawn_loss():
            i = torch.randint(ROWS, (p["batch"],))
            return loss_of(torch.randn(p["batch"], features), x[i], y[i], torch.rand(p["batch"]))

        drawn_loss = wrap(drawn_loss)

        def work():
            for _ in range(p["steps"]):
                drawn_loss().backward()
                optimizer.step()
                optimizer.zero_grad()
            return p["steps"]

        return work

    points, dt = p["points"], 1 / STEPS
    given, field = torch.randn(points, CONDITION), wrap(network.field)

    def work():
        with torch.no_grad():
            z, seen = torch.randn(points, features), network.condition(given)
            v = lambda z, t: field(z, seen, torch.full((points,), t))
            for i in range(STEPS):
                t = i * dt
                z = z + dt * (v(z + dt / 2 * v(z, t), t + dt / 2) if what == "midpoint" else v(z, t))
        return points

    return work


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("side", choices=["jax", "torch"])
    parser.add_argument("config")
    parser.add_argument("what")
    parser.add_argument("file", nargs="?")
    parser.add_argument("--how", default="fused")
    given = parser.parse_args()
    p = problem(given.config)
    if given.side == "jax":
        work = jax_side(p, given.what, given.file)
    else:
        work = torch_side(p, given.what, given.file, given.how)
    if work:
        serve(work)


main()
