import numpy as np
import optax

from common import PROBLEMS, Case, at, optax_run
from dadapt_adamw import whole
from dog import norm

DROPPING = {"kind": "stepDecay", "rate": 0.1, "everySteps": 5, "factor": 0.6}
WITH_EXAMPLES = [p for p in PROBLEMS if hasattr(p, "example_gradients")]


def private_mean(gs, xs, states, t, h):
    """Without noise: the random numbers are nobody else's."""
    assert h["noise"] == 0
    C = h.get("maxNorm", 1)
    rows = h["example_gradients_at"](xs)
    clipped = [[g * gs[0].dtype.type(min(1, C / norm(row))) for g in row] for row in rows]
    return [sum(column) / len(rows) for column in zip(*clipped)]


def dpsgd(gs, xs, states, t, h):
    gs = private_mean(gs, xs, states, t, h)
    if "momentum" not in h:
        return [-h["rate"] * g for g in gs]
    mu = h["momentum"]
    for s, g in zip(states, gs):
        s["v"] = mu * s.get("v", 0) + g
    return [-h["rate"] * (g + mu * s["v"] if h.get("nesterov") else s["v"]) for s, g in zip(states, gs)]


class Stacked:
    """A problem whose gradients are those of the examples, along a first axis."""

    def __init__(self, problem):
        self.start = problem.start
        self.gradient = lambda params: [np.stack(column) for column in zip(*problem.example_gradients(params))]


def dpsgd_of(*args, **options):
    make = lambda: optax.contrib.dpsgd(*args, seed=0, **options)
    return lambda p: optax_run(make, Stacked(p))


def cases():
    yield Case(
        "without noise",
        *whole(dpsgd, "dpsgd", rate=0.1, noise=0),
        {"optax.contrib.dpsgd": dpsgd_of(0.1, 1, 0)},
        problems=WITH_EXAMPLES,
    )
    yield Case(
        "without noise, largest norm 0.5, nesterov, rate that changes mid-run",
        *whole(dpsgd, "dpsgd", rate=DROPPING, maxNorm=0.5, noise=0, momentum=0.8, nesterov=True),
        {
            "optax.contrib.dpsgd": dpsgd_of(
                lambda k: at(DROPPING, k + 1), 0.5, 0, momentum=0.8, nesterov=True
            )
        },
        problems=WITH_EXAMPLES,
    )
    yield Case(
        "without noise, momentum",
        *whole(dpsgd, "dpsgd", rate=0.05, noise=0, momentum=0.5),
        {"optax.contrib.dpsgd": dpsgd_of(0.05, 1, 0, momentum=0.5)},
        problems=WITH_EXAMPLES,
    )
