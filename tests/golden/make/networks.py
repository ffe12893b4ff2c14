"""Makes networks.json: parts of networks on given weights.

Time embedding: w_i = P^(-i / (n/2 - 1)), P = 10^4, value [sin(S w_i t), cos(S w_i t)];
`upstream_value` has S = pi / 2. `min_relative_step_per_0_01`: |f(t + 0.01) - f(t)| / |f(t)| of an
embedding with n = 64, which is the same at every t: the root of sum_i (2 sin(S w_i / 200))^2 /
(n/2).

Concat-squash: additive z Wz + x Wx + t_embed Wt + bias; gated (FFJORD, arXiv 1810.01367) (z Wz +
bias) * sigmoid(c Wg + bg) + c Wb, c = [x, t_embed].

Potential fields of V(z, x, t) = ln sum_k e^(u_k) + (delta / 2) |z|^2, u = A z + B x + t c. With p =
softmax(u): grad = A^T p + delta z, Hessian = A^T (diag p - p p^T) A + delta I; potential -grad,
geometric Hessian x, natural -(Hessian + 0.01 I)^-1 grad, Hamiltonian (dV/dp, -dV/dq) with z = (q,
p).

Input-convex network (Amos et al., arXiv 1609.07152) on features u: h_1 = softplus(A0 z + C0 u), h_2
= softplus(softplus(W1_raw) h_1 + A1 z + C1 u), V = softplus(w_raw) . h_2 + a . z + (mu / 2) |z|^2.

All numbers that are not literals below: numpy's default_rng(5), standard normals rounded to three
digits, in the file's order.
"""

from typing import Any

import numpy as np
from scipy.special import expit, logsumexp

import common

DIM = 8
SCALE = 1000.0
MAX_PERIOD = 10000.0
TIMES = [0.0, 0.1, 0.5, 0.937, 1.0]
DELTA = 0.1
DAMPING = 0.01
MU = 0.05
FEATURES = [0.3, -0.7, 0.4]


def softplus(x: np.ndarray) -> np.ndarray:
    """ln(1 + e^x)."""
    return np.logaddexp(0.0, x)


def frequencies(dim: int) -> np.ndarray:
    """w_i, from 1 down to 1 / P."""
    half = dim // 2
    return MAX_PERIOD ** (-np.arange(half) / (half - 1))


def embedding(scale: float) -> np.ndarray:
    """[sin(S w_i t), cos(S w_i t)] at TIMES."""
    phases = scale * np.array(TIMES)[:, None] * frequencies(DIM)
    return np.concatenate([np.sin(phases), np.cos(phases)], axis=1)


def relative_step(scale: float) -> float:
    """The relative move of an embedding with 64 features while t moves by 1 / 100."""
    w = frequencies(64)
    return float(np.sqrt(np.mean((2 * np.sin(scale * w / 200)) ** 2)))


def time_embedding() -> dict[str, Any]:
    """The entry `time_embedding`."""
    return {
        "dim": DIM,
        "scale": SCALE,
        "max_period": MAX_PERIOD,
        "t": TIMES,
        "value": embedding(SCALE),
        "upstream_value": embedding(np.pi / 2),
        "value_scale_100": embedding(100.0),
        "min_relative_step_per_0_01": {"ours": relative_step(SCALE), "upstream": relative_step(np.pi / 2)},
    }


def concatsquash(normals: common.Normals) -> dict[str, Any]:
    """The entry `concatsquash`."""
    z, x, t_embed = normals.draw(2, 3), normals.draw(2, 2), normals.draw(2, 4)
    wz, wx, wt, bias = normals.draw(3, 3), normals.draw(2, 3), normals.draw(4, 3), normals.draw(3)
    wg, bg, wb = normals.draw(6, 3), normals.draw(3), normals.draw(6, 3)
    c = np.concatenate([x, t_embed], axis=1)
    return {
        "z": z,
        "x": x,
        "t_embed": t_embed,
        "Wz": wz,
        "Wx": wx,
        "Wt": wt,
        "bias": bias,
        "additive": z @ wz + x @ wx + t_embed @ wt + bias,
        "Wg": wg,
        "bg": bg,
        "Wb": wb,
        "gated": (z @ wz + bias) * expit(c @ wg + bg) + c @ wb,
        "note": "gated = (z Wz + bias) * sigmoid(c Wg + bg) + c Wb, c = [x, t_embed]",
    }


def field_row(
    normals: common.Normals, a: np.ndarray, b: np.ndarray, c: np.ndarray, t: float
) -> dict[str, Any]:
    """The fields of V at the next point of the stream."""
    z, x = normals.draw(4), normals.draw(4)
    u = a @ z + b @ x + t * c
    p = np.exp(u - logsumexp(u))
    grad = a.T @ p + DELTA * z
    hessian = a.T @ (np.diag(p) - np.outer(p, p)) @ a + DELTA * np.eye(4)
    return {
        "z": z,
        "x": x,
        "t": t,
        "V": logsumexp(u) + DELTA / 2 * (z @ z),
        "grad": grad,
        "hessian": hessian,
        "potential": -grad,
        "geometric": hessian @ x,
        "natural_delta_0_01": -np.linalg.solve(hessian + DAMPING * np.eye(4), grad),
        "hamiltonian": np.concatenate([grad[2:], -grad[:2]]),
        "divergence": {"potential": -np.trace(hessian), "hamiltonian": 0.0},
    }


def potential_fields(normals: common.Normals) -> dict[str, Any]:
    """The entry `potential_fields`."""
    a, b, c = normals.draw(5, 4), normals.draw(5, 4), normals.draw(5)
    rows = [field_row(normals, a, b, c, t) for t in [0.0, 0.4, 1.0]]
    return {"A": a, "B": b, "c": c, "delta": DELTA, "rows": rows}


def icnn(normals: common.Normals) -> dict[str, Any]:
    """The entry `icnn`: V and its gradient by the chain rule."""
    a0, a1, a = normals.draw(4, 2), normals.draw(3, 2), normals.draw(2)
    c0, c1 = normals.draw(4, 3), normals.draw(3, 3)
    w1_raw, w_raw, z = normals.draw(3, 4), normals.draw(3), normals.draw(5, 2)
    u, w1, w = np.array(FEATURES), softplus(w1_raw), softplus(w_raw)
    first = z @ a0.T + c0 @ u
    second = softplus(first) @ w1.T + z @ a1.T + c1 @ u
    inner = w * expit(second)
    return {
        "A0": a0,
        "A1": a1,
        "a": a,
        "C0": c0,
        "C1": c1,
        "W1_raw": w1_raw,
        "w_raw": w_raw,
        "mu": MU,
        "u": FEATURES,
        "z": z,
        "V": softplus(second) @ w + z @ a + MU / 2 * (z * z).sum(axis=1),
        "grad": (inner @ w1 * expit(first)) @ a0 + inner @ a1 + a + MU * z,
    }


def golden() -> dict[str, Any]:
    """The contents of networks.json."""
    normals = common.Normals(seed=5, digits=3)
    return common.plain(
        {
            "time_embedding": time_embedding(),
            "concatsquash": concatsquash(normals),
            "potential_fields": potential_fields(normals),
            "icnn": icnn(normals),
        }
    )


if __name__ == "__main__":
    common.write(golden())
