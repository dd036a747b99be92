import keras
import optax
import torch

from common import Case, at, keras_run, optax_run, per_leaf, single, torch_run

DROPPING = {"kind": "stepDecay", "rate": 0.05, "everySteps": 7, "factor": 0.3}


@per_leaf
def sgd(g, x, s, t, h):
    return -h["rate"] * g


def cases():
    yield Case(
        "constant rate",
        *single(sgd, "sgd", rate=0.05),
        {
            "torch.optim.SGD": lambda p: torch_run(lambda xs: torch.optim.SGD(xs, lr=0.05), p),
            "keras.optimizers.SGD": lambda p: keras_run(lambda: keras.optimizers.SGD(0.05), p),
        },
    )
    yield Case(
        "rate that changes mid-run",
        *single(sgd, "sgd", rate=DROPPING),
        {
            "torch.optim.SGD": lambda p: torch_run(
                lambda xs: torch.optim.SGD(xs, lr=1.0), p, lambda t: {"lr": at(DROPPING, t)}
            )
        },
    )
    dropping = lambda t: {"lr": at(DROPPING, t)}
    yield Case(
        "like pytorch: L2, rate that changes mid-run",
        *single(sgd, "sgd", rate=DROPPING, weightDecay=0.2, like="pytorch"),
        {"torch.optim.SGD": lambda p: torch_run(lambda xs: torch.optim.SGD(xs, lr=1.0, weight_decay=0.2), p, dropping)},
    )
    yield Case(
        "like optax",
        *single(sgd, "sgd", rate=0.05, like="optax"),
        {"optax.sgd": lambda p: optax_run(lambda: optax.sgd(0.05), p)},
    )
    yield Case(
        "like keras: decoupled decay, rate that changes mid-run",
        *single(sgd, "sgd", rate=DROPPING, weightDecay=0.2, like="keras"),
        {
            "keras.optimizers.SGD": lambda p: keras_run(
                lambda: keras.optimizers.SGD(0.05, weight_decay=0.2), p, lambda t: {"learning_rate": at(DROPPING, t)}
            )
        },
    )
