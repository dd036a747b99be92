import keras
import numpy as np

from common import Case, at, keras_run, per_leaf

DROPPING = {"kind": "stepDecay", "rate": 0.5, "everySteps": 5, "factor": 0.7}


@per_leaf
def ftrl(g, x, s, t, h):
    a, p, l1 = h["rate"], h.get("power", 0.5), h.get("l1", 0)
    l2 = h.get("l2", 0) + h.get("beta", 0) / (2 * a)
    start, x = x, x - a * h.get("weightDecay", 0) * x
    before = s.get("n", g.dtype.type(h.get("initialAccumulator", 0.1)))
    n = s["n"] = before + g**2
    z = s["z"] = s.get("z", 0) + g + 2 * h.get("l2Shrinkage", 0) * x - (n**p - before**p) / a * x
    return (np.clip(z, -l1, l1) - z) / (n**p / a + 2 * l2) - start


def case(name, options, make, hypers=lambda t: {}):
    return Case(
        name,
        {"name": "ftrl", **options},
        [(ftrl, options)],
        {"keras.optimizers.Ftrl": lambda p: keras_run(make, p, hypers)},
    )


def cases():
    yield case("defaults", {"rate": 0.2}, lambda: keras.optimizers.Ftrl(0.2))
    other = {"power": 0.6, "initialAccumulator": 0.3, "l1": 0.05, "l2": 0.1, "l2Shrinkage": 0.02, "beta": 0.1}
    yield case(
        "all regularization, decay",
        {"rate": 0.3, **other, "weightDecay": 0.2},
        lambda: keras.optimizers.Ftrl(
            0.3,
            learning_rate_power=-0.6,
            initial_accumulator_value=0.3,
            l1_regularization_strength=0.05,
            l2_regularization_strength=0.1,
            l2_shrinkage_regularization_strength=0.02,
            beta=0.1,
            weight_decay=0.2,
        ),
    )
    yield case(
        "rate that changes mid-run",
        {"rate": DROPPING},
        lambda: keras.optimizers.Ftrl(0.5),
        lambda t: {"learning_rate": at(DROPPING, t)},
    )
