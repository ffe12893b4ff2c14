"""Makes schedules_logsnr.json: schedules that are quantile functions of a density over the log-SNR,
in 50 digits.

Hang et al., "Improved Noise Schedule for Diffusion Training" (arXiv 2407.03297) draw the log-SNR
from a density; as a schedule g(t) = Q(u_0 + (u_1 - u_0) t) with u_i = CDF(g_i), so g' = (u_1 - u_0)
/ pdf(g). Laplace: Q(u) = mu - b sgn(u - 1/2) ln(1 - 2|u - 1/2|). Cauchy: Q(u) = mu + c tan(pi (u -
1/2)).
"""

from dataclasses import dataclass
from typing import Any

from mpmath import mp

import common
import paths
from schedules import TIMES

CASES = [
    ("laplace_logsnr", {"mu": 0.0, "b": 0.5, "gamma_min": -5.0, "gamma_max": 5.0}),
    ("laplace_logsnr", {"mu": 1.0, "b": 2.0, "gamma_min": -8.0, "gamma_max": 6.0}),
    ("laplace_logsnr", {"mu": -1.0, "b": 1.0, "gamma_min": -4.0, "gamma_max": 4.0}),
    ("cauchy_logsnr", {"mu": 0.0, "c": 1.0, "gamma_min": -5.0, "gamma_max": 5.0}),
    ("cauchy_logsnr", {"mu": 1.0, "c": 2.0, "gamma_min": -8.0, "gamma_max": 6.0}),
    ("cauchy_logsnr", {"mu": -1.0, "c": 0.5, "gamma_min": -4.0, "gamma_max": 4.0}),
]
FIELDS = ["alpha_bar", "gamma", "gamma_prime", "snr_prime"]


@dataclass(frozen=True)
class Laplace:
    """pdf e^(-|g - mu| / b) / (2 b)."""

    mu: Any
    width: Any

    def pdf(self, g: Any) -> Any:
        """The density at `g`."""
        return mp.exp(-abs(g - self.mu) / self.width) / (2 * self.width)

    def cdf(self, g: Any) -> Any:
        """The probability below `g`."""
        tail = mp.exp(-abs(g - self.mu) / self.width) / 2
        return tail if g <= self.mu else 1 - tail

    def quantile(self, u: Any) -> Any:
        """The inverse of `cdf`."""
        x = u - mp.mpf(1) / 2
        return self.mu - self.width * mp.sign(x) * mp.log1p(-2 * abs(x))


@dataclass(frozen=True)
class Cauchy:
    """pdf 1 / (pi c (1 + ((g - mu) / c)^2))."""

    mu: Any
    width: Any

    def pdf(self, g: Any) -> Any:
        """The density at `g`."""
        return 1 / (mp.pi * self.width * (1 + ((g - self.mu) / self.width) ** 2))

    def cdf(self, g: Any) -> Any:
        """The probability below `g`."""
        return mp.atan((g - self.mu) / self.width) / mp.pi + mp.mpf(1) / 2

    def quantile(self, u: Any) -> Any:
        """The inverse of `cdf`."""
        return self.mu + self.width * mp.tan(mp.pi * (u - mp.mpf(1) / 2))


def density(params: paths.Params) -> Laplace | Cauchy:
    """The density of the log-SNR: Laplace has a width b, Cauchy c."""
    if "b" in params:
        return Laplace(mp.mpf(params["mu"]), mp.mpf(params["b"]))
    return Cauchy(mp.mpf(params["mu"]), mp.mpf(params["c"]))


def level(params: paths.Params, t: Any) -> paths.Level:
    """The level at the time `t`."""
    p = density(params)
    start, end = p.cdf(mp.mpf(params["gamma_min"])), p.cdf(mp.mpf(params["gamma_max"]))
    gamma = p.quantile(start + (end - start) * mp.mpf(t))
    return paths.from_log_snr(gamma, (end - start) / p.pdf(gamma))


def slope_pair(params: paths.Params, t: float) -> tuple[Any, Any]:
    """g' by numerical differentiation (one-sided, for Laplace's kink) and by formula."""
    direction = -1 if t == 1.0 else 1
    return mp.diff(lambda u: level(params, u).gamma, mp.mpf(t), direction=direction), level(
        params, t
    ).gamma_prime


def golden() -> dict[str, Any]:
    """The contents of schedules_logsnr.json."""
    cases = []
    for i, (name, params) in enumerate(CASES):
        levels = [level(params, t) for t in TIMES]
        values = {field: [getattr(x, field) for x in levels] for field in FIELDS}
        cases.append({"schedule": name, "set": i % 3, "params": params} | values)
    worst = common.worst_relative(slope_pair(params, t) for _, params in CASES for t in TIMES)
    return common.plain(
        {"t": TIMES, "schedules": cases, "verified": {"worst_rel_gamma_prime_vs_numerical_diff": worst}}
    )


if __name__ == "__main__":
    common.write(golden())
