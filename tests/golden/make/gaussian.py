"""Makes gaussian.json: everything that is known in closed form for data N(m, s^2 I), on the
rectified path and on 20 variance-preserving schedules.

With V = a^2 s^2 + b^2 and r = (z - a m) / V the best predictions at z are: target m + a s^2 r,
noise b r, score -r, velocity a' m + (V' / 2) r. The probability flow from z_0 ends at a_1 m +
sqrt(V_1 / V_0) (z_0 - a_0 m); along it the integral of div v is (d / 2) ln(V_1 / V_0), which gives
the likelihood of the flow started from N(0, I).

Loss floors (sums over d): integral of SNR' E|h - z_1|^2 = d ln((1 + s^2 SNR_1) / (1 + s^2 SNR_0));
of E|h - z_1|^2 = d s^2 (1 - ab) / V and E|e - eps|^2 = d s^2 ab / V by quadrature; FM's d s pi / 2.
Bound of variational diffusion models (Kingma et al., arXiv 2107.00630): KL(z_0) + half the first
floor - E ln p(y | z_{t=1}), where the last decodes with variance (1 - hi) / hi. `gap` is its
distance from the entropy. `upstream_drift`: the reverse SDE's drift v + (g2 / 2) s without its
noise, g2 = (1 - ab) g', shrinks the spread by sqrt(SNR_0 (1 + s^2 SNR_1) / (SNR_1 (1 + s^2
SNR_0))).

Closed forms and quadratures are in 50 digits. `rk4_*` and `ivp_max_err` are what float64 solvers
reach: the classical Runge-Kutta method in t or in g (dz/dg = v / g'), and scipy's DOP853 (rtol
1e-10, atol 1e-12, steps of at most 0.02, one row of z_0 at a time, v = g' (a h - ab z) / 2 on the
schedules). Their errors carry rounding of about 1e-15, but for `ivp_max_err` of laplace's second
set, 2.6e-10: there the error comes from steps over a kink off the grid, and rounding decides where
they fall.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from mpmath import fp, mp
from scipy.integrate import solve_ivp

import common
import paths

M = [0.7, -1.3, 0.4]
S = 0.6
D = 3
Z0 = [[0.0, 0.0, 0.0], [1.0, -0.5, 2.0], [-1.7, 0.3, 0.9]]
TIMES = [0.0, 1e-6, 0.1, 0.35, 0.5, 0.8, 0.999999, 1.0]
Z = [1.0, -0.5, 2.0]
Z1 = [0.3, -1.0, 0.8]

Field = Callable[[float, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Point:
    """A path at one time, with derivatives in time."""

    a: Any
    b: Any
    a_prime: Any
    variance_prime: Any
    s: Any

    @property
    def variance(self) -> Any:
        """The variance V = a^2 s^2 + b^2."""
        return self.a**2 * self.s**2 + self.b**2

    def velocity(self, z: np.ndarray, m: np.ndarray) -> np.ndarray:
        """a' m + (V' / 2) r."""
        return self.a_prime * m + self.variance_prime / 2 * (z - self.a * m) / self.variance


def rectified(t: Any, c: Any = mp) -> Point:
    """a = t, b = 1 - t."""
    t, s = c.mpf(t), c.mpf(S)
    return Point(t, 1 - t, c.one, 2 * (t * s**2 - (1 - t)), s)


def variance_preserving(name: str, params: paths.Params, t: Any, c: Any = mp) -> Point:
    """a' = a (1 - ab) g' / 2, V' = ab' (s^2 - 1), ab' = ab (1 - ab) g'."""
    at, s = paths.level(name, params, t, c), c.mpf(S)
    slope = at.one_minus_alpha_bar * at.gamma_prime
    return Point(at.a, at.b, at.a * slope / 2, at.alpha_bar * slope * (s**2 - 1), s)


def predictor(at: Point, t: float) -> dict[str, Any]:
    """The best predictions at Z."""
    z, m = common.exact(Z), common.exact(M)
    r = (z - at.a * m) / at.variance
    return {
        "t": t,
        "z": Z,
        "target": m + at.a * at.s**2 * r,
        "noise": at.b * r,
        "velocity": at.velocity(z, m),
        "score": -r,
        "marginal_mean": at.a * m,
        "marginal_var": at.variance,
    }


def flow(z: Any, start: Point, end: Point) -> np.ndarray:
    """The exact flow from `start` to `end`."""
    m = common.exact(M)
    return end.a * m + mp.sqrt(end.variance / start.variance) * (common.exact(z) - start.a * m)


def rk4(field: Field, start: float, end: float, steps: int) -> np.ndarray:
    """The classical Runge-Kutta method on Z0."""
    z, h = np.array(Z0), (end - start) / steps
    for i in range(steps):
        t = start + i * h
        k1 = field(t, z)
        k2 = field(t + h / 2, z + h / 2 * k1)
        k3 = field(t + h / 2, z + h / 2 * k2)
        k4 = field(t + h, z + h * k3)
        z = z + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return z


def adaptive(field: Field) -> np.ndarray:
    """scipy's DOP853 on the rows of Z0."""
    ends = []
    for row in Z0:
        solution = solve_ivp(field, (0.0, 1.0), row, method="DOP853", rtol=1e-10, atol=1e-12, max_step=0.02)
        ends.append(solution.y[:, -1])
    return np.array(ends)


def gamma_velocity(at: paths.Level, z: np.ndarray) -> np.ndarray:
    """dz/dg = (a h - ab z) / 2 in float64, the same for every schedule."""
    m = np.array(M)
    r = (z - at.a * m) / (at.alpha_bar * S**2 + at.one_minus_alpha_bar)
    return (at.a * (m + at.a * S**2 * r) - at.alpha_bar * z) / 2


def gamma_field(g: float, z: np.ndarray) -> np.ndarray:
    """dz/dg at the log-SNR g."""
    return gamma_velocity(paths.from_log_snr(g, 1.0, fp), z)


def solvers(field: Field, ends: tuple[float, float] | None, endpoint: np.ndarray) -> dict[str, Any]:
    """Errors of float64 solvers; `ends` are g at t = 0 and 1."""

    def error(found: np.ndarray) -> float:
        return float(np.abs(found - endpoint.astype(float)).max())

    coarse = rk4(field, 0.0, 1.0, 200)
    return {
        "rk4_200_max_err": error(coarse),
        "rk4_400_max_err": error(rk4(field, 0.0, 1.0, 400)),
        "rk4_200_endpoint": coarse,
        "rk4_200_gamma_time_max_err": error(rk4(gamma_field, *ends, 200)) if ends else None,
        "ivp_max_err": error(adaptive(field)),
        "rk4_200_below_1e6": error(coarse) < 1e-6,
    }


def log_normal(z: np.ndarray, mean: Any, variance: Any) -> Any:
    """ln N(z; mean, variance I)."""
    return -((z - mean) ** 2).sum() / (2 * variance) - len(z) * mp.log(2 * mp.pi * variance) / 2


def likelihood(start: Point, end: Point) -> dict[str, Any]:
    """ln p of Z1 under the flow from N(0, I), and under the marginal at t = 1."""
    z0 = flow(Z1, end, start)
    divergence = mp.mpf(D) / 2 * mp.log(end.variance / start.variance)
    log_p = log_normal(z0, 0, 1) - divergence
    return {
        "z1": Z1,
        "z0": z0,
        "int_div": divergence,
        "log_p_model": log_p,
        "bits_per_dim_model": -log_p / (D * mp.log(2)),
        "log_p_exact_marginal_t1": log_normal(common.exact(Z1), end.a * common.exact(M), end.variance),
    }


def quadrature(f: Callable[[Any], Any], kinks: list[float]) -> Any:
    """The integral of f over [0, 1], to 25 digits."""
    with mp.workdps(25):
        return mp.quad(f, sorted({0.0, 0.05, 0.15, 0.3, 0.5, 0.7, 0.9, 1.0, *kinks}))


def loss_floors(at: Callable[[Any], Point], kinks: list[float], snr: tuple[Any, Any]) -> dict[str, Any]:
    """The integrals of the losses of the best predictions."""
    s2 = mp.mpf(S) ** 2
    return {
        "int_snrprime_target_err": D * mp.log((1 + s2 * snr[1]) / (1 + s2 * snr[0])),
        "int_target_err": D * s2 * quadrature(lambda t: at(t).b ** 2 / at(t).variance, kinks),
        "int_noise_err": D * s2 * quadrature(lambda t: at(t).a ** 2 / at(t).variance, kinks),
    }


def bound(start: Point, end: Point, floor: Any) -> dict[str, Any]:
    """The terms of the variational bound; E|z_1|^2 = d s^2 + |m|^2."""
    ab0, s2 = start.a**2, mp.mpf(S) ** 2
    kl = (ab0 * (D * s2 + (common.exact(M) ** 2).sum()) - D * ab0 - D * mp.log1p(-ab0)) / 2
    recon = mp.mpf(D) / 2 * (mp.log(2 * mp.pi * end.b**2 / end.a**2) + 1)
    entropy = mp.mpf(D) / 2 * mp.log(2 * mp.pi * mp.e * s2)
    total = kl + floor / 2 + recon
    return {
        "kl_z0": kl,
        "diffusion": floor / 2,
        "recon_nll": recon,
        "neg_elbo": total,
        "exact_entropy": entropy,
        "gap": total - entropy,
        "bits_per_dim": total / (D * mp.log(2)),
    }


def noiseless_drift(start: Point, end: Point, snr: tuple[Any, Any]) -> dict[str, Any]:
    """The entry `upstream_drift`."""
    s2, m = mp.mpf(S) ** 2, common.exact(M)
    ratio = mp.sqrt(snr[0] * (1 + s2 * snr[1]) / (snr[1] * (1 + s2 * snr[0])))
    exact = flow(Z0[1], start, end)
    return {"std_ratio_to_correct": ratio, "endpoint_z0_row1": end.a * m + ratio * (exact - end.a * m)}


def gamma_ends(name: str, params: paths.Params) -> tuple[float, float]:
    """g at t = 0 and 1."""
    return float(paths.level(name, params, 0.0).gamma), float(paths.level(name, params, 1.0).gamma)


def case(name: str, index: int, params: paths.Params) -> dict[str, Any]:
    """One entry of `cases`."""
    straight = name == "rectified"

    def at(t: Any, c: Any = mp) -> Point:
        return rectified(t, c) if straight else variance_preserving(name, params, t, c)

    def field(t: float, z: np.ndarray) -> np.ndarray:
        if straight:
            return at(t, fp).velocity(z, np.array(M))
        x = paths.level(name, params, t, fp)
        return x.gamma_prime * gamma_velocity(x, z)

    start, end = at(0.0), at(1.0)
    endpoint = flow(Z0, start, end)
    ends = None if straight else gamma_ends(name, params)
    out = {
        "schedule": name,
        "set": index,
        "params": params,
        "predictors": [predictor(at(t), t) for t in TIMES],
        "endpoint": endpoint,
        "mean_end": flow([0.0] * D, start, end),
        "var_end": end.variance / start.variance,
        **solvers(field, ends, endpoint),
        "marginal_mean_1": end.a * common.exact(M),
        "marginal_var_1": end.variance,
        "marginal_mean_0": start.a * common.exact(M),
        "marginal_var_0": start.variance,
        "loglik": likelihood(start, end),
    }
    if straight:
        return out | {"loss_floor_sum": {"fm_unweighted": D * mp.mpf(S) * mp.pi / 2}}
    snr = ((start.a / start.b) ** 2, (end.a / end.b) ** 2)
    floors = loss_floors(at, [params["loc"]] if "loc" in params else [], snr)
    return out | {
        "loss_floor_sum": floors,
        "vdm_bound": bound(start, end, floors["int_snrprime_target_err"]),
        "upstream_drift": noiseless_drift(start, end, snr),
    }


def golden() -> dict[str, Any]:
    """The contents of gaussian.json."""
    sets = [("rectified", 0, {}), *((name, i, p) for name, sets in paths.CASES for i, p in enumerate(sets))]
    return common.plain(
        {
            "about": "data N(m, s^2 I) in 3-d. predictors at (t, z); ODE end point for z0; "
            "z0 ~ N(0,I) gives end point law N(mean_end, var_end I).",
            "m": M,
            "s": S,
            "z0": Z0,
            "t": TIMES,
            "cases": [case(*entry) for entry in sets],
        }
    )


if __name__ == "__main__":
    common.write(golden())
