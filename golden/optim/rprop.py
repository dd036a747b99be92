import numpy as np
import optax
import torch

from common import Case, optax_run, per_leaf, single, torch_run


@per_leaf
def rprop(g, x, s, t, h):
    lagging = h.get("like") == "optax"
    low, high = h.get("minStep", 1e-6), h.get("maxStep", 50)
    before = s.get("before", np.zeros_like(g))
    sign = np.sign(g) * np.sign(before)
    e = s.get("e", np.full_like(g, h["rate"]))
    factor = np.where(sign > 0, h.get("etaPlus", 1.2), np.where(sign < 0, h.get("etaMinus", 0.5), 1)).astype(g.dtype)
    stays = (sign == 0) & lagging
    e = s["e"] = np.where(stays, e, np.clip(e * factor, low, high)).astype(g.dtype)
    g = np.where(sign < 0, 0, g)
    if not lagging:
        s["before"] = g
        return -e * np.sign(g)
    s["before"] = e * np.sign(g)
    return np.where(sign < 0, 0, -before)


def cases():
    other = {"etaMinus": 0.4, "etaPlus": 1.3, "minStep": 0.005, "maxStep": 0.2}
    yield Case(
        "defaults, PyTorch's",
        *single(rprop, "rprop", rate=0.01),
        {"torch.optim.Rprop": lambda p: torch_run(lambda xs: torch.optim.Rprop(xs, lr=0.01), p)},
    )
    yield Case(
        "like pytorch: other factors and bounds",
        *single(rprop, "rprop", rate=0.02, **other, like="pytorch"),
        {
            "torch.optim.Rprop": lambda p: torch_run(
                lambda xs: torch.optim.Rprop(xs, lr=0.02, etas=(0.4, 1.3), step_sizes=(0.005, 0.2)), p
            )
        },
    )
    yield Case(
        "like optax: a step late",
        *single(rprop, "rprop", rate=0.01, like="optax"),
        {"optax.rprop": lambda p: optax_run(lambda: optax.rprop(0.01), p)},
    )
    yield Case(
        "like optax: other factors and bounds",
        *single(rprop, "rprop", rate=0.02, **other, like="optax"),
        {
            "optax.rprop": lambda p: optax_run(
                lambda: optax.rprop(0.02, eta_minus=0.4, eta_plus=1.3, min_step_size=0.005, max_step_size=0.2), p
            )
        },
    )
