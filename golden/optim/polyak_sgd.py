import numpy as np
import optax

from common import Case, optax_run, single


def polyak(gs, xs, states, t, h):
    below = h.get("scaling", 1) ** 2 * sum((g * g).sum() for g in gs) + h.get("eps", 0)
    gap = h["loss"] - h.get("minLoss", 0)
    if h.get("variant") == "sps+":
        gap = max(gap, 0)
    step = 0 if below <= 2**-52 else min(gap / below, h["maxRate"])
    return [gs[0].dtype.type(-h.get("scaling", 1) * step) * g for g in gs]


def case(name, options, make):
    return Case(
        name,
        *single(polyak, "polyakSgd", **options),
        {"optax.polyak_sgd": lambda p: optax_run(make, p, lambda xs: {"value": p.loss(xs)})},
    )


def cases():
    yield case("defaults but for a largest rate", {"maxRate": 0.1}, lambda: optax.polyak_sgd(0.1))
    yield case(
        "other numbers",
        {"maxRate": 0.08, "scaling": 0.5, "minLoss": 0.01, "eps": 0.1},
        lambda: optax.polyak_sgd(0.08, scaling=0.5, f_min=0.01, eps=0.1),
    )
    yield case(
        "sps+, a least loss that is not reached",
        {"maxRate": 0.05, "minLoss": 0.2, "variant": "sps+"},
        lambda: optax.polyak_sgd(0.05, f_min=0.2, variant="sps+"),
    )
