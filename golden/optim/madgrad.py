import numpy as np
import optax

from common import Case, optax_run, per_leaf

DROPPING = {"kind": "stepDecay", "rate": 0.02, "everySteps": 5, "factor": 0.4}
dropping = lambda count: 0.02 * 0.4 ** (count // 5)


@per_leaf
def madgrad(g, x, s, t, h):
    mu, eps = h.get("momentum", 0.9), h.get("eps", 1e-6)
    start = s.setdefault("start", x)
    g = g + h.get("weightDecay", 0) * x
    weight = g.dtype.type((h["rate"] + eps) * t**0.5)
    v = s["v"] = s.get("v", 0) + weight * g**2
    total = s["s"] = s.get("s", 0) + weight * g
    z = start - total / (np.cbrt(v) + eps)
    return (1 - mu) * (z - x)


def case(name, options, make):
    return Case(
        name,
        {"name": "madgrad", **options},
        [(madgrad, options)],
        {"optax.contrib.madgrad": lambda p: optax_run(make, p)},
        within=1e-7,  # optax takes the root of its integer count in single precision.
    )


def cases():
    yield case("defaults", {"rate": 0.02}, lambda: optax.contrib.madgrad(0.02))
    yield case(
        "other numbers, decay, rate that changes mid-run",
        {"rate": DROPPING, "momentum": 0.7, "eps": 0.01, "weightDecay": 0.1},
        lambda: optax.contrib.madgrad(dropping, momentum=0.7, eps=0.01, weight_decay=0.1),
    )
