import keras
import numpy as np
import optax
import torch

from common import Case, at, keras_run, optax_run, per_leaf, single, torch_run

DROPPING = {"kind": "stepDecay", "rate": 0.1, "everySteps": 5, "factor": 0.4}


@per_leaf
def adagrad(g, x, s, t, h):
    inside = h.get("like") in ("optax", "keras")
    c = s["c"] = s.get("c", h.get("initialAccumulator", 0.1 if inside else 0)) + g**2
    eps = h.get("eps", 1e-7 if inside else 1e-10)
    return -h["rate"] * g / (np.sqrt(c + eps) if inside else np.sqrt(c) + eps)


def cases():
    torch_adagrad = lambda **options: lambda xs: torch.optim.Adagrad(xs, **options)
    dropping = lambda t: {"lr": at(DROPPING, t)}
    yield Case(
        "defaults, the lecture's",
        *single(adagrad, "adagrad", rate=0.1),
        {"torch.optim.Adagrad": lambda p: torch_run(torch_adagrad(lr=0.1), p)},
    )
    yield Case(
        "like pytorch: eps 0.01, accumulator from 0.1, L2, rate that changes mid-run",
        *single(adagrad, "adagrad", rate=DROPPING, eps=0.01, initialAccumulator=0.1, weightDecay=0.2, like="pytorch"),
        {
            "torch.optim.Adagrad": lambda p: torch_run(
                torch_adagrad(lr=1.0, eps=0.01, initial_accumulator_value=0.1, weight_decay=0.2), p, dropping
            )
        },
    )
    yield Case(
        "like optax: its defaults",
        *single(adagrad, "adagrad", rate=0.1, like="optax"),
        {"optax.adagrad": lambda p: optax_run(lambda: optax.adagrad(0.1), p)},
    )
    yield Case(
        "like keras: its defaults",
        *single(adagrad, "adagrad", rate=0.1, like="keras"),
        {"keras.optimizers.Adagrad": lambda p: keras_run(lambda: keras.optimizers.Adagrad(0.1), p)},
    )
    yield Case(
        "like keras: eps 0.01, accumulator from 0.3, decoupled decay, rate that changes mid-run",
        *single(adagrad, "adagrad", rate=DROPPING, eps=0.01, initialAccumulator=0.3, weightDecay=0.2, like="keras"),
        {
            "keras.optimizers.Adagrad": lambda p: keras_run(
                lambda: keras.optimizers.Adagrad(
                    0.1, initial_accumulator_value=0.3, epsilon=0.01, weight_decay=0.2
                ),
                p,
                lambda t: {"learning_rate": at(DROPPING, t)},
            )
        },
    )
    yield Case(
        "the lecture's with decoupled decay",
        *single(adagrad, "adagrad", rate=0.1, weightDecay=0.2, decoupled=True),
    )
