import keras
import optax
import torch

from adam import DROPPING, OTHER, SCHEDULE, adam
from common import Case, at, keras_run, optax_run, single, torch_run

LAMBDA = {None: 0.01, "lecture": 0.01, "pytorch": 0.01, "optax": 1e-4, "keras": 4e-3}


def adamw(**hypers):
    assumed = {"rate": 1e-3, "weightDecay": LAMBDA[hypers.get("like")], "decoupled": True}
    return single(adam, "adamw", assumed=assumed, **hypers)


def cases():
    torch_adamw = lambda **options: lambda xs: torch.optim.AdamW(xs, **options)
    torch_other = {"betas": (0.8, 0.95), "eps": 0.01}
    yield Case("defaults", *adamw(), {"torch.optim.AdamW": lambda p: torch_run(torch_adamw(), p)})
    yield Case(
        "like pytorch: weightDecay 0.3, rate that changes mid-run",
        *adamw(rate=DROPPING, **OTHER, weightDecay=0.3, like="pytorch"),
        {
            "torch.optim.AdamW": lambda p: torch_run(
                torch_adamw(lr=1.0, **torch_other, weight_decay=0.3), p, lambda t: {"lr": at(DROPPING, t)}
            )
        },
    )
    yield Case(
        "like pytorch: amsgrad",
        *adamw(rate=0.05, **OTHER, weightDecay=0.2, amsgrad=True, like="pytorch"),
        {
            "torch.optim.AdamW": lambda p: torch_run(
                torch_adamw(lr=0.05, **torch_other, weight_decay=0.2, amsgrad=True), p
            )
        },
    )
    yield Case(
        "not decoupled",
        *adamw(rate=0.05, **OTHER, weightDecay=0.2, decoupled=False),
        {
            "torch.optim.Adam": lambda p: torch_run(
                lambda xs: torch.optim.Adam(xs, lr=0.05, **torch_other, weight_decay=0.2), p
            )
        },
    )
    yield Case(
        "like optax: its defaults",
        *adamw(rate=0.02, like="optax"),
        {"optax.adamw": lambda p: optax_run(lambda: optax.adamw(0.02), p)},
    )
    yield Case(
        "like optax: epsRoot 0.1, weightDecay 0.2, rate that changes mid-run",
        *adamw(rate=DROPPING, **OTHER, epsRoot=0.1, weightDecay=0.2, like="optax"),
        {
            "optax.adamw": lambda p: optax_run(
                lambda: optax.adamw(SCHEDULE, b1=0.8, b2=0.95, eps=0.01, eps_root=0.1, weight_decay=0.2), p
            )
        },
    )
    yield Case(
        "like keras: its defaults",
        *adamw(like="keras"),
        {"keras.optimizers.AdamW": lambda p: keras_run(lambda: keras.optimizers.AdamW(), p)},
    )
    yield Case(
        "like keras: weightDecay 0.2, rate that changes mid-run",
        *adamw(rate=DROPPING, **OTHER, weightDecay=0.2, like="keras"),
        {
            "keras.optimizers.AdamW": lambda p: keras_run(
                lambda: keras.optimizers.AdamW(1.0, weight_decay=0.2, beta_1=0.8, beta_2=0.95, epsilon=0.01),
                p,
                lambda t: {"learning_rate": at(DROPPING, t)},
            )
        },
    )
    yield Case(
        "like lecture: without bias correction",
        *adamw(rate=0.05, **OTHER, weightDecay=0.2, biasCorrection=False, like="lecture"),
    )
