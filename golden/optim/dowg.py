import numpy as np
import optax

from common import Case, at, optax_run, single
from dog import DROPPING, norm


def dowg(gs, xs, states, t, h):
    s = states[0]
    if t == 1:
        s["x0"], s["G"], s["r2"] = xs, 0, h.get("initial", 1e-4)
    s["r2"] = max(s["r2"], norm([x - x0 for x, x0 in zip(xs, s["x0"])]) ** 2)
    s["G"] = s["G"] + s["r2"] * norm(gs) ** 2
    rate = s["r2"] / (np.sqrt(s["G"]) + h.get("eps", 1e-4))
    return [gs[0].dtype.type(-h["rate"] * rate) * g for g in gs]


def cases():
    yield Case(
        "defaults",
        *single(dowg, "dowg", rate=1),
        {"optax.contrib.dowg": lambda p: optax_run(lambda: optax.contrib.dowg(), p)},
    )
    yield Case(
        "initial 0.01, eps 0.001, L2, rate that changes mid-run",
        *single(dowg, "dowg", rate=DROPPING, initial=0.01, eps=0.001, weightDecay=0.2),
        {
            "optax.contrib.dowg": lambda p: optax_run(
                lambda: optax.contrib.dowg(lambda k: at(DROPPING, k + 1), 0.01, 0.001, 0.2), p
            )
        },
    )
