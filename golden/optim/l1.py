import keras
import numpy as np

from clip import chain
from common import Case, at, keras_run, per_leaf
from momentum import lecture
from sgd import sgd

DROPPING = {"kind": "stepDecay", "rate": 0.05, "everySteps": 5, "factor": 0.6}


@per_leaf
def add_l1(u, x, s, t, h):
    if h.get("mode") != "proximal":
        return u + h["l1"] * np.sign(x)
    moved, threshold = x + u, h["rate"] * h["l1"]
    return np.sign(moved) * np.maximum(np.abs(moved) - threshold, 0) - x


class Penalised:
    """A problem with the gradient of keras.regularizers.L1 added."""

    def __init__(self, problem, l1):
        self.problem, self.l1, self.start = problem, keras.regularizers.L1(l1), problem.start

    def gradient(self, xs):
        import jax

        return [g + np.array(jax.grad(lambda x: self.l1(x))(jax.numpy.array(x))) for g, x in zip(self.problem.gradient(xs), xs)]


def cases():
    yield Case(
        "coupled, momentum",
        *chain((add_l1, "addL1", {"l1": 0.1}), (lecture, "momentum", {"rate": 0.02, "momentum": 0.8})),
        {
            "keras.regularizers.L1": lambda p: keras_run(
                lambda: keras.optimizers.SGD(0.02, momentum=0.8), Penalised(p, 0.1)
            )
        },
    )
    yield Case(
        "proximal, a rate that changes mid-run",
        *chain((sgd, "sgd", {"rate": DROPPING}), (add_l1, "addL1", {"l1": 0.3, "mode": "proximal", "rate": DROPPING})),
    )
