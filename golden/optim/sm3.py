import numpy as np
import optax

from common import MATRICES, PROBLEMS, Case, optax_run, per_leaf, single

DROPPING = {"kind": "stepDecay", "rate": 0.1, "everySteps": 5, "factor": 0.4}


@per_leaf
def sm3(g, x, s, t, h):
    mu, axes = h.get("momentum", 0.9), range(g.ndim)
    covers = s.get("covers", [np.zeros([n if i == axis else 1 for i, n in enumerate(g.shape)], g.dtype) for axis in axes])
    c = g**2 + np.minimum.reduce(np.broadcast_arrays(*covers))
    s["covers"] = [c.max(tuple(i for i in axes if i != axis), keepdims=True) if g.ndim > 1 else c for axis in axes]
    m = s["m"] = mu * s.get("m", 0) + (1 - mu) * g / np.sqrt(c + h.get("eps", 1e-8))
    return -h["rate"] * m


def cases():
    problems = (*PROBLEMS, MATRICES[1])
    yield Case(
        "defaults",
        *single(sm3, "sm3", rate=0.1),
        {"optax.sm3": lambda p: optax_run(lambda: optax.sm3(0.1), p)},
        problems=problems,
    )
    yield Case(
        "momentum 0.5",
        *single(sm3, "sm3", rate=0.05, momentum=0.5),
        {"optax.sm3": lambda p: optax_run(lambda: optax.sm3(0.05, momentum=0.5), p)},
    )
    yield Case("eps 0.01, rate that changes mid-run", *single(sm3, "sm3", rate=DROPPING, eps=0.01))
