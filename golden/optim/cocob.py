import numpy as np
import optax

from common import Case, at, optax_run, per_leaf, single

DROPPING = {"kind": "stepDecay", "rate": 1.5, "everySteps": 5, "factor": 0.8}


@per_leaf
def cocob(g, x, s, t, h):
    eps, alpha = h.get("eps", 1e-8), h.get("alpha", 100)
    g = h["rate"] * g
    x0 = s.setdefault("x0", x)
    L = s["L"] = np.maximum(s.get("L", np.full_like(x, eps)), np.abs(g))
    G = s["G"] = s.get("G", 0 * x) + np.abs(g)
    R = s["R"] = np.maximum(s.get("R", 0 * x) - g * (x - x0), 0)
    C = s["C"] = s.get("C", 0 * x) - g
    return x0 + C / (L * np.maximum(G + L, alpha * L)) * (L + R) - x


def cases():
    yield Case(
        "defaults",
        *single(cocob, "cocob", rate=1),
        {"optax.contrib.cocob": lambda p: optax_run(lambda: optax.contrib.cocob(), p)},
    )
    yield Case(
        "alpha 5, eps 0.01, L2, rate that changes mid-run",
        *single(cocob, "cocob", rate=DROPPING, alpha=5, eps=0.01, weightDecay=0.2),
        {
            "optax.contrib.cocob": lambda p: optax_run(
                lambda: optax.contrib.cocob(lambda k: at(DROPPING, k + 1), alpha=5, eps=0.01, weight_decay=0.2), p
            )
        },
    )
