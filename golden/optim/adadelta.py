import keras
import numpy as np
import optax
import torch

from common import Case, at, decayed, keras_run, optax_run, per_leaf, torch_run

DROPPING = {"kind": "stepDecay", "rate": 2.0, "everySteps": 5, "factor": 0.4}


@per_leaf
def adadelta(g, x, s, t, h):
    like_keras = h.get("like") == "keras"
    rho, eps = h.get("rho", 0.95 if like_keras else 0.9), h.get("eps", 1e-7 if like_keras else 1e-6)
    squares = s["s"] = rho * s.get("s", 0) + (1 - rho) * g**2
    d = s.get("d", np.zeros_like(g))
    u = np.sqrt(d + eps) / np.sqrt(squares + eps) * g
    s["d"] = rho * d + (1 - rho) * u**2
    return -h["rate"] * u


def case(name, options, agrees):
    # Coupled like optax too, unlike most of its rules.
    hypers = {**options, "decoupled": options.get("like") == "keras"}
    return Case(name, {"name": "adadelta", **options}, [(decayed(adadelta), hypers)], agrees)


def cases():
    yield case(
        "defaults, PyTorch's",
        {"rate": 1.0},
        {"torch.optim.Adadelta": lambda p: torch_run(lambda xs: torch.optim.Adadelta(xs), p)},
    )
    other = {"rho": 0.8, "eps": 0.001, "weightDecay": 0.2}
    yield case(
        "like pytorch: other numbers, L2, rate that changes mid-run",
        {"rate": DROPPING, **other, "like": "pytorch"},
        {
            "torch.optim.Adadelta": lambda p: torch_run(
                lambda xs: torch.optim.Adadelta(xs, lr=1.0, rho=0.8, eps=0.001, weight_decay=0.2),
                p,
                lambda t: {"lr": at(DROPPING, t)},
            )
        },
    )
    yield case(
        "like optax: L2",
        {"rate": 1.0, **other, "like": "optax"},
        {"optax.adadelta": lambda p: optax_run(lambda: optax.adadelta(1.0, rho=0.8, eps=0.001, weight_decay=0.2), p)},
    )
    yield case(
        "like keras: its defaults",
        {"rate": 1.0, "like": "keras"},
        {"keras.optimizers.Adadelta": lambda p: keras_run(lambda: keras.optimizers.Adadelta(1.0), p)},
    )
    yield case(
        "like keras: other numbers, decoupled decay, rate that changes mid-run",
        {"rate": {**DROPPING, "rate": 1.0}, **other, "like": "keras"},
        {
            "keras.optimizers.Adadelta": lambda p: keras_run(
                lambda: keras.optimizers.Adadelta(1.0, rho=0.8, epsilon=0.001, weight_decay=0.2),
                p,
                lambda t: {"learning_rate": at({**DROPPING, "rate": 1.0}, t)},
            )
        },
    )
