import keras
import numpy as np
import optax
import torch

from common import Case, keras_run, optax_run, per_leaf, single, torch_run


@per_leaf
def adagrad(g, x, s, t, h):
    c = s["c"] = s.get("c", h.get("initialAccumulator", 0)) + g**2
    if h.get("like") == "keras":
        return -h["rate"] * g / np.sqrt(c + h["eps"])
    return -h["rate"] * g / (np.sqrt(c) + h["eps"])


def cases():
    yield Case(
        "defaults of PyTorch",
        *single(adagrad, "adagrad", rate=0.1, eps=1e-10),
        {"torch.optim.Adagrad": lambda p: torch_run(lambda xs: torch.optim.Adagrad(xs, lr=0.1), p)},
    )
    yield Case(
        "eps 0.01, accumulator from 0.1",
        *single(adagrad, "adagrad", rate=0.2, eps=0.01, initialAccumulator=0.1),
        {
            "torch.optim.Adagrad": lambda p: torch_run(
                lambda xs: torch.optim.Adagrad(xs, lr=0.2, eps=0.01, initial_accumulator_value=0.1), p
            )
        },
    )
    yield Case(
        "like keras",
        *single(adagrad, "adagrad", rate=0.1, eps=0.01, initialAccumulator=0.1, like="keras"),
        {
            "keras.optimizers.Adagrad": lambda p: keras_run(
                lambda: keras.optimizers.Adagrad(0.1, initial_accumulator_value=0.1, epsilon=0.01), p
            ),
            "optax.adagrad": lambda p: optax_run(
                lambda: optax.adagrad(0.1, initial_accumulator_value=0.1, eps=0.01), p
            ),
        },
    )
