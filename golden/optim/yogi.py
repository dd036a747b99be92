import numpy as np
import optax

from adam import DROPPING, OTHER, SCHEDULE
from common import Case, optax_run, per_leaf, single


@per_leaf
def yogi(g, x, s, t, h):
    b1, b2, eps = h.get("beta1", 0.9), h.get("beta2", 0.999), h.get("eps", 1e-3)
    start = h.get("initialAccumulator", 1e-6)
    m = s["m"] = b1 * s.get("m", start) + (1 - b1) * g
    v = s.get("v", start)
    v = s["v"] = v - (1 - b2) * np.sign(v - g**2) * g**2
    return -h["rate"] * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t) + h.get("epsRoot", 0)) + eps)


def cases():
    defaults = lambda **hypers: single(yogi, "yogi", assumed={"rate": 1e-3, "decoupled": True}, **hypers)
    yield Case("defaults", *defaults(), {"optax.yogi": lambda p: optax_run(lambda: optax.yogi(1e-3), p)})
    yield Case(
        "other betas, rate that changes mid-run",
        *defaults(rate=DROPPING, **OTHER),
        {"optax.yogi": lambda p: optax_run(lambda: optax.yogi(SCHEDULE, 0.8, 0.95, 0.01), p)},
    )
    yield Case(
        "epsRoot 0.02, means from 0.1, decoupled decay",
        *defaults(rate=0.02, **OTHER, epsRoot=0.02, initialAccumulator=0.1, weightDecay=0.2),
        {
            "optax.scale_by_yogi with decayed weights": lambda p: optax_run(
                lambda: optax.chain(
                    optax.scale_by_yogi(0.8, 0.95, 0.01, 0.02, 0.1), optax.add_decayed_weights(0.2), optax.scale(-0.02)
                ),
                p,
            )
        },
    )
    yield Case("L2", *defaults(rate=0.02, **OTHER, weightDecay=0.2, decoupled=False))
