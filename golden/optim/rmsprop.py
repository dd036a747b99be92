import keras
import numpy as np
import optax
import torch

from common import Case, at, keras_run, optax_run, per_leaf, single, torch_run

DROPPING = {"kind": "stepDecay", "rate": 0.02, "everySteps": 5, "factor": 0.4}


@per_leaf
def rmsprop(g, x, s, t, h):
    inside = h.get("like") in ("optax", "keras")
    d = h.get("decay", 0.9 if inside else 0.99)
    a, eps = h["rate"], h.get("eps", 1e-7 if h.get("like") == "keras" else 1e-8)
    c = s["c"] = d * s.get("c", h.get("initialAccumulator", 0)) + (1 - d) * g**2
    correction = 1 - d**t if h.get("biasCorrection") else 1
    c = c / correction
    if h.get("centered"):
        m = s["m"] = d * s.get("m", 0) + (1 - d) * g
        c = c - (m / correction) ** 2
    scaled = g / np.sqrt(c + eps) if h.get("epsInside", inside) else g / (np.sqrt(c) + eps)
    if "momentum" not in h:
        return -a * scaled
    if inside:
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
    yield Case(
        "like optax: its defaults",
        *single(rmsprop, "rmsprop", rate=0.003, like="optax"),
        {"optax.rmsprop": lambda p: optax_run(lambda: optax.rmsprop(0.003), p)},
    )
    yield Case(
        "like optax: bias correction, initial scale, eps beside the root",
        *single(
            rmsprop, "rmsprop", rate=0.01, eps=0.01, epsInside=False, biasCorrection=True, initialAccumulator=0.1, like="optax"
        ),
        {
            "optax.rmsprop": lambda p: optax_run(
                lambda: optax.rmsprop(0.01, eps=0.01, eps_in_sqrt=False, bias_correction=True, initial_scale=0.1), p
            )
        },
    )
    yield Case(
        "like keras: its defaults",
        *single(rmsprop, "rmsprop", rate=0.003, like="keras"),
        {"keras.optimizers.RMSprop": lambda p: keras_run(lambda: keras.optimizers.RMSprop(0.003), p)},
    )
    yield Case(
        "like pytorch: L2",
        *single(rmsprop, "rmsprop", rate=0.01, decay=0.9, eps=0.01, weightDecay=0.2, like="pytorch"),
        {"torch.optim.RMSprop": lambda p: torch_run(rms(0.01, alpha=0.9, eps=0.01, weight_decay=0.2), p)},
    )
    yield Case(
        "like keras: decoupled decay, rate that changes mid-run",
        *single(rmsprop, "rmsprop", rate=DROPPING, decay=0.8, eps=0.01, weightDecay=0.2, like="keras"),
        {
            "keras.optimizers.RMSprop": lambda p: keras_run(
                lambda: keras.optimizers.RMSprop(0.02, rho=0.8, epsilon=0.01, weight_decay=0.2),
                p,
                lambda t: {"learning_rate": at(DROPPING, t)},
            )
        },
    )
