"""The noise schedules of variance-preserving paths, z_t = a z_1 + b eps, a = sqrt(ab), b = sqrt(1 -
ab).

Every formula takes a context `c`: `mpmath.mp` (50 digits) for golden values, `mpmath.fp` (float64)
to see how much a careful float64 evaluation loses. ab is `alpha_bar`, g is the log signal-to-noise
ratio ln(ab / (1 - ab)).

Two families. A share of time: ab = lo + (hi - lo) F(t) with F(0) = 0 and F(1) = 1, where 1 - ab is
summed from Fc = 1 - F to spare the cancellation near t = 1; then g' = (hi - lo) F' / (ab (1 - ab)).
A log-SNR: g given, ab = sigmoid(g). In both SNR' = g' ab / (1 - ab).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mpmath import mp

Params = dict[str, Any]

MONOTONE = [
    {
        "gamma_min": -4.0,
        "gamma_max": 4.0,
        "skip_raw": 0.3,
        "W_raw": [[[0.5], [2.0], [4.0]]],
        "b": [[0.1, -1.2, -3.0]],
        "out_raw": [0.2, 1.5, -0.7],
    },
    {
        "gamma_min": -6.0,
        "gamma_max": 5.0,
        "skip_raw": -1.0,
        "W_raw": [
            [[1.0], [3.0], [6.0], [8.0]],
            [[0.5, -0.4, 2.0, 3.5], [1.2, 0.3, -1.0, 4.0], [-2.0, 5.0, 0.7, 1.1]],
        ],
        "b": [[0.0, -1.0, -3.0, -6.0], [-1.0, -0.5, -2.0]],
        "out_raw": [2.0, -0.5, 3.0],
    },
]


def _bounds(lo: float, hi: float) -> Params:
    return {"alpha_bar_min": lo, "alpha_bar_max": hi}


CASES: list[tuple[str, list[Params]]] = [
    ("linear", [_bounds(0.01, 0.99), _bounds(0.05, 0.9)]),
    ("cosine", [{"s": 0.008} | _bounds(0.001, 0.999), {"s": 0.1} | _bounds(0.01, 0.99)]),
    ("sigmoid", [{"k": 10.0, "t_mid": 0.5}, {"k": 6.0, "t_mid": 0.4}]),
    (
        "logistic",
        [{"k": 10.0, "t_mid": 0.5} | _bounds(0.01, 0.99), {"k": 6.0, "t_mid": 0.35} | _bounds(0.02, 0.98)],
    ),
    ("exponential", [{"beta": 2.0} | _bounds(0.01, 0.99), {"beta": 0.5} | _bounds(0.05, 0.95)]),
    (
        "cauchy",
        [{"loc": 0.5, "scale": 0.1} | _bounds(0.01, 0.99), {"loc": 0.3, "scale": 0.2} | _bounds(0.02, 0.98)],
    ),
    (
        "laplace",
        [{"loc": 0.5, "scale": 0.1} | _bounds(0.01, 0.99), {"loc": 0.3, "scale": 0.2} | _bounds(0.02, 0.98)],
    ),
    ("quadratic", [_bounds(0.01, 0.99), _bounds(0.05, 0.9)]),
    ("polynomial", [{"power": 2.0} | _bounds(0.01, 0.99), {"power": 3.0} | _bounds(0.05, 0.9)]),
    ("monotonic_nn", MONOTONE),
]
"""Names and parameter sets, in the order of the golden files; set 0 holds the defaults."""

DEFAULTS: dict[str, Params] = {name: sets[0] for name, sets in CASES}
"""Set 0 of each schedule."""


@dataclass(frozen=True)
class Share:
    """A share of time: F, 1 - F and F'."""

    f: Any
    complement: Any
    slope: Any


@dataclass(frozen=True)
class Level:
    """The noise level at one time."""

    alpha_bar: Any
    one_minus_alpha_bar: Any
    gamma: Any
    gamma_prime: Any
    context: Any

    @property
    def a(self) -> Any:
        """The factor of the data."""
        return self.context.sqrt(self.alpha_bar)

    @property
    def b(self) -> Any:
        """The factor of the noise."""
        return self.context.sqrt(self.one_minus_alpha_bar)

    @property
    def snr(self) -> Any:
        """ab / (1 - ab)."""
        return self.alpha_bar / self.one_minus_alpha_bar

    @property
    def snr_prime(self) -> Any:
        """SNR' = g' SNR."""
        return self.gamma_prime * self.snr


def sigmoid(c: Any, x: Any) -> Any:
    """1 / (1 + e^-x) without overflow."""
    return 1 / (1 + c.exp(-x)) if x >= 0 else c.exp(x) / (1 + c.exp(x))


def softplus(c: Any, x: Any) -> Any:
    """ln(1 + e^x) without overflow."""
    return max(x, c.zero) + c.log1p(c.exp(-abs(x)))


def softplus_inverse(c: Any, y: Any) -> Any:
    """ln(e^y - 1) as y + ln(1 - e^-y), without overflow."""
    return y + c.log(-c.expm1(-y))


def _power(c: Any, t: Any, p: Any) -> Share:
    """F = t^p; 1 - F = -expm1(p ln t), where t = 0 asks for the limit 1."""
    complement = -c.expm1(p * c.log(t)) if t > 0 else c.one
    return Share(t**p, complement, p * t ** (p - 1))


def _cosine(c: Any, t: Any, s: Any) -> Share:
    """F = sin(w t) sin(w (t+2s)) / cos^2(w s), Fc = sin^2(w (1-t)) / cos^2(w s).

    Here w = (pi/2) / (1+s).
    """
    w = c.pi / 2 / (1 + s)
    norm = c.cos(w * s) ** 2
    f = c.sin(w * t) * c.sin(w * (t + 2 * s)) / norm
    return Share(f, c.sin(w * (1 - t)) ** 2 / norm, w * c.sin(2 * w * (1 - t)) / norm)


def _exponential(c: Any, t: Any, beta: Any) -> Share:
    """F = expm1(-beta t) / expm1(-beta)."""
    norm = -c.expm1(-beta)
    complement = c.exp(-beta) * c.expm1(beta * (1 - t)) / norm
    return Share(-c.expm1(-beta * t) / norm, complement, beta * c.exp(-beta * t) / norm)


def _normalised(gap: Callable[[Any, Any], Any], density: Callable[[Any], Any], c: Any, t: Any) -> Share:
    """F = (G(t) - G(0)) / (G(1) - G(0)) from gap(u, v) = G(v) - G(u) and density = G'."""
    norm = gap(c.zero, c.one)
    return Share(gap(c.zero, t) / norm, gap(t, c.one) / norm, density(t) / norm)


def _cauchy(c: Any, t: Any, loc: Any, scale: Any) -> Share:
    """G = atan((t - loc) / scale)."""

    def g(t: Any) -> Any:
        return c.atan((t - loc) / scale)

    return _normalised(lambda u, v: g(v) - g(u), lambda t: 1 / (scale * (1 + ((t - loc) / scale) ** 2)), c, t)


def _laplace(c: Any, t: Any, loc: Any, scale: Any) -> Share:
    """G = e^x / 2 for x <= 0, else 1 - e^-x / 2, with x = (t - loc) / scale."""

    def g(t: Any) -> Any:
        x = (t - loc) / scale
        return c.exp(x) / 2 if x <= 0 else 1 - c.exp(-x) / 2

    return _normalised(lambda u, v: g(v) - g(u), lambda t: c.exp(-abs(t - loc) / scale) / (2 * scale), c, t)


def _logistic(c: Any, t: Any, k: Any, t_mid: Any) -> Share:
    """G = sigmoid(k (t - t_mid))."""

    def g(t: Any) -> Any:
        return sigmoid(c, k * (t - t_mid))

    return _normalised(lambda u, v: g(v) - g(u), lambda t: k * g(t) * g(2 * t_mid - t), c, t)


def _share(name: str, p: dict[str, Any], t: Any, c: Any) -> Share:
    """The share of time of the schedule `name`."""
    match name:
        case "linear":
            return Share(t, 1 - t, c.one)
        case "quadratic":
            return Share(t * t, (1 - t) * (1 + t), 2 * t)
        case "polynomial":
            return _power(c, t, p["power"])
        case "cosine":
            return _cosine(c, t, p["s"])
        case "exponential":
            return _exponential(c, t, p["beta"])
        case "cauchy":
            return _cauchy(c, t, p["loc"], p["scale"])
        case "laplace":
            return _laplace(c, t, p["loc"], p["scale"])
        case "logistic":
            return _logistic(c, t, p["k"], p["t_mid"])
    raise ValueError(f"no schedule `{name}`")


def monotone_network(c: Any, p: Params, t: Any) -> tuple[Any, Any]:
    """N(t) and N'(t) of a network that only grows.

    h_0 = t, h_l = sigmoid(W_l h_{l-1} + b_l) with W_l = softplus(raw_l) / fan_in;
    N = softplus(skip) t + (softplus(out) / H) . h_L. The derivative is carried along:
    D_l = h_l (1 - h_l) (W_l D_{l-1}).
    """
    h, d = [t], [c.one]
    for raw, bias in zip(p["W_raw"], p["b"], strict=True):
        rows = [[softplus(c, c.mpf(w)) / len(h) for w in row] for row in raw]
        inputs = [
            sum(w * x for w, x in zip(row, h, strict=True)) + c.mpf(b)
            for row, b in zip(rows, bias, strict=True)
        ]
        slopes = [sum(w * x for w, x in zip(row, d, strict=True)) for row in rows]
        h = [sigmoid(c, x) for x in inputs]
        d = [sigmoid(c, x) * sigmoid(c, -x) * s for x, s in zip(inputs, slopes, strict=True)]
    skip = softplus(c, c.mpf(p["skip_raw"]))
    out = [softplus(c, c.mpf(w)) / len(h) for w in p["out_raw"]]
    value = skip * t + sum(w * x for w, x in zip(out, h, strict=True))
    return value, skip + sum(w * x for w, x in zip(out, d, strict=True))


def _log_snr(name: str, p: Params, t: Any, c: Any) -> tuple[Any, Any] | None:
    """g and g' of the schedules that are given as a log-SNR, None for the others."""
    if name == "sigmoid":
        k = c.mpf(p["k"])
        return k * (t - c.mpf(p["t_mid"])), k
    if name == "monotonic_nn":
        g0, g1 = c.mpf(p["gamma_min"]), c.mpf(p["gamma_max"])
        (n0, _), (n1, _), (n, slope) = (monotone_network(c, p, u) for u in (c.zero, c.one, t))
        return g0 + (g1 - g0) * (n - n0) / (n1 - n0), (g1 - g0) * slope / (n1 - n0)
    return None


def from_log_snr(gamma: Any, gamma_prime: Any, c: Any = mp) -> Level:
    """ab = sigmoid(g), 1 - ab = sigmoid(-g)."""
    return Level(sigmoid(c, gamma), sigmoid(c, -gamma), gamma, gamma_prime, c)


def level(name: str, params: Params, t: Any, c: Any = mp) -> Level:
    """The level of the schedule `name` at the time `t` (a float or a number of `c`)."""
    t = c.mpf(t)
    given = _log_snr(name, params, t, c)
    if given is not None:
        return from_log_snr(*given, c)
    p = {key: c.mpf(value) for key, value in params.items()}
    lo, hi = p["alpha_bar_min"], p["alpha_bar_max"]
    share = _share(name, p, t, c)
    alpha_bar = lo + (hi - lo) * share.f
    rest = (1 - hi) + (hi - lo) * share.complement
    return Level(
        alpha_bar, rest, c.log(alpha_bar) - c.log(rest), (hi - lo) * share.slope / (alpha_bar * rest), c
    )


def time_of(name: str, params: Params, gamma: Any) -> Any:
    """The t in [0, 1] at which the log-SNR is `gamma`: bisection to 45 digits."""
    lo, hi = mp.zero, mp.one
    for end in (lo, hi):
        if abs(level(name, params, end).gamma - gamma) < mp.mpf(10) ** -14:
            return end
    while hi - lo > mp.mpf(10) ** -45:
        mid = (lo + hi) / 2
        if level(name, params, mid).gamma < gamma:
            lo = mid
        else:
            hi = mid
    return (lo + hi) / 2
