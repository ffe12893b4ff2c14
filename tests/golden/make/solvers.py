"""Makes solvers.json: single steps, end points and adaptive runs of ODE solvers, and samplers of
diffusion models.

Field f(t, z) = [sin z2 + t - z1^3/2, -z1 z2 + cos 3t], from t = 0 to 1. Fixed steps, t_i = i h:
Euler, midpoint, Heun, classical Runge-Kutta. Adaptive: Dormand and Prince's 5(4) pair (1980), whose
last stage is the next step's first; err = h sum_i (b5 - b4)_i k_i, E = rms(err / (atol + rtol
max(|z|, |z_new|))) over the batch; a step with E <= 1 is taken and h *= clip(0.9 E^(-0.7/5)
E_prev^(0.4/5), 0.2, 10), at most 1 after a rejection, E_prev = max(E, 1e-4), at first 1; otherwise
h *= max(0.2, 0.9 E^-0.2); the last step is cut to end at 1. All in float64, each sum from left to
right: step sizes feel rounding at 1e-11 where E is small. `reference_t1` is scipy's DOP853 (rtol
1e-12, atol 1e-13), right to 1e-13. `upstream_midpoint_observed_order`: log2 of the error of 40 over
that of 80 steps z += h f(t + h/2, z), which lacks the half step of z.

`diffusion`: data N(m, s^2 I) as in gaussian.py, best predictions h and e, z = a h + b e, 8 steps,
50 digits. With l = g/2 = ln(a/b) and H = l_t - l_s > 0 from the level s to the level t:

    ddim      z_t = a_t h + sqrt(b_t^2 - sig^2) e + sig xi, sig = eta b_t sqrt(1 - e^-2H);
              eta = 0, 1/2, and 1, which is ancestral sampling (Song et al., arXiv 2010.02502)
    dpmpp_2m  z_t = (b_t / b_s) z_s + a_t (1 - e^-H) D, D = (1 + 1/(2r)) h - h_previous / (2r),
              r = H_previous / H; first D = h (Lu et al., arXiv 2211.01095)
    em        z += (v + (eta^2/2) g2 score) dt + eta sqrt(g2 dt) xi, g2 = (1 - ab) g' (Euler-Maruyama)

`convergence`: errors against the exact flow on grids uniform in g; order from the last two, which
the file has from float64 states: that of dpmpp_2m carries their rounding and agrees to 1e-10.
`sde_marginal_variance_check`: the variance along em's equation, 2 c var + eta^2 g2 with c = (V'/2 -
eta^2 g2 / 2) / V, must end at V(1) for every eta; by scipy's LSODA (rtol 1e-10, atol 1e-13, steps
of at most 0.01).

xi: numpy's default_rng(3), standard normals rounded to four digits.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from math import log2
from typing import Any

import numpy as np
from mpmath import fp, mp
from scipy.integrate import solve_ivp

import common
import gaussian
import paths

Z0 = [[0.8, -0.6], [-1.1, 0.4]]
ONE_STEP = [(0.0, 0.1), (0.3, 0.05), (0.9, 0.1)]
STEPS = [20, 40, 80]
ADAPTIVE = [(1e-3, 1e-4, 0.05), (1e-5, 1e-6, 0.05), (1e-8, 1e-9, 0.05), (1e-6, 1e-8, 1.0)]
SAFETY, MIN_FACTOR, MAX_FACTOR, ALPHA, BETA = 0.9, 0.2, 10.0, 0.7 / 5, 0.4 / 5

DIFFUSION_Z0 = [[1.0, -0.5, 2.0], [-1.7, 0.3, 0.9]]
DIFFUSION_STEPS = 8
DIFFUSION_SCHEDULES = ["linear", "cosine", "sigmoid"]
CONVERGENCE_STEPS = [64, 128, 256]
SDE_SCHEDULES = ["linear", "cosine", "sigmoid", "cauchy"]
SDE_CHURNS = [0.0, 0.5, 1.0, 2.0]
XI = common.Normals(seed=3, digits=4).draw(DIFFUSION_STEPS, 2, 3)


def fractions(row: str) -> list[Fraction]:
    """The fractions of a row of a tableau."""
    return [Fraction(entry) for entry in row.split()]


NODES = fractions("0 1/5 3/10 4/5 8/9 1 1")
STAGES = [
    fractions(row)
    for row in [
        "",
        "1/5",
        "3/40 9/40",
        "44/45 -56/15 32/9",
        "19372/6561 -25360/2187 64448/6561 -212/729",
        "9017/3168 -355/33 46732/5247 49/176 -5103/18656",
        "35/384 0 500/1113 125/192 -2187/6784 11/84",
    ]
]
FIFTH = [*STAGES[-1], Fraction(0)]
FOURTH = fractions("5179/57600 0 7571/16695 393/640 -92097/339200 187/2100 1/40")


def floats(row: list[Fraction]) -> list[float]:
    """The nearest float64 numbers."""
    return [float(entry) for entry in row]


C, A, B5, B4 = floats(NODES), [floats(row) for row in STAGES], floats(FIFTH), floats(FOURTH)
E = floats([x - y for x, y in zip(FIFTH, FOURTH, strict=True)])


def f(t: float, z: np.ndarray) -> np.ndarray:
    """The field, for rows [z1, z2]."""
    z1, z2 = z[:, 0], z[:, 1]
    return np.stack([np.sin(z2) + t - z1**3 / 2, -z1 * z2 + np.cos(3 * t)], axis=1)


def euler(t: float, z: np.ndarray, h: float) -> np.ndarray:
    """z + h k1."""
    return z + h * f(t, z)


def midpoint(t: float, z: np.ndarray, h: float) -> np.ndarray:
    """z + h f(t + h/2, z + h k1 / 2)."""
    return z + h * f(t + h / 2, z + h / 2 * f(t, z))


def heun(t: float, z: np.ndarray, h: float) -> np.ndarray:
    """z + h (k1 + k2) / 2, k2 = f(t + h, z + h k1)."""
    k1 = f(t, z)
    return z + h / 2 * (k1 + f(t + h, z + h * k1))


def rk4(t: float, z: np.ndarray, h: float) -> np.ndarray:
    """Weights 1/6, 1/3, 1/3, 1/6."""
    k1 = f(t, z)
    k2 = f(t + h / 2, z + h / 2 * k1)
    k3 = f(t + h / 2, z + h / 2 * k2)
    k4 = f(t + h, z + h * k3)
    return z + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def half_missing(t: float, z: np.ndarray, h: float) -> np.ndarray:
    """z + h f(t + h/2, z)."""
    return z + h * f(t + h / 2, z)


Step = Callable[[float, np.ndarray, float], np.ndarray]
FIXED: dict[str, Step] = {"euler": euler, "midpoint": midpoint, "heun": heun, "rk4": rk4}


def integrate(step: Step, steps: int) -> np.ndarray:
    """Fixed steps from 0 to 1."""
    z, h = np.array(Z0), 1 / steps
    for i in range(steps):
        z = step(i * h, z, h)
    return z


def combine(weights: list[float], slopes: list[np.ndarray]) -> np.ndarray:
    """sum_i w_i k_i from left to right."""
    return sum((w * k for w, k in zip(weights, slopes, strict=False)), start=np.zeros_like(slopes[0]))


def dopri5(t: float, z: np.ndarray, h: float, k1: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(z_new, err, k7)."""
    slopes = [k1]
    for node, row in zip(C[1:], A[1:], strict=True):
        slopes.append(f(t + node * h, z + h * combine(row, slopes)))
    return z + h * combine(B5, slopes), h * combine(E, slopes), slopes[-1]


def error_norm(err: np.ndarray, z: np.ndarray, new: np.ndarray, rtol: float, atol: float) -> float:
    """rms(err / (atol + rtol max(|z|, |z_new|)))."""
    return float(np.sqrt(np.mean((err / (atol + rtol * np.maximum(np.abs(z), np.abs(new)))) ** 2)))


@dataclass
class Run:
    """An adaptive run."""

    z: np.ndarray
    times: list[float] = field(default_factory=lambda: [0.0])
    steps: list[float] = field(default_factory=list)
    rejected: int = 0
    evaluations: int = 1


def adapt(rtol: float, atol: float, h: float) -> Run:
    """Dormand and Prince's pair from 0 to 1 with first step h."""
    run = Run(np.array(Z0))
    t, slope, previous, ceiling = 0.0, f(0.0, run.z), 1.0, MAX_FACTOR
    while t < 1.0:
        h = min(h, 1.0 - t)
        new, err, last = dopri5(t, run.z, h, slope)
        norm = error_norm(err, run.z, new, rtol, atol)
        run.evaluations += 6
        if norm > 1:
            run.rejected += 1
            h, ceiling = h * max(MIN_FACTOR, SAFETY * norm**-0.2), 1.0
            continue
        t = 1.0 if h == 1.0 - t else t + h
        run.z, slope = new, last
        run.times.append(t)
        run.steps.append(h)
        h *= min(ceiling, max(MIN_FACTOR, SAFETY * norm**-ALPHA * previous**BETA))
        previous, ceiling = max(norm, 1e-4), MAX_FACTOR
    return run


def reference() -> np.ndarray:
    """z(1) by scipy's DOP853, a row at a time."""
    ends = []
    for row in Z0:
        solution = solve_ivp(
            lambda t, z: f(t, z[None])[0], (0.0, 1.0), row, method="DOP853", rtol=1e-12, atol=1e-13
        )
        ends.append(solution.y[:, -1])
    return np.array(ends)


def one_step(t: float, h: float) -> dict[str, Any]:
    """One step of every solver from Z0."""
    z = np.array(Z0)
    y, err, k7 = dopri5(t, z, h, f(t, z))
    norm = error_norm(err, z, y, 1e-5, 1e-6)
    return (
        {"t": t, "h": h}
        | {name: step(t, z, h) for name, step in FIXED.items()}
        | {"dopri5": {"y": y, "err": err, "k7": k7, "err_norm_rtol1e5_atol1e6": norm}}
    )


def fixed(target: np.ndarray) -> list[dict[str, Any]]:
    """The entry `fixed`."""
    out = []
    for name, step in FIXED.items():
        for steps in STEPS:
            end = integrate(step, steps)
            out.append(
                {"method": name, "steps": steps, "endpoint": end, "max_err": np.abs(end - target).max()}
            )
    return out


def adaptive(target: np.ndarray) -> list[dict[str, Any]]:
    """The entry `adaptive`."""
    out = []
    for rtol, atol, h0 in ADAPTIVE:
        run = adapt(rtol, atol, h0)
        out.append(
            {
                "rtol": rtol,
                "atol": atol,
                "h0": h0,
                "endpoint": run.z,
                "t_accepted": run.times,
                "h_accepted": run.steps,
                "rejected": run.rejected,
                "nfe": run.evaluations,
                "max_err": np.abs(run.z - target).max(),
            }
        )
    return out


def tableau() -> dict[str, Any]:
    """The pair's coefficients and the step control's."""
    control = {
        "safety": SAFETY,
        "min_factor": MIN_FACTOR,
        "max_factor": MAX_FACTOR,
        "alpha": ALPHA,
        "beta": BETA,
    }
    return {"c": C, "a": A, "b5": B5, "b4": B4, "e": E} | control


def predict(at: paths.Level, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best target and noise for data N(m, s^2 I)."""
    m, s2 = common.exact(gaussian.M), mp.mpf(gaussian.S) ** 2
    r = (z - at.a * m) / (at.alpha_bar * s2 + at.one_minus_alpha_bar)
    return m + at.a * s2 * r, at.b * r


def ddim(levels: list[paths.Level], eta: float) -> list[np.ndarray]:
    """All states of the DDIM sampler."""
    states = [common.exact(DIFFUSION_Z0)]
    for i, (s, t) in enumerate(pairwise(levels)):
        target, noise = predict(s, states[-1])
        z = t.a * target + t.b * noise
        if eta:
            sigma = mp.mpf(eta) * t.b * mp.sqrt(-mp.expm1(s.gamma - t.gamma))
            z = t.a * target + mp.sqrt(t.b**2 - sigma**2) * noise + sigma * common.exact(XI[i])
        states.append(z)
    return states


def dpmpp_2m(levels: list[paths.Level]) -> list[np.ndarray]:
    """All states of DPM-Solver++(2M)."""
    states = [common.exact(DIFFUSION_Z0)]
    previous: tuple[np.ndarray, Any] | None = None
    for s, t in pairwise(levels):
        width = (t.gamma - s.gamma) / 2
        target, _ = predict(s, states[-1])
        blend = target
        if previous is not None:
            r = previous[1] / width
            blend = (1 + 1 / (2 * r)) * target - previous[0] / (2 * r)
        states.append(t.b / s.b * states[-1] - t.a * mp.expm1(-width) * blend)
        previous = (target, width)
    return states


def euler_maruyama(levels: list[paths.Level], times: list[float], eta: float) -> list[np.ndarray]:
    """All states of the reverse SDE with churn eta."""
    states = [common.exact(DIFFUSION_Z0)]
    for i, s in enumerate(levels[:-1]):
        dt = mp.mpf(times[i + 1]) - mp.mpf(times[i])
        z = states[-1]
        target, noise = predict(s, z)
        g2 = s.one_minus_alpha_bar * s.gamma_prime
        drift = s.gamma_prime / 2 * (s.a * target - s.alpha_bar * z) - mp.mpf(eta) ** 2 / 2 * g2 * noise / s.b
        states.append(z + drift * dt + mp.mpf(eta) * mp.sqrt(g2 * dt) * common.exact(XI[i]))
    return states


def exact_end(first: paths.Level, last: paths.Level) -> np.ndarray:
    """The end of the probability flow from DIFFUSION_Z0."""
    m, s2 = common.exact(gaussian.M), mp.mpf(gaussian.S) ** 2
    start, end = (x.alpha_bar * s2 + x.one_minus_alpha_bar for x in (first, last))
    return last.a * m + mp.sqrt(end / start) * (common.exact(DIFFUSION_Z0) - first.a * m)


def gamma_grid(first: Any, last: Any, steps: int) -> list[Any]:
    """steps + 1 values of g at equal distances."""
    return [first + (last - first) * i / steps for i in range(steps + 1)]


def convergence(first: paths.Level, last: paths.Level) -> dict[str, Any]:
    """Errors on grids uniform in g."""
    samplers: dict[str, Callable[[list[paths.Level]], list[np.ndarray]]] = {
        "ddim": lambda levels: ddim(levels, 0.0),
        "dpmpp_2m": dpmpp_2m,
    }
    exact, out = exact_end(first, last), {}
    for name, sampler in samplers.items():
        errors = []
        for steps in CONVERGENCE_STEPS:
            levels = [paths.from_log_snr(g, mp.zero) for g in gamma_grid(first.gamma, last.gamma, steps)]
            errors.append(float(np.abs(sampler(levels)[-1] - exact).max()))
        out[name] = {"steps": CONVERGENCE_STEPS, "max_err": errors, "order": log2(errors[-2] / errors[-1])}
    return out


def diffusion_case(name: str, grid: str) -> dict[str, Any]:
    """One entry of the diffusion's `cases`."""
    params = paths.DEFAULTS[name]
    first, last = (paths.level(name, params, t) for t in (0.0, 1.0))
    times = [i / DIFFUSION_STEPS for i in range(DIFFUSION_STEPS + 1)]
    if grid == "uniform_gamma":
        gammas = gamma_grid(first.gamma, last.gamma, DIFFUSION_STEPS)
        times = [float(paths.time_of(name, params, g)) for g in gammas]
    levels = [paths.level(name, params, t) for t in times]
    out = {
        "schedule": name,
        "params": params,
        "grid": grid,
        "t": times,
        "ddim": ddim(levels, 0.0),
        "ddim_eta_0_5": ddim(levels, 0.5),
        "ancestral_eta_1": ddim(levels, 1.0),
        "dpmpp_2m": dpmpp_2m(levels),
        "em_eta_1": euler_maruyama(levels, times, 1.0),
        "em_eta_0_5": euler_maruyama(levels, times, 0.5),
        "exact_ode_endpoint": exact_end(first, last),
    }
    return out | ({"convergence": convergence(first, last)} if grid == "uniform_gamma" else {})


def diffusion() -> dict[str, Any]:
    """The entry `diffusion`."""
    grids = ["uniform_t", "uniform_gamma"]
    cases = [diffusion_case(name, grid) for name in DIFFUSION_SCHEDULES for grid in grids]
    return {"m": gaussian.M, "s": gaussian.S, "z0": DIFFUSION_Z0, "xi": XI, "cases": cases}


def marginal_variance(name: str, eta: float) -> dict[str, Any]:
    """The variance at t = 1 along the reverse SDE, started from V(0), and V(1)."""
    params, s2 = paths.DEFAULTS[name], gaussian.S**2

    def slope(t: float, variance: np.ndarray) -> np.ndarray:
        at = paths.level(name, params, t, fp)
        g2 = at.one_minus_alpha_bar * at.gamma_prime
        marginal = at.alpha_bar * s2 + at.one_minus_alpha_bar
        rate = (at.alpha_bar * g2 * (s2 - 1) / 2 - eta**2 / 2 * g2) / marginal
        return 2 * rate * variance + eta**2 * g2

    first, last = (paths.level(name, params, t) for t in (0.0, 1.0))
    start, end = (float(x.alpha_bar * mp.mpf(gaussian.S) ** 2 + x.one_minus_alpha_bar) for x in (first, last))
    solution = solve_ivp(slope, (0.0, 1.0), [start], method="LSODA", rtol=1e-10, atol=1e-13, max_step=0.01)
    return {"schedule": name, "eta": eta, "var_end": solution.y[0, -1], "expected": end}


def golden() -> dict[str, Any]:
    """The contents of solvers.json."""
    target = reference()
    missing = [np.abs(integrate(half_missing, steps) - target).max() for steps in (40, 80)]
    return common.plain(
        {
            "about": "field f(t,z) = [sin(z2) + t - z1^3/2, -z1 z2 + cos(3t)]",
            "z0": Z0,
            "one_step": [one_step(t, h) for t, h in ONE_STEP],
            "fixed": fixed(target),
            "adaptive": adaptive(target),
            "reference_t1": target,
            "upstream_midpoint_observed_order": log2(missing[0] / missing[1]),
            "dopri5_tableau": tableau(),
            "diffusion": diffusion(),
            "sde_marginal_variance_check": [
                marginal_variance(n, eta) for n in SDE_SCHEDULES for eta in SDE_CHURNS
            ],
        }
    )


if __name__ == "__main__":
    common.write(golden())
