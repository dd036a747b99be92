import keras
import numpy as np
import optax

from common import Case, at, keras_run, optax_run, per_leaf
from lars import ratio

DROPPING = {"kind": "stepDecay", "rate": 0.02, "everySteps": 5, "factor": 0.4}
dropping = lambda count: 0.02 * 0.4 ** (count // 5)


@per_leaf
def lamb(g, x, s, t, h):
    keras_form = h.get("like") == "keras"
    b1, b2, eps = h.get("beta1", 0.9), h.get("beta2", 0.999), h.get("eps", 1e-7 if keras_form else 1e-6)
    m = s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    v = s["v"] = b2 * s.get("v", 0) + (1 - b2) * g**2
    u = m / (1 - b1**t) / (np.sqrt(v / (1 - b2**t) + h.get("epsRoot", 0)) + eps)
    decay = h.get("weightDecay", 0)
    if keras_form:
        start = x - h["rate"] * decay * x
        return start - h["rate"] * ratio(start, u) * u - x
    u = u + decay * x
    return -h["rate"] * ratio(x, u) * u


def case(name, options, agrees):
    return Case(name, {"name": "lamb", **options}, [(lamb, options)], agrees)


def cases():
    other = {"beta1": 0.8, "beta2": 0.95, "eps": 0.01, "weightDecay": 0.2}
    yield case(
        "defaults, optax's", {"rate": 0.01}, {"optax.lamb": lambda p: optax_run(lambda: optax.lamb(0.01), p)}
    )
    yield case(
        "other numbers, decay, rate that changes mid-run",
        {"rate": DROPPING, **other, "epsRoot": 0.001},
        {
            "optax.lamb": lambda p: optax_run(
                lambda: optax.lamb(dropping, b1=0.8, b2=0.95, eps=0.01, eps_root=0.001, weight_decay=0.2), p
            )
        },
    )
    yield case(
        "like keras: its defaults",
        {"rate": 0.01, "like": "keras"},
        {"keras.optimizers.Lamb": lambda p: keras_run(lambda: keras.optimizers.Lamb(0.01), p)},
    )
    yield case(
        "like keras: other numbers, decay, rate that changes mid-run",
        {"rate": DROPPING, **other, "like": "keras"},
        {
            "keras.optimizers.Lamb": lambda p: keras_run(
                lambda: keras.optimizers.Lamb(0.02, beta_1=0.8, beta_2=0.95, epsilon=0.01, weight_decay=0.2),
                p,
                lambda t: {"learning_rate": at(DROPPING, t)},
            )
        },
    )
