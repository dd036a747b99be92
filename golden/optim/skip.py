import numpy as np
import optax

from adam import adam
from clip import global_norm
from common import Case, at, optax_run
from momentum import lecture


def inner(part, gs, xs, states, held):
    """The update of a part that counts its own updates."""
    rule, hypers = part
    t = held["t"] = held.get("t", 0) + 1
    return rule(gs, xs, [s.setdefault("inner", {}) for s in states], t, {k: at(v, t) for k, v in hypers.items()})


def skip_non_finite(part):
    def update(gs, xs, states, t, h):
        assert all(np.isfinite(g).all() for g in gs)
        return inner(part, gs, xs, states, states[0])

    return update


def skip_exploding(part):
    def update(gs, xs, states, t, h):
        held, norm, d = states[0], global_norm(gs), h.get("decay", 0.99)
        mean, weight = held.get("mean", 0), held.get("weight", 0)
        allowed = h.get("factor", 10) * mean / weight if weight else norm
        allowed = min(allowed, h.get("limit", np.inf))
        bad = norm > allowed
        row = held["row"] = held.get("row", 0) + 1 if bad else 0
        if row > h.get("maxConsecutive", 5):
            held.update(mean=norm, weight=1, row=0)
        else:
            held.update(mean=d * mean + (1 - d) * min(norm, allowed), weight=d * weight + (1 - d))
            if bad:
                return [np.zeros_like(g) for g in gs]
        return inner(part, gs, xs, states, held)

    return update


def cases():
    hypers = {"rate": 0.05, "beta1": 0.9, "beta2": 0.99, "eps": 1e-3}
    optax_adam = lambda: optax.adam(0.05, b1=0.9, b2=0.99, eps=1e-3)
    yield Case(
        "skipNonFinite with nothing to skip",
        {"name": "skipNonFinite", "transform": {"name": "adam", **hypers}, "maxConsecutive": 3},
        [(skip_non_finite((adam, hypers)), {})],
        {"optax.apply_if_finite": lambda p: optax_run(lambda: optax.apply_if_finite(optax_adam(), 3), p)},
    )
    yield Case(
        "skipExploding: its defaults",
        {"name": "skipExploding", "transform": {"name": "adam", **hypers}},
        [(skip_exploding((adam, hypers)), {})],
    )
    momentum = {"rate": 0.02, "momentum": 0.8}
    yield Case(
        "skipExploding above a limit, until it gives up",
        {"name": "skipExploding", "transform": {"name": "momentum", **momentum}, "limit": 0.4, "maxConsecutive": 3},
        [(skip_exploding((lecture, momentum)), {"limit": 0.4, "maxConsecutive": 3})],
    )
    yield Case(
        "skipExploding above 0.9 of the mean",
        {"name": "skipExploding", "transform": {"name": "momentum", **momentum}, "factor": 0.9, "decay": 0.7},
        [(skip_exploding((lecture, momentum)), {"factor": 0.9, "decay": 0.7})],
    )
