import numpy as np
import optax

from common import Case, at, optax_run
from dog import norm
from momentum import pytorch as momentum
from sgd import sgd

DROPPING = {"kind": "stepDecay", "rate": 0.05, "everySteps": 5, "factor": 0.5}


def sam(inner):
    """`inner`: a rule on lists and its hyperparameters."""
    rule, own = inner

    def update(gs, xs, states, t, h):
        f = xs[0].dtype.type
        ys = xs
        for _ in range(h.get("climbs", 1)):
            if h.get("adaptive"):
                length = f(h.get("rho", 0.05)) / norm([np.abs(y) * g for y, g in zip(ys, gs)])
                ys = [y + length * y**2 * g for y, g in zip(ys, gs)]
            else:
                length = f(h.get("rho", 0.05)) / norm(gs)
                ys = [y + length * g for y, g in zip(ys, gs)]
            gs = h["gradient_at"](ys)
        return rule(gs, xs, states, t, {k: at(v, t) for k, v in own.items()})

    return update


def opaque(optimizer, rho, climbs=1):
    def run(problem):
        uphill = optax.chain(optax.contrib.normalize(), optax.sgd(rho))
        make = lambda: optax.contrib.sam(optimizer(), uphill, sync_period=climbs + 1, opaque_mode=True)
        return optax_run(make, problem, lambda _: {"grad_fn": lambda at, _: problem.gradient([np.array(x) for x in at])})

    return run


def cases():
    yield Case(
        "defaults around sgd",
        {"name": "sam", "transform": {"name": "sgd", "rate": 0.05}},
        [(sam((sgd, {"rate": 0.05})), {})],
        {"optax.contrib.sam, opaque": opaque(lambda: optax.sgd(0.05), 0.05)},
    )
    own = {"rate": DROPPING, "momentum": 0.8, "nesterov": False, "like": "pytorch"}
    yield Case(
        "rho 0.1, two climbs, around momentum with a rate that changes mid-run",
        {"name": "sam", "transform": {"name": "momentum", **own}, "rho": 0.1, "climbs": 2},
        [(sam((momentum, own)), {"rho": 0.1, "climbs": 2})],
        {
            "optax.contrib.sam, opaque": opaque(
                lambda: optax.sgd(lambda k: at(DROPPING, k + 1), momentum=0.8), 0.1, climbs=2
            )
        },
    )
    yield Case(
        "adaptive",
        {"name": "sam", "transform": {"name": "sgd", "rate": 0.05}, "rho": 0.05, "adaptive": True},
        [(sam((sgd, {"rate": 0.05})), {"rho": 0.05, "adaptive": True})],
    )
