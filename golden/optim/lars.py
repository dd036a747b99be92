import numpy as np
import optax

from common import Case, optax_run, per_leaf

DROPPING = {"kind": "stepDecay", "rate": 2.0, "everySteps": 5, "factor": 0.4}
dropping = lambda count: 2.0 * 0.4 ** (count // 5)


def ratio(x, u, coefficient=1.0, eps=0.0):
    own, step = np.sqrt((x * x).sum()), np.sqrt((u * u).sum())
    return coefficient * own / (step + eps) if own > 0 and step > 0 else x.dtype.type(1)


@per_leaf
def lars(g, x, s, t, h):
    g = g + h.get("weightDecay", 0) * x
    step = h["rate"] * ratio(x, g, h.get("trustCoefficient", 1e-3), h.get("eps", 0)) * g
    mu = h.get("momentum", 0.9)
    v = s["v"] = mu * s.get("v", 0) - step
    return mu * v - step if h.get("nesterov") else v


def case(name, options, make):
    config = {"name": "lars", **options}
    return Case(name, config, [(lars, options)], {"optax.lars": lambda p: optax_run(make, p)})


def cases():
    yield case("defaults", {"rate": 2.0}, lambda: optax.lars(2.0))
    yield case(
        "other numbers, decay, rate that changes mid-run",
        {"rate": DROPPING, "momentum": 0.7, "trustCoefficient": 0.01, "eps": 0.1, "weightDecay": 0.1},
        lambda: optax.lars(dropping, weight_decay=0.1, trust_coefficient=0.01, eps=0.1, momentum=0.7),
    )
    yield case(
        "nesterov",
        {"rate": 2.0, "nesterov": True, "trustCoefficient": 0.01},
        lambda: optax.lars(2.0, nesterov=True, trust_coefficient=0.01),
    )
