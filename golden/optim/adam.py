import keras
import numpy as np
import optax
import torch

from common import Case, at, keras_run, optax_run, per_leaf, single, torch_run

DROPPING = {"kind": "stepDecay", "rate": 0.05, "everySteps": 5, "factor": 0.4}
DEFAULTS = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}


@per_leaf
def adam(g, x, s, t, h):
    """Kingma and Ba, algorithm 1."""
    m, v = moments(g, s, h)
    m_hat = m / (1 - h["beta1"] ** t)
    v_hat = v / (1 - h["beta2"] ** t)
    return -h["rate"] * m_hat / (np.sqrt(v_hat) + h["eps"])


@per_leaf
def efficient(g, x, s, t, h):
    """Kingma and Ba, end of section 2."""
    m, v = moments(g, s, h)
    a = h["rate"] * np.float64(1 - h["beta2"] ** t).item() ** 0.5 / (1 - h["beta1"] ** t)
    return -a * m / (np.sqrt(v) + h["eps"])


@per_leaf
def lecture(g, x, s, t, h):
    m, v = moments(g, s, h)
    return -h["rate"] * m / (np.sqrt(v) + h["eps"])


def moments(g, s, h):
    m = s["m"] = h["beta1"] * s.get("m", 0) + (1 - h["beta1"]) * g
    v = s["v"] = h["beta2"] * s.get("v", 0) + (1 - h["beta2"]) * g**2
    if h.get("amsgrad"):
        v = s["largest"] = np.maximum(s.get("largest", 0), v)
    return m, v


def cases():
    torch_adam = lambda lr, **options: lambda xs: torch.optim.Adam(xs, lr=lr, **options)
    yield Case(
        "defaults",
        *single(adam, "adam", rate=0.02, **DEFAULTS),
        {
            "torch.optim.Adam": lambda p: torch_run(torch_adam(0.02), p),
            "optax.adam": lambda p: optax_run(lambda: optax.adam(0.02), p),
        },
    )
    yield Case("the lecture's: no bias correction", *single(lecture, "adam", rate=0.01, **DEFAULTS, biasCorrection=False))
    yield Case(
        "the lecture's: no bias correction, other betas, rate that changes mid-run",
        *single(lecture, "adam", rate=DROPPING, beta1=0.8, beta2=0.95, eps=0.01, biasCorrection=False),
    )
    other = {"beta1": 0.8, "beta2": 0.95, "eps": 0.01}
    yield Case(
        "other betas, eps 0.01, rate that changes mid-run",
        *single(adam, "adam", rate=DROPPING, **other),
        {
            "torch.optim.Adam": lambda p: torch_run(
                torch_adam(1.0, betas=(0.8, 0.95), eps=0.01), p, lambda t: {"lr": at(DROPPING, t)}
            )
        },
    )
    yield Case(
        "beta1 0",
        *single(adam, "adam", rate=0.02, beta1=0.0, beta2=0.99, eps=1e-3),
        {"torch.optim.Adam": lambda p: torch_run(torch_adam(0.02, betas=(0.0, 0.99), eps=1e-3), p)},
    )
    yield Case(
        "like keras, eps 0.01",
        *single(efficient, "adam", rate=0.02, **{**DEFAULTS, "eps": 0.01}, like="keras"),
        {"keras.optimizers.Adam": lambda p: keras_run(lambda: keras.optimizers.Adam(0.02, epsilon=0.01), p)},
    )
    yield Case(
        "amsgrad",
        *single(adam, "adam", rate=0.05, **other, amsgrad=True),
        {
            "torch.optim.Adam": lambda p: torch_run(
                torch_adam(0.05, betas=(0.8, 0.95), eps=0.01, amsgrad=True), p
            )
        },
    )
    yield Case(
        "amsgrad like keras",
        *single(efficient, "adam", rate=0.05, **other, amsgrad=True, like="keras"),
        {
            "keras.optimizers.Adam": lambda p: keras_run(
                lambda: keras.optimizers.Adam(0.05, beta_1=0.8, beta_2=0.95, epsilon=0.01, amsgrad=True), p
            )
        },
    )
