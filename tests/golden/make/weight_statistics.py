"""Makes weight_statistics.json: how unevenly loss weights spread over time, for the ten default
schedules.

For f(t) with t uniform on [0, 1], the effective share of samples is ESS / N = (E f)^2 / E f^2.
Weights: SNR', g', and integrands of losses on data N(m, s^2 I), s = 0.6, under the best prediction,
V = ab s^2 + 1 - ab:

    elbo integrand     SNR' E|h - z_1|^2 = SNR' (1 - ab) / V   (factors that do not depend on t dropped)
    seed_literal_df    SNR' E|e - eps|^2 = SNR' ab / V

`share_t_gt_0.9` is the share of the integral of SNR' over t > 0.9. All by the midpoint rule with
40,000 points: the file holds that rule's values, which differ from the integrals' by up to 8e-6,
relatively.
"""

from math import fsum
from typing import Any

from mpmath import fp

import common
import paths

POINTS = 40_000
SPREAD = 0.6


def effective_share(values: list[float]) -> float:
    """(E f)^2 / E f^2."""
    return fsum(values) ** 2 / (len(values) * fsum(value * value for value in values))


def statistics(name: str, params: paths.Params) -> dict[str, Any]:
    """The entry of one schedule."""
    times = [(i + 0.5) / POINTS for i in range(POINTS)]
    levels = [paths.level(name, params, t, fp) for t in times]
    snr_prime = [x.snr_prime for x in levels]
    variances = [x.alpha_bar * SPREAD**2 + x.one_minus_alpha_bar for x in levels]
    late = fsum(weight for t, weight in zip(times, snr_prime, strict=True) if t > 0.9)
    elbo = [x.snr_prime * x.one_minus_alpha_bar / v for x, v in zip(levels, variances, strict=True)]
    literal = [x.snr_prime * x.alpha_bar / v for x, v in zip(levels, variances, strict=True)]
    return {
        "share_t_gt_0.9": late / fsum(snr_prime),
        "ess_snr_prime": effective_share(snr_prime),
        "ess_gamma_prime": effective_share([x.gamma_prime for x in levels]),
        "ess_elbo_integrand": effective_share(elbo),
        "ess_seed_literal_df_integrand": effective_share(literal),
    }


def golden() -> dict[str, Any]:
    """The contents of weight_statistics.json."""
    return common.plain({name: statistics(name, params) for name, params in paths.DEFAULTS.items()})


if __name__ == "__main__":
    common.write(golden())
