"""Makes schedules.json: ten noise schedules with two parameter sets each, on 19 times, in 50
digits.

The formulas are those of `paths.py`. Beside the values stand the closed integrals over [0, 1] (the
integral of SNR' is SNR(1) - SNR(0), that of g' is g(1) - g(0)), the raw parameters from which a
learnable schedule starts, and two checks of the formulas: g' against numerical differentiation of
g, and a float64 evaluation against 50 digits.

Raw parameters, with E = 1e-4: lo = E + (1 - 2E) sigmoid(u); hi = lo + (1 - E - lo) sigmoid(u); k,
beta, scale, s = softplus(u); power = 1 + softplus(u); t_mid, loc = u; g0 = u, g1 = g0 +
softplus(u).
"""

from typing import Any

from mpmath import fp, mp

import common
import paths

TIMES = [
    0.0,
    1e-6,
    0.01,
    0.05,
    0.1,
    0.2,
    0.25,
    0.3,
    0.4,
    0.5,
    0.6,
    0.7,
    0.75,
    0.8,
    0.9,
    0.95,
    0.99,
    0.999999,
    1.0,
]
EPS = 1e-4
FIELDS = ["alpha_bar", "one_minus_alpha_bar", "gamma", "gamma_prime", "snr_prime"]
SOFTPLUS_ARGUMENTS = [1e-8, 0.001, 0.008, 0.1, 0.5, 1.0, 2.0, 10.0, 50.0, 100.0, 700.0]


def logit(x: Any) -> Any:
    """ln(x / (1 - x))."""
    return mp.log(x) - mp.log1p(-x)


def raw_bounds(params: paths.Params) -> dict[str, Any]:
    """u of lo and hi."""
    lo, hi, eps = mp.mpf(params["alpha_bar_min"]), mp.mpf(params["alpha_bar_max"]), mp.mpf(EPS)
    return {
        "alpha_bar_min_raw": logit((lo - eps) / (1 - 2 * eps)),
        "alpha_bar_delta_raw": logit((hi - lo) / (1 - eps - lo)),
    }


def raw_params(params: paths.Params) -> dict[str, Any]:
    """u of every learnable parameter but the monotone network's weights, which are stored raw."""
    raw = raw_bounds(params) if "alpha_bar_min" in params else {}
    for name in ["s", "k", "beta", "scale"]:
        if name in params:
            raw[f"{name}_raw"] = paths.softplus_inverse(mp, mp.mpf(params[name]))
    if "power" in params:
        raw["power_raw"] = paths.softplus_inverse(mp, mp.mpf(params["power"]) - 1)
    for name in ["t_mid", "loc"]:
        if name in params:
            raw[f"{name}_raw"] = params[name]
    if "gamma_min" in params:
        raw["gamma_min_raw"] = params["gamma_min"]
        width = mp.mpf(params["gamma_max"]) - mp.mpf(params["gamma_min"])
        raw["gamma_range_raw"] = paths.softplus_inverse(mp, width)
    return raw


def case(name: str, index: int, params: paths.Params) -> dict[str, Any]:
    """One entry of `schedules`."""
    levels = [paths.level(name, params, t) for t in TIMES]
    first, last = levels[0], levels[-1]
    values = {field: [getattr(x, field) for x in levels] for field in FIELDS}
    integrals = {
        "snr_0": first.snr,
        "snr_1": last.snr,
        "mean_snr_prime": last.snr - first.snr,
        "mean_gamma_prime": last.gamma - first.gamma,
    }
    return (
        {"schedule": name, "set": index, "params": params, "raw_params": raw_params(params)}
        | values
        | integrals
    )


def softplus_inverse() -> dict[str, Any]:
    """x with softplus(x) = y, and log1p(expm1 y) = y, which is no inverse, with its result."""
    return {
        "y": SOFTPLUS_ARGUMENTS,
        "x": [paths.softplus_inverse(mp, mp.mpf(y)) for y in SOFTPLUS_ARGUMENTS],
        "upstream_x_equals_y": [mp.log1p(mp.expm1(mp.mpf(y))) for y in SOFTPLUS_ARGUMENTS],
        "effective_value_with_upstream_init": [paths.softplus(mp, mp.mpf(y)) for y in SOFTPLUS_ARGUMENTS],
    }


def slope_pair(name: str, params: paths.Params, t: float) -> tuple[Any, Any]:
    """g' by formula and by numerical differentiation (one-sided at ends and at Laplace's kink)."""
    direction = {0.0: 1, 1.0: -1}.get(t, 1 if t == params.get("loc") else 0)
    numerical = mp.diff(lambda u: paths.level(name, params, u).gamma, mp.mpf(t), direction=direction)
    return numerical, paths.level(name, params, t).gamma_prime


def float_pairs(name: str, params: paths.Params, t: float) -> list[tuple[Any, Any]]:
    """All fields but g (which has a zero) in float64 and in 50 digits."""
    single, exact = paths.level(name, params, t, fp), paths.level(name, params, t)
    return [(getattr(single, field), getattr(exact, field)) for field in FIELDS if field != "gamma"]


def verified() -> dict[str, Any]:
    """The largest relative differences of the two checks; both are rounding."""
    grid = [(name, params, t) for name, sets in paths.CASES for params in sets for t in TIMES]
    return {
        "worst_rel_gamma_prime_vs_numerical_diff": common.worst_relative(
            slope_pair(*point) for point in grid
        ),
        "worst_rel_numpy_vs_mpmath": common.worst_relative(
            pair for point in grid for pair in float_pairs(*point)
        ),
    }


def golden() -> dict[str, Any]:
    """The contents of schedules.json."""
    return common.plain(
        {
            "about": "per schedule and parameter set: values on t; "
            "alpha_bar_max etc. are the exact float64 literals",
            "t": TIMES,
            "eps_alpha_bar": EPS,
            "schedules": [
                case(name, i, params) for name, sets in paths.CASES for i, params in enumerate(sets)
            ],
            "softplus_inverse": softplus_inverse(),
            "verified": verified(),
        }
    )


if __name__ == "__main__":
    common.write(golden())
