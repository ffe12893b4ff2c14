"""Training and sampling in JAX."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import jax.random as jr
import optax

import jax_networks
from problem import RATE, STEPS


def work(p, what):
    """What there is to do, as a function that returns how many units it did. `None`: it is done."""
    network, w = jax_networks.network(p.net), jnp.array(p.frequencies)
    P = jax_networks.parameters(p.parameters)

    def field(P, z, seen, t):
        angle = t[:, None] * w
        return network.field(P, z, jnp.concatenate([jnp.sin(angle), jnp.cos(angle)], 1), seen)

    def loss_of(P, z0, z1, y, t):
        velocity = z1 - z0
        z = z0 + t.reshape(-1, *[1] * (z0.ndim - 1)) * velocity
        return jnp.mean((field(P, z, network.seen(P, y), t) - velocity) ** 2)

    if what == "check":
        print(float(jax.jit(loss_of)(P, *map(jax_networks.laid, p.inputs))))
        return None
    shape = [*p.shape[1:], p.shape[0]] if len(p.shape) == 3 else p.shape
    if what in ("scan", "step"):
        return train(p, P, loss_of, shape, what)
    return sample(p, P, network, field, shape, what)


def train(p, P, loss_of, shape, what):
    keys = jr.split(jr.PRNGKey(0), 3)
    x, y = jr.normal(keys[0], (p.rows, *shape)), jr.normal(keys[1], (p.rows, 2))
    optimizer = optax.adam(RATE)

    def one(carry, _):
        P, state, key = carry
        key, of_rows, of_z, of_t = jr.split(key, 4)
        i = jr.randint(of_rows, (p.batch,), 0, p.rows)
        z0, t = jr.normal(of_z, (p.batch, *shape)), jr.uniform(of_t, (p.batch,))
        loss, gradient = jax.value_and_grad(loss_of)(P, z0, x[i], y[i], t)
        update, state = optimizer.update(gradient, state, P)
        return (optax.apply_updates(P, update), state, key), loss

    scan = what == "scan"
    call = jax.jit(lambda c: jax.lax.scan(one, c, None, length=p.steps) if scan else one(c, None), donate_argnums=0)
    carry = (P, optimizer.init(P), keys[2])

    def work():
        nonlocal carry
        for _ in range(1 if scan else p.steps):
            carry, _ = call(carry)
        jax.block_until_ready(carry)
        return p.steps

    return work


def sample(p, P, network, field, shape, solver):
    keys, dt = jr.split(jr.PRNGKey(0), 2), 1 / STEPS
    y = jr.normal(keys[0], (p.points, 2))

    def start(P, key):
        return jr.normal(key, (p.points, *shape)), network.seen(P, y)

    def step(P, z, seen, t):
        v = lambda z, t: field(P, z, seen, jnp.full((p.points,), t))
        return z + dt * (v(z + dt / 2 * v(z, t), t + dt / 2) if solver == "midpoint" else v(z, t))

    if p.net.type == "unet":
        # Within a scan, convolutions run on one thread; beside steps this long a call costs nothing.
        start, step = jax.jit(start), jax.jit(step)

        def work():
            z, seen = start(P, keys[1])
            for i in range(STEPS):
                z = step(P, z, seen, i * dt)
            z.block_until_ready()
            return p.points

        return work

    @jax.jit
    def path(P, key):
        z, seen = start(P, key)
        return jax.lax.scan(lambda z, i: (step(P, z, seen, i * dt), None), z, jnp.arange(STEPS))[0]

    def work():
        path(P, keys[1]).block_until_ready()
        return p.points

    return work
