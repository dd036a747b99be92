import numpy as np
import optax

from adam import DROPPING, SCHEDULE
from common import Case, optax_run, per_leaf, single


@per_leaf
def adopt(g, x, s, t, h):
    """Taniguchi et al., algorithm 2."""
    b1, b2 = h.get("beta1", 0.9), h.get("beta2", 0.9999)
    if t == 1:
        s["m"], s["v"] = np.zeros_like(g), g**2
        return np.zeros_like(g)
    u = g / np.maximum(np.sqrt(s["v"]), h.get("eps", 1e-6))
    if h.get("clipping", True):
        u = np.clip(u, -((t - 1) ** 0.25), (t - 1) ** 0.25)
    m = s["m"] = b1 * s["m"] + (1 - b1) * u
    s["v"] = b2 * s["v"] + (1 - b2) * g**2
    return -h["rate"] * (b1 * m + (1 - b1) * u if h.get("nesterov") else m)


def cases():
    defaults = lambda **hypers: single(adopt, "adopt", assumed={"rate": 1e-3, "decoupled": True}, **hypers)
    other = {"beta1": 0.8, "beta2": 0.9, "eps": 0.1}
    yield Case(
        "defaults", *defaults(), {"optax.contrib.adopt": lambda p: optax_run(lambda: optax.contrib.adopt(1e-3), p)}
    )
    yield Case(
        "other betas, eps 0.1, rate that changes mid-run",
        *defaults(rate=DROPPING, **other),
        {"optax.contrib.adopt": lambda p: optax_run(lambda: optax.contrib.adopt(SCHEDULE, 0.8, 0.9, 0.1), p)},
    )
    yield Case(
        "nesterov, without clipping",
        *defaults(rate=0.02, **other, nesterov=True, clipping=False),
        {
            "optax.contrib.adopt": lambda p: optax_run(
                lambda: optax.contrib.adopt(0.02, 0.8, 0.9, 0.1, nesterov=True, use_clipping=False), p
            )
        },
    )
    yield Case(
        "decoupled decay",
        *defaults(rate=0.02, **other, weightDecay=0.2),
        {
            "optax.contrib.scale_by_adopt with decayed weights": lambda p: optax_run(
                lambda: optax.chain(
                    optax.contrib.scale_by_adopt(0.8, 0.9, 0.1), optax.add_decayed_weights(0.2), optax.scale(-0.02)
                ),
                p,
            )
        },
    )
    yield Case("L2", *defaults(rate=0.02, **other, weightDecay=0.2, decoupled=False))
