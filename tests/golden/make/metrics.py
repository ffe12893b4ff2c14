"""Makes metrics.json: distances between small point sets, regression and classification scores,
log-likelihoods.

Energy distance (Szekely and Rizzo, 2013): 2 E|X - Y| - E|X - X'| - E|Y - Y'|, `v` with means over
all n^2 pairs, `u` over the n (n - 1) pairs of different points. W1, W2: exact optimal assignment of
equally many points, W2 the root of the mean squared distance. Sliced: W2^2 of sorted projections.
MMD^2 (Gretton et al., 2012): kernels exp(-r^2 / (2 s^2)) averaged over bandwidths s, or with s the
median distance of the pooled points. PVE = 100 (1 - SSE / SST), SST about each feature's mean.

Continuous normalising flows (Chen et al., arXiv 1806.07366; FFJORD, 1810.01367): z from t = 1 down
to 0 along dz/dt = v, ln p(z_1) = ln N(z_0; 0, I) - integral of div v dt. `linear`: v = M z + c t,
z_0 by the matrix exponential, div v = tr M. `nonlinear`: v = W2 tanh(W1 z + b1 + u t), integrated
in 25 digits by a Taylor method. bits per dim = -ln p / (d ln 2). Hutchinson: q^T (dv/dz) q for a
probe q.

Points: numpy's default_rng(11), standard normals shifted and scaled as below, rounded to three
digits. The flows' parameters are given.
"""

from typing import Any

import numpy as np
from mpmath import mp
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

import common

ANGLES = [0.0, 0.4, 1.1, 1.9, 2.6]
BANDWIDTHS = [0.5, 1.0, 2.0]
LOGITS = [[1.0, 2.0, 0.0], [0.2, 0.1, 0.3], [2.0, -1.0, 2.0], [-1.0, -2.0, -3.0]]
LABELS = [1, 0, 2, 0]
M = [[0.3, -0.8, 0.1], [0.5, -0.2, 0.4], [-0.3, 0.2, 0.6]]
C = [0.5, -0.2, 0.1]
Z1_LINEAR = [0.4, -0.9, 1.2]
W1 = [[0.7, -0.3], [0.2, 0.9], [-0.5, 0.4]]
B1 = [0.1, -0.2, 0.3]
U = [0.5, -0.4, 0.2]
W2 = [[0.6, -0.2, 0.8], [0.3, 0.5, -0.7]]
Z1_NONLINEAR = [0.5, -0.8]

normals = common.Normals(seed=11, digits=3)
X = normals.draw(7, 2)
Y = normals.draw(7, 2, scale=0.8, shift=[0.5, -0.3])
Y2 = normals.draw(5, 2)
Y_TRUE = normals.draw(6, 3, scale=[1.0, 2.0, 0.5], shift=[0.0, 3.0, 0.0])
Y_PRED = Y_TRUE + normals.draw(6, 3, scale=0.3)


def mean_off_diagonal(matrix: np.ndarray) -> float:
    """The mean over pairs of different points."""
    n = len(matrix)
    return (matrix.sum() - np.trace(matrix)) / (n * (n - 1))


def kernel(distances: np.ndarray, bandwidths: list[float]) -> np.ndarray:
    """Gaussian kernels averaged over bandwidths."""
    return np.mean([np.exp(-(distances**2) / (2 * s**2)) for s in bandwidths], axis=0)


def sliced(x: np.ndarray, y: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """W2^2 of the projections on each direction."""
    return np.mean((np.sort(x @ directions.T, axis=0) - np.sort(y @ directions.T, axis=0)) ** 2, axis=0)


def pair(directions: np.ndarray) -> dict[str, Any]:
    """Distances between X and Y."""
    xy, xx, yy = cdist(X, Y), cdist(X, X), cdist(Y, Y)
    cost = xy**2
    w1 = xy[linear_sum_assignment(xy)].mean()
    w2_squared = cost[linear_sum_assignment(cost)].mean()
    per_direction = sliced(X, Y, directions)
    pooled = cdist(np.concatenate([X, Y]), np.concatenate([X, Y]))
    median = float(np.median(pooled[np.triu_indices(len(pooled), 1)]))
    kxy, kxx, kyy = (kernel(d, BANDWIDTHS) for d in (xy, xx, yy))
    mxy, mxx, myy = (kernel(d, [median]) for d in (xy, xx, yy))
    return {
        "a": "X",
        "b": "Y",
        "energy_v": 2 * xy.mean() - xx.mean() - yy.mean(),
        "energy_u": 2 * xy.mean() - mean_off_diagonal(xx) - mean_off_diagonal(yy),
        "w1": w1,
        "w2": np.sqrt(w2_squared),
        "w2_squared": w2_squared,
        "sliced_w2_squared_per_direction": per_direction,
        "sliced_w2": np.sqrt(per_direction.mean()),
        "mmd_bandwidths": BANDWIDTHS,
        "mmd2_biased": kxx.mean() + kyy.mean() - 2 * kxy.mean(),
        "mmd2_unbiased": mean_off_diagonal(kxx) + mean_off_diagonal(kyy) - 2 * kxy.mean(),
        "median_pairwise_distance_pooled": median,
        "mmd2_biased_median_bandwidth": mxx.mean() + myy.mean() - 2 * mxy.mean(),
    }


def regression() -> dict[str, Any]:
    """Scores of Y_PRED; the last has SST about a single mean of all features, so it is too good."""
    errors = Y_PRED - Y_TRUE
    sse = (errors**2).sum(axis=0)
    sst = ((Y_TRUE - Y_TRUE.mean(axis=0)) ** 2).sum(axis=0)
    per_feature = 100 * (1 - sse / sst)
    return {
        "y_true": Y_TRUE,
        "y_pred": Y_PRED,
        "mse": (errors**2).mean(),
        "mae": np.abs(errors).mean(),
        "pve_per_feature": per_feature,
        "pve_uniform_average": per_feature.mean(),
        "pve_pooled": 100 * (1 - sse.sum() / sst.sum()),
        "pve_global_mean_upstream_style": 100 * (1 - sse.sum() / ((Y_TRUE - Y_TRUE.mean()) ** 2).sum()),
    }


def classification() -> dict[str, Any]:
    """Accuracy (the first of equal logits wins) and mean cross-entropy."""
    logits = np.array(LOGITS)
    chosen = logits.argmax(axis=1)
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return {
        "logits": LOGITS,
        "labels": LABELS,
        "argmax_first_tie": chosen.tolist(),
        "accuracy": (chosen == LABELS).mean(),
        "cross_entropy": -log_probabilities[np.arange(len(LABELS)), LABELS].mean(),
    }


def log_normal(z: Any) -> Any:
    """ln N(z; 0, I)."""
    return -sum(x**2 for x in z) / 2 - len(z) * mp.log(2 * mp.pi) / 2


def linear_flow() -> dict[str, Any]:
    """v = M z + c t: d(z, t, 1)/dt is linear, so its exponential leads from t = 1 to 0."""
    rows = [[*row, c, 0] for row, c in zip(M, C, strict=True)]
    augmented = mp.matrix([*rows, [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]])
    z0 = list(mp.expm(-augmented) * mp.matrix([*Z1_LINEAR, 1, 1]))[:3]
    trace = sum(mp.mpf(M[i][i]) for i in range(3))
    log_p = log_normal(z0) - trace
    return {
        "M": M,
        "c": C,
        "z1": Z1_LINEAR,
        "z0": z0,
        "trace": trace,
        "log_p": log_p,
        "bits_per_dim": -log_p / (3 * mp.log(2)),
    }


def jacobian(t: Any, z: Any) -> tuple[Any, Any]:
    """v and dv/dz of the nonlinear flow: J = W2 diag(1 - tanh^2) W1."""
    w1, w2 = mp.matrix(W1), mp.matrix(W2)
    hidden = (w1 * mp.matrix(z) + mp.matrix(B1) + t * mp.matrix(U)).apply(mp.tanh)
    return w2 * hidden, w2 * mp.diag([1 - h**2 for h in hidden]) * w1


def backwards(s: Any, state: Any) -> list[Any]:
    """d/ds of (z, l) at t = 1 - s, with dl/dt = div v."""
    flow, slope = jacobian(1 - s, state[:2])
    return [-flow[0], -flow[1], -slope[0, 0] - slope[1, 1]]


def nonlinear_flow() -> dict[str, Any]:
    """v = W2 tanh(W1 z + b1 + u t), from t = 1 to 0."""
    with mp.workdps(25):
        *z0, integral = mp.odefun(backwards, 0, [*map(mp.mpf, Z1_NONLINEAR), mp.zero])(1)
    _, slope = jacobian(mp.mpf(0.3), Z1_NONLINEAR)
    probes = [[1.0, -1.0], [1.0, 1.0]]
    return {
        "W1": W1,
        "b1": B1,
        "u": U,
        "W2": W2,
        "z1": Z1_NONLINEAR,
        "z0": z0,
        "int_div_from_1_to_0": integral,
        "log_p": log_normal(z0) + integral,
        "divergence_at": {"t": 0.3, "z": Z1_NONLINEAR, "exact": slope[0, 0] + slope[1, 1]},
        "hutchinson": [{"probe": q, "value": (mp.matrix([q]) * slope * mp.matrix(q))[0]} for q in probes],
    }


def golden() -> dict[str, Any]:
    """The contents of metrics.json."""
    directions = np.array([[np.cos(angle), np.sin(angle)] for angle in ANGLES])
    return common.plain(
        {
            "X": X,
            "Y": Y,
            "Y2": Y2,
            "directions": directions,
            "pairs": [pair(directions)],
            "regression": regression(),
            "classification": classification(),
            "cnf": {"linear": linear_flow(), "nonlinear": nonlinear_flow()},
        }
    )


if __name__ == "__main__":
    common.write(golden())
