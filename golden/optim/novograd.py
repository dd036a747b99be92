import numpy as np
import optax

from common import Case, optax_run, per_leaf

DROPPING = {"kind": "stepDecay", "rate": 0.02, "everySteps": 5, "factor": 0.4}
dropping = lambda count: 0.02 * 0.4 ** (count // 5)


@per_leaf
def novograd(g, x, s, t, h):
    b1, b2 = h.get("beta1", 0.9), h.get("beta2", 0.25)
    square = (g * g).sum()
    n = s["n"] = square if t == 1 else b2 * s["n"] + (1 - b2) * square
    u = g / (np.sqrt(n) + h.get("eps", 1e-6)) + h.get("weightDecay", 0) * x
    m = s["m"] = b1 * s.get("m", 0) + u
    return -h["rate"] * m


def case(name, options, make):
    return Case(
        name,
        {"name": "novograd", **options},
        [(novograd, options)],
        {"optax.novograd": lambda p: optax_run(make, p)},
    )


def cases():
    yield case("defaults", {"rate": 0.01}, lambda: optax.novograd(0.01))
    yield case(
        "other numbers, decay, rate that changes mid-run",
        {"rate": DROPPING, "beta1": 0.7, "beta2": 0.5, "eps": 0.01, "weightDecay": 0.1},
        lambda: optax.novograd(dropping, b1=0.7, b2=0.5, eps=0.01, weight_decay=0.1),
    )
