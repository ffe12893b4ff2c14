"""Makes conversions.json: one state and one predicted target, seen as noise, velocity and score, in
50 digits.

For any Gaussian path z = a h + b e: noise e = (z - a h) / b, score s = -e / b. Variance-preserving:
v = dz/dt = (g'/2)(a h - ab z), dz/dg = (a h - ab z)/2, squared diffusion g2 = (1 - ab) g'.
Rectified (a = t, b = 1 - t): v = (h - z) / (1 - t), g2 = 2 (1 - t) / t. Reverse SDE drift with
churn eta: v + (eta^2 / 2) g2 s (Song et al., arXiv 2011.13456; Karras et al., 2206.00364). Two
paths with one log-SNR differ by a scale: t = sigmoid(g / 2), z_rectified = z_vp / (a + b). Inverse:
the time of a log-SNR, by bisection.

State and target: numpy's default_rng(7), standard normals rounded to four digits.
"""

from typing import Any

import numpy as np
from mpmath import fp, mp

import common
import paths

VP_TIMES = [0.0, 1e-6, 0.2, 0.5, 0.9, 0.999999, 1.0]
RECTIFIED_TIMES = [0.0, 1e-6, 0.2, 0.5, 0.9, 0.999999]
CHURNS = [0.5, 1.0]
PATH_CHANGES = ["linear", "cosine", "sigmoid", "monotonic_nn"]
PATH_CHANGE_TIMES = [0.0, 0.25, 0.6, 1.0]
INVERSE_SHARES = [0.0, 0.1, 0.37, 0.5, 0.81, 1.0]

normals = common.Normals(seed=7, digits=4)
Z = normals.draw(2, 3)
TARGET = normals.draw(2, 3)


def velocity(at: paths.Level, z: np.ndarray, target: np.ndarray) -> np.ndarray:
    """dz/dt of the probability flow on a variance-preserving path."""
    return at.gamma_prime / 2 * (at.a * target - at.alpha_bar * z)


def vp_case(name: str, index: int, params: paths.Params, t: float) -> dict[str, Any]:
    """One entry of `vp`."""
    at, z, target = paths.level(name, params, t), common.exact(Z), common.exact(TARGET)
    noise = (z - at.a * target) / at.b
    flow, score, g2 = velocity(at, z, target), -noise / at.b, at.one_minus_alpha_bar * at.gamma_prime
    return {
        "schedule": name,
        "set": index,
        "params": params,
        "t": t,
        "noise": noise,
        "velocity": flow,
        "dz_dgamma": (at.a * target - at.alpha_bar * z) / 2,
        "score": score,
        "g2": g2,
        "sde_drift": {str(eta): flow + mp.mpf(eta) ** 2 / 2 * g2 * score for eta in CHURNS},
    }


def rectified_case(t: float) -> dict[str, Any]:
    """One entry of `rectified`; g2 is infinite at t = 0 and left out there."""
    a, z, target = mp.mpf(t), common.exact(Z), common.exact(TARGET)
    noise = (z - a * target) / (1 - a)
    return {
        "t": t,
        "noise": noise,
        "velocity": (target - z) / (1 - a),
        "score": -noise / (1 - a),
        "g2": 2 * (1 - a) / a if t > 0 else None,
    }


def path_change_case(name: str, tau: float) -> dict[str, Any]:
    """One entry of `path_change`: the same target prediction on both paths."""
    params, z, target = paths.DEFAULTS[name], common.exact(Z), common.exact(TARGET)
    at = paths.level(name, params, tau)
    t, scale = paths.sigmoid(mp, at.gamma / 2), 1 / (at.a + at.b)
    return {
        "schedule": name,
        "params": params,
        "tau": tau,
        "gamma": at.gamma,
        "t_rectified": t,
        "scale": scale,
        "z_rectified": scale * z,
        "velocity_rectified": (target - scale * z) / (1 - t),
        "velocity_vp": velocity(at, z, target),
    }


def inverse_case(name: str, params: paths.Params) -> dict[str, Any]:
    """One entry of `inverse`: pairs of g and t."""
    first, last = (paths.level(name, params, t).gamma for t in (0.0, 1.0))
    gammas = [float(first + mp.mpf(share) * (last - first)) for share in INVERSE_SHARES]
    return {
        "schedule": name,
        "params": params,
        "gamma_t": [[g, paths.time_of(name, params, g)] for g in gammas],
    }


def worst_round_trip() -> float:
    """max |a h + b e - z| over the cases of `vp`, with e and the sum in float64."""
    worst = 0.0
    for name, params, t in [
        (name, params, t) for name, sets in paths.CASES for params in sets for t in VP_TIMES
    ]:
        at = paths.level(name, params, t, fp)
        back = at.a * TARGET + at.b * ((Z - at.a * TARGET) / at.b)
        worst = max(worst, float(np.abs(back - Z).max()))
    return worst


def golden() -> dict[str, Any]:
    """The contents of conversions.json."""
    sets = [(name, i, params) for name, sets in paths.CASES for i, params in enumerate(sets)]
    return common.plain(
        {
            "about": "given state z and target prediction: the equivalent noise, velocity "
            "(probability flow dz/dt), "
            "score; sde_drift[eta] = velocity + eta^2/2 g^2 score with g^2 = (1-alpha_bar) gamma'.",
            "z": Z,
            "target": TARGET,
            "vp": [vp_case(*case, t) for case in sets for t in VP_TIMES],
            "rectified": [rectified_case(t) for t in RECTIFIED_TIMES],
            "path_change": [
                path_change_case(name, tau) for name in PATH_CHANGES for tau in PATH_CHANGE_TIMES
            ],
            "inverse": [inverse_case(name, params) for name, params in paths.DEFAULTS.items()],
            "verified": {"worst_round_trip": worst_round_trip()},
        }
    )


if __name__ == "__main__":
    common.write(golden())
