import keras
import numpy as np
import optax
import torch

from common import Case, at, keras_run, optax_run, per_leaf, torch_run
from momentum import lecture
from sgd import sgd


DROPPING = {"kind": "stepDecay", "rate": 0.5, "everySteps": 5, "factor": 0.7}


def global_norm(gs):
    return np.sqrt(sum((g**2).sum() for g in gs))


def clip_by_global_norm(gs, xs, states, t, h):
    norm = global_norm(gs) + (1e-6 if h.get("like") == "pytorch" else 0)
    return [g * min(g.dtype.type(1), h["maxNorm"] / norm) for g in gs]


@per_leaf
def clip_by_value(g, x, s, t, h):
    return np.clip(g, -h["limit"], h["limit"])


def chain(*parts):
    """parts: (rule, name, hyperparameters)"""
    config = {"name": "chain", "parts": [{"name": name, **hypers} for _, name, hypers in parts]}
    return config, [(rule, hypers) for rule, _, hypers in parts]


def cases():
    yield Case(
        "clipByGlobalNorm, sgd",
        *chain((clip_by_global_norm, "clipByGlobalNorm", {"maxNorm": 0.5}), (sgd, "sgd", {"rate": 0.05})),
        {"optax.clip_by_global_norm": lambda p: optax_run(lambda: optax.chain(optax.clip_by_global_norm(0.5), optax.sgd(0.05)), p)},
    )
    # The sum of 1e-6 and a norm of 0.5 shows in the seventh digit.
    yield Case(
        "clipByGlobalNorm like pytorch, sgd",
        *chain((clip_by_global_norm, "clipByGlobalNorm", {"maxNorm": 0.5, "like": "pytorch"}), (sgd, "sgd", {"rate": 0.05})),
        {
            "torch.nn.utils.clip_grad_norm_": lambda p: torch_run(
                lambda xs: torch.optim.SGD(xs, lr=0.05), p, before=lambda params: torch.nn.utils.clip_grad_norm_(params, 0.5)
            )
        },
    )
    yield Case(
        "clipByGlobalNorm like keras, a limit that changes mid-run",
        *chain((clip_by_global_norm, "clipByGlobalNorm", {"maxNorm": DROPPING, "like": "keras"}), (sgd, "sgd", {"rate": 0.05})),
        {
            "keras.optimizers.SGD(global_clipnorm)": lambda p: keras_run(
                lambda: keras.optimizers.SGD(0.05, global_clipnorm=1.0), p, lambda t: {"global_clipnorm": at(DROPPING, t)}
            )
        },
    )
    yield Case(
        "clipByValue, momentum",
        *chain((clip_by_value, "clipByValue", {"limit": 0.3}), (lecture, "momentum", {"rate": 0.02, "momentum": 0.9})),
        {
            "torch.nn.utils.clip_grad_value_": lambda p: torch_run(
                lambda xs: torch.optim.SGD(xs, lr=0.02, momentum=0.9),
                p,
                before=lambda params: torch.nn.utils.clip_grad_value_(params, 0.3),
            )
        },
    )
