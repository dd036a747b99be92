import numpy as np
import optax

from common import Case, optax_run, per_leaf, single

DROPPING = {"kind": "stepDecay", "rate": 0.01, "everySteps": 5, "factor": 0.4}


@per_leaf
def simplified(g, x, s, t, h):
    b1, b2 = h.get("beta1", 0.99), h.get("beta2", 0.95)
    m = s["m"] = b1 * s.get("m", 0) + g
    v = s["v"] = b2 * s.get("v", 0) + (1 - b2) * g**2
    root = np.sqrt(v / (1 - b2**t) + h.get("epsRoot", 0))
    return -h["rate"] * (m + h.get("alpha", 0) * g) / (root + h.get("eps", 1e-8))


def cases():
    defaults = lambda **hypers: single(
        simplified, "simplifiedAdemamix", assumed={"rate": 1e-3, "decoupled": True}, **hypers
    )
    other = {"beta1": 0.8, "beta2": 0.9, "alpha": 2.0, "eps": 0.01, "epsRoot": 0.02, "weightDecay": 0.2}
    yield Case(
        "defaults",
        *defaults(),
        {"optax.contrib.simplified_ademamix": lambda p: optax_run(lambda: optax.contrib.simplified_ademamix(1e-3), p)},
    )
    yield Case(
        "other betas, alpha 2, decoupled decay, rate that changes mid-run",
        *defaults(rate=DROPPING, **other),
        {
            "optax.contrib.simplified_ademamix": lambda p: optax_run(
                lambda: optax.contrib.simplified_ademamix(
                    lambda count: 0.01 * 0.4 ** (count // 5), 0.8, 0.9, 2.0, 0.01, 0.02, weight_decay=0.2
                ),
                p,
            )
        },
    )
    yield Case("L2", *defaults(rate=0.01, **other, decoupled=False))
