import numpy as np
import optax

from common import Case, optax_run, per_leaf, single

DROPPING = {"kind": "stepDecay", "rate": 0.05, "everySteps": 5, "factor": 0.4}


@per_leaf
def fromage(g, x, s, t, h):
    norm = lambda v: max(np.sqrt((v * v).sum()), h.get("minNorm", 1e-6))
    a = h["rate"]
    return (x - a * (norm(x) / norm(g)) * g) / (1 + a * a) ** 0.5 - x


def cases():
    yield Case(
        "defaults",
        *single(fromage, "fromage", rate=0.02),
        {"optax.fromage": lambda p: optax_run(lambda: optax.fromage(0.02), p)},
    )
    yield Case(
        "least norm 0.5",
        *single(fromage, "fromage", rate=0.02, minNorm=0.5),
        {"optax.fromage": lambda p: optax_run(lambda: optax.fromage(0.02, min_norm=0.5), p)},
    )
    yield Case("rate that changes mid-run", *single(fromage, "fromage", rate=DROPPING))
