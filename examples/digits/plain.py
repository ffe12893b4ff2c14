"""A plain classifier as a baseline: the network of digits_classification.yaml without z and time,
trained on the cross-entropy with the same optimizer, learning rates, batches, steps and EMA of the
parameters.

    .venv/bin/pip install numpy jax optax
    .venv/bin/python plain.py
"""

import argparse
import os

import jax
import jax.numpy as jnp
import numpy as np
import optax

here = os.path.dirname(os.path.abspath(__file__))
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--data", default=os.path.join(here, "digits.npz"))
parser.add_argument("--steps", type=int, default=2000)
parser.add_argument("--batch-size", type=int, default=256)
parser.add_argument("--width", type=int, default=256)
parser.add_argument("--dropout", type=float, default=0.0)
parser.add_argument("--seeds", type=int, nargs="*", default=[42, 43, 44, 45, 46])
args = parser.parse_args()

data = np.load(args.data)
x, y = (data["x"].reshape(len(data["x"]), -1), data["y"])
x_test, y_test = (data["x_test"].reshape(len(data["x_test"]), -1), data["y_test"])
mean, deviation = x.mean(), x.std()
x, x_test = (x - mean) / deviation, (x_test - mean) / deviation

# Three layers over the image, the layer that would also take z and time, and the two after it.
WIDTHS = [x.shape[1]] + [args.width] * 6 + [10]


def init(key):
    """Initial parameters: LeCun's uniform distribution for hidden layers, zero for the last."""
    keys = jax.random.split(key, len(WIDTHS))
    layers = []
    for key, a, b in zip(keys, WIDTHS, WIDTHS[1:]):
        bound = np.sqrt(3 / a) if b != 10 else 0
        layers.append((jax.random.uniform(key, (a, b), minval=-bound, maxval=bound), jnp.zeros(b)))
    return layers


def logits(layers, x, key=None):
    for i, (w, b) in enumerate(layers[:-1]):
        x = jax.nn.silu(x @ w + b)
        if key is not None and args.dropout > 0:
            keep = jax.random.bernoulli(jax.random.fold_in(key, i), 1 - args.dropout, x.shape)
            x = jnp.where(keep, x / (1 - args.dropout), 0)
    return x @ layers[-1][0] + layers[-1][1]


def loss(layers, x, y, key):
    return optax.softmax_cross_entropy_with_integer_labels(logits(layers, x, key), y).mean()


rate = optax.warmup_cosine_decay_schedule(0.0, 1e-3, 100, args.steps)
optimizer = optax.adam(rate)


@jax.jit
def step(layers, average, state, n, x, y, key):
    updates, state = optimizer.update(jax.grad(loss)(layers, x, y, key), state)
    layers = optax.apply_updates(layers, updates)
    decay = jnp.minimum(0.999, (1 + n) / (10 + n))
    average = jax.tree.map(lambda a, b: decay * a + (1 - decay) * b, average, layers)
    return layers, average, state


accuracies = []
for seed in args.seeds:
    layers = average = init(jax.random.key(seed))
    state, rng, order = optimizer.init(layers), np.random.default_rng(seed), np.array([], int)
    for n in range(args.steps):
        if len(order) == 0:
            order = rng.permutation(len(x))
        rows, order = order[: args.batch_size], order[args.batch_size :]
        key = jax.random.key(seed * 1_000_003 + n)
        layers, average, state = step(layers, average, state, n + 1.0, x[rows], y[rows], key)
    correct = np.asarray(logits(average, x_test)).argmax(1) == y_test
    accuracies.append(correct.mean())
    print(f"seed {seed}: accuracy {100 * correct.mean():.2f} %", flush=True)
print(f"mean {100 * np.mean(accuracies):.2f} %, deviation {100 * np.std(accuracies, ddof=1):.2f}")
