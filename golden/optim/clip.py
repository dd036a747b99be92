import numpy as np
import optax
import torch

from common import Case, optax_run, per_leaf, torch_run
from momentum import lecture
from sgd import sgd


def clip_by_global_norm(gs, xs, states, t, h):
    norm = np.sqrt(sum((g**2).sum() for g in gs))
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
