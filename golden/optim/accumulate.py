import keras
import numpy as np
import optax

from adam import adam
from clip import clip_by_global_norm
from common import Case, at, keras_run, optax_run, per_leaf
from momentum import lecture
from sgd import sgd

DROPPING = {"kind": "stepDecay", "rate": 0.05, "everySteps": 5, "factor": 0.4}


def accumulate(*parts):
    """parts: (rule, hyperparameters), whose schedules count updates"""

    def update(gs, xs, states, t, h):
        k = h.get("steps", 2)
        for s, g in zip(states, gs):
            s["sum"] = s["sum"] + g if (t - 1) % k else g
        if t % k:
            return [np.zeros_like(g) for g in gs]
        us = [s["sum"] / k for s in states]
        for i, (rule, hypers) in enumerate(parts):
            own = [s.setdefault(i, {}) for s in states]
            us = rule(us, xs, own, t // k, {name: at(value, t // k) for name, value in hypers.items()})
        return us

    return update


@per_leaf
def apply_every(u, x, s, t, h):
    k = h.get("steps", 1)
    s["sum"] = s["sum"] + u if (t - 1) % k else u
    return np.zeros_like(u) if t % k else s["sum"]


def multi_steps(make, k):
    """optax.MultiSteps as a transformation."""
    steps = optax.MultiSteps(make(), k, accumulator_dtype=np.float64)
    return optax.GradientTransformation(steps.init, steps.update)


def cases():
    adam_hypers = {"rate": 0.05, "beta1": 0.9, "beta2": 0.99, "eps": 1e-3}
    yield Case(
        "accumulate: pairs by default, adam",
        {"name": "accumulate", "transform": {"name": "adam", **adam_hypers}},
        [(accumulate((adam, adam_hypers)), {})],
        {
            "optax.MultiSteps": lambda p: optax_run(
                lambda: multi_steps(lambda: optax.adam(0.05, b1=0.9, b2=0.99, eps=1e-3), 2), p
            )
        },
    )
    clip, momentum = {"maxNorm": 0.5}, {"rate": DROPPING, "momentum": 0.8}
    yield Case(
        "accumulate: four, clipping of the mean, a rate that changes with the updates",
        {
            "name": "accumulate",
            "transform": {
                "name": "chain",
                "parts": [{"name": "clipByGlobalNorm", **clip}, {"name": "momentum", **momentum}],
            },
            "steps": 4,
        },
        [(accumulate((clip_by_global_norm, clip), (lecture, momentum)), {"steps": 4})],
        {
            "keras.optimizers.SGD(gradient_accumulation_steps)": lambda p: keras_run(
                lambda: keras.optimizers.SGD(0.05, momentum=0.8, global_clipnorm=0.5, gradient_accumulation_steps=4),
                p,
                lambda t: {"learning_rate": at(DROPPING, (t - 1) // 4 + 1)},
            )
        },
    )
    chained = lambda **hypers: {"name": "chain", "parts": [{"name": "sgd", "rate": 0.03}, {"name": "applyEvery", **hypers}]}
    yield Case(
        "applyEvery: every step by default",
        chained(),
        [(sgd, {"rate": 0.03}), (apply_every, {})],
        {"optax.apply_every": lambda p: optax_run(lambda: optax.chain(optax.sgd(0.03), optax.apply_every()), p)},
    )
    yield Case(
        "applyEvery: third",
        chained(steps=3),
        [(sgd, {"rate": 0.03}), (apply_every, {"steps": 3})],
        {"optax.apply_every": lambda p: optax_run(lambda: optax.chain(optax.sgd(0.03), optax.apply_every(3)), p)},
    )
