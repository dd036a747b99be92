import numpy as np
import torch

from common import Case, per_leaf, single, torch_run


@per_leaf
def asgd(g, x, s, t, h):
    """The average, which the weights to evaluate with are, has a test of its own."""
    lam = h.get("lambda", 1e-4)
    e = h["rate"] / (1 + lam * h["rate"] * (t - 1)) ** h.get("alpha", 0.75)
    return -e * (g + lam * x)




def cases():
    torch_asgd = lambda **options: lambda xs: torch.optim.ASGD(xs, **options)
    yield Case(
        "defaults",
        *single(asgd, "asgd", rate=0.05),
        {"torch.optim.ASGD": lambda p: torch_run(torch_asgd(lr=0.05), p)},
    )
    yield Case(
        "other numbers, L2, an average from the tenth step",
        *single(asgd, "asgd", rate=0.05, alpha=0.9, averageFrom=10, weightDecay=0.1, **{"lambda": 0.5}),
        {"torch.optim.ASGD": lambda p: torch_run(torch_asgd(lr=0.05, lambd=0.5, alpha=0.9, t0=10, weight_decay=0.1), p)},
    )
    yield Case(
        "decoupled decay", *single(asgd, "asgd", rate=0.05, weightDecay=0.1, decoupled=True, **{"lambda": 0.5})
    )
