import keras
import numpy as np
import optax
import torch

from common import Case, at, keras_run, optax_run, per_leaf, single, torch_run

DROPPING = {"kind": "stepDecay", "rate": 0.02, "everySteps": 5, "factor": 0.4}


@per_leaf
def rmsprop(g, x, s, t, h):
    a, d, eps, keras_form = h["rate"], h["decay"], h["eps"], h.get("like") == "keras"
    c = s["c"] = d * s.get("c", 0) + (1 - d) * g**2
    if h.get("centered"):
        m = s["m"] = d * s.get("m", 0) + (1 - d) * g
        c = c - m**2
    scaled = g / np.sqrt(c + eps) if keras_form else g / (np.sqrt(c) + eps)
    if "momentum" not in h:
        return -a * scaled
    if keras_form:
        v = s["v"] = h["momentum"] * s.get("v", 0) + a * scaled
        return -v
    v = s["v"] = h["momentum"] * s.get("v", 0) + scaled
    return -a * v


def cases():
    rms = lambda lr, **options: lambda xs: torch.optim.RMSprop(xs, lr=lr, **options)
    yield Case(
        "defaults of PyTorch",
        *single(rmsprop, "rmsprop", rate=0.01, decay=0.99, eps=1e-8),
        {"torch.optim.RMSprop": lambda p: torch_run(rms(0.01), p)},
    )
    yield Case(
        "decay 0.9, eps 0.01",
        *single(rmsprop, "rmsprop", rate=0.02, decay=0.9, eps=0.01),
        {
            "torch.optim.RMSprop": lambda p: torch_run(rms(0.02, alpha=0.9, eps=0.01), p),
            "optax.rmsprop": lambda p: optax_run(
                lambda: optax.rmsprop(0.02, decay=0.9, eps=0.01, eps_in_sqrt=False), p
            ),
        },
    )
    yield Case(
        "centered, eps 0.01",
        *single(rmsprop, "rmsprop", rate=0.01, decay=0.98, eps=0.01, centered=True),
        {"torch.optim.RMSprop": lambda p: torch_run(rms(0.01, alpha=0.98, eps=0.01, centered=True), p)},
    )
    yield Case(
        "momentum, rate that changes mid-run",
        *single(rmsprop, "rmsprop", rate=DROPPING, decay=0.9, eps=0.01, momentum=0.8),
        {
            "torch.optim.RMSprop": lambda p: torch_run(
                rms(1.0, alpha=0.9, eps=0.01, momentum=0.8), p, lambda t: {"lr": at(DROPPING, t)}
            )
        },
    )
    yield Case(
        "like keras, momentum, rate that changes mid-run",
        *single(rmsprop, "rmsprop", rate=DROPPING, decay=0.9, eps=0.01, momentum=0.8, like="keras"),
        {
            "keras.optimizers.RMSprop": lambda p: keras_run(
                lambda: keras.optimizers.RMSprop(0.02, rho=0.9, epsilon=0.01, momentum=0.8),
                p,
                lambda t: {"learning_rate": at(DROPPING, t)},
            ),
            "optax.rmsprop": lambda p: optax_run(
                lambda: optax.rmsprop(lambda count: 0.02 * 0.4 ** (count // 5), decay=0.9, eps=0.01, momentum=0.8), p
            ),
        },
    )
    yield Case(
        "like keras, centered",
        *single(rmsprop, "rmsprop", rate=0.01, decay=0.9, eps=0.001, centered=True, like="keras"),
        {
            "keras.optimizers.RMSprop": lambda p: keras_run(
                lambda: keras.optimizers.RMSprop(0.01, rho=0.9, epsilon=0.001, centered=True), p
            ),
            "optax.rmsprop": lambda p: optax_run(lambda: optax.rmsprop(0.01, decay=0.9, eps=0.001, centered=True), p),
        },
    )
