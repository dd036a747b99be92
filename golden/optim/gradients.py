import numpy as np
import optax

from clip import chain, global_norm
from common import MATRICES, Case, optax_run, per_leaf
from sgd import sgd

DROPPING = {"kind": "stepDecay", "rate": 1.0, "everySteps": 5, "factor": 0.4}


@per_leaf
def centralize(g, x, s, t, h):
    return g - g.mean(tuple(range(1, g.ndim)), keepdims=True) if g.ndim > 1 else g


def normalize_by_norm(us, xs, states, t, h):
    scale = us[0].dtype.type(h.get("norm", 1)) / (global_norm(us) + h.get("eps", 1e-6))
    return [u * scale for u in us]


@per_leaf
def zero_nans(g, x, s, t, h):
    return np.nan_to_num(g, nan=0, posinf=np.inf, neginf=-np.inf)


@per_leaf
def scale_by(u, x, s, t, h):
    return u * h["factor"]


@per_leaf
def trace(u, x, s, t, h):
    d = h.get("decay", 0.9)
    v = s["v"] = u + d * s.get("v", np.zeros_like(u))
    return u + d * v if h.get("nesterov") else v


@per_leaf
def average_updates(u, x, s, t, h):
    d = h.get("decay", 0.9)
    m = s["m"] = d * s.get("m", np.zeros_like(u)) + (1 - d) * u
    return m / (1 - d**t) if h.get("debias", True) else m


def cases():
    def case(title, rule, name, hypers, make, rate=0.05, **options):
        then = lambda p: optax_run(lambda: optax.chain(make(), optax.sgd(rate)), p)
        return Case(title, *chain((rule, name, hypers), (sgd, "sgd", {"rate": rate})), {f"optax.{options.pop('label')}": then}, **options)

    yield case("centralize", centralize, "centralize", {}, optax.centralize, label="centralize", problems=MATRICES)
    yield case("normalizeByNorm: its defaults", normalize_by_norm, "normalizeByNorm", {}, optax.normalize_by_update_norm, rate=0.005, label="normalize_by_update_norm")
    yield case(
        "normalizeByNorm: norm 0.5, eps 0.1",
        normalize_by_norm,
        "normalizeByNorm",
        {"norm": 0.5, "eps": 0.1},
        lambda: optax.normalize_by_update_norm(0.5, 0.1),
        label="normalize_by_update_norm",
    )
    yield case("zeroNans without any", zero_nans, "zeroNans", {}, optax.zero_nans, label="zero_nans")
    yield case(
        "scaleBy a schedule",
        scale_by,
        "scaleBy",
        {"factor": DROPPING},
        lambda: optax.scale_by_schedule(lambda t: 0.4 ** (t // 5)),
        label="scale_by_schedule",
    )
    yield case("scaleBy -0.5", scale_by, "scaleBy", {"factor": -0.5}, lambda: optax.scale(-0.5), rate=0.005, label="scale")
    yield case("trace: its defaults", trace, "trace", {}, lambda: optax.trace(0.9), rate=0.02, label="trace")
    yield case("trace with nesterov", trace, "trace", {"decay": 0.7, "nesterov": True}, lambda: optax.trace(0.7, True), rate=0.02, label="trace")
    yield case("averageUpdates: its defaults", average_updates, "averageUpdates", {}, lambda: optax.ema(0.9), label="ema")
    yield case(
        "averageUpdates without debias",
        average_updates,
        "averageUpdates",
        {"decay": 0.7, "debias": False},
        lambda: optax.ema(0.7, debias=False),
        label="ema",
    )
