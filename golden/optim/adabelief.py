import numpy as np
import optax

from adam import DROPPING, OTHER, SCHEDULE
from common import Case, optax_run, per_leaf, single


@per_leaf
def adabelief(g, x, s, t, h):
    b1, b2, eps = h.get("beta1", 0.9), h.get("beta2", 0.999), h.get("eps", 1e-16)
    m = s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    v = s["s"] = b2 * s.get("s", 0) + (1 - b2) * (g - m) ** 2 + h.get("epsRoot", 1e-16)
    m_hat = m / (1 - b1**t)
    if h.get("nesterov"):
        m_hat = b1 * m / (1 - b1 ** (t + 1)) + (1 - b1) * g / (1 - b1**t)
    return -h["rate"] * m_hat / (np.sqrt(v / (1 - b2**t)) + eps)


def cases():
    defaults = lambda **hypers: single(adabelief, "adabelief", assumed={"rate": 1e-3, "decoupled": True}, **hypers)
    yield Case(
        "defaults", *defaults(), {"optax.adabelief": lambda p: optax_run(lambda: optax.adabelief(1e-3), p)}
    )
    yield Case(
        "other betas, nesterov, rate that changes mid-run",
        *defaults(rate=DROPPING, **OTHER, epsRoot=0.02, nesterov=True),
        {
            "optax.adabelief": lambda p: optax_run(
                lambda: optax.adabelief(SCHEDULE, 0.8, 0.95, 0.01, 0.02, nesterov=True), p
            )
        },
    )
    yield Case(
        "decoupled decay",
        *defaults(rate=0.02, **OTHER, weightDecay=0.2),
        {
            "optax.scale_by_belief with decayed weights": lambda p: optax_run(
                lambda: optax.chain(
                    optax.scale_by_belief(0.8, 0.95, 0.01), optax.add_decayed_weights(0.2), optax.scale(-0.02)
                ),
                p,
            )
        },
    )
    yield Case("L2", *defaults(rate=0.02, **OTHER, weightDecay=0.2, decoupled=False))
