"""Makes schedules_published.json: schedules as two papers state them, in 50 digits.

linear_beta, Song et al., "Score-Based Generative Modeling through SDEs" (arXiv 2011.13456), eq. 33:
ab = exp(-B(s)), B(s) = integral of beta_min + (beta_max - beta_min) u over [0, s], here at s = 1 - t
(1 - s_min), by quadrature. karras, Karras et al. (arXiv 2206.00364), eq. 5: b/a = sigma(t), whose
root of order rho is linear in t. Both g' are numerical derivatives of g.
"""

from typing import Any

from mpmath import mp

import common
import paths
from schedules import FIELDS, TIMES

CASES = [
    ("linear_beta", {"beta_min": 0.1, "beta_max": 20.0, "s_min": 0.001}),
    ("linear_beta", {"beta_min": 2.0, "beta_max": 1.0, "s_min": 0.05}),
    ("karras", {"sigma_max": 80.0, "sigma_min": 0.002, "rho": 7.0}),
    ("karras", {"sigma_max": 5.0, "sigma_min": 0.1, "rho": 2.0}),
]


def linear_beta(params: paths.Params, t: Any) -> Any:
    """g at the time `t`."""
    start, end, least = (mp.mpf(params[name]) for name in ["beta_min", "beta_max", "s_min"])
    integral = mp.quad(lambda u: start + (end - start) * u, [0, 1 - t * (1 - least)])
    alpha_bar = mp.exp(-integral)
    return mp.log(alpha_bar / (1 - alpha_bar))


def karras(params: paths.Params, t: Any) -> Any:
    """g at the time `t`."""
    start, end, rho = (mp.mpf(params[name]) for name in ["sigma_max", "sigma_min", "rho"])
    root = start ** (1 / rho) + t * (end ** (1 / rho) - start ** (1 / rho))
    return mp.log(1 / root ** (2 * rho))


def level(name: str, params: paths.Params, t: float) -> paths.Level:
    """The level at the time `t`."""
    gamma = {"linear_beta": linear_beta, "karras": karras}[name]
    slope = mp.diff(lambda u: gamma(params, u), mp.mpf(t))
    return paths.from_log_snr(gamma(params, mp.mpf(t)), slope)


def golden() -> dict[str, Any]:
    """The contents of schedules_published.json."""
    cases = []
    for i, (name, params) in enumerate(CASES):
        levels = [level(name, params, t) for t in TIMES]
        values = {field: [getattr(x, field) for x in levels] for field in FIELDS}
        cases.append({"schedule": name, "set": i % 2, "params": params} | values)
    return common.plain({"t": TIMES, "schedules": cases})


if __name__ == "__main__":
    common.write(golden())
