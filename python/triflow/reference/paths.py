"""Paths z = a·data + b·noise, and what an output p·data + q·noise means on them.

Two clocks run along a path: the time t, and the log-SNR γ = 2 ln(a/b).
"""

import math
from typing import NamedTuple

import numpy as np

from .activations import sigmoid
from .weights import known

#: Distance in time from an end that cannot be computed with.
GAP = 1e-3


class Point(NamedTuple):
    """A point of a path, with the rates of a and b by the clock in use."""

    t: float
    a: float
    b: float
    a_rate: float
    b_rate: float


class Power:
    """a = tⁿ, b = 1 − tⁿ: straight lines; γ is infinite at both ends."""

    bounded, scale = False, 1.0

    def __init__(self, n):
        self.n = n

    def at_time(self, t):
        a, rate = t**self.n, self.n * t ** (self.n - 1)
        return Point(t, a, 1 - a, rate, -rate)

    def at_gamma(self, gamma):
        a, b = sigmoid(gamma / 2), sigmoid(-gamma / 2)
        return Point(a ** (1 / self.n), a, b, a * b / 2, -a * b / 2)

    def range(self):
        ends = (self.at_time(t) for t in (GAP, 1 - GAP))
        return tuple(2 * math.log(end.a / end.b) for end in ends)

    def input(self, b):
        return 1.0


class Scheduled:
    """A path that follows a noise schedule; ``by_gamma`` gives a, b and their rates by γ."""

    bounded = True

    def __init__(self, schedule, by_gamma, sigma_data=None):
        self.schedule, self.by_gamma, self.sigma_data = schedule, by_gamma, sigma_data
        #: Deviation of the state at t = 0, by which z_0 is multiplied.
        self.scale = 1.0 if sigma_data is None else self.at_time(0.0).b

    def at_gamma(self, gamma):
        return Point(self.schedule.time(gamma), *self.by_gamma(gamma))

    def at_time(self, t):
        a, b, a_rate, b_rate = self.by_gamma(self.schedule.gamma(t))
        slope = self.schedule.slope(t)
        return Point(t, a, b, a_rate * slope, b_rate * slope)

    def range(self):
        return self.schedule.gamma(0.0), self.schedule.gamma(1.0)

    def input(self, b):
        """The factor of z in the input of the network."""
        return 1.0 if self.sigma_data is None else 1 / math.hypot(self.sigma_data, b)


def preserving(gamma):
    a, b = math.sqrt(sigmoid(gamma)), math.sqrt(sigmoid(-gamma))
    return a, b, a * b * b / 2, -b * a * a / 2


def exploding(gamma):
    b = math.exp(-gamma / 2)
    return 1.0, b, 0.0, -b / 2


class SubPreserving:
    """a = √ᾱ, b = 1 − ᾱ with ᾱ = σ(g): the schedule's g is not the log-SNR γ of this path."""

    bounded, scale = True, 1.0

    def __init__(self, schedule):
        self.schedule = schedule

    def _by_g(self, t, g, slope):
        signal, noise = sigmoid(g), sigmoid(-g)
        a = math.sqrt(signal)
        return Point(t, a, noise, slope * a * noise / 2, -slope * signal * noise)

    def at_time(self, t):
        return self._by_g(t, self.schedule.gamma(t), self.schedule.slope(t))

    def at_gamma(self, gamma):
        g = gamma + math.log(2) - math.log(1 + math.sqrt(1 + 4 * math.exp(gamma)))
        return self._by_g(self.schedule.time(g), g, 1 / (1 + sigmoid(g)))

    def range(self):
        ends = (self.at_time(t) for t in (0.0, 1.0))
        return tuple(2 * math.log(end.a / end.b) for end in ends)

    def input(self, b):
        return 1.0


PATHS = {
    "rectified": lambda config, schedule: Power(1),
    "polynomial": lambda config, schedule: Power(config["n"]),
    "variance_preserving": lambda config, schedule: Scheduled(schedule(), preserving),
    "variance_exploding": lambda config, schedule: Scheduled(schedule(), exploding, config["sigma_data"]),
    "sub_variance_preserving": lambda config, schedule: SubPreserving(schedule()),
}


def edm(a, b, config):
    sigma = config["sigma_data"]
    s = math.hypot(a * sigma, b)
    return b / (sigma * s), -a * sigma / s


#: The numbers (p, q) of an objective whose output is p·data + q·noise.
OBJECTIVES = {
    "flow_matching": lambda a, b, config: (1.0, -1.0),
    "diffusion": lambda a, b, config: (0.0, 1.0),
    "ct": lambda a, b, config: (1.0, 0.0),
    "v": lambda a, b, config: (-b, a),
    "score": lambda a, b, config: (0.0, -1 / b if b else -math.inf),
    "edm": edm,
}


class Reading:
    """What an output means at a point, by the determinant D = a·q − b·p."""

    def __init__(self, point, objective):
        self.point = point
        pq = known("objective", objective["type"], OBJECTIVES)
        self.p, self.q = pq(point.a, point.b, objective)
        with np.errstate(invalid="ignore"):
            self.d = float(np.float64(point.a) * self.q - np.float64(point.b) * self.p)

    def data(self, z, output):
        return (self.q * z - self.point.b * output) / self.d

    def derivative(self, z, output):
        """dz/ds by the clock of the point."""
        _, a, b, a_rate, b_rate = self.point
        return ((a_rate * self.q - b_rate * self.p) * z + (b_rate * a - a_rate * b) * output) / self.d


class Line:
    """A path with an objective."""

    def __init__(self, path, objective):
        self.path, self.objective = path, objective

    def readable(self, t):
        """True if data and velocity follow from the output at time ``t``."""
        d = Reading(self.path.at_time(t), self.objective).d
        return d != 0 and math.isfinite(d)

    def clock(self):
        """The clock of equal steps: γ where it is finite or the velocity is not, otherwise t."""
        return "time" if not self.path.bounded and self.readable(0.0) else "gamma"

    def ends(self, clock):
        if clock == "gamma":
            return self.path.range()
        return (0.0 if self.readable(0.0) else GAP), (1.0 if self.readable(1.0) else 1 - GAP)

    def at(self, s, clock):
        return Reading(self.path.at_gamma(s) if clock == "gamma" else self.path.at_time(s), self.objective)
