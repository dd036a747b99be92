import keras
import optax
import torch

from adam import DEFAULTS, DROPPING, adam, efficient, lecture
from common import Case, at, keras_run, optax_run, single, torch_run


def decoupled(rule):
    """The rule's update, and the decay at the rate of the step."""

    def update(gs, xs, states, t, h):
        return [u - h["rate"] * h["weightDecay"] * x for u, x in zip(rule(gs, xs, states, t, h), xs)]

    return update


adamw = decoupled(adam)


def cases():
    yield Case(
        "defaults of PyTorch",
        *single(adamw, "adamw", rate=0.02, **DEFAULTS, weightDecay=0.01),
        {
            "torch.optim.AdamW": lambda p: torch_run(lambda xs: torch.optim.AdamW(xs, lr=0.02), p),
            "optax.adamw": lambda p: optax_run(lambda: optax.adamw(0.02, weight_decay=0.01), p),
        },
    )
    yield Case(
        "weightDecay 0.3, rate that changes mid-run",
        *single(adamw, "adamw", rate=DROPPING, beta1=0.8, beta2=0.95, eps=0.01, weightDecay=0.3),
        {
            "torch.optim.AdamW": lambda p: torch_run(
                lambda xs: torch.optim.AdamW(xs, lr=1.0, betas=(0.8, 0.95), eps=0.01, weight_decay=0.3),
                p,
                lambda t: {"lr": at(DROPPING, t)},
            )
        },
    )
    other = {"beta1": 0.8, "beta2": 0.95, "eps": 0.01, "weightDecay": 0.2}
    yield Case(
        "amsgrad",
        *single(adamw, "adamw", rate=0.05, **other, amsgrad=True),
        {
            "torch.optim.AdamW": lambda p: torch_run(
                lambda xs: torch.optim.AdamW(
                    xs, lr=0.05, betas=(0.8, 0.95), eps=0.01, weight_decay=0.2, amsgrad=True
                ),
                p,
            )
        },
    )
    yield Case(
        "like keras",
        *single(decoupled(efficient), "adamw", rate=0.05, **other, like="keras"),
        {
            "keras.optimizers.AdamW": lambda p: keras_run(
                lambda: keras.optimizers.AdamW(0.05, weight_decay=0.2, beta_1=0.8, beta_2=0.95, epsilon=0.01), p
            )
        },
    )
    yield Case(
        "the lecture's Adam with decoupled decay",
        *single(decoupled(lecture), "adamw", rate=0.05, **other, biasCorrection=False),
    )
