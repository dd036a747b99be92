import numpy as np
import optax

from adam import DROPPING, SCHEDULE
from common import Case, optax_run, per_leaf, single


@per_leaf
def adan(g, x, s, t, h):
    """Xie et al., algorithm 1, with optax's weight decay and bias corrections."""
    b1, b2, b3 = h.get("beta1", 0.98), h.get("beta2", 0.92), h.get("beta3", 0.99)
    d = g - s.get("g", g)
    s["g"] = g
    m = s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    v = s["v"] = b2 * s.get("v", 0) + (1 - b2) * d
    n = s["n"] = b3 * s.get("n", 0) + (1 - b3) * (g + (1 - b2) * d) ** 2
    u = m / (1 - b1**t) + (1 - b2) * v / (1 - b2**t)
    return -h["rate"] * u / (np.sqrt(n / (1 - b3**t) + h.get("epsRoot", 1e-8)) + h.get("eps", 1e-8))


def cases():
    defaults = lambda **hypers: single(adan, "adan", assumed={"rate": 1e-3, "decoupled": True}, **hypers)
    other = {"beta1": 0.8, "beta2": 0.7, "beta3": 0.95, "eps": 0.01, "epsRoot": 0.02, "weightDecay": 0.2}
    yield Case("defaults", *defaults(), {"optax.adan": lambda p: optax_run(lambda: optax.adan(1e-3), p)})
    yield Case(
        "other betas, decoupled decay, rate that changes mid-run",
        *defaults(rate=DROPPING, **other),
        {
            "optax.adan": lambda p: optax_run(
                lambda: optax.adan(SCHEDULE, 0.8, 0.7, 0.95, 0.01, 0.02, weight_decay=0.2), p
            )
        },
    )
    yield Case("L2", *defaults(rate=0.02, **other, decoupled=False))
