"""Noise schedules: log-SNR γ(t) and its slope γ'(t), increasing from t = 0 (noise) to 1 (data)."""

import math

from .activations import sigmoid, softplus
from .weights import Unsupported, known

PI = math.pi


def curve(F, complement, slope):
    """A schedule of ᾱ = lo + (hi − lo)·F(t), with 1 − F(t) by a formula of its own."""

    def at(t, c):
        lo, hi = c["alpha_bar_min"], c["alpha_bar_max"]
        signal = lo + (hi - lo) * F(t, c)
        noise = (1 - hi) + (hi - lo) * complement(t, c)
        return math.log(signal) - math.log(noise), (hi - lo) * slope(t, c) / (signal * noise)

    return at


def power(exponent):
    p = exponent
    return curve(lambda t, c: t ** p(c), lambda t, c: 1 - t ** p(c), lambda t, c: p(c) * t ** (p(c) - 1))


def distribution(G, density):
    """F(t) = (G(t) − G(0))/(G(1) − G(0))."""

    def whole(c):
        return G(1, c) - G(0, c)

    return curve(
        lambda t, c: (G(t, c) - G(0, c)) / whole(c),
        lambda t, c: (G(1, c) - G(t, c)) / whole(c),
        lambda t, c: density(t, c) / whole(c),
    )


def centred(t, c):
    return (t - c["loc"]) / c["scale"]


def laplace_cdf(u):
    return 0.5 * math.exp(u) if u <= 0 else 1 - 0.5 * math.exp(-u)


def frequency(c):
    return PI / 2 / (1 + c["s"])


def cosine_value(t, c):
    w, s = frequency(c), c["s"]
    return math.sin(w * t) * math.sin(w * (t + 2 * s)) / math.cos(w * s) ** 2


def logsnr(width, cdf, quantile, density):
    """γ(t) = Q(u₀ + (u₁ − u₀)·t): log-SNR has a distribution of its own between its ends."""

    def at(t, c):
        ends = [cdf((c[end] - c["mu"]) / c[width]) for end in ("gamma_min", "gamma_max")]
        x = quantile(ends[0] + (ends[1] - ends[0]) * t)
        return c["mu"] + c[width] * x, c[width] * (ends[1] - ends[0]) / density(x)

    return at


def linear_beta(t, c):
    """ᾱ = exp(−B(s)), s = (1 − t) + t·s_min."""
    s, rise = (1 - t) + t * c["s_min"], c["beta_max"] - c["beta_min"]
    B = c["beta_min"] * s + 0.5 * rise * s * s
    return -math.log(math.expm1(B)), (c["beta_min"] + rise * s) * (1 - c["s_min"]) / -math.expm1(-B)


def karras(t, c):
    rho = c["rho"]
    start, end = c["sigma_max"] ** (1 / rho), c["sigma_min"] ** (1 / rho)
    root = (1 - t) * start + t * end
    return -2 * rho * math.log(root), 2 * rho * (start - end) / root


SCHEDULES = {
    "linear": power(lambda c: 1),
    "quadratic": power(lambda c: 2),
    "polynomial": power(lambda c: c["power"]),
    "cosine": curve(
        cosine_value,
        lambda t, c: math.sin(frequency(c) * (1 - t)) ** 2 / math.cos(frequency(c) * c["s"]) ** 2,
        lambda t, c: frequency(c) * math.sin(2 * frequency(c) * (1 - t)) / math.cos(frequency(c) * c["s"]) ** 2,
    ),
    "exponential": curve(
        lambda t, c: math.expm1(-c["beta"] * t) / math.expm1(-c["beta"]),
        lambda t, c: math.exp(-c["beta"]) * math.expm1(c["beta"] * (1 - t)) / -math.expm1(-c["beta"]),
        lambda t, c: c["beta"] * math.exp(-c["beta"] * t) / -math.expm1(-c["beta"]),
    ),
    "cauchy": distribution(
        lambda t, c: math.atan(centred(t, c)), lambda t, c: 1 / (c["scale"] * (1 + centred(t, c) ** 2))
    ),
    "laplace": distribution(
        lambda t, c: laplace_cdf(centred(t, c)), lambda t, c: math.exp(-abs(centred(t, c))) / (2 * c["scale"])
    ),
    "logistic": distribution(
        lambda t, c: sigmoid(c["k"] * (t - c["t_mid"])),
        lambda t, c: c["k"] * sigmoid(c["k"] * (t - c["t_mid"])) * sigmoid(-c["k"] * (t - c["t_mid"])),
    ),
    "sigmoid": lambda t, c: (c["k"] * (t - c["t_mid"]), c["k"]),
    "laplace_logsnr": logsnr(
        "b",
        laplace_cdf,
        lambda u: math.copysign(-math.log(1 - abs(2 * u - 1)), u - 0.5),
        lambda x: 0.5 * math.exp(-abs(x)),
    ),
    "cauchy_logsnr": logsnr(
        "c",
        lambda x: 0.5 + math.atan(x) / PI,
        lambda u: math.tan(PI * (u - 0.5)),
        lambda x: 1 / (PI * (1 + x * x)),
    ),
    "linear_beta": linear_beta,
    "karras": karras,
}


def monotone_network(p, c):
    """γ = γ₀ + (γ₁ − γ₀)·(N(t) − N(0))/(N(1) − N(0)), N a network of positive weights."""
    layers = range(p.count("layer"))

    def network(t):
        """N(t) and its slope."""
        h, slope = [[t]], [[1.0]]
        for i in layers:
            weight = softplus(p[f"layer_{i}.weight"]).T / p[f"layer_{i}.weight"].shape[1]
            h = sigmoid(h @ weight + p[f"layer_{i}.bias"])
            slope = h * (1 - h) * (slope @ weight)
        out, skip = softplus(p["out"]) / len(p["out"]), softplus(p["skip"])
        return float(skip * t + (h @ out)[0]), float(skip + (slope @ out)[0])

    start = float(p["gamma_min"]) if "gamma_min" in p else c["gamma_min"]
    span = softplus(p["gamma_range"]) if "gamma_range" in p else c["gamma_max"] - c["gamma_min"]
    low, high = network(0.0)[0], network(1.0)[0]
    scale = float(span) / (high - low)

    def at(t, _):
        value, slope = network(t)
        return start + scale * (value - low), scale * slope

    return at


class Schedule:
    """A noise schedule with its settings."""

    def __init__(self, p, config):
        self.config, name = config, config["type"]
        if name == "shifted":
            self.inner, self.learned = Schedule(p.below("inner"), config["inner"]), False
            self._at = lambda t, c: (self.inner.gamma(t) + c["shift"], self.inner.slope(t))
        elif name in ("monotonic_nn", "learnable", "network"):
            self._at, self.learned = monotone_network(p, config), config["learnable"]
        else:
            self._at, self.learned = known("noise schedule", name, SCHEDULES), False
        if config.get("learnable") and not self.learned:
            raise Unsupported(f"the reference knows no learned noise schedule `{name}`")

    def gamma(self, t):
        return self._at(t, self.config)[0]

    def slope(self, t):
        return self._at(t, self.config)[1]

    def time(self, gamma):
        """The time at which log-SNR is ``gamma``, by bisection."""
        low, high = 0.0, 1.0
        for _ in range(60):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if self.gamma(middle) < gamma else (low, middle)
        return 0.5 * (low + high)
