import keras
import optax
import torch

from adam import adam
from clip import chain
from common import MATRICES, Case, at, keras_run, optax_run, per_leaf, torch_run
from momentum import lecture, pytorch

DROPPING = {"kind": "stepDecay", "rate": 0.02, "everySteps": 5, "factor": 0.4}


@per_leaf
def add_decayed_weights(u, x, s, t, h):
    if h.get("params") == "matrix" and x.ndim < 2:
        return u
    if h.get("mode") == "decoupled":
        return u - h["rate"] * h["weightDecay"] * x
    return u + h["weightDecay"] * x


def cases():
    part = lambda **hypers: (add_decayed_weights, "addDecayedWeights", hypers)
    torch_momentum = {"rate": 0.02, "momentum": 0.9, "nesterov": False, "like": "pytorch"}
    yield Case(
        "coupled, momentum",
        *chain(part(weightDecay=0.2), (pytorch, "momentum", torch_momentum)),
        {
            "torch.optim.SGD": lambda p: torch_run(
                lambda xs: torch.optim.SGD(xs, lr=0.02, momentum=0.9, weight_decay=0.2), p
            )
        },
    )
    hypers = {"rate": 0.02, "beta1": 0.9, "beta2": 0.99, "eps": 1e-3}
    yield Case(
        "coupled, adam",
        *chain(part(weightDecay=0.2), (adam, "adam", hypers)),
        {
            "torch.optim.Adam": lambda p: torch_run(
                lambda xs: torch.optim.Adam(xs, lr=0.02, betas=(0.9, 0.99), eps=1e-3, weight_decay=0.2), p
            )
        },
    )
    # Keras takes the decay off before the update's gradient is applied, at the same parameters: the same sum.
    yield Case(
        "decoupled, momentum, rate that changes mid-run",
        *chain(
            (lecture, "momentum", {"rate": DROPPING, "momentum": 0.8}),
            part(weightDecay=0.3, mode="decoupled", rate=DROPPING),
        ),
        {
            "keras.optimizers.SGD": lambda p: keras_run(
                lambda: keras.optimizers.SGD(0.02, momentum=0.8, weight_decay=0.3),
                p,
                lambda t: {"learning_rate": at(DROPPING, t)},
            )
        },
    )
    masked = lambda params: [x.ndim >= 2 for x in params]
    yield Case(
        "coupled, matrices only, momentum",
        *chain(part(weightDecay=0.2, params="matrix"), (pytorch, "momentum", torch_momentum)),
        {
            "optax.add_decayed_weights": lambda p: optax_run(
                lambda: optax.chain(optax.add_decayed_weights(0.2, masked), optax.sgd(0.02, 0.9)), p
            )
        },
        problems=MATRICES[:1],
    )
