"""Makes losses.json: every term of the training loss on one batch, for three objectives on one
rectified path and four schedules.

Paths z_t = a z_1 + b eps: rectified for FM, variance-preserving for DF and CT; g' = 2 (a'/a -
b'/b), SNR = (a/b)^2. The network's output is the velocity v (FM), the noise e (DF) or the target h
(CT). From it, with z = a h + b e:

    FM  h = z + (1 - t) v,  e = z - t v,     dz/dt = v
    DF  h = (z - b e) / a,                   dz/dt = (g'/2) ((1 - ab) z - b e)
    CT  e = (z - a h) / b,                   dz/dt = (g'/2) (a h - ab z)

Per sample, R being the mean or the sum over the axes that are not the batch's: flow R|output -
truth|^2, reg R|dz/dt|^2, recon R|y_pred - y|^2 or the cross-entropy of logits (summed over
classes), vae the same of the encoder's own decoding. KL of z_0 from N(0, I), ab0 = ab(0): 1/2 sum_j
[ab0 z_1j^2 - ab0 - ln(1 - ab0)], divided by d under the mean; 0 for FM. total = flow + recon_weight
recon + reg_weight reg + vae_weight vae + kl_weight KL, batch means.

Weights in time of (flow; recon and reg): none 1; seed SNR' (FM 1); elbo SNR' (CT), g' on flow and
SNR' on the rest (DF), min(2t/(1-t), 10) (FM); upstream SNR' (CT), 1/((1-ab) g') (DF), t (FM).
`normalized` divides each by its mean over t, where that is known: SNR(1) - SNR(0), g(1) - g(0), 1/2
for t, and for FM's elbo with t* = c/(2+c), c = 10: -2 t* - 2 ln(1 - t*) + c (1 - t*).
`elbo_integrand_all_spaces` is SNR' |h - z_1|^2 (sum) = g' |e - eps|^2 = 4 / (b^2 g') |v - dz/dt|^2
(Kingma et al., Variational Diffusion Models, arXiv 2107.00630).

A normal encoder N(mu, e^l): z_t given y has mean a mu and log-variance ln(1 + ab (e^l - 1)); its KL
with z_1 integrated out is 1/2 sum_j [ab0 mu_j^2 + u_j - ln(1 + u_j)], u = ab0 (e^l - 1).
`kl_upstream_wrong_z1` is 1/2 [ab0/(1-ab0) |z_1|^2 + d (ln(1 - ab0) - 1)], which is no divergence:
it is negative. A masked sequence averages over the valid positions of each sample.

Batch: numpy's default_rng(20250331), standard normals rounded to four digits, in the order of the
code below.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from mpmath import mp

import common
import paths

TIMES = [0.02, 0.13, 0.5, 0.77, 0.98]
LABELS = [0, 2, 1, 1, 0]
CAP = 10.0
WEIGHTS = {"recon_weight": 0.5, "reg_weight": 0.1, "vae_weight": 1.0, "kl_weight": 1.0}
DECODINGS = ["mse", "cross_entropy", "none"]
SCHEDULES = [
    ("linear", ["DF", "CT"]),
    ("cosine", ["DF", "CT"]),
    ("sigmoid", ["DF", "CT"]),
    ("exponential", ["DF"]),
]
MASK = [[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]]

normals = common.Normals(seed=20250331, digits=4)
Z1, EPS, OUTPUT = normals.draw(5, 3), normals.draw(5, 3), normals.draw(5, 3)
Y, Y_PRED, Y_VAE = normals.draw(5, 2), normals.draw(5, 2), normals.draw(5, 2)
LOGITS, VAE_LOGITS = normals.draw(5, 3), normals.draw(5, 3)
MU, LOGVAR, XI = normals.draw(5, 3), normals.draw(5, 3), normals.draw(5, 3)
SEQUENCE, SEQUENCE_TARGET = normals.draw(2, 3, 2), normals.draw(2, 3, 2)

ln, expm1, log1p, exp, sqrt = (
    np.vectorize(f, otypes=[object]) for f in (mp.log, mp.expm1, mp.log1p, mp.exp, mp.sqrt)
)


@dataclass(frozen=True)
class Batch:
    """The path at TIMES, as columns, and its ends."""

    a: np.ndarray
    b: np.ndarray
    gamma_prime: np.ndarray
    t: np.ndarray
    alpha_bar_0: Any
    mean_gamma_prime: Any
    mean_snr_prime: Any

    @property
    def snr(self) -> np.ndarray:
        """(a / b)^2."""
        return (self.a / self.b) ** 2

    @property
    def snr_prime(self) -> np.ndarray:
        """g' SNR."""
        return self.gamma_prime * self.snr


def column(values: Any) -> np.ndarray:
    """Numbers of 50 digits, one a row."""
    return np.array(list(values), dtype=object)[:, None]


def rectified() -> Batch:
    """a = t, b = 1 - t, g' = 2 / (t (1 - t)); the means over t are infinite."""
    t = column(map(mp.mpf, TIMES))
    return Batch(t, 1 - t, 2 / (t * (1 - t)), t, mp.zero, None, None)


def variance_preserving(name: str) -> Batch:
    """The default schedule `name`."""
    params = paths.DEFAULTS[name]
    levels = [paths.level(name, params, t) for t in TIMES]
    first, last = paths.level(name, params, 0.0), paths.level(name, params, 1.0)
    return Batch(
        column(x.a for x in levels),
        column(x.b for x in levels),
        column(x.gamma_prime for x in levels),
        column(map(mp.mpf, TIMES)),
        first.alpha_bar,
        last.gamma - first.gamma,
        last.snr - first.snr,
    )


@dataclass(frozen=True)
class Seen:
    """One output of the network, seen in all spaces."""

    target: np.ndarray
    noise: np.ndarray
    dz_dt: np.ndarray
    error: np.ndarray


def see(model: str, at: Batch, z: np.ndarray, z1: np.ndarray, eps: np.ndarray) -> Seen:
    """The conversions of the module's docstring."""
    output = common.exact(OUTPUT)
    if model == "FM":
        return Seen(z + (1 - at.t) * output, z - at.t * output, output, output - (z1 - eps))
    if model == "DF":
        dz_dt = at.gamma_prime / 2 * (at.b**2 * z - at.b * output)
        return Seen((z - at.b * output) / at.a, output, dz_dt, output - eps)
    dz_dt = at.gamma_prime / 2 * (at.a * output - at.a**2 * z)
    return Seen(output, (z - at.a * output) / at.b, dz_dt, output - z1)


def true_velocity(model: str, at: Batch, z1: np.ndarray, eps: np.ndarray) -> np.ndarray:
    """a' z_1 + b' eps; on variance-preserving paths a' = a (1 - ab) g'/2, b' = -b ab g'/2."""
    if model == "FM":
        return z1 - eps
    return at.gamma_prime / 2 * (at.a * at.b**2 * z1 - at.b * at.a**2 * eps)


def cross_entropy(logits: np.ndarray) -> np.ndarray:
    """-ln softmax(logits) at LABELS."""
    values = common.exact(logits)
    return ln(exp(values).sum(axis=1)) - values[np.arange(len(LABELS)), LABELS]


def reduced(squares: np.ndarray, reduction: str) -> np.ndarray:
    """The sum over a sample's entries, or their mean."""
    total = squares.sum(axis=1)
    return total if reduction == "sum" else total / squares.shape[1]


def decodings(y: np.ndarray, logits: np.ndarray, reduction: str) -> list[np.ndarray]:
    """The losses of one decoding, in the order of DECODINGS."""
    squares = (common.exact(y) - common.exact(Y)) ** 2
    return [reduced(squares, reduction), cross_entropy(logits), column([mp.zero] * len(TIMES))[:, 0]]


def deterministic_kl(alpha_bar_0: Any, z1: np.ndarray) -> np.ndarray:
    """KL(N(a0 z_1, 1 - ab0) || N(0, I)), summed."""
    return (alpha_bar_0 * z1**2 - alpha_bar_0 - mp.log1p(-alpha_bar_0)).sum(axis=1) / 2


def per_sample(seen: Seen, at: Batch, z1: np.ndarray, reduction: str) -> dict[str, np.ndarray]:
    """All terms before weights."""
    kl = deterministic_kl(at.alpha_bar_0, z1) / (z1.shape[1] if reduction == "mean" else 1)
    recon = decodings(Y_PRED, LOGITS, reduction)
    vae = decodings(Y_VAE, VAE_LOGITS, reduction)
    return (
        {"flow": reduced(seen.error**2, reduction), "reg": reduced(seen.dz_dt**2, reduction)}
        | {f"recon_{kind}": value for kind, value in zip(DECODINGS, recon, strict=True)}
        | {f"vae_{kind}": value for kind, value in zip(DECODINGS, vae, strict=True)}
        | {"kl": kl}
    )


def capped_mean(cap: Any) -> Any:
    """The integral of min(2t / (1 - t), cap) over [0, 1]."""
    edge = cap / (2 + cap)
    return -2 * edge - 2 * mp.log1p(-edge) + cap * (1 - edge)


def rectified_weights(at: Batch) -> dict[str, tuple[Any, Any, Any, Any]]:
    """(flow, recon and reg, mean, mean) of each kind, for FM."""
    one, cap = at.t**0, mp.mpf(CAP)
    elbo = np.minimum(2 * at.t / (1 - at.t), cap)
    half, mean = mp.mpf(1) / 2, capped_mean(cap)
    return {
        "none": (one, one, mp.one, mp.one),
        "seed": (one, one, mp.one, mp.one),
        "elbo": (elbo, elbo, mean, mean),
        "upstream": (at.t, at.t, half, half),
    }


def vp_weights(model: str, at: Batch) -> dict[str, tuple[Any, Any, Any, Any]]:
    """(flow, recon and reg, mean, mean) of each kind, for DF and CT; `upstream` has no means."""
    one, snr_prime, mean = at.t**0, at.snr_prime, at.mean_snr_prime
    noise = model == "DF"
    upstream = 1 / (at.b**2 * at.gamma_prime) if noise else snr_prime
    elbo = (
        (at.gamma_prime, snr_prime, at.mean_gamma_prime, mean)
        if noise
        else (snr_prime, snr_prime, mean, mean)
    )
    return {
        "none": (one, one, mp.one, mp.one),
        "seed": (snr_prime, snr_prime, mean, mean),
        "elbo": elbo,
        "upstream": (upstream, upstream, None, None),
    }


def losses(terms: dict[str, np.ndarray], flow: np.ndarray, rest: np.ndarray) -> dict[str, Any]:
    """Weighted batch means and their totals."""

    def mean(values: np.ndarray) -> Any:
        return values.sum() / len(values)

    out = {
        "flow_loss": mean(flow[:, 0] * terms["flow"]),
        "reg_loss": mean(rest[:, 0] * terms["reg"]),
        "kl_loss": mean(terms["kl"]),
    }
    w = {key: mp.mpf(value) for key, value in WEIGHTS.items()}
    shared = out["flow_loss"] + w["reg_weight"] * out["reg_loss"] + w["kl_weight"] * out["kl_loss"]
    for kind in DECODINGS:
        recon, vae = mean(rest[:, 0] * terms[f"recon_{kind}"]), mean(terms[f"vae_{kind}"])
        out[f"recon_loss_{kind}"], out[f"vae_loss_{kind}"] = recon, vae
        out[f"total_{kind}"] = shared + w["recon_weight"] * recon + w["vae_weight"] * vae
    return out


def all_losses(terms: dict[str, np.ndarray], weights: dict[str, tuple[Any, Any, Any, Any]]) -> dict[str, Any]:
    """The losses with each kind of weight, also divided by the weights' means if known."""
    out = {}
    for kind, (flow, rest, mean_flow, mean_rest) in weights.items():
        out[kind] = losses(terms, flow, rest)
        if mean_flow is not None:
            out[f"{kind}_normalized"] = losses(terms, flow / mean_flow, rest / mean_rest)
    return out


def case(model: str, schedule: str) -> dict[str, Any]:
    """One entry of `cases`."""
    at = rectified() if model == "FM" else variance_preserving(schedule)
    z1, eps = common.exact(Z1), common.exact(EPS)
    z = at.a * z1 + at.b * eps
    seen = see(model, at, z, z1, eps)
    terms = {reduction: per_sample(seen, at, z1, reduction) for reduction in ["mean", "sum"]}
    weights = rectified_weights(at) if model == "FM" else vp_weights(model, at)
    return {
        "model": model,
        "schedule": schedule,
        "params": paths.DEFAULTS.get(schedule, {}),
        "alpha_bar_0": at.alpha_bar_0,
        "a": at.a[:, 0],
        "b": at.b[:, 0],
        "gamma_prime": at.gamma_prime[:, 0],
        "snr": at.snr[:, 0],
        "snr_prime": at.snr_prime[:, 0],
        "z_t": z,
        "v_true": true_velocity(model, at, z1, eps),
        "target_hat": seen.target,
        "noise_hat": seen.noise,
        "dz_dt": seen.dz_dt,
        "elbo_integrand_all_spaces": (at.snr_prime * (seen.target - z1) ** 2).sum(axis=1),
        "per_sample": terms,
        "losses": {reduction: all_losses(values, weights) for reduction, values in terms.items()},
        "snr_weights": {
            kind: {
                "flow": flow[:, 0],
                "recon_reg": rest[:, 0],
                "mean_flow": mean,
                "mean_recon_reg": mean_rest,
            }
            for kind, (flow, rest, mean, mean_rest) in weights.items()
        },
    }


def encoder_case(name: str) -> dict[str, Any]:
    """One entry of the encoders' `cases`; the deterministic KL is that of the batch's z_1."""
    at = variance_preserving(name)
    mu, logvar, z1 = common.exact(MU), common.exact(LOGVAR), common.exact(Z1)
    ab0, u = at.alpha_bar_0, at.alpha_bar_0 * expm1(logvar)
    wrong = (ab0 / (1 - ab0) * z1**2 + mp.log1p(-ab0) - 1).sum(axis=1) / 2
    return {
        "schedule": name,
        "params": paths.DEFAULTS[name],
        "alpha_bar_0": ab0,
        "t": TIMES,
        "mean_z_t": at.a * mu,
        "logvar_z_t": log1p(at.a**2 * expm1(logvar)),
        "kl_normal_encoder": (ab0 * mu**2 + u - log1p(u)).sum(axis=1) / 2,
        "kl_deterministic_encoder_z1": deterministic_kl(ab0, z1),
        "kl_upstream_wrong_z1": wrong,
    }


def encoders() -> dict[str, Any]:
    """z_1 = mu + e^(l/2) xi, and its KL divergences on every default schedule."""
    z1 = common.exact(MU) + exp(common.exact(LOGVAR) / 2) * common.exact(XI)
    cases = [encoder_case(name) for name in paths.DEFAULTS]
    return {"mu": MU, "logvar": LOGVAR, "xi": XI, "z_1": z1, "cases": cases}


def sequence_mask() -> dict[str, Any]:
    """Squared errors averaged over the valid positions of each sample, then over samples."""
    squares = (common.exact(SEQUENCE) - common.exact(SEQUENCE_TARGET)) ** 2
    mask = common.exact(MASK)
    means = (squares.sum(axis=2) * mask).sum(axis=1) / (squares.shape[2] * mask.sum(axis=1))
    return {
        "pred": SEQUENCE,
        "target": SEQUENCE_TARGET,
        "mask": MASK,
        "per_sample_mean": means,
        "loss": means.sum() / len(means),
    }


def inputs() -> dict[str, Any]:
    """The batch and the weights."""
    return {
        "t": TIMES,
        "z_1": Z1,
        "eps": EPS,
        "model_output": OUTPUT,
        "y": Y,
        "y_pred": Y_PRED,
        "y_vae": Y_VAE,
        "onehot": np.eye(3)[LABELS],
        "logits": LOGITS,
        "vae_logits": VAE_LOGITS,
        "fm_weight_max": CAP,
        "weights": WEIGHTS,
    }


def golden() -> dict[str, Any]:
    """The contents of losses.json."""
    return common.plain(
        {
            "about": "B=5, z dim 3, y dim 2, 3 classes. model_output is the raw network output "
            "(velocity for FM, noise for DF, target for CT). per-sample arrays use reduction mean or sum "
            "over non-batch axes; cross entropy is always summed over classes. "
            "snr kinds: none, seed, elbo, upstream; see make/losses.py.",
            "inputs": inputs(),
            "cases": [
                case("FM", "rectified"),
                *(case(m, name) for name, models in SCHEDULES for m in models),
            ],
            "encoders": encoders(),
            "sequence_mask": sequence_mask(),
        }
    )


if __name__ == "__main__":
    common.write(golden())
