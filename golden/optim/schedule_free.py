import jax.numpy as jnp
import numpy as np
import optax

from adam import adam
from common import Case, at, optax_run
from sgd import sgd

DROPPING = {"kind": "stepDecay", "rate": 0.05, "everySteps": 5, "factor": 0.5}
GROWING = {"kind": "warmup", "rate": 0.08, "from": 0.01, "steps": 20}


def average(xs, us, states, t, h, rate, start=None):
    """From the steps `us` of z to those of the parameters y; `rate` weighs, None: all alike; `start`: y if not xs."""
    f = xs[0].dtype.type
    s = states[0]
    b = f(h.get("beta1", 0.9))
    if t == 1:
        s["z"], s["b"], s["largest"], s["total"] = xs, f(1), f(0), f(0)
    if rate is None:
        c = f(1 / t)
    else:
        s["largest"] = max(s["largest"], f(rate))
        w = s["largest"] ** f(h.get("weightPower", 2))
        s["total"] = s["total"] + w
        c = w / s["total"] if s["total"] > 0 else f(0)
    means = [(y - (1 - s["b"]) * z) / s["b"] for y, z in zip(start or xs, s["z"])]
    s["z"], s["b"] = [z + u for z, u in zip(s["z"], us)], b
    means = [(1 - c) * x + c * z for x, z in zip(means, s["z"])]
    return [b * x + (1 - b) * z - y for x, z, y in zip(means, s["z"], xs)]


def schedule_free(inner):
    """`inner`: a rule on lists and its hyperparameters."""
    rule, own = inner

    def update(gs, xs, states, t, h):
        us = rule(gs, xs, states, t, {k: at(v, t) for k, v in own.items()})
        rate = at(own["rate"], t + 1 if h.get("like") == "optax" else t)
        return average(xs, us, states, t, h, rate)

    return update


def growing(k):
    return GROWING["from"] + (GROWING["rate"] - GROWING["from"]) * jnp.minimum(k, GROWING["steps"]) / GROWING["steps"]


def cases():
    yield Case(
        "defaults around sgd",
        {"name": "scheduleFree", "transform": {"name": "sgd", "rate": 0.05}},
        [(schedule_free((sgd, {"rate": 0.05})), {})],
        {
            "optax.contrib.schedule_free": lambda p: optax_run(
                lambda: optax.contrib.schedule_free(optax.sgd(0.05), 0.05), p
            )
        },
    )
    own = {"rate": DROPPING, "beta1": 0}
    yield Case(
        "beta1 0.7, power 1, around adam without momentum and a rate that drops mid-run",
        {"name": "scheduleFree", "transform": {"name": "adam", **own}, "beta1": 0.7, "weightPower": 1},
        [(schedule_free((adam, own)), {"beta1": 0.7, "weightPower": 1})],
        {
            "optax.contrib.schedule_free": lambda p: optax_run(
                lambda: optax.contrib.schedule_free(
                    optax.adam(lambda k: at(DROPPING, k + 1), b1=0), lambda k: 0.05, 0.7, 1
                ),
                p,
            )
        },
    )
    yield Case(
        "like pytorch: a rate that rises",
        {"name": "scheduleFree", "transform": {"name": "sgd", "rate": GROWING}},
        [(schedule_free((sgd, {"rate": GROWING})), {})],
    )
    yield Case(
        "like optax: a rate that rises, beta1 0.8, power 1.5",
        {
            "name": "scheduleFree",
            "transform": {"name": "sgd", "rate": GROWING},
            "beta1": 0.8,
            "weightPower": 1.5,
            "like": "optax",
        },
        [(schedule_free((sgd, {"rate": GROWING})), {"beta1": 0.8, "weightPower": 1.5, "like": "optax"})],
        {
            "optax.contrib.schedule_free": lambda p: optax_run(
                lambda: optax.contrib.schedule_free(optax.sgd(growing), growing, 0.8, 1.5), p
            )
        },
    )
