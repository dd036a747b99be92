import keras
import numpy as np

from common import Case, at, keras_run, per_leaf, single

DROPPING = {"kind": "stepDecay", "rate": 0.5, "everySteps": 5, "factor": 0.7}


@per_leaf
def ftrl(g, x, s, t, h):
    a, p, l1 = h["rate"], h.get("power", 0.5), h.get("l1", 0)
    l2 = h.get("l2", 0) + h.get("beta", 0) / (2 * a)
    before = s.get("n", g.dtype.type(h.get("initialAccumulator", 0.1)))
    n = s["n"] = before + g**2
    z = s["z"] = s.get("z", 0) + g + 2 * h.get("l2Shrinkage", 0) * x - (n**p - before**p) / a * x
    return (np.clip(z, -l1, l1) - z) / (n**p / a + 2 * l2) - x


def cases():
    yield Case(
        "defaults",
        *single(ftrl, "ftrl", rate=0.5, assumed={"decoupled": True}),
        {"keras.optimizers.Ftrl": lambda p: keras_run(lambda: keras.optimizers.Ftrl(0.5), p)},
    )
    yield Case(
        "all regularisation",
        *single(ftrl, "ftrl", rate=0.3, power=0.6, l1=0.05, l2=0.1, l2Shrinkage=0.02, beta=0.1, initialAccumulator=0.3),
        {
            "keras.optimizers.Ftrl": lambda p: keras_run(
                lambda: keras.optimizers.Ftrl(
                    0.3,
                    learning_rate_power=-0.6,
                    initial_accumulator_value=0.3,
                    l1_regularization_strength=0.05,
                    l2_regularization_strength=0.1,
                    l2_shrinkage_regularization_strength=0.02,
                    beta=0.1,
                ),
                p,
            )
        },
    )
    yield Case(
        "rate that changes mid-run",
        *single(ftrl, "ftrl", rate=DROPPING),
        {
            "keras.optimizers.Ftrl": lambda p: keras_run(
                lambda: keras.optimizers.Ftrl(0.5), p, lambda t: {"learning_rate": at(DROPPING, t)}
            )
        },
    )
    yield Case("L2", *single(ftrl, "ftrl", rate=0.3, weightDecay=0.1, decoupled=False))
